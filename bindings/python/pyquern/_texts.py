"""Lists of str as the library takes them: one buffer, and where each text begins in it."""
from __future__ import annotations

import ctypes
import time
from typing import Optional, Tuple

import numpy as np

from . import _library as lib

_FIRST, _LEAST, _MOST = 256, 16, 1 << 16  # texts in a call
_SECONDS = 0.3                            # that a call should take: an interrupt waits for its end


class Packed:
    """n texts, kept alive while this is. `pointers` and `lengths`: addresses of n size_t each; [i] of a slice by at(i)."""

    def __init__(self, texts, what="text"):
        if set(map(type, texts)) - {str}:
            self._check(texts, what)
        joined = "".join(texts)
        if joined.isascii():
            self._bytes = joined.encode()
            lengths = np.fromiter(map(len, texts), np.uintp, len(texts))
        else:
            try:
                parts = [text.encode() for text in texts]
            except UnicodeEncodeError:
                self._check(texts, what)
                raise
            self._bytes = b"".join(parts)
            lengths = np.fromiter(map(len, parts), np.uintp, len(parts))
        self._lengths = lengths
        begins = np.zeros(len(texts), np.uintp)
        np.cumsum(lengths[:-1], out=begins[1:])
        base = ctypes.cast(ctypes.c_char_p(self._bytes), ctypes.c_void_p).value
        self._pointers = begins + np.uintp(base)
        self.n = len(texts)

    @staticmethod
    def _check(texts, what):
        """Raises where one is no text; subclasses of str are."""
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"{what} {i}: expected a str, found {type(text).__name__}")
            try:
                text.encode()
            except UnicodeEncodeError as e:
                raise ValueError(f"{what} {i}: character {e.start} is half of a surrogate pair, which is no text") from None

    def at(self, i):
        """(addresses of the pointers, of the lengths) from text i on."""
        size = self._lengths.itemsize
        return self._pointers.ctypes.data + i * size, self._lengths.ctypes.data + i * size


def in_slices(n, work, progress=None):
    """Calls work(begin, end) for all of n in order, as many at once as take a moment: Ctrl-C is heard between calls. A text's
    result does not depend on what is beside it, so slices change nothing but time."""
    begin, size = 0, _FIRST
    while begin < n:
        end = min(n, begin + size)
        started = time.perf_counter()
        work(begin, end)
        seconds = max(time.perf_counter() - started, 1e-4)
        if progress:
            progress(end - begin)
        size = int(min(max((end - begin) * _SECONDS / seconds, _LEAST), _MOST, 4 * size))
        begin = end


def list_of_texts(inputs, what="inputs"):
    """(texts, whether it was one alone)."""
    if isinstance(inputs, str):
        return [inputs], True
    if isinstance(inputs, (bytes, bytearray)):
        raise TypeError(f"{what}: expected str or a list of str, found {type(inputs).__name__}; decode it first")
    try:
        return (inputs if isinstance(inputs, list) else list(inputs)), False
    except TypeError:
        raise TypeError(f"{what}: expected str or a list of str, found {type(inputs).__name__}") from None


_LONG = {"error": lib.LONG_ERROR, "truncate": lib.LONG_TRUNCATE, "chunk_mean": lib.LONG_CHUNK_MEAN}


def bytes_or_none(text: Optional[str]):
    return None if text is None else text.encode()


def long_number(name: str) -> int:
    if name not in _LONG:
        raise ValueError(f"long_texts: expected one of {', '.join(_LONG)}, found {name!r}")
    return _LONG[name]


class Characters:
    """Where bytes of a text stand in characters. A part that begins or ends within a character has all of it."""

    def __init__(self, text: str, encoded: bytes) -> None:
        self._begins, self._size = None, len(encoded)  # of each character, in bytes
        if len(text) != len(encoded):
            values = np.frombuffer(encoded, np.uint8)
            self._begins = np.flatnonzero((values & 0xC0) != 0x80)

    def of(self, begin: int, end: int) -> Tuple[int, int]:
        if self._begins is None:
            return begin, end
        first = int(np.searchsorted(self._begins, begin, "right")) - 1 if begin < self._size else len(self._begins)
        return first, max(first, int(np.searchsorted(self._begins, end)))

"""quern as two peers: its library in this process, through ctypes over quern.h, and the whole `quern embed` program."""
from __future__ import annotations

import ctypes
import json
import os
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np

from exports import run
from model import NotMeasured, fail
from peers import Peer, Setting


class EmbedOptions(ctypes.Structure):
    """quern_embed_options. The size lets a newer library know which fields are here."""
    _fields_ = [('size', c_size_t), ('pooling', c_char_p), ('normalize', c_int), ('dimensions', c_int64), ('prompt', c_char_p),
                ('max_length', c_int64), ('truncate', c_int), ('first_text', c_int64)]


class Library:
    """libquern.so: a failed call raises NotMeasured with the library's own sentence."""

    def __init__(self, path: Path):
        try:
            self.dll = ctypes.CDLL(str(path))
        except OSError as error:
            raise NotMeasured(f'the library cannot be loaded: {error}') from None
        for name in ('quern_last_error', 'quern_isa', 'quern_version'):
            getattr(self.dll, name).restype = c_char_p
        for name in ('quern_model_free', 'quern_session_free'):
            getattr(self.dll, name).argtypes, getattr(self.dll, name).restype = [c_void_p], None
        self.dll.quern_string_free.argtypes, self.dll.quern_string_free.restype = [c_void_p], None
        self.dll.quern_session_new.argtypes = [c_void_p, c_int, POINTER(c_void_p)]
        self.dll.quern_model_describe.argtypes = [c_void_p, POINTER(c_void_p)]
        self.dll.quern_embed_width.argtypes = [c_void_p, POINTER(EmbedOptions), POINTER(c_int64)]
        self.dll.quern_embed.argtypes = [c_void_p, POINTER(c_char_p), POINTER(c_size_t), c_size_t, POINTER(EmbedOptions),
                                         POINTER(c_float), c_size_t, c_void_p]
        self.dll.quern_session_limit.argtypes = [c_void_p, c_double, POINTER(c_double)]
        self.dll.quern_model_macs.argtypes = [c_void_p, c_int64, POINTER(c_double), POINTER(c_double)]

    def call(self, name: str, *arguments) -> None:
        if getattr(self.dll, name)(*arguments) != 0:
            raise NotMeasured(self.dll.quern_last_error().decode())

    def isa(self) -> str:
        name = self.dll.quern_isa()
        if name is None:
            raise NotMeasured(self.dll.quern_last_error().decode())
        return name.decode()

    def describe(self, model: c_void_p) -> dict:
        text = c_void_p()
        self.call('quern_model_describe', model, byref(text))
        try:
            return json.loads(ctypes.string_at(text))
        finally:
            self.dll.quern_string_free(text)


class Quern(Peer):
    """The library: one session, all texts in one call."""
    tuned = False

    def __init__(self, setting: Setting, library_path: Path, path: Path, isa: str | None):
        super().__init__(setting)
        self.library = library = Library(library_path)
        if isa:
            os.environ['QUERN_ISA'] = isa
        self.model, self.session = c_void_p(), c_void_p()
        library.call('quern_model_load', str(path).encode(), byref(self.model))
        library.call('quern_session_new', self.model, setting.threads, byref(self.session))
        self.isa = library.isa()
        weights = library.describe(self.model)['type']
        self.float_weights = weights in ('f32', 'f16', 'bf16')
        self.name = f'quern-{weights}' + (f':{isa}' if isa else '')
        self.options = EmbedOptions(size=ctypes.sizeof(EmbedOptions), pooling=None, normalize=1, dimensions=0, prompt=b'',
                                    max_length=self.folder.max_length, truncate=1, first_text=1)
        width = c_int64()
        library.call('quern_embed_width', self.session, byref(self.options), byref(width))
        self.width = width.value
        if self.width != self.folder.width:
            raise NotMeasured(f'{path} makes vectors of {self.width} floats, {self.folder.name} of {self.folder.width}')

    def version(self) -> str:
        return self.library.dll.quern_version().decode()

    def embed(self, texts):
        encoded = [text.encode() for text in texts]
        n = len(encoded)
        vectors = np.empty((n, self.width), np.float32)
        self.library.call('quern_embed', self.session, (c_char_p * n)(*encoded), (c_size_t * n)(*map(len, encoded)), n,
                          byref(self.options), vectors.ctypes.data_as(POINTER(c_float)), vectors.size, None)
        return vectors

    def macs(self, lengths):
        """Multiply-accumulates of texts of so many tokens: in products with weights, and in attention."""
        products, attention = c_double(), c_double()
        total = [0.0, 0.0]
        for length in lengths:
            self.library.call('quern_model_macs', self.model, length, byref(products), byref(attention))
            total = [total[0] + products.value, total[1] + attention.value]
        return total

    def limit(self, seconds):
        rate = c_double()
        self.library.call('quern_session_limit', self.session, seconds, byref(rate))
        return rate.value


class QuernProcess(Quern):
    """`quern embed` from a file to a file: start and load included, as a user sees it. The library measures the limit."""

    def __init__(self, setting: Setting, library_path: Path, path: Path, isa: str | None, program: Path):
        super().__init__(setting, library_path, path, isa)
        if not program.exists():
            raise NotMeasured(f'there is no {program}')
        self.name += ' (process)'
        self.texts, self.out = (setting.exports.work / name for name in ('quern.txt', 'quern.npy'))
        self.command = [program, 'embed', '-m', path, '-f', self.texts, '-o', self.out, '-t', str(setting.threads),
                        '--max-length', str(self.folder.max_length), '--prompt', '', '--normalize', '--quiet']

    def prepare(self, texts):
        self.texts.write_text(''.join(text + '\n' for text in texts), encoding='utf8')

    def embed(self, texts):
        run(self.command)
        return np.load(self.out)


def parse(text: str) -> tuple[Path, str | None]:
    """MODEL[:isa]"""
    path, _, isa = text.rpartition(':')
    if Path(text).exists() or not path or '/' in isa:
        path, isa = text, ''
    if not Path(path).exists():
        fail(f'--quern {text}: there is no {path}')
    return Path(path), isa or None

"""Encoders: texts to vectors, weights, scores and labels."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from . import _library as lib
from ._handle import Loaded
from ._hub import find
from ._progress import Progress
from ._scores import Scores
from ._texts import Characters, Packed, bytes_or_none, in_slices, list_of_texts, long_number
from ._vectors import check_precision, quantize_embeddings, similarity


class Token(NamedTuple):
    """A token and where it stands: characters of the text, (0, 0) where the tokenizer put it in."""
    id: int
    piece: str
    begin: int
    end: int
    special: bool


class Model(Scores):
    """A model on this machine's CPU.

    path: a file that `pyquern.convert` or `quern convert` made, a GGUF file, a Hugging Face folder, or a name: "minilm",
    "org/name@revision". What a name means is downloaded from the Hub and converted to `type` (q8) once; offline=True takes what the
    caches have. threads: 0 for every CPU that the process may use.

    adapter: a folder of peft's with a LoRA adapter, which all its texts go through with.

    Safe to use from several threads: calls take turns, and the GIL is not held while they compute. Not usable after a fork. A
    vector does not depend on the texts beside it, their order, the number of threads or the CPU, to the bit.
    """

    def __init__(self, path: Union[str, os.PathLike], *, type: Optional[str] = None, offline: bool = False, threads: int = 0,
                 max_length: Optional[int] = None, truncate_dim: Optional[int] = None, long_texts: str = "truncate",
                 adapter: Union[str, os.PathLike, None] = None) -> None:
        self._loaded = Loaded(find(os.fspath(path), type, offline, threads), threads, adapter)
        self._own_length = int(lib.get("model_max_length", self._loaded.model.get()))
        self.max_seq_length = int(max_length or self._own_length)
        self.truncate_dim = truncate_dim
        self._long_texts = long_texts
        long_number(long_texts)

    # ---- what it is ----

    @property
    def path(self) -> str:
        return self._loaded.path

    @property
    def fingerprint(self) -> str:
        """What its vectors depend on, as 32 characters: vectors of different ones should not be compared."""
        return self._loaded.fingerprint()

    @property
    def prompts(self) -> Dict[str, str]:
        return dict(self._loaded.about().get("prompts") or {})

    @property
    def default_prompt_name(self) -> Optional[str]:
        return self._loaded.about().get("default_prompt") or None

    @property
    def similarity_fn_name(self) -> str:
        return self._loaded.about().get("similarity") or "cosine"

    @property
    def labels(self) -> List[str]:
        return self._loaded.labels()

    @property
    def info(self) -> Dict[str, Any]:
        """Everything that `quern inspect --json` says."""
        return self._loaded.about()

    def get_sentence_embedding_dimension(self) -> int:
        with self._loaded.lock:
            return self._width(self._options())

    get_embedding_dimension = get_sentence_embedding_dimension

    # ---- vectors ----

    def _cut(self) -> int:
        """Tokens of a text; 0: as the model does, which may depend on what the text is (queries, documents)."""
        return 0 if self.max_seq_length == self._own_length else self.max_seq_length

    def _options(self, prompt=None, prompt_name=None, input_type=None, normalize=False, dimensions=None):
        options = lib.get("embed_options_default")
        options.prompt, options.prompt_name, options.input_type = map(bytes_or_none, (prompt, prompt_name, input_type))
        options.normalize = 1 if normalize else -1
        options.dimensions = dimensions or self.truncate_dim or 0
        options.max_length = self._cut()
        options.long_texts = long_number(self._long_texts)
        options.adapter = self._loaded.adapter()
        return options

    def _width(self, options) -> int:
        width = ctypes.c_int64()
        lib.call("embed_width", self._loaded.session(), ctypes.byref(options), ctypes.byref(width))
        return width.value

    def _slices(self, packed: Packed, show: bool, work) -> None:
        progress = Progress(packed.n, show)
        try:
            with self._loaded.lock:
                session = self._loaded.session()
                in_slices(packed.n, lambda begin, end: work(session, begin, end), progress)
        finally:
            progress.close()

    def encode(self, inputs: Union[str, Sequence[str]], prompt_name: Optional[str] = None, prompt: Optional[str] = None,
               batch_size: Optional[int] = None, show_progress_bar: Optional[bool] = None,
               output_value: str = "sentence_embedding", precision: str = "float32", convert_to_numpy: bool = True,
               convert_to_tensor: bool = False, device: Optional[str] = None, normalize_embeddings: bool = False,
               truncate_dim: Optional[int] = None, *, out: Optional[np.ndarray] = None, _input_type: Optional[str] = None):
        """Vectors of texts, as sentence-transformers' encode: an array of len(inputs) × dimensions, or one row for a str.

        output_value "token_embeddings": a list of arrays, one row for each token. precision: float32, float16, int8, uint8,
        binary or ubinary. truncate_dim: the first so many values (of models trained for it). normalize_embeddings: length 1,
        whatever the model says. out: a float32 array of that shape to write to. batch_size and device are accepted and change
        nothing: batches are made by length, and there is the CPU.
        """
        check_precision(precision)
        if device not in (None, "cpu"):
            raise ValueError(f"device: expected None or \"cpu\", found {device!r}")
        if output_value not in ("sentence_embedding", "token_embeddings"):
            raise ValueError(f"output_value: expected sentence_embedding or token_embeddings, found {output_value!r}")
        texts, single = list_of_texts(inputs)
        packed = Packed(texts)
        options = self._options(prompt, prompt_name, _input_type, normalize_embeddings, truncate_dim)
        if output_value == "token_embeddings":
            rows = self._encoded(packed, options, lib.STATES, bool(show_progress_bar), self._states_of)
            return rows[0] if single else rows
        with self._loaded.lock:
            width = self._width(options)
        vectors = self._room(out, packed.n, width)

        def work(session, begin, end):
            pointers, lengths = packed.at(begin)
            options.first_text = begin
            lib.call("embed", session, pointers, lengths, end - begin, ctypes.byref(options),
                     vectors[begin:end].ctypes.data, (end - begin) * width, None)

        self._slices(packed, bool(show_progress_bar), work)
        if precision != "float32":
            vectors = quantize_embeddings(vectors, precision)
        if convert_to_tensor:
            import torch
            vectors = torch.from_numpy(vectors)
        elif not convert_to_numpy:
            vectors = list(vectors)
        return vectors[0] if single else vectors

    @staticmethod
    def _room(out: Optional[np.ndarray], n: int, width: int) -> np.ndarray:
        if out is None:
            return np.empty((n, width), np.float32)
        if not isinstance(out, np.ndarray) or out.dtype != np.float32 or out.shape != (n, width) or not out.flags.c_contiguous:
            found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
            raise ValueError(f"out: expected a contiguous float32 array of shape ({n}, {width}), found {found}")
        if not out.flags.writeable:
            raise ValueError("out: the array cannot be written to")
        return out

    def encode_query(self, inputs, **options):
        """encode() with the model's prompt for queries, where it has one."""
        return self.encode(inputs, _input_type=None if _has_prompt(options) else "query", **options)

    def encode_document(self, inputs, **options):
        """encode() with the model's prompt for documents, where it has one."""
        return self.encode(inputs, _input_type=None if _has_prompt(options) else "document", **options)

    def encode_stream(self, source, column: Optional[str] = None, *, batch_rows: int = 4096, on_null: str = "error",
                      **options) -> Iterator[np.ndarray]:
        """Vectors of a stream of texts, an array for each `batch_rows` of them (the last may have fewer): no more than that is held.

        source: anything with __arrow_c_stream__, such as a pyarrow Table, RecordBatchReader or ChunkedArray, a polars DataFrame or
        Series, a DuckDB relation. column: its column of strings; not needed where there is one. on_null: what a null is: "error",
        "empty" (an empty text), or "zero" (a row of zeros). options: encode()'s.
        """
        if on_null not in ("error", "empty", "zero"):
            raise ValueError(f"on_null: expected error, empty or zero, found {on_null!r}")
        if batch_rows < 1:
            raise ValueError(f"batch_rows: expected 1 or more, found {batch_rows}")
        if options.get("output_value", "sentence_embedding") != "sentence_embedding":
            raise ValueError("output_value: a stream has sentence embeddings")
        return self._stream(source, column, batch_rows, on_null, options)

    def _stream(self, source, column, batch_rows, on_null, options) -> Iterator[np.ndarray]:
        from ._arrow import batches
        waiting: List[Optional[str]] = []
        first = 0

        def vectors(texts):
            nulls = [i for i, text in enumerate(texts) if text is None]
            if nulls and on_null == "error":
                raise ValueError(f"row {first + nulls[0]}: expected a text, found null (on_null=\"empty\" or \"zero\" takes it)")
            rows = self.encode([text or "" for text in texts] if nulls else texts, **options)
            if nulls and on_null == "zero":
                rows[nulls] = 0
            return rows

        for texts in batches(source, column):
            waiting = waiting + texts if waiting else texts
            begin = 0
            while len(waiting) - begin >= batch_rows:
                yield vectors(waiting[begin:begin + batch_rows])
                begin += batch_rows
                first += batch_rows
            waiting = waiting[begin:]
        if waiting:
            yield vectors(waiting)

    def similarity(self, embeddings1, embeddings2) -> np.ndarray:
        """How near all pairs of rows are, by the model's own measure (similarity_fn_name)."""
        return similarity(self.similarity_fn_name, embeddings1, embeddings2)

    def _encoded(self, packed: Packed, options, outputs: int, show: bool, read) -> List[Any]:
        results: List[Any] = []

        def work(session, begin, end):
            pointers, lengths = packed.at(begin)
            options.first_text = begin
            encoded = ctypes.c_void_p()
            lib.call("encode", session, pointers, lengths, end - begin, ctypes.byref(options), outputs, ctypes.byref(encoded), None)
            try:
                results.extend(read(encoded, i) for i in range(end - begin))
            finally:
                lib.get("encoded_free", encoded)

        self._slices(packed, show, work)
        return results

    @staticmethod
    def _rows_of(function, encoded, i) -> np.ndarray:
        rows, width = ctypes.c_size_t(), ctypes.c_size_t()
        values = lib.get(function, encoded, i, ctypes.byref(rows), ctypes.byref(width))
        if rows.value == 0:
            return np.empty((0, width.value), np.float32)
        return np.ctypeslib.as_array(values, (rows.value, width.value)).copy()

    def _states_of(self, encoded, i) -> np.ndarray:
        return self._rows_of("encoded_states", encoded, i)

    def encode_sparse(self, inputs: Union[str, Sequence[str]], show_progress_bar: bool = False):
        """A dict of token id to weight for each text (SPLADE, bge-m3), by falling weight."""
        def read(encoded, i):
            ids, weights = ctypes.POINTER(ctypes.c_int32)(), ctypes.POINTER(ctypes.c_float)()
            n = lib.get("encoded_sparse", encoded, i, ctypes.byref(ids), ctypes.byref(weights))
            return {ids[k]: weights[k] for k in range(n)}
        texts, single = list_of_texts(inputs)
        found = self._encoded(Packed(texts), self._options(), lib.SPARSE, show_progress_bar, read)
        return found[0] if single else found

    def encode_multi_vector(self, inputs: Union[str, Sequence[str]], show_progress_bar: bool = False, *,
                            input_type: Optional[str] = None, pool_factor: float = 0):
        """An array for each text with a vector for each of its tokens (ColBERT, bge-m3). input_type: query or document, which
        late-interaction models treat apart. pool_factor: of documents, a vector for so many tokens that are near each other; 1:
        for each; 0: as the model does. `similarity` compares lists of such arrays."""
        texts, single = list_of_texts(inputs)
        options = self._options(input_type=input_type)
        options.pool_factor = pool_factor
        found = self._encoded(Packed(texts), options, lib.MULTI_VECTOR, show_progress_bar,
                              lambda encoded, i: self._rows_of("encoded_multi_vector", encoded, i))
        return found[0] if single else found

    # ---- tokens ----

    def tokens(self, text: str, add_special_tokens: bool = True, max_length: int = -1) -> List[Token]:
        """The text's tokens and where they stand. max_length: cut to so many; 0: to the model's; -1: not."""
        encoded = text.encode()
        options = lib.get("tokenize_options_default")
        options.add_special, options.max_length = int(add_special_tokens), max_length
        made = lib.made("tokenize_parts", self._loaded.model.get(), encoded, len(encoded), ctypes.byref(options))
        try:
            n, places = ctypes.c_size_t(), Characters(text, encoded)
            first = lib.get("tokens_of", made, ctypes.byref(n))
            return [Token(t.id, t.piece.decode("utf-8", "replace"), *places.of(t.begin, t.end), bool(t.special))
                    for t in first[:n.value]]
        finally:
            lib.get("tokens_free", made)

    def tokenize(self, text: str, add_special_tokens: bool = True) -> List[int]:
        """The ids of tokens(), all of them."""
        encoded, n = text.encode(), ctypes.c_size_t()
        options = lib.get("tokenize_options_default")
        options.add_special, options.max_length = int(add_special_tokens), -1
        ids = np.empty(len(encoded) + 16, np.int32)
        for _ in range(2):  # more than there are bytes are rare
            try:
                lib.call("tokenize", self._loaded.model.get(), encoded, len(encoded), ctypes.byref(options), ids.ctypes.data, len(ids),
                         ctypes.byref(n))
                break
            except lib.BadArgument:
                if n.value <= len(ids):
                    raise
                ids = np.empty(n.value, np.int32)
        return ids[:n.value].tolist()

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        ids = np.fromiter(ids, np.int32)
        options = lib.get("detokenize_options_default")
        options.skip_special = int(skip_special_tokens)
        text, length = ctypes.c_void_p(), ctypes.c_size_t()
        lib.call("detokenize", self._loaded.model.get(), ids.ctypes.data, len(ids), ctypes.byref(options), ctypes.byref(text), ctypes.byref(length))
        return lib.taken_text(text)

    # ---- its life ----

    def close(self) -> None:
        """Frees it; using it afterwards is a ValueError. Otherwise it is freed with the object."""
        self._loaded.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.path!r})"

    def __reduce__(self):
        settings = {"threads": self._loaded.threads, "max_length": self.max_seq_length, "truncate_dim": self.truncate_dim,
                    "long_texts": self._long_texts, "adapter": self._loaded.adapter_path}
        return _restore, (self.__class__, self.path, self.fingerprint, settings)


def _has_prompt(options: Dict[str, Any]) -> bool:
    return options.get("prompt") is not None or options.get("prompt_name") is not None


def _restore(cls, path, fingerprint, settings):
    model = cls(path, **settings)
    if model.fingerprint != fingerprint:
        raise ValueError(f"{path}: the model of that name is not the one that was pickled (fingerprint {model.fingerprint}, expected "
                         f"{fingerprint})")
    return model

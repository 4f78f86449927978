"""Hugging Face text models on ordinary CPUs: embeddings, reranking, classification, chat.

    import pyquern
    model = pyquern.Model("minilm")
    vectors = model.encode(["a text", "another"])
    model.similarity(vectors, vectors)
"""
from . import _library
from ._library import BadArgument, BadFile, FileProblem, NotFound, OutOfMemory, QuernError, Unsupported
from ._vectors import quantize_embeddings
from ._version import VERSION as __version__
from .generation import Generator
from .model import Model, Token

# The names that sentence-transformers has for what these do.
SentenceTransformer = CrossEncoder = Model

__all__ = ["Model", "Generator", "SentenceTransformer", "CrossEncoder", "Token", "convert", "cached_models", "known_models", "quantize_embeddings", "cpu", "isa",
           "QuernError", "BadArgument", "BadFile", "FileProblem", "NotFound", "OutOfMemory", "Unsupported"]


def convert(folder, output, type=None, threads=0, adapters=()):
    """Converts a Hugging Face folder to a model file of `type` (q8, q8_fine, q4, f16, q8_0, …; None: as the output's name ends).
    adapters: folders of peft's with LoRA adapters, or pairs of folder and weight, merged in turn before the weights are rounded.
    The file appears when it is whole."""
    import ctypes
    import os
    import warnings
    options = _library.get("convert_options_default")
    options.type, options.n_threads = None if type is None else type.encode(), threads
    pairs = [a if isinstance(a, tuple) else (a, 1.0) for a in adapters]
    folders = (ctypes.c_char_p * len(pairs))(*(os.fsencode(folder) for folder, _ in pairs))
    weights = (ctypes.c_float * len(pairs))(*(weight for _, weight in pairs))
    note = _library.ON_NOTE(lambda _, text: warnings.warn(text.decode(errors="replace"), stacklevel=2))
    if pairs:
        options.adapters, options.adapter_weights, options.n_adapters = folders, weights, len(pairs)
    options.note = ctypes.cast(note, ctypes.c_void_p)
    _library.call("convert", os.fsencode(folder), os.fsencode(output), ctypes.byref(options))


def known_models():
    """The models with short names: [{"name", "repo", "task", "good_for", "dimensions", "tokens", "parameters", "license"}]."""
    import json
    return json.loads(_library.text_made("hub_known"))


def cached_models():
    """What was downloaded and converted: [{"name", "commit", "revisions", "bytes", "converted"}]."""
    import json
    return json.loads(_library.text_made("hub_list"))


def cpu() -> str:
    """The CPU's name."""
    return _library.get("cpu").decode()


def isa() -> str:
    """The kernels that run on it, e.g. avx512_vnni."""
    name = _library.get("isa")
    if name is None:
        raise QuernError(_library.get("last_error").decode())
    return name.decode()

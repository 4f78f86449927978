"""libquern by ctypes: its functions, structures and errors. Each declaration is that of include/quern/*.h."""
import ctypes as c
import os

_HERE = os.path.dirname(os.path.abspath(__file__))
# QUERN_LIBRARY: another build of the library, for those who work on it.
_PATH = os.environ.get("QUERN_LIBRARY") or os.path.join(_HERE, "libquern.so.0")

DENSE, SPARSE, MULTI_VECTOR, LABELS, TOKEN_LABELS, TEXT, STATES = (1 << i for i in range(7))
LONG_ERROR, LONG_TRUNCATE, LONG_CHUNK_MEAN = range(3)


class QuernError(Exception):
    """What the library refuses or cannot do; `status` is quern_status's number."""
    status = 0


class BadArgument(QuernError, ValueError):
    status = 1


class NotFound(QuernError, FileNotFoundError):
    status = 2


class FileProblem(QuernError, OSError):
    status = 3


class BadFile(QuernError, ValueError):
    status = 4


class Unsupported(QuernError, NotImplementedError):
    status = 5


class OutOfMemory(QuernError, MemoryError):
    status = 6


_ERRORS = {e.status: e for e in (BadArgument, NotFound, FileProblem, BadFile, Unsupported, OutOfMemory)}


class TextInfo(c.Structure):
    _fields_ = [("tokens", c.c_uint32), ("dropped", c.c_uint32), ("repaired", c.c_int)]


class EmbedOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("pooling", c.c_char_p), ("normalize", c.c_int), ("dimensions", c.c_int64),
                ("prompt", c.c_char_p), ("max_length", c.c_int64), ("long_texts", c.c_int), ("first_text", c.c_int64),
                ("prompt_name", c.c_char_p), ("input_type", c.c_char_p), ("overlap", c.c_int64), ("info", c.POINTER(TextInfo)),
                ("adapter", c.c_void_p), ("adapters", c.POINTER(c.c_void_p)), ("pool_factor", c.c_double)]


class EmbedStats(c.Structure):
    _fields_ = [(name, c.c_uint64) for name in ("texts", "tokens", "truncated", "repaired", "chunked")]


class ClassifyOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("raw", c.c_int), ("max_length", c.c_int64), ("long_texts", c.c_int),
                ("first_text", c.c_int64), ("info", c.POINTER(TextInfo)), ("adapter", c.c_void_p),
                ("adapters", c.POINTER(c.c_void_p)), ("prompt", c.c_char_p), ("prompt_name", c.c_char_p)]


class ZeroShotOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("hypothesis", c.c_char_p), ("multi_label", c.c_int)]


class Span(c.Structure):
    _fields_ = [("begin", c.c_size_t), ("end", c.c_size_t), ("label", c.c_int64), ("score", c.c_float)]


class TokenizeOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("add_special", c.c_int), ("max_length", c.c_int64)]


class Token(c.Structure):
    _fields_ = [("id", c.c_int32), ("special", c.c_int), ("begin", c.c_size_t), ("end", c.c_size_t), ("piece", c.c_char_p)]


class DetokenizeOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("skip_special", c.c_int)]


class GeneratorOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("n_threads", c.c_int), ("context", c.c_int64), ("sequences", c.c_int64),
                ("kv_type", c.c_char_p), ("kv_memory", c.c_uint64), ("chunk", c.c_int64), ("reuse_prefixes", c.c_int)]


class GenerationOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("max_tokens", c.c_int64), ("temperature", c.c_float), ("top_k", c.c_int), ("top_p", c.c_float),
                ("min_p", c.c_float), ("typical_p", c.c_float), ("repetition_penalty", c.c_float), ("penalty_last_n", c.c_int),
                ("frequency_penalty", c.c_float), ("presence_penalty", c.c_float), ("seed", c.c_uint64),
                ("bias_ids", c.POINTER(c.c_int32)), ("bias", c.POINTER(c.c_float)), ("n_bias", c.c_size_t),
                ("stop", c.POINTER(c.c_char_p)), ("n_stop", c.c_size_t), ("include_stop", c.c_int), ("grammar", c.c_char_p),
                ("json_schema", c.c_char_p), ("logprobs", c.c_int), ("speculate", c.c_int), ("ignore_end", c.c_int),
                ("shown_ids", c.POINTER(c.c_int32)), ("n_shown", c.c_size_t), ("adapter", c.c_void_p)]


class TokenEvent(c.Structure):
    _fields_ = [("sequence", c.c_int64), ("token", c.c_int32), ("text", c.c_void_p), ("length", c.c_size_t), ("logprob", c.c_float),
                ("top", c.c_void_p), ("n_top", c.c_size_t), ("finish", c.c_int), ("error", c.c_char_p), ("status", c.c_int)]


class ConvertOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("type", c.c_char_p), ("calibration", c.c_char_p), ("n_threads", c.c_int),
                ("self_test", c.c_char_p), ("progress", c.c_void_p), ("user", c.c_void_p),
                ("adapters", c.POINTER(c.c_char_p)), ("adapter_weights", c.POINTER(c.c_float)), ("n_adapters", c.c_size_t),
                ("note", c.c_void_p)]


ON_NOTE = c.CFUNCTYPE(None, c.c_void_p, c.c_char_p)


class HubOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("type", c.c_char_p), ("offline", c.c_int), ("refresh", c.c_int),
                ("include", c.POINTER(c.c_char_p)), ("n_include", c.c_size_t), ("exclude", c.POINTER(c.c_char_p)),
                ("n_exclude", c.c_size_t), ("n_threads", c.c_int), ("progress", c.c_void_p), ("user", c.c_void_p)]


ON_HUB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.c_char_p, c.c_double, c.c_double)
ON_TOKEN = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(TokenEvent))

_P, _S, _Z, _I64 = c.c_void_p, c.c_char_p, c.c_size_t, c.c_int64
_OUT = c.POINTER(c.c_void_p)
_FLOATS, _IDS = c.POINTER(c.c_float), c.POINTER(c.c_int32)
# name: (result, arguments); a result of None is a quern_status, which `call` checks.
_CALLS = {
    "model_load": (_S, _OUT), "model_describe": (_P, _OUT), "model_fingerprint": (_P, _OUT),
    "adapter_load": (_P, _S, _OUT), "adapter_fingerprint": (_P, _OUT),
    "session_new": (_P, c.c_int, _OUT),
    "embed_width": (_P, c.POINTER(EmbedOptions), c.POINTER(_I64)),
    "embed": (_P, _P, _P, _Z, c.POINTER(EmbedOptions), _P, _Z, c.POINTER(EmbedStats)),
    "encode": (_P, _P, _P, _Z, c.POINTER(EmbedOptions), c.c_uint, _OUT, c.POINTER(EmbedStats)),
    "classify": (_P, _P, _P, _P, _P, _Z, c.POINTER(ClassifyOptions), _P, _Z, c.POINTER(EmbedStats)),
    "zero_shot": (_P, _P, _P, _Z, c.POINTER(c.c_char_p), _Z, c.POINTER(ZeroShotOptions), c.POINTER(ClassifyOptions), _P, _Z,
                  c.POINTER(EmbedStats)),
    "classify_tokens": (_P, _P, _P, _Z, c.POINTER(ClassifyOptions), c.c_int, _OUT, c.POINTER(EmbedStats)),
    "tokenize": (_P, _S, _Z, c.POINTER(TokenizeOptions), _P, _Z, c.POINTER(_Z)),
    "tokenize_parts": (_P, _S, _Z, c.POINTER(TokenizeOptions), _OUT),
    "detokenize": (_P, _P, _Z, c.POINTER(DetokenizeOptions), _OUT, c.POINTER(_Z)),
    "generator_new": (_P, c.POINTER(GeneratorOptions), _OUT),
    "generator_add": (_P, _P, _Z, c.POINTER(GenerationOptions), c.POINTER(_I64)),
    "generator_step": (_P, ON_TOKEN, _P, c.POINTER(_Z)),
    "generator_cancel": (_P, _I64),
    "chat_tokens": (_P, _S, _Z, c.POINTER(_P), c.POINTER(_Z)),
    "hub_model": (_S, c.POINTER(HubOptions), _OUT), "hub_list": (_OUT,), "hub_known": (_OUT,),
    "convert": (_S, _S, c.POINTER(ConvertOptions)),
}
_OTHERS = {
    "version": (_S,), "last_error": (_S,), "isa": (_S,), "cpu": (_S,), "usable_cpus": (c.c_int,), "string_free": (None, _P),
    "model_free": (None, _P), "model_width": (_I64, _P), "model_max_length": (_I64, _P), "model_outputs": (c.c_uint, _P),
    "model_labels": (_I64, _P), "model_label": (_S, _P, _I64), "model_has_chat": (c.c_int, _P),
    "adapter_free": (None, _P), "adapter_note": (_S, _P, _Z),
    "session_free": (None, _P), "encoded_free": (None, _P), "spans_free": (None, _P), "tokens_free": (None, _P),
    "generator_free": (None, _P), "ids_free": (None, _P),
    "encoded_dense": (_FLOATS, _P, _Z, c.POINTER(_Z), c.POINTER(_Z)),
    "encoded_sparse": (_Z, _P, _Z, c.POINTER(_IDS), c.POINTER(_FLOATS)),
    "encoded_multi_vector": (_FLOATS, _P, _Z, c.POINTER(_Z), c.POINTER(_Z)),
    "encoded_states": (_FLOATS, _P, _Z, c.POINTER(_Z), c.POINTER(_Z)),
    "spans_of": (c.POINTER(Span), _P, _Z, c.POINTER(_Z)),
    "tokens_of": (c.POINTER(Token), _P, c.POINTER(_Z)),
    "embed_options_default": (EmbedOptions,), "classify_options_default": (ClassifyOptions,),
    "zero_shot_options_default": (ZeroShotOptions,),
    "tokenize_options_default": (TokenizeOptions,), "detokenize_options_default": (DetokenizeOptions,),
    "generator_options_default": (GeneratorOptions,), "generation_options_default": (GenerationOptions,),
    "model_generation_options": (GenerationOptions, _P), "convert_options_default": (ConvertOptions,),
    "hub_options_default": (HubOptions,),
}


def _load():
    try:
        library = c.CDLL(_PATH)
    except OSError as e:
        raise ImportError(f"pyquern's library cannot be loaded: {e}; install the wheel of this platform, or name a build of "
                          "libquern.so in QUERN_LIBRARY") from None
    for name, arguments in _CALLS.items():
        function = getattr(library, "quern_" + name)
        function.restype, function.argtypes = c.c_int, arguments
    for name, (result, *arguments) in _OTHERS.items():
        function = getattr(library, "quern_" + name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


def get(name, *arguments):
    """Calls a function that cannot fail."""
    return getattr(_library, "quern_" + name)(*arguments)


def error(status, message):
    return _ERRORS.get(status, QuernError)(message)


def call(name, *arguments):
    """Calls a function that returns a status; raises what it says."""
    status = getattr(_library, "quern_" + name)(*arguments)
    if status != 0:
        raise error(status, get("last_error").decode("utf-8", "replace"))


def made(name, *arguments):
    """Calls a function whose last argument is where it puts what it made; that."""
    out = c.c_void_p()
    call(name, *arguments, c.byref(out))
    return out


def text_made(name, *arguments):
    """made(), of a string."""
    return taken_text(made(name, *arguments))


def taken_text(pointer):
    """A string that the library made, and frees."""
    try:
        return c.string_at(pointer).decode("utf-8", "replace")
    finally:
        get("string_free", pointer)

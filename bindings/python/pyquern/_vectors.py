"""What is done with vectors afterwards: other precisions and similarities, as sentence-transformers has them."""
import numpy as np

PRECISIONS = ("float32", "float16", "int8", "uint8", "binary", "ubinary")


def check_precision(precision):
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, found {precision!r}")


def quantize_embeddings(embeddings, precision="int8", ranges=None, calibration_embeddings=None):
    """Rows of float32 in another precision.

    int8 and uint8: 255 steps from the least to the largest value of each dimension, of `ranges` (2 rows), else of
    `calibration_embeddings`, else of the embeddings themselves. binary and ubinary: a bit for each dimension, 1 above 0, eight in
    a byte (binary: minus 128, as int8)."""
    check_precision(precision)
    x = np.asarray(embeddings, np.float32)
    if precision == "float32":
        return x
    if precision == "float16":
        return x.astype(np.float16)
    if precision in ("binary", "ubinary"):
        bits = np.packbits(x > 0, axis=-1)
        return bits if precision == "ubinary" else (bits.astype(np.int16) - 128).astype(np.int8)
    if ranges is None:
        of = np.asarray(calibration_embeddings if calibration_embeddings is not None else x, np.float32)
        if of.ndim != 2 or len(of) == 0:
            raise ValueError(f"precision {precision}: a single vector has no ranges; give `ranges` or `calibration_embeddings`")
        ranges = np.vstack((of.min(axis=0), of.max(axis=0)))
    starts = ranges[0]
    steps = (ranges[1] - ranges[0]) / 255
    steps = np.where(steps == 0, 1, steps)
    scaled = (x - starts) / steps
    if precision == "uint8":
        return np.clip(scaled, 0, 255).astype(np.uint8)
    return np.clip(scaled - 128, -128, 127).astype(np.int8)


def _matrix(x):
    x = np.asarray(x, np.float32)
    return x[None] if x.ndim == 1 else x


def _unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def _max_similarity(queries, documents, mean):
    """All pairs of texts, each an array of its tokens' vectors: the sum, or mean, of each query token's nearest."""
    def score(query, document):
        if len(query) == 0 or len(document) == 0:
            return 0.0
        nearest = (np.asarray(query, np.float32) @ np.asarray(document, np.float32).T).max(axis=1)
        return nearest.mean() if mean else nearest.sum()
    queries, documents = ([x] if isinstance(x, np.ndarray) and x.ndim == 2 else x for x in (queries, documents))
    return np.array([[score(q, d) for d in documents] for q in queries], np.float32).reshape(len(queries), len(documents))


def similarity(name, a, b):
    """All pairs of rows: an array of len(a) × len(b). maxsim, meanmaxsim: of texts, whose tokens have the rows."""
    if name in ("maxsim", "meanmaxsim"):
        return _max_similarity(a, b, name == "meanmaxsim")
    a, b = _matrix(a), _matrix(b)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"vectors of {a.shape[-1]} and of {b.shape[-1]} values cannot be compared")
    if name == "cosine":
        return _unit(a) @ _unit(b).T
    if name == "dot":
        return a @ b.T
    if name == "euclidean":
        return -np.sqrt(np.maximum((a * a).sum(-1)[:, None] - 2 * (a @ b.T) + (b * b).sum(-1)[None], 0))
    if name == "manhattan":
        return -np.stack([np.abs(row - b).sum(-1) for row in a])
    raise ValueError(f"similarity: expected cosine, dot, euclidean or manhattan, found {name!r}")

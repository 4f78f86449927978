"""The arithmetic: correlations, neighbours kept, cosines."""
from __future__ import annotations

import numpy as np


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def ranks(values: np.ndarray) -> np.ndarray:
    """1 for the smallest; equal values share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    return pearson(ranks(a), ranks(b))


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each row of a to the same row of b."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def nearest(queries: np.ndarray, documents: np.ndarray, k: int) -> np.ndarray:
    """Each query's k nearest documents, nearest first; of equally near ones the first. Rows are of length 1."""
    return np.argsort(-(queries @ documents.T), axis=1, kind='stable')[:, :k]


def kept(reference: np.ndarray, found: np.ndarray) -> float:
    """The share of the reference's neighbours that are found again, in any order."""
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(reference.tolist(), found.tolist())]))


def self_check() -> None:
    """Against figures worked out by hand."""
    def near(value, expected):
        assert abs(value - expected) < 1e-12, (value, expected)
    assert ranks(np.array([10, 30, 20, 20, 5])).tolist() == [2, 5, 3.5, 3.5, 1]
    near(spearman(np.array([1, 2, 3, 4]), np.array([1, 8, 27, 64])), 1)
    near(spearman(np.array([1, 2, 3, 4]), np.array([4, 3, 2, 1])), -1)
    near(spearman(np.array([1, 2, 3, 4, 5]), np.array([2, 1, 4, 3, 5])), 0.8)  # 1 - 6 · 4 / (5 · 24)
    near(spearman(np.array([1, 2, 2, 3]), np.array([1, 2, 3, 4])), 4.5 / np.sqrt(4.5 * 5))
    near(pearson(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])), 1 / np.sqrt(2))
    near(cosines(np.array([[3, 4]]), np.array([[4, 3]]))[0], 24 / 25)
    documents = np.array([[1, 0], [0, 1], [0.6, 0.8], [1, 0]])
    found = nearest(np.array([[1.0, 0.0], [0.0, 1.0]]), documents, 2)
    assert found.tolist() == [[0, 3], [1, 2]]
    near(kept(found, np.array([[3, 0], [1, 0]])), 0.75)

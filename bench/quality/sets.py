"""What is asked of a model's vectors: the sets that get-data fetches."""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import figures

NEIGHBOURS = 10
SHORTEST = 20  # characters of a sentence


def sentences(texts: list[str]) -> list[str]:
    parts = [part for text in texts for part in re.split(r'(?<=[.?!])\s+(?=[A-Z"])', text)]
    return list(dict.fromkeys(part for part in parts if len(part) > SHORTEST))


def lines(path: Path, encoding: str = 'utf8') -> list[str]:
    return [line.strip() for line in path.read_text(encoding=encoding).splitlines() if line.strip()]


@dataclass
class WordPairs:
    name: str
    pairs: list[tuple[str, str]]
    people: np.ndarray

    @classmethod
    def read(cls, name: str, path: Path) -> WordPairs:
        rows = [line.split('\t') for line in lines(path) if not line.startswith('#')]
        return cls(name, [(row[0], row[1]) for row in rows], np.array([float(row[2]) for row in rows]))


class Sets:
    """All of them. `texts` are embedded once and each set takes its own: vectors are looked up by text."""

    def __init__(self, folder: Path, n_documents: int):
        self.news = lines(folder / 'lee.cor', 'latin-1')
        people = np.loadtxt(folder / 'similarities0-1.txt')
        if people.shape != (len(self.news), len(self.news)):
            raise ValueError(f'{folder}: {len(self.news)} documents, and people\'s similarities of {people.shape}')
        self.upper = np.triu_indices(len(self.news), 1)  # the pairs; what is below the diagonal is not filled in
        self.people = people[self.upper]
        self.queries = sentences(self.news)
        self.documents = [s for s in sentences(lines(folder / 'lee_background.cor', 'latin-1')) if s not in set(self.queries)][:n_documents]
        self.words = [WordPairs.read('SimLex-999', folder / 'simlex999.txt'), WordPairs.read('WordSim-353', folder / 'wordsim353.tsv')]
        self.prose = list(dict.fromkeys(self.news + self.queries + self.documents))
        self.texts = list(dict.fromkeys(self.prose + [word for s in self.words for pair in s.pairs for word in pair]))
        self.place = {text: i for i, text in enumerate(self.texts)}

    def of(self, texts: list[str], vectors: np.ndarray) -> np.ndarray:
        return vectors[[self.place[text] for text in texts]]

    def figures(self, vectors: np.ndarray, reference: np.ndarray) -> dict[str, float]:
        """Of vectors of `texts`, all of length 1, beside those of the f32 model."""
        to_f32 = figures.cosines(vectors, reference)
        n = len(self.prose)
        news = self.of(self.news, vectors)
        near = (news @ news.T)[self.upper]

        def neighbours(v):
            return figures.nearest(self.of(self.queries, v), self.of(self.documents, v), NEIGHBOURS)
        out = {'cosine_mean': float(to_f32[:n].mean()), 'cosine_worst': float(to_f32[:n].min()),
               'words_cosine_mean': float(to_f32[n:].mean()), 'words_cosine_worst': float(to_f32[n:].min()),
               'lee_pearson': figures.pearson(near, self.people), 'lee_spearman': figures.spearman(near, self.people),
               'neighbours_kept': figures.kept(neighbours(reference), neighbours(vectors))}
        for s in self.words:
            left, right = (self.of([pair[side] for pair in s.pairs], vectors) for side in (0, 1))
            out[s.name] = figures.spearman(figures.cosines(left, right), s.people)
        return out

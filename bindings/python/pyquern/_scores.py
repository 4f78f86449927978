"""What a Model says of texts and pairs of texts: scores and labels."""
from __future__ import annotations

import ctypes
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from . import _library as lib
from ._texts import Characters, Packed, bytes_or_none, list_of_texts, long_number


class Scores:
    def _classify_options(self, raw: bool, prompt: Optional[str] = None, prompt_name: Optional[str] = None):
        options = lib.get("classify_options_default")
        options.prompt, options.prompt_name = map(bytes_or_none, (prompt, prompt_name))
        options.raw, options.max_length = int(raw), self._cut()
        options.long_texts = long_number(self._long_texts)
        options.adapter = self._loaded.adapter()
        return options

    def _scores(self, packed: Packed, pairs: Optional[Packed], raw: bool, show: bool, prompt: Optional[str] = None,
                prompt_name: Optional[str] = None) -> np.ndarray:
        n_labels = max(len(self.labels), 1)
        scores = np.empty((packed.n, n_labels), np.float32)
        options = self._classify_options(raw, prompt, prompt_name)

        def work(session, begin, end):
            options.first_text = begin
            second = pairs.at(begin) if pairs else (None, None)
            lib.call("classify", session, *packed.at(begin), *second, end - begin, ctypes.byref(options),
                     scores[begin:end].ctypes.data, (end - begin) * n_labels, None)

        self._slices(packed, show, work)
        return scores

    def predict(self, sentences: Sequence[Tuple[str, str]], batch_size: Optional[int] = None, show_progress_bar: bool = False,
                *, prompt: Optional[str] = None, prompt_name: Optional[str] = None, raw: bool = False) -> np.ndarray:
        """Scores of pairs of texts by a cross-encoder, as CrossEncoder.predict: one each, or one for each label.
        prompt: what rerankers that are language models are told of the task (their instruction). raw: before the model's
        activation."""
        pairs = list(sentences)
        single = len(pairs) == 2 and all(isinstance(text, str) for text in pairs)
        if single:
            pairs = [tuple(pairs)]
        for i, pair in enumerate(pairs):
            if isinstance(pair, str) or len(pair) != 2:
                raise TypeError(f"sentences {i}: expected a pair of str")
        scores = self._scores(Packed([a for a, _ in pairs], "first text"), Packed([b for _, b in pairs], "second text"), raw,
                              show_progress_bar, prompt, prompt_name)
        scores = scores[:, 0] if scores.shape[1] == 1 else scores
        return scores[0] if single else scores

    def rank(self, query: str, documents: Sequence[str], top_k: Optional[int] = None, return_documents: bool = False,
             batch_size: Optional[int] = None, show_progress_bar: bool = False, *, prompt: Optional[str] = None,
             prompt_name: Optional[str] = None) -> List[Dict[str, Any]]:
        """Documents by how well they answer the query, best first: [{"corpus_id", "score", "text"}]."""
        documents, _ = list_of_texts(documents, "documents")
        pairs = [(query, document) for document in documents]
        scores = self.predict(pairs, None, show_progress_bar, prompt=prompt, prompt_name=prompt_name) if pairs else []
        order = sorted(range(len(documents)), key=lambda i: (-scores[i], i))[:top_k]
        return [{"corpus_id": i, "score": float(scores[i]), **({"text": documents[i]} if return_documents else {})} for i in order]

    rerank = rank

    def classify(self, inputs: Union[str, Sequence[str]], top_k: Optional[int] = None, *, raw: bool = False):
        """[{"label", "score"}] for each text, likeliest first."""
        texts, single = list_of_texts(inputs)
        labels = self.labels
        found = [[{"label": labels[i], "score": float(row[i])} for i in np.argsort(-row, kind="stable")[:top_k]]
                 for row in self._scores(Packed(texts), None, raw, False)]
        return found[0] if single else found

    def classify_zero_shot(self, inputs: Union[str, Sequence[str]], labels: Union[str, Sequence[str]], *,
                           hypothesis: str = "This example is {}.", multi_label: bool = False):
        """[{"label", "score"}] of labels of your own for each text, likeliest first, by a model of natural language inference:
        as transformers' zero-shot-classification pipeline has them. labels: a list, or one str with commas between them."""
        texts, single = list_of_texts(inputs)
        labels = [part.strip() for part in labels.split(",")] if isinstance(labels, str) else list(labels)
        packed, options, wanted = Packed(texts), self._classify_options(False), lib.get("zero_shot_options_default")
        wanted.hypothesis, wanted.multi_label = hypothesis.encode(), int(multi_label)
        names = (ctypes.c_char_p * len(labels))(*(label.encode() for label in labels))
        scores = np.empty((packed.n, max(len(labels), 1)), np.float32)

        def work(session, begin, end):
            options.first_text = begin
            lib.call("zero_shot", session, *packed.at(begin), end - begin, names, len(labels), ctypes.byref(wanted),
                     ctypes.byref(options), scores[begin:end].ctypes.data, (end - begin) * scores.shape[1], None)

        self._slices(packed, False, work)
        found = [[{"label": labels[i], "score": float(row[i])} for i in np.argsort(-row, kind="stable")] for row in scores]
        return found[0] if single else found

    def tag(self, inputs: Union[str, Sequence[str]], grouped: bool = True):
        """The labelled parts of each text (named entities): [{"label", "score", "start", "end", "word"}], in characters."""
        texts, single = list_of_texts(inputs)
        packed, labels, options, found = Packed(texts), self.labels, self._classify_options(False), []

        def work(session, begin, end):
            spans, n = ctypes.c_void_p(), ctypes.c_size_t()
            options.first_text = begin
            lib.call("classify_tokens", session, *packed.at(begin), end - begin, ctypes.byref(options), int(grouped), ctypes.byref(spans), None)
            try:
                for i in range(begin, end):
                    first = lib.get("spans_of", spans, i - begin, ctypes.byref(n))
                    places, parts = Characters(texts[i], texts[i].encode()), []
                    for span in first[:n.value]:
                        a, b = places.of(span.begin, span.end)
                        parts.append({"label": labels[span.label], "score": span.score, "start": a, "end": b, "word": texts[i][a:b]})
                    found.append(parts)
            finally:
                lib.get("spans_free", spans)

        self._slices(packed, False, work)
        return found[0] if single else found

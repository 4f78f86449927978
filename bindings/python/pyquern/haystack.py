"""Haystack's embedders over a Model. Needs haystack-ai.

    from pyquern.haystack import QuernDocumentEmbedder, QuernTextEmbedder
    pipeline.add_component("embedder", QuernTextEmbedder("minilm"))
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Optional

from haystack import Document, component, default_from_dict, default_to_dict

from .model import Model


class _Embedder:
    """The model is loaded by warm_up(), or by the first text."""

    def __init__(self, model: str, model_options: Optional[Dict[str, Any]] = None) -> None:
        self.model, self.model_options = model, dict(model_options or {})
        self._loaded: Optional[Model] = None

    def warm_up(self) -> None:
        if self._loaded is None:
            self._loaded = Model(self.model, **self.model_options)

    def to_dict(self) -> Dict[str, Any]:
        return default_to_dict(self, model=self.model, model_options=self.model_options)

    @classmethod
    def from_dict(cls, data: Dict[str, Any]):
        return default_from_dict(cls, data)


@component
class QuernTextEmbedder(_Embedder):
    """The vector of a query, with the model's prompt for queries."""

    @component.output_types(embedding=List[float])
    def run(self, text: str) -> Dict[str, Any]:
        if not isinstance(text, str):
            raise TypeError(f"text: expected a str, found {type(text).__name__}; QuernDocumentEmbedder takes documents")
        self.warm_up()
        return {"embedding": self._loaded.encode_query(text).tolist()}


@component
class QuernDocumentEmbedder(_Embedder):
    """Documents with their vectors. meta_fields: of a document's meta, put before its content, a line each."""

    def __init__(self, model: str, model_options: Optional[Dict[str, Any]] = None, meta_fields: Optional[List[str]] = None) -> None:
        _Embedder.__init__(self, model, model_options)  # component makes another class of this one
        self.meta_fields = list(meta_fields or [])

    def to_dict(self) -> Dict[str, Any]:
        return default_to_dict(self, model=self.model, model_options=self.model_options, meta_fields=self.meta_fields)

    @component.output_types(documents=List[Document])
    def run(self, documents: List[Document]) -> Dict[str, Any]:
        if not isinstance(documents, list) or any(not isinstance(d, Document) for d in documents):
            raise TypeError("documents: expected a list of haystack Documents; QuernTextEmbedder takes a text")
        self.warm_up()
        texts = ["\n".join([*(str(d.meta[f]) for f in self.meta_fields if d.meta.get(f)), d.content or ""]) for d in documents]
        vectors = self._loaded.encode_document(texts).tolist()
        return {"documents": [replace(d, embedding=v) for d, v in zip(documents, vectors)]}

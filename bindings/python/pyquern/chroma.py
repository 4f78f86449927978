"""Chroma's embedding function over a Model. Needs chromadb.

    from pyquern.chroma import QuernEmbeddingFunction
    collection = client.create_collection("texts", embedding_function=QuernEmbeddingFunction("minilm"))
"""
from __future__ import annotations

from typing import Any, Dict, List, Optional

from chromadb.api.types import Documents, EmbeddingFunction, Embeddings, Space
from chromadb.utils.embedding_functions import register_embedding_function

from .model import Model


@register_embedding_function
class QuernEmbeddingFunction(EmbeddingFunction[Documents]):
    """model: what Model takes, which a collection keeps with its options, so that it opens with the same one. Documents and queries get the
    model's own prompts."""

    def __init__(self, model: str, options: Optional[Dict[str, Any]] = None) -> None:
        self._name, self._options = str(model), dict(options or {})
        self._model = Model(self._name, **self._options)

    def __call__(self, input: Documents) -> Embeddings:
        return list(self._model.encode_document(list(input)))

    def embed_query(self, input: Documents) -> Embeddings:
        return list(self._model.encode_query(list(input)))

    @staticmethod
    def name() -> str:
        return "pyquern"

    def default_space(self) -> Space:
        return {"dot": "ip", "euclidean": "l2"}.get(self._model.similarity_fn_name, "cosine")

    def supported_spaces(self) -> List[Space]:
        return ["cosine", "l2", "ip"]

    def get_config(self) -> Dict[str, Any]:
        return {"model": self._name, "options": self._options}

    @staticmethod
    def build_from_config(config: Dict[str, Any]) -> "QuernEmbeddingFunction":
        return QuernEmbeddingFunction(config["model"], config.get("options"))

    def validate_config_update(self, old_config: Dict[str, Any], new_config: Dict[str, Any]) -> None:
        if old_config.get("model") != new_config.get("model"):
            raise ValueError(f"model: the collection's vectors are of {old_config.get('model')!r}, not of {new_config.get('model')!r}")

    @staticmethod
    def validate_config(config: Dict[str, Any]) -> None:
        if not isinstance(config.get("model"), str):
            raise ValueError("model: expected a str")

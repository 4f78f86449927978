"""LlamaIndex's embedding over a Model. Needs llama-index-core.

    from pyquern.llama_index import QuernEmbedding
    Settings.embed_model = QuernEmbedding("minilm")
"""
from __future__ import annotations

from typing import Any, List, Optional, Union

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from .model import Model


class QuernEmbedding(BaseEmbedding):
    """model: a Model, or what Model takes; model_options: its options. Documents and queries get the model's own prompts."""
    _model: Model = PrivateAttr()

    def __init__(self, model: Union[str, Model], model_options: Optional[dict] = None, **more: Any) -> None:
        loaded = model if isinstance(model, Model) else Model(model, **(model_options or {}))
        more.setdefault("model_name", loaded.path)
        super().__init__(**more)
        self._model = loaded

    @classmethod
    def class_name(cls) -> str:
        return "QuernEmbedding"

    def _get_query_embedding(self, query: str) -> List[float]:
        return self._model.encode_query(query).tolist()

    def _get_text_embedding(self, text: str) -> List[float]:
        return self._model.encode_document(text).tolist()

    def _get_text_embeddings(self, texts: List[str]) -> List[List[float]]:
        return self._model.encode_document(list(texts)).tolist()

    async def _aget_query_embedding(self, query: str) -> List[float]:
        import asyncio
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> List[float]:
        import asyncio
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: List[str]) -> List[List[float]]:
        import asyncio
        return await asyncio.to_thread(self._get_text_embeddings, texts)

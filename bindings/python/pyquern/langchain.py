"""LangChain's Embeddings over a Model. Needs langchain-core.

    from pyquern.langchain import QuernEmbeddings
    embeddings = QuernEmbeddings("minilm")
"""
from __future__ import annotations

from typing import List, Union

from langchain_core.embeddings import Embeddings

from .model import Model


class QuernEmbeddings(Embeddings):
    """model: a Model, or what Model takes, with its options. Documents and queries get the model's own prompts."""

    def __init__(self, model: Union[str, Model], **options) -> None:
        self.model = model if isinstance(model, Model) else Model(model, **options)

    def embed_documents(self, texts: List[str]) -> List[List[float]]:
        return self.model.encode_document(list(texts)).tolist()

    def embed_query(self, text: str) -> List[float]:
        return self.model.encode_query(text).tolist()

#!/usr/bin/env python3
"""Writes tests/golden/static/: small folders of static embeddings as model2vec and sentence-transformers save them, and
golden.json, the vectors that these libraries make of some texts.

    python tests/reference/make_static_embeddings.py

Needs model2vec and sentence-transformers (with torch). The tokenizers are those of the fixtures of make_tiny_models.py. Run by
hand when the fixtures change. model2vec cuts texts by characters too, at max_length times the median length of the vocabulary's tokens,
which quern does not: the long text here is one of short tokens, which is cut by tokens alone.
"""
import json
import pathlib
import shutil

import numpy as np
from model2vec import StaticModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
OUT = GOLDEN / "static"
TEXTS = ["the quick fox", "", "cosine similarity of user 50 !", "☃ unknown ☃ the", "☃☃", "[UNK] [CLS] the <unk> <s> fox",
         "a" * 40 + " lazy users compared by similarity", "a 5 " * 30]


def table(tokenizer, seed, width, rows=None):
    random = np.random.default_rng(seed)
    return random.standard_normal((rows or tokenizer.get_vocab_size(), width)).astype(np.float32)


def model2vec(name, tokenizer, vectors, **options):
    model = StaticModel(vectors, tokenizer, config={}, **options)
    model.save_pretrained(OUT / name)
    return StaticModel.from_pretrained(OUT / name, force_download=False).encode(TEXTS)


def sentence_transformers(name, tokenizer, vectors, *after):
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=vectors), *after], device="cpu").save(str(OUT / name))
    return SentenceTransformer(str(OUT / name), device="cpu").encode(TEXTS)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    word_piece = Tokenizer.from_file(str(GOLDEN / "models/bert/tokenizer.json"))
    unigram = Tokenizer.from_file(str(GOLDEN / "models/xlm-roberta/tokenizer.json"))
    random = np.random.default_rng(5)
    n = word_piece.get_vocab_size()
    made = {
        "model2vec": model2vec("model2vec", word_piece, table(word_piece, 1, 32), normalize=True),
        # Rows that tokens share, a weight for each token, whole numbers for values, a length of its own.
        "model2vec_shared": model2vec(
            "model2vec_shared", word_piece, np.round(table(word_piece, 2, 32, rows=40) * 30).astype(np.int8), max_length=20,
            token_mapping=random.integers(0, 40, n), weights=random.uniform(0.1, 2, n).astype(np.float32)),
        "model2vec_unigram": model2vec("model2vec_unigram", unigram, table(unigram, 3, 24).astype(np.float16), max_length=None),
        "sentence_transformers": sentence_transformers("sentence_transformers", word_piece, table(word_piece, 4, 32), Normalize()),
        "sentence_transformers_plain": sentence_transformers("sentence_transformers_plain", unigram, table(unigram, 6, 20)),
    }
    for card in OUT.rglob("README.md"):  # names and versions, nothing that is read
        card.unlink()
    vectors = {name: [[float(str(np.float32(v))) for v in row] for row in rows] for name, rows in made.items()}
    (OUT / "golden.json").write_text(json.dumps({"texts": TEXTS, "vectors": vectors}, separators=(",", ":")) + "\n")


main()

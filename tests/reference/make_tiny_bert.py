#!/usr/bin/env python3
"""Writes tests/golden/tiny-bert/: a random BERT of 0.1 M weights as a sentence-transformers folder, and golden.json with
what transformers and sentence-transformers compute with it in f32.

    python tests/reference/make_tiny_bert.py

Needs torch, transformers, sentence-transformers, tokenizers. Run by hand when the fixture must change (the result is
committed); no test runs it. The seed is fixed. Weights are stored as F16, to be small, and run as f32.

golden.json, numbers in the shortest form that reads back the same f32:
  texts, ids          texts, and their token ids after truncation to max_seq_length
  states              for texts of `states[i].text`: (tokens x width) after the embeddings and after each layer, flat
  vectors             the model as it is: mean, normalized
  pooling             for each mode, vectors of all texts, not normalized
  prompted            vectors of the first texts with `prompt` in front, mean, normalized
"""
import json
import pathlib
import shutil
import tempfile

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
OUT = GOLDEN / "tiny-bert"
MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
PROMPTS = {"query": "query: ", "document": ""}
TEXTS = [
    "the quick fox",
    "",
    "fox",
    "Robust embeddings of sentences!",
    "cosine similarity costs the user 50 cents, which is not lazy",
    "  Spaces\tand\nline ends\u00a0count as one  ",
    "Grüße an Ünal: naïve cafés",
    "你好世界 日本語 キスト",
    "👍🏽 👩 🌈 don't",
    "[MASK] and [SEP] inside of a text",
    "the lazy user compared embeddings of sentences by cosine similarity, " * 4,
    "a " * 200,
]
WITH_STATES = [0, 1, 8]


def shortest(x):
    return [float(str(v)) for v in np.asarray(x, dtype=np.float32).reshape(-1)]


def save_base(folder):
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(GOLDEN / "tokenizers" / "tiny_wordpiece.json"), unk_token="[UNK]", pad_token="[PAD]",
        cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]", model_max_length=64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(20)
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=3, num_attention_heads=4,
                        intermediate_size=96, max_position_embeddings=64, initializer_range=0.2)
    model = BertModel(config, add_pooling_layer=False)
    with torch.no_grad():  # as they are made, norms are (1, 0) and biases 0: a test would not see them
        for name, p in model.named_parameters():
            if p.dim() == 1:
                scale_of_norm = "LayerNorm" in name and name.endswith("weight")
                p.copy_(torch.randn_like(p) * 0.2 + (1.0 if scale_of_norm else 0.0))
    model.half().save_pretrained(folder)


def make(base, mode, normalize):
    transformer = Transformer(base, max_seq_length=32, model_kwargs={"dtype": torch.float32})
    modules = [transformer, Pooling(64, pooling_mode=mode)] + ([Normalize()] if normalize else [])
    return SentenceTransformer(modules=modules, device="cpu", prompts=dict(PROMPTS), similarity_fn_name="cosine")


def encode(model, texts, **more):
    # One text at a time: no padding takes part.
    return [shortest(model.encode([text], batch_size=1, normalize_embeddings=False, **more)[0]) for text in texts]


def states_of(model, index):
    features = model.tokenize([TEXTS[index]]) if not hasattr(model, "preprocess") else model.preprocess([TEXTS[index]])
    inputs = {k: v for k, v in features.items() if k in ("input_ids", "attention_mask", "token_type_ids")}
    with torch.no_grad():
        out = model[0].auto_model(**inputs, output_hidden_states=True)
    return {"text": index, "layers": [shortest(h[0]) for h in out.hidden_states]}


def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    with tempfile.TemporaryDirectory() as base:
        save_base(base)
        model = make(base, "mean", True)
        model.save(str(OUT), create_model_card=False)
        shutil.copy(pathlib.Path(base) / "model.safetensors", OUT / "model.safetensors")  # F16, as it was made
        config = json.loads((OUT / "config.json").read_text())
        config["dtype"] = "float16"
        (OUT / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        tokenizer = model[0].tokenizer
        golden = {
            "texts": TEXTS,
            "ids": [tokenizer(t, truncation=True, max_length=32)["input_ids"] for t in TEXTS],
            "states": [states_of(model, i) for i in WITH_STATES],
            "vectors": encode(model, TEXTS),
            "pooling": {mode: encode(make(base, mode, False), TEXTS) for mode in MODES},
            "prompted": {"prompt": PROMPTS["query"], "vectors": encode(model, TEXTS[:4], prompt_name="query")},
        }
    rows = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False, separators=(',', ':'))}"
                      for k, v in golden.items())
    (OUT / "golden.json").write_text("{\n" + rows + "\n}\n", encoding="utf-8")
    for p in sorted(OUT.rglob("*")):
        if p.is_file():
            p.chmod(0o644)
            print(f"{p.stat().st_size:7d} {p.relative_to(OUT)}")
    v = np.array(golden["vectors"])
    print("cosines between texts:", np.round(v[:6] @ v[:6].T, 2).tolist())


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes tests/golden/zero_shot.json: what transformers' zero-shot-classification pipeline makes of texts by the random models of
make_tiny_models.py, under several namings of their labels.

    python tests/reference/make_zero_shot.py

Needs torch, transformers. Run by hand when those fixtures change; no test runs it."""
import json

import torch
import transformers as tf
from make_tiny_models import BERT_SPECIALS, OUT

TEXTS = ["the quick fox", "what costs 50 cents?", "the lazy user compared embeddings of sentences " * 4]
LABELS = ["fox", "cosine similarity", "lazy users"]
NAMINGS = [["entailment", "neutral", "contradiction"], ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"]]


def main():
    tf.logging.set_verbosity_error()
    cases = []
    for name, family in (("deberta", "DebertaV2"), ("bert", "Bert")):
        tokenizer = tf.PreTrainedTokenizerFast(tokenizer_file=str(OUT / name / "tokenizer.json"), model_max_length=64,
                                               **{f"{k}_token": v for k, v in BERT_SPECIALS.items()})
        types = [] if name == "deberta" else ["token_type_ids"]
        tokenizer.model_input_names = ["input_ids", "attention_mask", *types]
        for names in NAMINGS:
            model = getattr(tf, family + "ForSequenceClassification").from_pretrained(
                OUT / name, id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)}, dtype=torch.float32)
            pipeline = tf.pipeline("zero-shot-classification", model=model, tokenizer=tokenizer)
            for options in ({}, {"multi_label": True}, {"hypothesis_template": "It is about {}!"}):
                for labels in (LABELS, LABELS[:1]):
                    for text in TEXTS:
                        found = pipeline(text, labels, **options)
                        cases.append({"model": name, "names": names, "text": text, "labels": labels, **options,
                                      "scores": [found["scores"][found["labels"].index(label)] for label in labels]})
    path = OUT.parent / "zero_shot.json"
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(len(cases), path.stat().st_size)


if __name__ == "__main__":
    main()

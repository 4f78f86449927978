#!/usr/bin/env python3
"""Writes tests/golden/sampling/distributions.json with transformers' logits processors and numpy.

Run by hand when a stage changes (the result is committed); no test runs it. Each case: options, logits, the prompt's and
the generated tokens, and the probabilities that are left after all stages, 0 for tokens that are out.
"""
import json
import pathlib

import numpy as np
import torch
from transformers.generation.logits_process import (MinPLogitsWarper, RepetitionPenaltyLogitsProcessor,
                                                    TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper,
                                                    TypicalLogitsWarper)

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "sampling" / "distributions.json"
N_VOCAB = 48

OPTIONS = [
    {},
    {"temperature": 0.5},
    {"temperature": 2.0},
    {"top_k": 5},
    {"top_p": 0.5},
    {"top_p": 0.9},
    {"top_p": 0.99},
    {"min_p": 0.1},
    {"typical_p": 0.2},
    {"typical_p": 0.9},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.8},
    {"repetition_penalty": 1.5, "penalty_last_n": 4},
    {"frequency_penalty": 0.7, "presence_penalty": -0.4},
    {"temperature": 0.7, "top_k": 20, "top_p": 0.8},
    {"temperature": 1.5, "top_p": 0.95, "min_p": 0.05},
    {"temperature": 0.9, "top_k": 30, "top_p": 0.9, "min_p": 0.02, "typical_p": 0.8, "repetition_penalty": 1.2,
     "frequency_penalty": 0.3, "presence_penalty": 0.5},
]


def distribution(options, logits, prompt, generated):
    scores = torch.tensor(logits, dtype=torch.float32)[None]
    history = prompt + generated
    last_n = options.get("penalty_last_n", -1)
    if last_n >= 0:
        history = history[len(history) - last_n:]
    if "repetition_penalty" in options and history:
        scores = RepetitionPenaltyLogitsProcessor(options["repetition_penalty"])(torch.tensor([history]), scores)
    counts = torch.tensor(np.bincount(generated, minlength=N_VOCAB), dtype=torch.float32)[None]
    scores = scores - counts * options.get("frequency_penalty", 0) - (counts > 0) * options.get("presence_penalty", 0)
    scores = scores.double()
    for name, warper in [("temperature", TemperatureLogitsWarper), ("top_k", TopKLogitsWarper),
                         ("top_p", TopPLogitsWarper), ("min_p", MinPLogitsWarper), ("typical_p", TypicalLogitsWarper)]:
        if name in options:
            scores = warper(options[name])(None, scores)
    return torch.softmax(scores, dim=-1)[0].tolist()


def main():
    rng = np.random.default_rng(7)
    cases = []
    for options in OPTIONS:
        for scale in (1.0, 3.0):
            logits = [float(x) for x in (rng.normal(size=N_VOCAB) * scale).astype(np.float32)]
            prompt = [int(x) for x in rng.integers(0, N_VOCAB, 6)]
            generated = [int(x) for x in rng.integers(0, 8, 7)]
            cases.append({"options": options, "logits": [round(x, 5) for x in logits], "prompt": prompt,
                          "generated": generated})
    for case in cases:
        p = distribution(case["options"], case["logits"], case["prompt"], case["generated"])
        case["probabilities"] = [float(f"{x:.7g}") for x in p]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()

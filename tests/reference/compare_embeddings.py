#!/usr/bin/env python3
"""Compares quern's vectors with sentence-transformers', or recomputes the reference of the real-model test.

  python compare_embeddings.py --hf DIR --texts FILE --quern 'quern embed -m M -f {texts}' [--min-cosine 0.997]
  python compare_embeddings.py --hf DIR --write tests/golden/minilm/reference.json

DIR is a model folder. {texts} is FILE, one text a line; the command prints a JSON array a line, or writes what --npy
names. Prints the mean, the 1st percentile and the worst of the cosines, with the worst text; the exit status is 1 if the
worst is below --min-cosine or the mean below --min-mean. The reference runs in f32, one text at a time unless --batch
says otherwise. Needs torch and sentence-transformers.
"""
import argparse
import json
import shlex
import subprocess
import sys

import numpy as np

def load(folder):
    import torch
    from sentence_transformers import SentenceTransformer
    return SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32})


def encode(model, texts, batch=1):
    if batch > 1:
        return np.asarray(model.encode(texts, batch_size=batch), dtype=np.float32)
    return np.stack([np.asarray(model.encode([t])[0], dtype=np.float32) for t in texts])


def write(model, path):
    """Recomputes the rows of a reference: to add a text, add a row {"text": ...}, with "vector": [] to get its vector."""
    with open(path, encoding="utf-8") as f:
        rows = json.load(f)
    for row in rows:
        row["ids"] = model.tokenizer(row["text"], truncation=True, max_length=model.max_seq_length)["input_ids"]
        if "vector" in row:
            row["vector"] = [float(f"{x:.7g}") for x in encode(model, [row["text"]])[0]]
    text = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    print(f"{path}: {len(rows)} texts, {len(text.encode())} bytes")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--hf", required=True)
    p.add_argument("--write")
    p.add_argument("--texts")
    p.add_argument("--quern")
    p.add_argument("--npy", help="the .npy file that the command writes")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--min-cosine", type=float, default=-1)
    p.add_argument("--min-mean", type=float, default=-1)
    a = p.parse_args()
    model = load(a.hf)
    if a.write:
        write(model, a.write)
        return 0
    if not a.texts or not a.quern:
        p.error("give --texts and --quern, or --write")
    with open(a.texts, encoding="utf-8", errors="replace", newline="\n") as f:
        texts = [line.rstrip("\n").removesuffix("\r") for line in f]
    command = [part.replace("{texts}", a.texts) for part in shlex.split(a.quern)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found = np.load(a.npy) if a.npy else np.array([json.loads(line) for line in done.stdout.splitlines()], dtype=np.float32)
    expected = encode(model, texts, a.batch)
    if found.shape != expected.shape:
        print(f"expected {expected.shape} floats, found {found.shape}")
        return 1
    x, y = found.astype(np.float64), expected.astype(np.float64)
    cosines = (x * y).sum(1) / np.maximum(np.sqrt((x * x).sum(1) * (y * y).sum(1)), 1e-30)
    worst = int(np.argmin(cosines))
    print(f"{len(texts)} texts: mean {cosines.mean():.6f}, 1st percentile {np.percentile(cosines, 1):.6f}, worst {cosines[worst]:.6f}")
    print(f"worst: text {worst + 1}: {texts[worst][:200]!r}")
    return int(not (cosines[worst] >= a.min_cosine and cosines.mean() >= a.min_mean))


if __name__ == "__main__":
    sys.exit(main())

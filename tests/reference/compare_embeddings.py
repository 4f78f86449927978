#!/usr/bin/env python3
"""Compares quern's vectors with sentence-transformers', or writes the reference of the real-model test.

  python compare_embeddings.py --hf DIR --texts FILE --quern 'quern embed -m M -f {texts}' [--min-cosine 0.997]
  python compare_embeddings.py --hf DIR --write tests/golden/minilm/reference.json

DIR is a model folder. {texts} is FILE, one text a line; the command prints a JSON array a line, or writes what --npy
names. Prints the mean, the 1st percentile and the worst of the cosines, with the worst text; the exit status is 1 if the
worst is below --min-cosine or the mean below --min-mean. The reference runs in f32, one text at a time unless --batch
says otherwise. Needs torch and sentence-transformers.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys

import numpy as np

# Of the reference file. The first VECTORS of them get vectors, all of them ids.
VECTORS = 16
TEXTS = [
    "The mill by the river grinds wheat into flour all winter long.",
    "A quern is a small mill that is turned by hand.",
    "How do I return a damaged parcel that arrived two weeks late?",
    "refund for broken item",
    "",
    "Yes.",
    "std::vector<float> rows; rows.resize(n * width);  // not zeroed twice",
    "SELECT name, COUNT(*) FROM mills WHERE river = 'Avon' GROUP BY name HAVING COUNT(*) > 3;",
    "In 1851 the toll was £3 4s. 6d. per cart; by 1860 it had fallen to $0.75 (−12.5 %).",
    "Zwölf große Mühlräder drehten sich über dem Fluß, naïve café façade.",
    "東京の古い水車小屋は、今でも動いています。",
    "Старая мельница стоит у реки.",
    "🌾🌾 harvest day!!! 🎉 #mills @miller",
    "The committee, which had met only twice since the flood, agreed that the sluice should be raised before the autumn "
    "rains, that the miller be paid for the days on which he could not work, and that a second bridge be built. " * 2,
    "Water turned the wheel, the wheel turned the stone, the stone broke the grain. " * 40,
    "[CLS] tokens in [MASK] the middle [SEP] of a text",
    "What is the boiling point of water at high altitude?",
    "Water boils at a lower temperature on a mountain.",
    "The cat sleeps on the warm stone.",
    "Interest rates rose by a quarter of a point on Thursday.",
    "Gradient descent converges slowly when the curvature differs between directions.",
    "She plays the violin; he repairs old clocks.",
    "Please find attached the minutes of our meeting.",
    "ERROR 404: page not found",
    "https://example.org/a/b?c=d&e=f#g",
    "e-mail: miller@example.org, tel. +44 20 7946 0000",
    "x = [i ** 2 for i in range(10) if i % 2]",
    "   leading and trailing spaces   ",
    "tabs\tand\u00a0no-break\u2003spaces",
    "ALL CAPITALS SHOUTING TEXT",
    "MiXeD cAsE",
    "antidisestablishmentarianism internationalization",
    "a" * 150,
    "1234567890 3.14159 6.02e23 0xDEADBEEF",
    "“curly quotes” — dashes – and … ellipsis",
    "نهر قديم وطاحونة",
    "नदी के किनारे चक्की",
    "한국의 물레방아",
    "e\u0301 \u00e9 \ufb01 \u2460 \u212b",
    "\u200bzero\u200dwidth\ufeff",
]


def load(folder):
    import torch
    from sentence_transformers import SentenceTransformer
    return SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32})


def encode(model, texts, batch=1):
    if batch > 1:
        return np.asarray(model.encode(texts, batch_size=batch), dtype=np.float32)
    return np.stack([np.asarray(model.encode([t])[0], dtype=np.float32) for t in texts])


def write(model, path):
    limit = model.max_seq_length
    with_vectors = TEXTS[:VECTORS]
    vectors = [[float(f"{x:.7g}") for x in row] for row in encode(model, with_vectors)]
    ids = [model.tokenizer(t, truncation=True, max_length=limit)["input_ids"] for t in TEXTS]
    rows = {"model": "sentence-transformers/all-MiniLM-L6-v2", "max_length": limit, "texts": TEXTS, "ids": ids}
    text = "{\n" + "".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False, separators=(',', ':'))},\n" for k, v in rows.items())
    text += '"vectors": [\n' + ",\n".join(json.dumps(v, separators=(",", ":")) for v in vectors) + "\n]\n}\n"
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    print(f"{path}: {len(text.encode())} bytes")


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

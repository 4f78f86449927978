#!/usr/bin/env python3
"""The real all-MiniLM-L6-v2 against sentence-transformers' ids and vectors (tests/golden/minilm/reference.json,
made by tests/reference/compare_embeddings.py; some texts have ids alone).

real_model_test.py QUERN FOLDER: exit code 77 (skipped) when FOLDER is not there; scripts/get-model makes it.
"""
import json
import math
import os
import subprocess
import sys
import tempfile

QUERN, FOLDER = sys.argv[1:]
if not os.path.exists(os.path.join(FOLDER, 'model.safetensors')):
    print(f'skipped: {FOLDER} is not there (scripts/get-model minilm {FOLDER})')
    sys.exit(77)
with open(os.path.join(os.path.dirname(__file__), '..', 'golden', 'minilm', 'reference.json'), encoding='utf8') as file:
    GOLDEN = json.load(file)
TEXTS = ('\n'.join(row['text'] for row in GOLDEN) + '\n').encode()
failures = 0


def quern(*args):
    result = subprocess.run([QUERN, *args], input=TEXTS, capture_output=True)
    if result.returncode != 0:
        sys.exit(result.stderr.decode())
    return [json.loads(line) for line in result.stdout.splitlines()]


def check(name, good, found):
    global failures
    failures += not good
    print(f'{"ok" if good else "FAILED"}: {name}: {found}')


def cosines(rows):
    def cosine(a, b):
        return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return [cosine(row, golden['vector']) for row, golden in zip(rows, GOLDEN) if 'vector' in golden]


with tempfile.TemporaryDirectory() as work:
    ids = quern('tokenize', '-m', FOLDER, '-f', '-')
    check('token ids equal', ids == [row['ids'] for row in GOLDEN], f'{sum(a == b["ids"] for a, b in zip(ids, GOLDEN))} of {len(GOLDEN)}')
    for kind, mean, worst in (('folder', 0.999999, 0.999999), ('f32', 0.999999, 0.999999), ('q8', 0.9988, 0.996), ('q8_fine', 0.9992, 0.997), ('q4', 0.978, 0.945)):
        model = FOLDER
        if kind != 'folder':
            model = os.path.join(work, 'minilm.' + kind)
            subprocess.run([QUERN, 'convert', FOLDER, '-o', model, '--quiet'], check=True)
        one = quern('embed', '-m', model, '-f', '-', '-t', '1')
        found = cosines(one)
        check(f'{kind} cosine', sum(found) / len(found) >= mean and min(found) >= worst, f'mean {sum(found) / len(found):.7f}, worst {min(found):.7f}')
        three = quern('embed', '-m', model, '-f', '-', '-t', '3')
        check(f'{kind} rows equal on 1 and 3 threads', one == three, f'{sum(a == b for a, b in zip(one, three))} of {len(one)}')
sys.exit(failures > 0)

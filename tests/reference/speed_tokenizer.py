#!/usr/bin/env python3
"""Speed of quern's tokenizers beside the `tokenizers` library's, one thread each, over the same lines.

  python speed_tokenizer.py PATH_OF_tokenizer_lines TEXTS TOKENIZER.json...

Each is run five times in turn with the other; the best counts. TEXTS: bench/texts.py writes such a file.
"""
import os
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402


def main():
    program, path, *files = sys.argv[1:]
    with open(path, "rb") as file:
        data = file.read()
    texts = [line.decode(errors="replace") for line in data.splitlines()]
    megabytes = sum(len(t.encode()) for t in texts) / 1e6
    for name in files:
        tokenizer = Tokenizer.from_file(name)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        best, best_quern = 0, 0
        for _ in range(5):
            start = time.perf_counter()
            tokenizer.encode_batch_fast(texts)
            best = max(best, megabytes / (time.perf_counter() - start))
            done = subprocess.run([program, name, "--time", "3"], input=data, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=True)
            speeds = [float(line.split()[0]) for line in done.stdout.decode().splitlines()]
            best_quern = max(best_quern, *speeds)
        ready = done.stderr.decode().strip()
        print(f"{os.path.basename(name)}: quern {best_quern:.1f} MB/s, tokenizers {best:.2f} MB/s, "
              f"{best_quern / best:.1f} times; {ready}", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Tokens per second of decoders: quern beside llama.cpp, in interleaved rounds of one run.

    decoders.py --quern build/bin/quern --llama-bench PEERS/llama.cpp/build/bin/llama-bench MODEL.gguf … [--own MODEL.gguf=FILE …]

Every round times each program on each model once: a prompt of --prompt tokens, --gen generated tokens, and, in quern alone, --batch
sequences at once. Medians over the rounds; the spread is the quartiles'. --own adds quern's own conversions (q8, q4) of a model,
set against llama.cpp on that model's file. The share of the memory's bandwidth is measured by quern beside its own generating.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys


def output(command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout)


class Times:
    """What was measured under one heading."""
    def __init__(self):
        self.values = {}

    def add(self, key, value):
        self.values.setdefault(key, []).append(value)

    def median(self, key):
        return statistics.median(self.values[key])

    def spread(self, key):
        v = self.values[key]
        q = statistics.quantiles(v, n=4) if len(v) > 1 else [v[0]] * 3
        return f"{self.median(key):.0f} ({q[0]:.0f}–{q[2]:.0f})"


def time_llama(a, model, times):
    rows = output([a.llama_bench, "-m", model, "-p", str(a.prompt), "-n", str(a.gen), "-t", str(a.threads), "-r", "1", "-o", "json"],
                  LD_LIBRARY_PATH=os.path.dirname(a.llama_bench))
    for row in rows:
        times.add(("llama.cpp", model, "prompt" if row["n_prompt"] else "gen"), row["avg_ts"])


def time_quern(a, file, times):
    command = [a.quern, "bench", "-m", file, "-t", str(a.threads), "-r", "1", "-o", "json"]
    for row in output(command + ["-p", str(a.prompt), "-n", str(a.gen)]):
        times.add(("quern", file, "prompt" if row["n_prompt"] else "gen"), row["tokens_per_second"])
        if row["n_gen"]:
            times.add(("quern", file, "memory"), row["fraction_of_memory"] * 100)
            times.add(("quern", file, "bandwidth"), row["memory_gigabytes_per_second"])
    if a.batch > 1:
        for row in output(command + ["-p", "0", "-n", str(a.gen), "-b", str(a.batch)]):
            times.add(("quern", file, "batch"), row["tokens_per_second"])


def report(a, models, own, times):
    print(f"| model | program | prompt {a.prompt} tok/s | × llama.cpp | generate {a.gen} tok/s | × llama.cpp | of the memory | "
          f"{a.batch} at once, × one |")
    print("|---|---|---|---|---|---|---|---|")
    for model in models:
        name = os.path.basename(model)
        base = {k: times.median(("llama.cpp", model, k)) for k in ("prompt", "gen")}
        print(f"| {name} | llama.cpp | {times.spread(('llama.cpp', model, 'prompt'))} | 1 | {times.spread(('llama.cpp', model, 'gen'))} "
              f"| 1 | | |")
        for file in [model, *own.get(model, [])]:
            key = lambda what: ("quern", file, what)
            batch = (f"{times.spread(key('batch'))}, ×{times.median(key('batch')) / times.median(key('gen')):.2f}" if a.batch > 1 else "")
            print(f"| {name} | quern{'' if file == model else ' ' + os.path.basename(file)} | {times.spread(key('prompt'))} "
                  f"| {times.median(key('prompt')) / base['prompt']:.2f} | {times.spread(key('gen'))} "
                  f"| {times.median(key('gen')) / base['gen']:.2f} | {times.median(key('memory')):.0f} % of "
                  f"{times.median(key('bandwidth')):.1f} GB/s | {batch} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+")
    p.add_argument("--quern", required=True)
    p.add_argument("--llama-bench", required=True)
    p.add_argument("--own", action="append", default=[], metavar="MODEL=FILE")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--prompt", type=int, default=512)
    p.add_argument("--gen", type=int, default=64)
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--json", help="writes every single measurement there")
    a = p.parse_args()
    own = {}
    for entry in a.own:
        model, _, file = entry.partition("=")
        own.setdefault(model, []).append(file)
    times = Times()
    for turn in range(a.rounds):
        for model in a.models:
            time_llama(a, model, times)
            for file in [model, *own.get(model, [])]:
                time_quern(a, file, times)
        print(f"round {turn + 1} of {a.rounds}", file=sys.stderr)
    report(a, a.models, own, times)
    if a.json:
        with open(a.json, "w") as file:
            json.dump([{"key": list(k), "values": v} for k, v in times.values.items()], file, indent=1)


main()

#!/usr/bin/env python3
"""Greedy continuations of quern and of llama.cpp from the same GGUF file, token by token.

    compare_greedy.py QUERN LLAMA_SERVER MODEL.gguf TEXTS [-n 64] [--prompts 200] [--words 12] [--port 18080]

TEXTS: a file; every paragraph (or fortune, between lines of %) gives a prompt: its first words. llama.cpp's server runs on
this machine for as long as this does. For each first difference it prints how near a tie was: by how much, in quern's and in
llama.cpp's log probabilities, each prefers its own token to the other's. Exit code 1 if fewer than --least of the
continuations are the same."""
import argparse
import json
import subprocess
import sys
import time
import urllib.request


def prompts(path, count, words):
    text = open(path, encoding="utf-8", errors="ignore").read()
    parts = [p.split() for p in text.replace("\n%\n", "\n\n").split("\n\n")]
    return [" ".join(p[:words]) for p in parts if len(p) >= words][:count]


def post(port, route, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{route}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=300))


def logprob_of(entry, token):
    return next((t["logprob"] for t in entry.get("top_logprobs", entry.get("top", [])) if t["id"] == token), None)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("quern"), p.add_argument("server"), p.add_argument("model"), p.add_argument("texts")
    p.add_argument("-n", type=int, default=64)
    p.add_argument("--prompts", type=int, default=200)
    p.add_argument("--words", type=int, default=12)
    p.add_argument("--port", type=int, default=18080)
    p.add_argument("--least", type=float, default=0.0)
    p.add_argument("--server-options", default="")
    a = p.parse_args()
    server = subprocess.Popen([a.server, "-m", a.model, "--port", str(a.port), "--host", "127.0.0.1", "-t", "2", "-c", "2048",
                               "-np", "1", "--no-warmup", *a.server_options.split()],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{a.port}/health", timeout=5)
                break
            except OSError:
                time.sleep(0.1)
        same, total, gaps = 0, 0, []
        for prompt in prompts(a.texts, a.prompts, a.words):
            theirs = post(a.port, "/completion", {"prompt": prompt, "n_predict": a.n, "temperature": 0, "n_probs": 10,
                                                  "return_tokens": True, "cache_prompt": False, "ignore_eos": True})
            ours = json.loads(subprocess.run(
                [a.quern, "generate", "-m", a.model, "--no-chat", "--temp", "0", "-n", str(a.n), "-o", "json", "--logprobs",
                 "10", "--ignore-eos", "-p", prompt], check=True, capture_output=True).stdout)
            probabilities = theirs.get("completion_probabilities", [])
            their_ids, our_ids = [t["id"] for t in probabilities], [t["id"] for t in ours["tokens"]]
            total += 1
            at = next((i for i, (x, y) in enumerate(zip(their_ids, our_ids)) if x != y), None)
            if at is None and len(their_ids) == len(our_ids):
                same += 1
                continue
            mine, other = our_ids[at], their_ids[at]
            our_gap = ours["tokens"][at]["logprob"] - (logprob_of(ours["tokens"][at], other) or -99)
            their_gap = probabilities[at]["logprob"] - (logprob_of(probabilities[at], mine) or -99)
            gaps.append(max(our_gap, their_gap))
            print(f"{total}: differs at {at}: {mine} / {other}, gap {our_gap:.4f} / {their_gap:.4f}", flush=True)
        gaps.sort()
        print(f"{same} of {total} continuations of {a.n} tokens are the same ({same / max(total, 1):.1%})")
        if gaps:
            print(f"gaps at first differences: median {gaps[len(gaps) // 2]:.4f}, 90th percentile "
                  f"{gaps[int(len(gaps) * 0.9)]:.4f}, largest {gaps[-1]:.4f}")
        return 1 if same < a.least * total else 0
    finally:
        server.terminate()
        server.wait()


sys.exit(main())

#!/usr/bin/env python3
"""Greedy continuations of quern and of llama.cpp from the same GGUF file, token by token.

    compare_greedy.py QUERN LLAMA_SERVER MODEL.gguf TEXTS [-n 64] [--prompts 200] [--words 12] [--port 18080]

TEXTS: a file; every paragraph (or fortune, between lines of %) gives a prompt: its first words. llama.cpp's server runs on
this machine for as long as this does. For each first difference it prints how near a tie was: by how much, in quern's and in
llama.cpp's log probabilities, each prefers its own token to the other's. --itself OPTIONS sets llama.cpp with these options in
quern's place ("-fa off"): how much of a difference is none of quern's making. Exit code 1 if fewer than --least of the
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


class Server:
    """llama.cpp's, for as long as the block runs."""
    def __init__(self, program, model, port, options):
        self.command = [program, "-m", model, "--port", str(port), "--host", "127.0.0.1", "-t", "2", "-c", "2048", "-np", "1",
                        "--no-warmup", *options.split()]
        self.port = port

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5)
                break
            except OSError:
                time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def tokens(self, prompt, n):
        answer = post(self.port, "/completion", {"prompt": prompt, "n_predict": n, "temperature": 0, "n_probs": 10,
                                                 "cache_prompt": False, "ignore_eos": True})
        return answer.get("completion_probabilities", [])


class Quern:
    def __init__(self, program, model):
        self.program, self.model = program, model

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def tokens(self, prompt, n):
        done = subprocess.run([self.program, "generate", "-m", self.model, "--no-chat", "--temp", "0", "-n", str(n), "-o", "json",
                               "--logprobs", "10", "--ignore-eos", "-p", prompt], check=True, capture_output=True)
        return json.loads(done.stdout)["tokens"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("quern"), p.add_argument("server"), p.add_argument("model"), p.add_argument("texts")
    p.add_argument("-n", type=int, default=64)
    p.add_argument("--prompts", type=int, default=200)
    p.add_argument("--words", type=int, default=12)
    p.add_argument("--port", type=int, default=18080)
    p.add_argument("--least", type=float, default=0.0)
    p.add_argument("--server-options", default="")
    p.add_argument("--itself", default=None)
    a = p.parse_args()
    other = Quern(a.quern, a.model) if a.itself is None else Server(a.server, a.model, a.port + 1, a.itself)
    same, total, gaps = 0, 0, []
    with Server(a.server, a.model, a.port, a.server_options) as first, other as second:
        for prompt in prompts(a.texts, a.prompts, a.words):
            theirs, ours = first.tokens(prompt, a.n), second.tokens(prompt, a.n)
            total += 1
            at = next((i for i, (x, y) in enumerate(zip(theirs, ours)) if x["id"] != y["id"]), None)
            if at is None and len(theirs) == len(ours):
                same += 1
                continue
            mine, other_token = ours[at]["id"], theirs[at]["id"]
            our_gap = ours[at]["logprob"] - (logprob_of(ours[at], other_token) or -99)
            their_gap = theirs[at]["logprob"] - (logprob_of(theirs[at], mine) or -99)
            gaps.append(max(our_gap, their_gap))
            print(f"{total}: differs at {at}: {mine} / {other_token}, gap {our_gap:.4f} / {their_gap:.4f}", flush=True)
    gaps.sort()
    print(f"{same} of {total} continuations of {a.n} tokens are the same ({same / max(total, 1):.1%})")
    if gaps:
        print(f"gaps at first differences: median {gaps[len(gaps) // 2]:.4f}, 90th percentile "
              f"{gaps[int(len(gaps) * 0.9)]:.4f}, largest {gaps[-1]:.4f}")
    return 1 if same < a.least * total else 0


sys.exit(main())

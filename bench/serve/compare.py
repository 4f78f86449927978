#!/usr/bin/env python3
"""What serving costs: the numbers of `quern serve` beside the same work without it.

compare.py --bin build/bench/bin --embedder minilm.q8 --texts texts.txt [--decoder smollm2.gguf] [--peer LLAMA_SERVER]

  embeddings  texts per second of 64 clients with one text per request, beside `quern embed`; p99 beside p50
  one         milliseconds of one request with one text, beside the call of quern_embed
  streams     tokens per second of 16 chat streams, beside 16 sequences of one generator
  beside      time to the first token of short prompts while a long one is read
  peer        the same of llama-server, if its path is given: embeddings (with --peer-embedder), streams

Prints a JSON object a line, with the target and whether it was met. Run it on an idle machine: clients and server share its CPUs.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from statistics import median

TURNS = 5
SHORT = ["What is a hand mill for?", "Name three rivers.", "Why is the sky blue?", "How do I boil an egg?"]


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return done


class Served:
    """quern serve with one model, or another server that is told its port."""

    def __init__(self, quern, model, *args):
        self.process = subprocess.Popen([quern, "serve", "-m", f"bench={model}", "--port", "0", *map(str, args)],
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if match := re.match(r"quern: serving .* on http://.*:(\d+)$", line):
                self.port = int(match[1])
                break
        else:
            sys.exit("the server did not start")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Peer:
    """llama-server."""
    port = 8099

    def __init__(self, program, *args):
        self.process = subprocess.Popen([program, *args, "--port", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        for _ in range(600):
            if subprocess.run(["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{self.port}/health"]).returncode == 0:
                return self
            time.sleep(0.2)
        sys.exit("llama-server did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def report(name, good, **numbers):
    print(json.dumps({"what": name, **numbers, "met": good}), flush=True)
    return good


class Compare:
    def __init__(self, options):
        self.options = options
        self.quern, self.direct = os.path.join(options.bin, "quern"), os.path.join(options.bin, "serve_direct")
        self.loader = os.path.join(options.bin, "serve_load")

    def load(self, mode, port, *args):
        return json.loads(run(self.loader, mode, "--port", port, "--model", "bench", *args).stdout)

    def embeddings(self, seconds):
        """64 clients with one text a request, in turns with the program, as the machine's speed drifts; medians of the turns."""
        o = self.options
        crowd = ["--file", o.texts, "--concurrency", 64]
        good = True
        with Served(self.quern, o.embedder) as server:
            self.load("embed", server.port, *crowd, "--seconds", 2)
            for encoding in ("base64", "float"):
                turns = []
                for _ in range(TURNS):
                    before = self.program()
                    got = self.load("embed", server.port, *crowd, "--seconds", seconds / TURNS, "--encoding", encoding)
                    turns.append((got["texts_per_s"] / before, before, got))
                share = median(t[0] for t in turns)
                errors = sum(t[2]["errors"] for t in turns)
                good &= report(f"embeddings {encoding}: throughput", share >= 0.9 and not errors, share=round(share, 4), target=0.9,
                               shares=[round(t[0], 3) for t in turns], program_texts_per_s=median(t[1] for t in turns),
                               texts_per_s=median(t[2]["texts_per_s"] for t in turns), errors=errors)
                spread = median(t[2]["latency_p99_ms"] / t[2]["latency_p50_ms"] for t in turns)
                good &= report(f"embeddings {encoding}: p99 / p50", spread <= 3, spread=round(spread, 3), target=3,
                               p50_ms=median(t[2]["latency_p50_ms"] for t in turns))
        return good

    def program(self):
        """Texts per second of `quern embed`."""
        o = self.options
        with tempfile.NamedTemporaryFile(suffix=".npy") as out:
            said = run(self.quern, "embed", "-m", o.embedder, "-f", o.texts, "-o", out.name).stderr
        return float(re.search(r"([\d.]+) texts/s", said)[1])

    def peer_embeddings(self, seconds):
        o = self.options
        crowd = ["--file", o.texts, "--concurrency", 64]
        turns = []
        with Served(self.quern, o.embedder) as server, \
                Peer(o.peer, "-m", o.peer_embedder, "--embedding", "--pooling", "mean", "-np", "64", "-c", "32768", "-ub", "2048",
                     "-b", "2048"):
            for port in (server.port, Peer.port):
                self.load("embed", port, *crowd, "--seconds", 2)
            for _ in range(TURNS):
                turns.append([self.load("embed", port, *crowd, "--seconds", seconds / TURNS) for port in (server.port, Peer.port)])
        ratio = median(mine["texts_per_s"] / peer["texts_per_s"] for mine, peer in turns)
        errors = sum(got["errors"] for turn in turns for got in turn)
        return report("embeddings beside llama-server", ratio >= 4 and not errors, ratio=round(ratio, 2), target=4, errors=errors,
                      texts_per_s=median(t[0]["texts_per_s"] for t in turns), peer_texts_per_s=median(t[1]["texts_per_s"] for t in turns))

    def one(self):
        """What a request takes longer than the call, in turns."""
        o = self.options
        turns = []
        with Served(self.quern, o.embedder) as server:
            for turn in range(2 * TURNS):
                direct = json.loads(run(self.direct, "embed", o.embedder, o.texts, 400).stdout)
                got = self.load("embed", server.port, "--file", o.texts, "--requests", 400, "--encoding", "base64")
                turns.append((got["latency_p50_ms"] - direct["p50_ms"], direct["p50_ms"], got["errors"]))
        extra = median(t[0] for t in turns)
        return report("one request", extra <= 0.3 and not any(t[2] for t in turns), overhead_ms=round(extra, 4), target=0.3,
                      overheads_ms=[round(t[0], 3) for t in turns], call_p50_ms=median(t[1] for t in turns))

    def streams(self, prompts):
        o = self.options
        direct = json.loads(run(self.direct, "generate", o.decoder, prompts, 16, 128).stdout)
        with Served(self.quern, o.decoder, "--sequences", 16) as server:
            self.load("chat", server.port, "--file", prompts, "--max-tokens", 8)
            got = self.load("chat", server.port, "--file", prompts, "--concurrency", 16, "--max-tokens", 128)
        share = got["tokens_per_s"] / direct["tokens_per_s"]
        return report("16 streams", share >= 0.9 and not got["errors"], direct_tokens_per_s=direct["tokens_per_s"], share=round(share, 4),
                      target=0.9, **got)

    def beside(self, prompts, long_prompt):
        with Served(self.quern, self.options.decoder, "--ctx", self.options.context) as server:
            got = self.load("beside", server.port, "--file", prompts, "--long-file", long_prompt)
        ratio = got["beside_p50_ms"] / got["alone_p50_ms"]
        return report("a short prompt beside a long one", ratio <= 2 and not got["errors"] and got["beside"] > 0, ratio=round(ratio, 3),
                      target=2, **got)

    def peer_streams(self, prompts):
        with Peer(self.options.peer, "-m", self.options.decoder, "-np", "16", "-c", str(16 * 1024), "--jinja"):
            self.load("chat", Peer.port, "--file", prompts, "--max-tokens", 8)
            got = self.load("chat", Peer.port, "--file", prompts, "--concurrency", 16, "--max-tokens", 128)
        return report("16 streams of llama-server", not got["errors"], **got)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="the folder with quern, serve_load and serve_direct")
    parser.add_argument("--embedder")
    parser.add_argument("--texts", help="one text per line (bench/texts.py)")
    parser.add_argument("--decoder")
    parser.add_argument("--context", type=int, default=8192, help="of the decoder, for the long prompt")
    parser.add_argument("--long-words", type=int, default=3000, help="of the long prompt: some 4,000 tokens")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--peer", help="llama-server")
    parser.add_argument("--peer-embedder", help="the same embedder as llama-server reads it (quern convert -o NAME.q8_0)")
    compare = Compare(parser.parse_args())
    o, good = compare.options, True
    if o.embedder:
        good &= compare.embeddings(o.seconds) & compare.one()
        if o.peer and o.peer_embedder:
            good &= compare.peer_embeddings(o.seconds)
    with tempfile.TemporaryDirectory() as work:
        if o.decoder:
            prompts, long_prompt = os.path.join(work, "prompts"), os.path.join(work, "long")
            with open(prompts, "w") as f:
                f.write("\n".join(SHORT))
            with open(long_prompt, "w") as f:
                f.write(" ".join(f"{i} the mill grinds" for i in range(o.long_words // 4)))
            good &= compare.streams(prompts) & compare.beside(prompts, long_prompt)
            if o.peer:
                good &= compare.peer_streams(prompts)
    return 0 if good else 1


sys.exit(main())

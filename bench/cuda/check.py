#!/usr/bin/env python3
"""On a machine with an NVIDIA GPU: does the device give the CPU's bits, and how fast is it? One JSON and one table.

    bench/cuda/check.py --quern build/bin/quern --model models/minilm.q8 [--texts 20000] [--out cuda.json] [--sanitize]

Builds nothing, downloads nothing: `make cuda` makes the program and the plug-in on any machine with nvcc, and both can be
carried over (libquern-cuda.so beside the program's library, or named in QUERN_CUDA_LIBRARY). Bounded: each step has a limit,
all together 8 minutes. A step that fails is in the JSON with what it said; the exit code is 1 then.
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

WORDS = "the quick brown fox jumps over a lazy dog while mills grind corn and rivers turn wheels all day long".split()


def texts_of(n, words):
    return "\n".join(" ".join(WORDS[(i * 7 + j * (1 + i % 5)) % len(WORDS)] for j in range(1 + (i * 13) % words)) for i in range(n))


class Machine:
    def __init__(self, args):
        self.args = args
        self.report = {"steps": {}, "failed": []}
        self.folder = tempfile.mkdtemp(prefix="quern-cuda-")
        self.deadline = time.monotonic() + 480

    def run(self, *command, limit=120, env=None):
        left = min(limit, self.deadline - time.monotonic())
        return subprocess.run([str(c) for c in command], capture_output=True, timeout=max(1, left),
                              env={**os.environ, **(env or {})})

    def step(self, name, action):
        start = time.monotonic()
        try:
            result = action()
        except (AssertionError, subprocess.SubprocessError, OSError, ValueError) as error:
            result = {"failed": str(error)[:2000]}
            self.report["failed"].append(name)
        self.report["steps"][name] = {**result, "seconds": round(time.monotonic() - start, 2)}
        print(f"{name:28} {json.dumps(self.report['steps'][name])}", flush=True)

    def embed(self, texts, *more, limit=120):
        """The rows' bytes and the seconds that the program took."""
        path = os.path.join(self.folder, "texts")
        with open(path, "w", encoding="utf-8") as f:
            f.write(texts)
        out = os.path.join(self.folder, "rows.npy")
        start = time.monotonic()
        done = self.run(self.args.quern, "embed", "-m", self.args.model, "-f", path, "-o", out, "--quiet", *more, limit=limit)
        seconds = time.monotonic() - start
        assert done.returncode == 0, done.stderr.decode()
        with open(out, "rb") as f:
            return f.read(), seconds

    def facts(self):
        done = self.run(self.args.quern, "inspect", self.args.model, "--json", "--device", "cuda")
        assert done.returncode == 0, done.stderr.decode()
        return {"device": json.loads(done.stdout)["device"]}

    def same_as_cpu(self, *layers):
        texts = texts_of(600, 300)
        on_cpu, _ = self.embed(texts, "--device", "cpu")
        there, _ = self.embed(texts, "--device", "cuda", *layers)
        assert there == on_cpu, "rows differ from the CPU's"
        return {"sha256": hashlib.sha256(there).hexdigest()[:16]}

    def invariant(self):
        """A text's row depends on that text alone: in any batch, in any order, by any number of threads."""
        lines = texts_of(400, 120).split("\n")
        whole, _ = self.embed("\n".join(lines), "--device", "cuda")
        width = (len(whole) - 128) // len(lines)
        rows = [whole[len(whole) - (len(lines) - i) * width:][:width] for i in range(len(lines))]
        turned, _ = self.embed("\n".join(reversed(lines)), "--device", "cuda", "-t", "1")
        back = [turned[len(turned) - (len(lines) - i) * width:][:width] for i in range(len(lines))]
        assert back == rows[::-1], "rows depend on the texts' order"
        few, _ = self.embed("\n".join(lines[:3]), "--device", "cuda", "-t", "2")
        assert few[len(few) - 3 * width:] == b"".join(rows[:3]), "rows depend on the batch"
        return {"texts": len(lines)}

    def sanitized(self, tool):
        program = shutil.which("compute-sanitizer")
        if not program:
            return {"skipped": "compute-sanitizer is not here"}
        done = self.run(program, "--tool", tool, "--error-exitcode", "9", self.args.quern, "embed", "-m", self.args.model,
                        "-p", "one", "-p", "two words of a text", "--device", "cuda", "--quiet", limit=100)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()[-1500:]
        return {"tool": tool}

    def speed(self, words):
        texts = texts_of(self.args.texts, words)
        _, start = self.embed("one", "--device", "cuda")
        _, seconds = self.embed(texts, "--device", "cuda", limit=150)
        return {"texts": self.args.texts, "texts_per_second": round(self.args.texts / max(1e-9, seconds - start))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quern", default="build/bin/quern")
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", type=int, default=20000)
    parser.add_argument("--out", default="cuda.json")
    parser.add_argument("--sanitize", action="store_true", help="memcheck and racecheck too")
    machine = Machine(parser.parse_args())
    machine.step("device", machine.facts)
    if not machine.report["failed"]:
        machine.step("same bits, all layers", lambda: machine.same_as_cpu("--gpu-layers", "all"))
        machine.step("same bits, last layer", lambda: machine.same_as_cpu("--gpu-layers", "1"))
        machine.step("invariance", machine.invariant)
        for words in (20, 110):
            machine.step(f"speed, up to {words} words", lambda words=words: machine.speed(words))
        if machine.args.sanitize:
            for tool in ("memcheck", "racecheck"):
                machine.step(tool, lambda tool=tool: machine.sanitized(tool))
    with open(machine.args.out, "w", encoding="utf-8") as f:
        json.dump(machine.report, f, indent=1)
    shutil.rmtree(machine.folder, ignore_errors=True)
    sys.exit(1 if machine.report["failed"] else 0)


if __name__ == "__main__":
    main()

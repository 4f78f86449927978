#!/usr/bin/env python3
"""Minutes of mixed load on one server: embeddings, reranking, chat, bad requests, clients that leave.

soak.py [--minutes 30 | --seconds N] [--clients 8]      needs QUERN (the program) and QUERN_TEST_DIR (tests/) in the environment

Every answer is compared with the one that an idle server gave: none may be lost, wrong, or somebody else's. First four times as many
clients send every request, so that every thread has worked and keys and values fill the little room that they get. After half of the
time (a minute at most) the server's resident memory must stay within 5 % (and 16 MiB, which count on small models). Prints a line now
and then and a JSON object at the end; exit code 1 if anything was wrong.
"""
import argparse
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ["QUERN_TEST_DIR"], "server"))
import models  # noqa: E402
from server import Server  # noqa: E402

SLACK = 16 << 20


class Soak:
    def __init__(self, server):
        self.server, self.counts, self.failures = server, {}, []
        self.lock, self.end = threading.Lock(), threading.Event()
        dice = random.Random(11)
        words = "the quick fox lazy user compared embeddings of cosine similarity Straße 世界 50 cents".split()
        text = lambda n: " ".join(dice.choices(words, k=n))  # noqa: E731
        texts = [[text(dice.randint(1, 60)) for _ in range(dice.choice((1, 1, 2, 8, 64)))] for _ in range(60)]
        self.requests = [("embed", "/embed", {"inputs": t}) for t in texts[:30]]
        self.requests += [("openai", "/v1/embeddings", {"input": t, "encoding_format": "base64"}) for t in texts[30:]]
        self.requests += [("rerank", "/rerank", {"query": text(4), "texts": t}) for t in texts[:15]]
        self.requests += [("chat", "/v1/chat/completions", {"messages": [{"role": "user", "content": text(dice.randint(1, 200))}],
                                                            "seed": i, "max_tokens": dice.randint(1, 80)}) for i in range(15)]
        self.requests += [("bad", path, body) for path, body in (
            ("/embed", {"inputs": 1}), ("/embed", {}), ("/v1/embeddings", {"input": "a", "dimensions": 10**6}), ("/nothing", {}),
            ("/rerank", {"query": "a", "texts": []}), ("/v1/chat/completions", {"messages": []}), ("/generate", {"inputs": "x" * 90_000}))]
        self.expected = [self.ask(path, body) for _, path, body in self.requests]

    def ask(self, path, body):
        answer = self.server.post(path, body)
        value = answer.json
        if isinstance(value, dict):
            value = {k: v for k, v in value.items() if k not in ("id", "created", "usage")}
        return answer.status, value

    def warm_up(self, number):
        """One of many clients that send every request, each in an order of its own."""
        dice = random.Random(-number)
        for i in dice.sample(range(len(self.requests)), len(self.requests)):
            self.one(i, dice)

    def client(self, number):
        dice = random.Random(number)
        while not self.end.is_set():
            self.one(dice.randrange(len(self.requests)), dice)

    def one(self, i, dice):
        kind, path, body = self.requests[i]
        try:
            if dice.random() < 0.05:
                kind = "left"
                self.leave(path, body, dice)
            else:
                found = self.ask(path, body)
                assert found == self.expected[i], f"{path} {json.dumps(body)[:200]}: {str(found)[:300]}"
        except Exception as e:
            with self.lock:
                self.failures.append(f"{kind}: {type(e).__name__}: {e}")
        with self.lock:
            self.counts[kind] = self.counts.get(kind, 0) + 1

    def leave(self, path, body, dice):
        """Sends a request, or half of one, and goes."""
        data = json.dumps({**body, "stream": True}).encode()
        data = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
        with self.server.connect() as sock:
            sock.sendall(data[:dice.choice((len(data) // 2, len(data)))])
            time.sleep(dice.choice((0, 0.01)))

    def start(self, work, clients):
        threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(clients)]
        for t in threads:
            t.start()
        return threads

    def run(self, minutes, clients):
        for t in self.start(self.warm_up, 4 * clients):
            t.join()
        begin, seconds, said = time.monotonic(), minutes * 60, 0
        threads = self.start(self.client, clients)
        warm, most = None, 0
        while (passed := time.monotonic() - begin) < seconds and not self.failures:
            time.sleep(0.5)
            resident = self.server.metric("process_resident_memory_bytes")
            if passed < min(60, seconds / 2):
                continue
            warm = warm or resident
            most = max(most, resident)
            if passed - said > 60:
                said = passed
                print(f"{passed / 60:.0f} min: {resident / 2**20:.1f} MiB, {self.counts}", flush=True)
        self.end.set()
        for t in threads:
            t.join(120)
            if t.is_alive():
                self.failures.append("a client has no answer after 120 s")
        self.server.wait_for(lambda: self.server.metric("quern_running_sequences") == 0, "idle at the end")
        grown = most / warm - 1 if warm else 0
        if warm and most > warm * 1.05 and most - warm > SLACK:
            self.failures.append(f"resident memory went from {warm / 2**20:.1f} to {most / 2**20:.1f} MiB")
        print(json.dumps({"minutes": minutes, "clients": clients, "requests": self.counts, "warm_mib": round((warm or 0) / 2**20, 1),
                          "most_mib": round(most / 2**20, 1), "grown": round(grown, 4), "failures": self.failures[:5]}))
        return not self.failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seconds", type=float, help="in place of --minutes")
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    server = Server(models.embedder(), models.reranker(), models.generator(), args=["--kv-memory", 4, "--ctx", 1024])
    try:
        good = Soak(server).run(options.minutes if options.seconds is None else options.seconds / 60, options.clients)
    except BaseException:
        server.kill()
        raise
    server.stop()
    return 0 if good else 1


sys.exit(main())

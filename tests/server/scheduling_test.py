"""What many clients at once get: each its own answer, bounded queues, deadlines, an end and a reload that lose nothing."""
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import tempfile
import threading
import unittest

import models
from embeddings_test import reference
from program import f32
from server import GUARD, OwnServers, ServerCase, read_answer

ENDLESS = {"ignore_eos": True}


def together(*works):
    """Runs them at once; their results, in order. The first failure is raised."""
    results, failures = [None] * len(works), []

    def run(i, work):
        try:
            results[i] = work()
        except BaseException as e:  # noqa: B902  raised below, in the test's own thread
            failures.append(e)
    threads = [threading.Thread(target=run, args=(i, work)) for i, work in enumerate(works)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(GUARD)
        assert not t.is_alive(), "a client hangs"
    if failures:
        raise failures[0]
    return results


class Mixed(ServerCase):
    """One server with every kind of model, and clients of all kinds."""

    @classmethod
    def start(cls):
        cls.models = [models.embedder(), models.reranker(), models.classifier(), models.generator()]
        return super().start()

    def embedder(self, number):
        dice = random.Random(number)
        words = "the quick fox lazy user compared embeddings of cosine similarity".split()
        texts = [" ".join(dice.choices(words, k=dice.randint(1, 20))) for _ in range(dice.randint(1, 40))]
        expected = reference(texts)

        def work():
            for _ in range(10):
                answer = self.ok("/embed", {"inputs": texts})
                self.assertEqual(f32(answer.json), expected)
        return work

    def one_by_one(self, path, body):
        expected = self.ok(path, body).json

        def work():
            for _ in range(10):
                got = self.ok(path, body).json
                self.assertEqual(self.stable(got), self.stable(expected))
        return work

    @staticmethod
    def stable(answer):
        """Without what differs from call to call."""
        if isinstance(answer, dict):
            return {k: v for k, v in answer.items() if k not in ("id", "created", "usage")}
        return answer

    def test_each_gets_its_own(self):
        works = [self.embedder(i) for i in range(6)]
        for i in range(4):
            works.append(self.one_by_one("/v1/chat/completions", {
                "messages": [{"role": "user", "content": f"fox {i} " * (1 + 20 * i)}], "seed": i, "max_tokens": 30, **ENDLESS}))
            works.append(self.one_by_one("/rerank", {"query": f"fox {i}", "texts": [f"lazy {j} {i}" for j in range(9)]}))
            works.append(self.one_by_one("/predict", {"inputs": f"compared {i}"}))
        together(*works)

    def test_classifiers_go_before_rerankers(self):
        self.assertEqual(self.ok("/predict", {"inputs": "fox"}).headers["x-model"], "classifier")

    def test_streams_beside_each_other(self):
        def bodies():
            for i in range(24):  # more than sequences that run at once
                yield {"prompt": f"the quick fox {i}", "seed": i, "max_tokens": 50, "temperature": 1, **ENDLESS}
        expected = [self.ok("/v1/completions", body).json["choices"][0]["text"] for body in bodies()]

        def stream(body):
            events = self.ok("/v1/completions", {**body, "stream": True}).events
            self.assertEqual(events[-1], "[DONE]")
            return "".join(e["choices"][0]["text"] for e in events[:-1] if e["choices"])
        self.assertEqual(together(*[lambda b=body: stream(b) for body in bodies()]), expected)

    def test_big_batches_do_not_starve_small_ones(self):
        """Small requests are answered while large ones are still being worked on."""
        text = "the lazy user compared embeddings of cosine similarity " * 4
        done = threading.Event()

        def large():
            for _ in range(3):
                self.ok("/embed", {"inputs": [f"{text} {i}" for i in range(2048)]})
            done.set()

        def small():
            served = 0
            while not done.is_set():
                self.ok("/embed", {"inputs": "fox"})
                served += 1
            return served
        _, served = together(large, small)
        self.assertGreater(served, 3)

    def test_pipelined(self):
        body = json.dumps({"inputs": "fox"}).encode()
        request = (b"POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                   + body)
        health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with self.server.connect() as sock:
            sock.sendall((request + health) * 20)
            stream = sock.makefile("rb")
            expected = reference(["fox"])
            for _ in range(20):
                self.assertEqual(f32(read_answer(stream).json), expected)
                self.assertEqual(read_answer(stream).json, {"status": "ok"})

    def test_keep_alive(self):
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=GUARD)
        for i in range(50):
            connection.request("POST", "/embed", json.dumps({"inputs": f"fox {i}"}))
            got = connection.getresponse()
            self.assertEqual((got.status, len(json.loads(got.read())[0])), (200, 64))
        sock = connection.sock
        self.assertIsNotNone(sock)  # the same connection all along
        connection.close()

    def test_metrics_add_up(self):
        before = self.server.metrics()
        count = 'quern_requests_total{route="/embed",status="200"}'
        for _ in range(5):
            self.ok("/embed", {"inputs": ["fox", "lazy"]})
        after = self.server.metrics()
        self.assertEqual(after[count] - before.get(count, 0), 5)
        self.assertEqual(after["te_embed_count"] - before.get("te_embed_count", 0), 10)
        self.ok("/v1/completions", {"prompt": "the fox", "max_tokens": 7, **ENDLESS})
        self.assertEqual(self.server.metric("quern_generated_tokens_total") - sum(
            v for k, v in after.items() if k.startswith("quern_generated_tokens_total")), 7)
        for name in ("quern_queue_requests", "quern_queue_tokens", "quern_running_sequences", "quern_kv_bytes",
                     "quern_connections", "quern_prompt_tokens_total", "quern_reused_tokens_total", "quern_batch_texts_count",
                     "quern_batch_tokens_count", "process_resident_memory_bytes", "process_cpu_seconds_total",
                     "te_request_count", "te_request_success", "te_request_duration_count", "te_embed_success", "te_queue_size"):
            self.assertTrue(any(k == name or k.startswith(name + "{") for k in after), name)


class Bounds(ServerCase):
    LONG = {"prompt": "fox", "max_tokens": 3000, **ENDLESS}

    @classmethod
    def start(cls):
        cls.models = [models.slow_generator()]
        return super().start()

    def running(self, server):
        return server.metric("quern_running_sequences")

    def streaming(self, server, body):
        """A connection whose answer has begun."""
        sock = server.connect()
        self.addCleanup(sock.close)
        data = json.dumps({**body, "stream": True}).encode()
        sock.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        self.assertIn(b" 200 ", sock.recv(4096))
        return sock

    def test_queue_full(self):
        server = self.own_server(models.slow_generator(), args=["--sequences", 1, "--queue", 2])
        sock = self.streaming(server, self.LONG)
        answers = together(*[lambda: server.post("/v1/completions", {"prompt": "fox", "max_tokens": 2}) for _ in range(8)])
        busy = [a for a in answers if a.status == 429]
        self.assertTrue(busy)
        self.assertEqual({a.status for a in answers}, {200, 429})
        for a in busy:
            self.assertGreaterEqual(int(a.headers["Retry-After"]), 1)
            self.assertError(a, "/v1/completions")
        sock.close()
        server.wait_for(lambda: self.running(server) == 0, "an idle server")
        self.ok("/v1/completions", {"prompt": "fox", "max_tokens": 2}, server=server)
        tgi = self.streaming(server, self.LONG)
        answers = together(*[lambda: server.post("/generate", {"inputs": "fox", "parameters": {"max_new_tokens": 2}})
                             for _ in range(8)])
        self.assertIn("overloaded", {a.json.get("error_type") for a in answers if a.status == 429})
        tgi.close()

    def test_those_who_left_while_they_waited_make_room(self):
        server = self.own_server(models.slow_generator(), args=["--sequences", 1, "--queue", 4])
        busy = self.streaming(server, self.LONG)
        data = json.dumps({"prompt": "fox", "max_tokens": 2}).encode()
        for _ in range(3):
            sock = server.connect()
            sock.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            server.wait_for(lambda: server.metric("quern_queue_requests") == 2, "one waits")
            sock.close()
            server.wait_for(lambda: server.metric("quern_queue_requests") == 1, "none waits")
        busy.close()

    def test_deadline(self):
        server = self.own_server(models.slow_generator(), args=["--deadline", 1])
        self.refused(504, "/v1/completions", {**self.LONG, "n": 8}, server=server)
        self.refused(504, "/generate", {"inputs": "fox", "parameters": {"max_new_tokens": 4000, "ignore_eos": True, "n": 8}},
                     server=server)
        self.ok("/v1/completions", {"prompt": "fox", "max_tokens": 2}, server=server)
        events = self.ok("/v1/completions", {**self.LONG, "n": 8, "stream": True}, server=server).events
        self.assertIn("error", events[-1])  # what had begun ends with it
        server.wait_for(lambda: self.running(server) == 0, "generation stops at its deadline")

    def test_a_client_that_left(self):
        sock = self.streaming(self.server, {**self.LONG, "max_tokens": 4000})
        self.assertEqual(self.running(self.server), 1)
        sock.close()
        self.server.wait_for(lambda: self.running(self.server) == 0, "generation stops when the client has left")
        # Also one that waits for a whole answer.
        sock = self.server.connect()
        data = json.dumps({**self.LONG, "max_tokens": 4000, "n": 4}).encode()
        sock.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        self.server.wait_for(lambda: self.running(self.server) == 4, "four sequences run")
        generated = self.server.metric("quern_generated_tokens_total")
        sock.close()
        self.server.wait_for(lambda: self.running(self.server) == 0, "generation stops when the client has left")
        self.assertLess(self.server.metric("quern_generated_tokens_total") - generated, 4 * 3500)

    def test_more_sequences_than_places(self):
        server = self.own_server(models.generator(), args=["--sequences", 2])
        answers = together(*[lambda i=i: self.ok("/v1/completions", {"prompt": "fox", "seed": i, "max_tokens": 40, "n": 3, **ENDLESS},
                                                 server=server) for i in range(6)])
        for i, a in enumerate(answers):
            texts = [c["text"] for c in a.json["choices"]]
            again = self.ok("/v1/completions", {"prompt": "fox", "seed": i, "max_tokens": 40, "n": 3, **ENDLESS}, server=server)
            self.assertEqual(texts, [c["text"] for c in again.json["choices"]])

    def test_little_memory_for_keys(self):
        server = self.own_server(models.generator(), args=["--kv-memory", 1, "--ctx", 512])
        self.assertTrue([line for line in server.lines if re.search(
            r"note: generator: contexts of 512 tokens, up to 16 sequences at once; 1 MiB for keys and values \(f16\)$", line)], server.lines)
        answers = together(*[lambda i=i: self.ok("/v1/completions", {"prompt": "fox", "seed": i, "max_tokens": 300, **ENDLESS},
                                                 server=server) for i in range(12)])
        self.assertEqual({a.json["usage"]["completion_tokens"] for a in answers}, {300})

    def test_more_contexts_than_the_machine_has_memory_for(self):
        """Those that fit run; the note says so, and what would need less."""
        server = self.own_server(models.slower_generator(), args=["--ctx", 8192, "--sequences", 1024])
        (note,) = [line for line in server.lines if line.startswith("quern: note: ")]
        room, tokens = server.metric("quern_kv_bytes"), server.metric("quern_kv_tokens")
        self.assertGreaterEqual(tokens, 8192)
        with open("/proc/meminfo", encoding="utf-8") as f:
            self.assertLess(room, int(re.search(r"MemAvailable: *(\d+)", f.read())[1]) << 10)
        short = tokens < 8192 * 1024
        for name in ("--ctx", "--sequences", "--kv-type i8"):
            self.assertEqual(name in note, short, note)
        self.ok("/v1/completions", {"prompt": "fox", "max_tokens": 2}, server=server)

    def test_keys_of_8_bits_let_in_more(self):
        """As many sequences run as the cache has room for, and in the same memory that is more where they are kept in 8 bits."""
        most = {}
        for kind in ("f16", "i8"):
            server = self.own_server(models.slow_generator(), args=["--kv-memory", 6, "--ctx", 512, "--sequences", 64,
                                                                    "--kv-type", kind])
            most[kind] = server.metric("quern_kv_tokens") // 512
            self.assertLessEqual(server.metric("quern_kv_bytes"), 6 << 20)
            sock = self.streaming(server, {**self.LONG, "n": 16})
            server.wait_for(lambda: self.running(server) == most[kind], "as many run as there is room for")
            sock.close()
        self.assertEqual(most, {"f16": 4, "i8": 6})  # heads of 16 values: the scales are a quarter of that

    def test_a_long_prompt_beside_streams(self):
        """A stream goes on while another client's long prompt is read."""
        sock = self.streaming(self.server, self.LONG)
        self.addCleanup(sock.close)
        got = self.ok("/v1/completions", {"prompt": "the lazy user compared embeddings " * 500, "max_tokens": 2})
        self.assertGreater(got.json["usage"]["prompt_tokens"], 2000)
        sock.settimeout(GUARD)
        self.assertTrue(sock.recv(4096))


class Ends(OwnServers):
    """Servers that are told to end, or to load again."""

    def test_sigterm_answers_what_runs(self):
        server = self.own_server(models.slow_generator(), models.embedder())
        body = {"prompt": "fox", "max_tokens": 1500, "seed": 1, **ENDLESS}
        expected = self.ok("/v1/completions", body, server=server).json["choices"]
        idle = server.connect()
        self.addCleanup(idle.close)
        results = []
        works = [threading.Thread(target=lambda: results.append(self.ok("/v1/completions", body, server=server).json["choices"]))
                 for _ in range(4)]
        for w in works:
            w.start()
        server.wait_for(lambda: server.metric("quern_running_sequences") == 4, "four answers begin")
        server.signal(signal.SIGTERM)
        for w in works:
            w.join(GUARD)
        self.assertEqual(results, [expected] * 4)
        self.assertEqual(idle.recv(100), b"")  # closed, not left waiting
        server.stop()
        with self.assertRaises(ConnectionError):
            server.get("/health")

    def test_sigterm_lets_streams_end(self):
        server = self.own_server(models.slow_generator())
        body = {"prompt": "fox", "max_tokens": 1000, "seed": 1, "stream": True, **ENDLESS}
        expected = self.text_of(self.ok("/v1/completions", body, server=server).events)
        results = []
        works = [threading.Thread(target=lambda: results.append(self.ok("/v1/completions", body, server=server).events))
                 for _ in range(4)]
        for w in works:
            w.start()
        server.wait_for(lambda: server.metric("quern_running_sequences") == 4, "four streams begin")
        server.signal(signal.SIGTERM)
        for w in works:
            w.join(GUARD)
        self.assertEqual([self.text_of(events) for events in results], [expected] * 4)
        server.stop()

    @staticmethod
    def text_of(events):
        assert events[-1] == "[DONE]", events[-1]
        return "".join(e["choices"][0]["text"] for e in events[:-1])

    def test_the_end_does_not_wait_for_who_does_not_read(self):
        server = self.own_server(models.generator(), args=["--deadline", 20])  # slow builds too have to fill the buffers
        socks = []
        data = json.dumps({"prompt": "fox", "max_tokens": 3000, "logprobs": 20, "stream": True, **ENDLESS}).encode()
        for _ in range(8):
            sock = socket.socket()
            self.addCleanup(sock.close)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.connect((server.host, server.port))
            sock.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            socks.append(sock)
        server.wait_for(lambda: server.metric("quern_unsent_bytes") > 0, "their clients do not read")
        server.stop()

    def test_health_while_it_ends(self):
        """503, for who has a connection already; new ones get it too, or none."""
        server = self.own_server(models.slow_generator())
        sock = server.connect()
        self.addCleanup(sock.close)
        stream = sock.makefile("rb")
        health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
        sock.sendall(health + b"\r\n")
        self.assertEqual(read_answer(stream).status, 200)
        answers = []
        body = {"prompt": "fox", "max_tokens": 3000, **ENDLESS}
        work = threading.Thread(target=lambda: answers.append(server.post("/v1/completions", body).status))
        work.start()
        server.wait_for(lambda: server.metric("quern_running_sequences") == 1, "an answer begins")
        sock.sendall(health)
        server.metrics()  # what was sent before it has been read
        server.signal(signal.SIGTERM)

        def ending():
            try:
                return server.get("/health").status == 503
            except (OSError, http.client.HTTPException):
                return True
        server.wait_for(ending, "it knows")
        sock.sendall(b"\r\n")
        self.assertEqual(read_answer(stream).status, 503)
        work.join(GUARD)
        self.assertEqual(answers, [200])
        server.stop()

    def test_sigterm_twice_and_sigint(self):
        for signals in ([signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]):
            server = self.own_server(models.embedder())
            self.ok("/embed", {"inputs": "fox"}, server=server)
            server.stop(signals)

    def test_the_end_waits_no_longer_than_the_deadline(self):
        server = self.own_server(models.slow_generator(), args=["--deadline", 2])
        work = threading.Thread(target=lambda: server.post("/v1/completions", {"prompt": "fox", "max_tokens": 4000, "n": 16, **ENDLESS}))
        work.start()
        server.wait_for(lambda: server.metric("quern_running_sequences") > 0, "an answer begins")
        server.stop()
        work.join(GUARD)

    def test_reload_loses_nothing(self):
        server = self.own_server(models.embedder(), models.generator())
        texts = ["the quick fox", "the lazy user"]
        expected = reference(texts)
        end = threading.Event()
        body = {"prompt": "fox", "max_tokens": 60, "seed": 3, **ENDLESS}
        text = self.ok("/v1/completions", body, server=server).json["choices"]

        def embeds():
            n = 0
            while not end.is_set():
                self.assertEqual(f32(self.ok("/embed", {"inputs": texts}, server=server).json), expected)
                n += 1
            return n

        def generates():
            n = 0
            while not end.is_set():
                self.assertEqual(self.ok("/v1/completions", body, server=server).json["choices"], text)
                n += 1
            return n

        streamed = {**body, "stream": True}
        stream = self.text_of(self.ok("/v1/completions", streamed, server=server).events)

        def streams():
            n = 0
            while not end.is_set():
                self.assertEqual(self.text_of(self.ok("/v1/completions", streamed, server=server).events), stream)
                n += 1
            return n

        def reloads():
            try:
                for i in range(1, 6):
                    server.signal(signal.SIGHUP)
                    server.wait_for(lambda: server.lines.count("quern: reloaded") == i, f"reload {i}")
            finally:
                end.set()
        *counts, _ = together(embeds, embeds, generates, streams, reloads)
        self.assertTrue(all(n > 0 for n in counts), counts)

    def copy(self):
        folder = tempfile.mkdtemp(prefix="quern-server-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return shutil.copyfile(models.embedder(), os.path.join(folder, "tiny.q8"))

    def test_reload_of_what_is_gone(self):
        path = self.copy()
        server = self.own_server(path)
        expected = reference(["fox"])
        os.rename(path, path + ".old")
        server.signal(signal.SIGHUP)
        server.wait_for(lambda: len(server.lines) >= 2, "it says why")
        self.assertNotIn("quern: reloaded", server.lines)
        self.assertIn("tiny.q8", server.lines[-1])
        self.assertEqual(f32(self.ok("/embed", {"inputs": ["fox"]}, server=server).json), expected)
        os.rename(path + ".old", path)
        server.signal(signal.SIGHUP)
        server.wait_for(lambda: "quern: reloaded" in server.lines, "it loads again")
        self.assertEqual(f32(self.ok("/embed", {"inputs": ["fox"]}, server=server).json), expected)

    def test_reload_takes_what_is_new(self):
        path = self.copy()
        server = self.own_server(path)
        old = self.ok("/embed", {"inputs": ["fox"]}, server=server).headers["x-fingerprint"]
        shutil.copyfile(models.model("f32"), path + ".new")
        os.replace(path + ".new", path)
        server.signal(signal.SIGHUP)
        server.wait_for(lambda: "quern: reloaded" in server.lines, "it loads again")
        answer = self.ok("/embed", {"inputs": ["fox"]}, server=server)
        self.assertNotEqual(answer.headers["x-fingerprint"], old)
        self.assertEqual(f32(answer.json), reference(["fox"], model=models.model("f32")))


if __name__ == "__main__":
    unittest.main()

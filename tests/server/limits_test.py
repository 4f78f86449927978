"""What one client, or one request, can take from others: memory, time, threads, descriptors."""
import array
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import hostile
import models
from fixtures import MODELS, write_safetensors
from hostile import EMBED, post
from program import QUERN
from server import GUARD, OwnServers, read_answer

MIB = 1 << 20
SANITIZED = 8 if os.environ.get("QUERN_SLOW_BUILD") else 1  # times the memory


def head(path, length, *fields):
    return post(path, b"", *fields, length=length)


class Connections(OwnServers):
    def open(self, server, data=b"", source=None, receive=None):
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.settimeout(GUARD)
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        if source:
            sock.bind((source, 0))
        sock.connect((server.host, server.port))
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        return sock

    def status(self, sock):
        try:
            answer = read_answer(sock.makefile("rb"))
        except ConnectionError:
            return None
        return answer and answer.status


class Bodies(Connections):
    def test_refused_before_the_body(self):
        """What the head alone decides: keys, hosts, paths, methods. Nothing is kept of what follows."""
        server = self.own_server(models.embedder(), key="secret", args=["--api-key", "secret"])
        key = "Authorization: Bearer secret"
        for status, path, fields in ((401, "/embed", []), (401, "/embed", ["X-Api-Key: wrong"]), (401, "/nothing", []),
                                     (404, "/nothing", [key]), (405, "/health", [key]), (405, "/info", [key]),
                                     (403, "/embed", [key, "Origin: http://evil.example"])):
            with self.subTest(path=path, fields=fields):
                for expects in ([], ["Expect: 100-continue"]):
                    self.assertEqual(self.status(self.open(server, head(path, 30 * MIB, *fields, *expects))), status)
        plain = self.own_server(models.embedder())
        data = head("/embed", 30 * MIB).replace(b"localhost", b"evil.example")
        self.assertEqual(self.status(self.open(plain, data)), 403)
        chunked = post("/nothing", b"5\r\nab", "Transfer-Encoding: chunked", length=False)
        self.assertEqual(self.status(self.open(plain, chunked)), 404)
        # Behind another request on its connection too.
        both = post("/embed", json.dumps(EMBED).encode()) + head("/nothing", 30 * MIB)
        stream = self.open(plain, both).makefile("rb")
        self.assertEqual([read_answer(stream).status for _ in range(2)], [200, 404])

    def test_without_a_key_nothing_is_kept(self):
        server = self.own_server(models.embedder(), key="secret", args=["--api-key", "secret"])
        for _ in range(16):
            self.open(server, head("/embed", 32 * MIB) + bytes(MIB))
        for _ in range(10):
            self.ok("/embed", EMBED, server=server)
        self.assertLess(server.metric("quern_received_bytes"), MIB)
        self.ok("/embed", {"inputs": ["fox " * 1000] * 200}, server=server)  # 800 kB

    def test_large_bodies_that_stall(self):
        """Take room only as they come; small requests never wait for it, and large ones for those who send."""
        server = self.own_server(models.embedder(), args=["--max-body", 32 * MIB])
        stalled = [self.open(server, head("/embed", 32 * MIB)) for _ in range(40)]
        self.assertLess(server.metric("quern_received_bytes"), MIB)  # announced is not taken
        part = bytes(31 * MIB)
        for sock in stalled[:36]:
            sock.settimeout(5)
            with contextlib.suppress(OSError):
                sock.sendall(part)
        for _ in range(20):
            self.ok("/embed", EMBED, server=server)
        self.assertLessEqual(server.metric("quern_received_bytes"), 1060 * MIB)
        time.sleep(2.5)  # they send no more
        large = json.dumps({"inputs": ["the lazy user " * 1000] * 1000}).encode()  # 14 MB
        self.assertEqual(server.post("/embed", large).status, 200)

    def test_an_address_has_a_part(self):
        server = self.own_server(models.embedder())
        part = bytes(31 * MIB)
        for _ in range(20):
            sock = self.open(server, head("/embed", 32 * MIB), source="127.0.0.2")
            sock.settimeout(5)
            with contextlib.suppress(OSError):
                sock.sendall(part)
        self.assertLessEqual(server.metric("quern_received_bytes"), 530 * MIB)
        large = json.dumps({"inputs": ["the lazy user " * 1000] * 500}).encode()
        self.assertEqual(server.post("/embed", large).status, 200)

    def test_json_of_many_parts(self):
        server = self.own_server(models.embedder(), models.generator())
        before = self.peak(server)
        for inside in (b"[],", b'"",', b"{},", b"1,", b'[""],', b"null,", b'{"a":0},'):
            n = 31 * MIB // len(inside)
            for path in ("/embed", "/tokenize", "/v1/completions"):
                body = b'{"model":"tiny","inputs":[' + inside * n + b"0]}"
                self.assertEqual(server.post(path, body).status, 400, inside)
        self.assertLess(self.peak(server) - before, SANITIZED * 250 * MIB)
        many = {"inputs": ["fox"] * 2048}
        self.ok("/embed", many, server=server)

    @staticmethod
    def peak(server):
        with open(f"/proc/{server.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))


class Answers(Connections):
    def test_a_whole_batch_of_wide_vectors(self):
        """Fits what an answer may have by itself, however wide they are."""
        folder = tempfile.mkdtemp(prefix="quern-server-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "wide")
        shutil.copytree(os.path.join(MODELS, "bert"), path)
        width = 4096
        os.makedirs(os.path.join(path, "1_Pooling"))
        os.makedirs(os.path.join(path, "2_Dense"))
        prefix = "sentence_transformers.models."
        for name, value in (("modules.json", [{"idx": i, "name": str(i), "path": p, "type": prefix + t} for i, (p, t) in enumerate(
                                (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense")))]),
                            ("1_Pooling/config.json", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}),
                            ("2_Dense/config.json", {"in_features": 32, "out_features": width, "bias": False,
                                                     "activation_function": "torch.nn.modules.linear.Identity"})):
            with open(os.path.join(path, name), "w", encoding="utf-8") as f:
                json.dump(value, f)
        values = array.array("f", (((i * 7919) % 1000 - 500) / 7777 for i in range(32 * width)))
        write_safetensors(os.path.join(path, "2_Dense/model.safetensors"), {"linear.weight": ["F32", [width, 32], values.tobytes()]})
        server = self.own_server(path)
        answer = self.ok("/embed", {"inputs": ["the quick fox"] * 2048}, server=server)
        self.assertGreater(len(answer.body), 64 * MIB)
        self.assertEqual(answer.body.count(b"],["), 2047)
        server.stop()
        server = self.own_server(path, args=["--max-answer", 64 * MIB])
        self.refused(422, "/embed", {"inputs": ["the quick fox"] * 2048}, "--max-answer", server=server)

    def test_tokenize(self):
        """Is bounded, and ends with its deadline or its client."""
        server = self.own_server(models.embedder(), args=["--max-answer", 4 * MIB, "--deadline", 20])
        long = {"inputs": "the quick brown fox " * 200_000}
        before = Bodies.peak(server)
        self.refused(422, "/tokenize", long, "--max-answer", server=server)
        self.refused(422, "/tokenize", {"inputs": [long["inputs"][:100_000]] * 40}, "--max-answer", server=server)
        self.refused(422, "/tokenize", {"content": "fox " * 2_000_000, "with_pieces": True}, "--max-answer", server=server)
        self.refused(422, "/embed_all", {"inputs": ["the quick brown fox " * 20] * 2048}, "--max-answer", server=server)
        self.assertLess(Bodies.peak(server) - before, SANITIZED * 500 * MIB)
        self.ok("/tokenize", {"inputs": "the quick brown fox " * 1000}, server=server)
        self.ok("/embed_all", {"inputs": ["the quick brown fox"] * 100}, server=server)

    def test_tokenizing_for_nobody(self):
        server = self.own_server(models.embedder(), args=["--max-answer", 1 << 30, "--deadline", 2])
        body = json.dumps({"inputs": ["\u0301\u0316" * 1_000_000] * 8}, ensure_ascii=False).encode()
        self.assertEqual(server.post("/tokenize", body).status, 504)
        server = self.own_server(models.embedder(), args=["--max-answer", 1 << 30])
        for _ in range(4):
            sock = self.open(server, post("/tokenize", body))
            sock.close()
        self.ok("/tokenize", {"inputs": "fox"}, server=server)
        answered = 'quern_requests_total{route="/tokenize",status="504"}'
        server.wait_for(lambda: server.metrics().get(answered, 0) >= 1, "they are given up")

    def test_who_reads_nothing(self):
        """Hundreds of large answers that nobody reads: others are served, and make them go."""
        server = self.own_server(models.embedder())
        body = json.dumps({"inputs": ["the lazy user " * 15] * 400}).encode()
        request = post("/embed_all", body)
        size = len(self.ok("/embed_all", body, server=server).body)
        n = 100 if os.environ.get("QUERN_SLOW_BUILD") else 700 * MIB // size
        for i in range(n):
            self.open(server, request, receive=2048)
            if i % 50 == 0:
                self.ok("/embed", EMBED, server=server)
        for _ in range(20):
            self.assertEqual(server.get("/health").status, 200)
            self.ok("/embed", EMBED, server=server)
        server.wait_for(lambda: server.metric("quern_unsent_bytes") < 130 * MIB, "half of the room is free again")
        # Those whose answers are still computed have room of their own until they are done.
        server.wait_for(lambda: server.post("/embed_all", body).status == 200, "a large answer has room again")

    def test_trickle_readers(self):
        """Who takes a few bytes now and then is dropped like who takes none."""
        server = self.own_server(models.embedder())
        body = json.dumps({"inputs": ["the lazy user " * 15] * 1000}).encode()
        socks = [self.open(server, post("/embed_all", body), receive=2048) for _ in range(4)]
        server.wait_for(lambda: server.metric("quern_unsent_bytes") > 0, "they do not read")
        ends = threading.Event()

        def trickle(sock):
            with contextlib.suppress(OSError):
                while not ends.is_set() and sock.recv(16):
                    time.sleep(0.5)
        threads = [threading.Thread(target=trickle, args=(s,), daemon=True) for s in socks]
        for t in threads:
            t.start()
        server.wait_for(lambda: server.metric("quern_unsent_bytes") == 0, "they are dropped")
        ends.set()
        for t in threads:
            t.join(GUARD)

    def test_health_whatever_workers_do(self):
        """More requests wait than there are workers; health and metrics answer all the same."""
        server = self.own_server(models.slow_generator(), args=["--queue", 8, "--sequences", 1])
        body = json.dumps({"prompt": "fox", "max_tokens": 4000, "ignore_eos": True}).encode()
        socks = [self.open(server, post("/v1/completions", body)) for _ in range(8)]
        server.wait_for(lambda: server.metric("quern_queue_requests") == 8, "all wait")
        tokens = json.dumps({"inputs": "the quick brown fox " * 100_000}).encode()
        socks += [self.open(server, post("/tokenize", tokens)) for _ in range(100)]
        for _ in range(10):
            for path in ("/health", "/metrics", "/ping", "/v1/health"):
                self.assertEqual(server.get(path).status, 200)
        for sock in socks:
            sock.close()

    def test_threads_end_again(self):
        server = self.own_server(models.slow_generator(), args=["--sequences", 1])
        threads = lambda: len(os.listdir(f"/proc/{server.process.pid}/task"))  # noqa: E731
        before = threads()
        body = json.dumps({"prompt": "fox", "max_tokens": 4000, "ignore_eos": True}).encode()
        socks = [self.open(server, post("/v1/completions", body)) for _ in range(100)]
        server.wait_for(lambda: threads() >= before + 90, "a thread for each")
        for sock in socks:
            sock.close()
        server.wait_for(lambda: threads() <= before + 10, "they end")
        self.assertEqual(server.get("/health").status, 200)


class Descriptors(Connections):
    def test_none_left(self):
        """The server waits for one, without a turn of its loop for nothing, and serves who is there."""
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
        server = self.own_server(models.embedder(), preexec=few)
        held = server.connect()
        self.addCleanup(held.close)
        stream = held.makefile("rb")
        health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        held.sendall(health)
        self.assertEqual(read_answer(stream).status, 200)
        socks = [self.open(server, b"G") for _ in range(260)]
        held.sendall(post("/embed", json.dumps(EMBED).encode()))
        self.assertEqual(read_answer(stream).status, 200)
        before = self.cpu(server)
        time.sleep(2)
        self.assertLess(self.cpu(server) - before, 1)
        for sock in socks:
            sock.close()
        server.wait_for(lambda: self.status(self.open(server, health)) == 200, "it accepts again")

    @staticmethod
    def cpu(server):
        with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_the_soft_limit_is_raised(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        server = self.own_server(models.embedder(),
                                 preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard)))
        now = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        self.assertEqual(now[0], min(hard, 16384 + 64))
        socks = [self.open(server) for _ in range(400)]
        server.wait_for(lambda: server.metric("quern_connections") >= len(socks), "more than the soft limit was")


class LittleMemory(Connections):
    """An address space that threads and large requests do not fit in."""

    def limited(self, more, *served, **given):
        """A server that may have so many bytes more than one needs that is idle."""
        plain = self.own_server(*served, **given)
        with open(f"/proc/{plain.process.pid}/statm", encoding="ascii") as f:
            size = int(f.read().split()[0]) * resource.getpagesize()
        plain.stop()
        return self.own_server(*served, **given,
                               preexec=lambda: resource.setrlimit(resource.RLIMIT_AS, (size + more, size + more)))

    @unittest.skipIf(os.environ.get("QUERN_SLOW_BUILD"), "sanitizers need the address space themselves")
    def test_large_requests(self):
        """Get 429 or 503 where there is no memory; what is small is served, and nothing stays counted."""
        server = self.limited(200 * MIB, models.embedder(), models.generator())
        bodies = [("/embed", {"model": "tiny", "inputs": ["the lazy user " * 1000] * 1500}),
                  ("/tokenize", {"model": "tiny", "inputs": "the quick brown fox " * 500_000}),
                  ("/v1/completions", {"model": "generator", "prompt": "fox " * 4_000_000})]
        seen = []

        def ask(path, body):
            seen.append(server.post(path, body).status)
        for _ in range(3):
            threads = [threading.Thread(target=ask, args=b) for b in bodies * 2]
            for t in threads:
                t.start()
            for t in threads:
                t.join(GUARD)
            server.wait_for(lambda: server.post("/embed", EMBED).status == 200, "small requests are served")
        self.assertLessEqual(set(seen), {200, 400, 422, 429, 503})
        def nothing_counted():
            try:
                return server.metric("quern_queue_requests") == 0 and server.metric("quern_received_bytes") < MIB
            except ValueError:  # 503: this thread found no room for the answer
                return False
        server.wait_for(nothing_counted, "nothing is counted")

    @unittest.skipIf(os.environ.get("QUERN_SLOW_BUILD"), "sanitizers need the address space themselves")
    def test_few_threads(self):
        """It runs with those that there are, and says so."""
        server = self.limited(64 * MIB, models.embedder(), models.slow_generator(), args=["--threads", 2])
        body = json.dumps({"model": "slow_generator", "prompt": "fox", "max_tokens": 300, "ignore_eos": True}).encode()
        socks = [self.open(server, post("/v1/completions", body)) for _ in range(60)]
        for _ in range(10):
            self.assertEqual(server.get("/health").status, 200)
        for sock in socks:
            self.assertIn(self.status(sock), (200, 429, 503))
        self.ok("/embed", EMBED, server=server)


class Signals(OwnServers):
    def test_sigterm_answers_what_has_come(self):
        """Whatever arrived before the signal, read or not, is answered or gets 503: nothing is reset."""
        for _ in range(5):
            server = self.own_server(models.embedder())
            socks = [server.connect() for _ in range(60)]
            for sock in socks[:30]:  # kept alive
                sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertEqual(read_answer(sock.makefile("rb")).status, 200)
            server.signal(signal.SIGSTOP)
            request = post("/embed", json.dumps(EMBED).encode())
            for i, sock in enumerate(socks):
                sock.sendall(request * (1 + i % 3))
            fresh = [server.connect() for _ in range(20)]
            for sock in fresh:
                sock.sendall(request)
            server.signal(signal.SIGTERM)
            server.signal(signal.SIGCONT)
            for i, sock in enumerate(socks + fresh):
                stream = sock.makefile("rb")
                for _ in range(1 + i % 3 if i < len(socks) else 1):
                    answer = read_answer(stream)
                    self.assertIsNotNone(answer, i)
                    self.assertIn(answer.status, (200, 503), i)
                sock.close()
            server.stop()

    def test_sighup_while_loading(self):
        """Does not end the process: the models are loaded again once they serve."""
        for delay in (0.01, 0.02, 0.05, 0.1):
            process = subprocess.Popen([QUERN, "serve", "--port", "0", "-m", models.embedder(), "-m", models.slower_generator()],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                while not self.catches(process.pid):
                    self.assertIsNone(process.poll())
                time.sleep(delay)
                process.send_signal(signal.SIGHUP)
                self.assertIn(": contexts of ", process.stderr.readline().decode())
                self.assertIn("serving", process.stderr.readline().decode())
                self.assertIn("reloaded", process.stderr.readline().decode())
            finally:
                process.terminate()
                self.assertEqual(process.wait(GUARD), 0)
                process.stderr.close()

    @staticmethod
    def catches(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            caught = next(int(line.split()[1], 16) for line in f if line.startswith("SigCgt"))
        return caught >> (signal.SIGHUP - 1) & 1

    def test_sighup_serves_the_models_of_the_config(self):
        path = os.path.join(self.folder(), "serve.json")

        def write(config):
            with open(path, "w", encoding="utf-8") as f:
                f.write(config if isinstance(config, str) else json.dumps(config))
        write({"model": "one=" + models.embedder()})
        server = self.own_server(args=["--config", path])
        names = lambda: {m["id"] for m in server.get("/v1/models").json["data"]}  # noqa: E731
        self.assertEqual(names(), {"one"})
        write({"model": ["one=" + models.embedder(), "two=" + models.reranker()]})
        server.signal(signal.SIGHUP)
        server.wait_for(lambda: names() == {"one", "two"}, "the second is served")
        self.ok("/rerank", {"query": "a", "texts": ["b"]}, server=server)
        for bad in ("{", "[]", {"model": []}, {"model": 3}, {}, {"model": "/nowhere"}):
            write(bad)
            n = len(server.lines)
            server.signal(signal.SIGHUP)
            server.wait_for(lambda: any("not reloaded" in line for line in server.lines[n:]), bad)
            self.assertEqual(names(), {"one", "two"})
        write({"model": "two=" + models.reranker()})
        server.signal(signal.SIGHUP)
        server.wait_for(lambda: names() == {"two"}, "the first is gone")

    def folder(self):
        import tempfile
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name


class EmptyKeys(OwnServers):
    def starts(self, *args, env=None, config=None):
        """Exit code and standard error of a start that is to fail."""
        command = [QUERN, "serve", "--port", "0", "-m", models.embedder(), *args]
        if config is not None:
            import tempfile
            with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as f:
                json.dump(config, f)
            self.addCleanup(os.unlink, f.name)
            command += ["--config", f.name]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, **(env or {})}, timeout=GUARD)
        return done.returncode, done.stderr.decode()

    def test_they_are_refused(self):
        for name, given in (("--api-key", {"args": ["--api-key", ""]}), ("--api-key", {"args": ["--api-key", "good", "--api-key", ""]}),
                            ("--api-key", {"args": ["--api-key", " "]}), ("--api-key", {"args": ["--api-key", "a\n"]}),
                            ("api-key", {"config": {"api-key": ""}}), ("api-key", {"config": {"api-key": ["good", ""]}}),
                            ("api-key", {"config": {"api-key": []}}), ("api-key", {"config": {"api-key": None}}),
                            ("QUERN_API_KEY", {"env": {"QUERN_API_KEY": ""}}), ("QUERN_API_KEY", {"env": {"QUERN_API_KEY": "a "}})):
            with self.subTest(given):
                args = given.pop("args", [])
                code, said = self.starts(*args, **given)
                self.assertEqual(code, 2, said)
                self.assertIn(name, said)


class Requests(hostile.Hostile):
    def test_absolute_targets(self):
        for target in ("http://localhost/health", "HTTP://LOCALHOST:1/health", "https://127.0.0.1/health?x=/y"):
            answer = self.server.raw(f"GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
            self.assertEqual(answer.status, 200, target)
        self.answered(403, b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for bad in ("http:///health", "http://user@localhost/health", "http://"):
            self.answered(400, f"GET {bad} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.answered(404, b"GET ftp://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        body = json.dumps(EMBED).encode()
        data = post("/embed", body).replace(b"POST /embed", b"POST http://localhost/embed")
        self.assertEqual(self.server.raw(data).status, 200)

    def test_hosts(self):
        for host in ("LOCALHOST", "LocalHost:80"):
            self.assertEqual(self.server.get("/info", {"Host": host}).status, 200)
        self.answered(400, b"GET /health HTTP/1.1\r\n\r\n")
        self.answered(400, b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n")
        self.assertEqual(self.server.raw(b"GET /health HTTP/1.0\r\n\r\n").status, 200)

    def test_grammars(self):
        """What is wrong with one is the client's error, however late it shows."""
        many = "t ::= " + " | ".join(f'[a-z]+ "{i}"' for i in range(5000)) + "\n"
        wide, late = "root ::= t\n" + many, 'root ::= "' + "a" * 60 + '" t\n' + many
        for grammar in (late, wide, 'root ::= "a" root', "root ::= nothing", "root ::= root"):
            for n in (1, 3):
                answer = self.server.post("/v1/completions", {"model": "generator", "prompt": "fox", "grammar": grammar,
                                                             "max_tokens": 100, "n": n, "temperature": 1, "seed": 4})
                self.assertIn(answer.status, (200, 400), answer.body)
                if grammar in (wide, late, "root ::= nothing", "root ::= root"):
                    self.assertEqual(answer.status, 400, answer.body)
                    self.assertIn("grammar", answer.message)
        stream = self.server.post("/v1/completions", {"model": "generator", "prompt": "fox", "grammar": wide, "max_tokens": 30,
                                                     "stream": True})
        self.assertEqual(stream.status, 400)
        body = {"model": "generator", "prompt": "fox", "grammar": late, "max_tokens": 100, "stream": True}
        stream = self.ok("/v1/completions", body)
        self.assertEqual(stream.events[-1]["error"]["type"], "invalid_request_error")
        self.assertIn("more than 4096 ways", stream.events[-1]["error"]["message"])

    def test_a_large_grammar_holds_up_nobody(self):
        rules = 15000
        grammar = "root ::= r0\n" + "".join(f'r{i} ::= "a" r{i + 1}\n' for i in range(rules)) + f'r{rules} ::= "b"\n'
        answers = []
        work = threading.Thread(target=lambda: answers.append(self.server.post(
            "/v1/completions", {"model": "generator", "prompt": "fox", "grammar": grammar, "max_tokens": 2, "n": 8}).status))
        work.start()
        self.ok("/v1/completions", {"model": "generator", "prompt": "fox", "max_tokens": 2})
        work.join(GUARD)
        self.assertEqual(answers, [200])


class Labels(OwnServers):
    def test_they_are_escaped(self):
        name = 'a"b\\c{d}'
        server = self.own_server(name + "=" + models.embedder())
        self.ok("/embed", EMBED, server=server)
        self.assertIn('model="a\\"b\\\\c{d}"', server.get("/metrics").body.decode())


class Keys(OwnServers):
    def test_schemes(self):
        server = self.own_server(models.embedder(), args=["--api-key", "secret"])
        for scheme in ("Bearer", "bearer", "BEARER", "bEaReR", "Bearer "):
            self.assertEqual(server.post("/embed", EMBED, {"Authorization": scheme + " secret"}).status, 200, scheme)
        for bad in ("Bearersecret", "secret", "Basic secret", "Bearer SECRET"):
            self.assertEqual(server.post("/embed", EMBED, {"Authorization": bad}).status, 401, bad)


if __name__ == "__main__":
    unittest.main()

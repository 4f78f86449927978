"""The access log, request ids, levels of messages, and what the metrics say of each stage."""
import json
import os
import re
import signal
import subprocess
import tempfile
import unittest

import models
from server import GUARD, NOTICE, OwnServers, Server

TEXT = re.compile(r'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) (\S+) "(\S+) ([^"]*)" (\d{3}) (\d+) model=(\S+) '
                  r"queue=(\d+\.\d{3}) tokenize=(\d+\.\d{3}) work=(\d+\.\d{3}) total=(\d+\.\d{3})$")
FIELDS = ["time", "request_id", "client", "method", "path", "status", "bytes", "model", "queue_ms", "tokenize_ms", "work_ms", "total_ms"]


class LoggingServer(Server):
    """Its standard output goes to a file."""

    def __init__(self, *given, **more):
        self.file = tempfile.NamedTemporaryFile(prefix="quern-log-", mode="r", encoding="utf-8")  # noqa: SIM115
        write = os.open(self.file.name, os.O_WRONLY)
        try:
            super().__init__(*given, preexec=lambda: os.dup2(write, 1), **more)
        finally:
            os.close(write)

    def logged(self, n):
        """The first n lines, once they are there."""
        def text():
            with open(self.file.name, encoding="utf-8") as f:
                return f.read()
        self.wait_for(lambda: text().count("\n") >= n, f"{n} lines")
        return text().splitlines()


class Logs(OwnServers):
    def server_with(self, *args):
        server = LoggingServer("a=" + models.embedder(), "b=" + models.generator(), args=args)
        self.addCleanup(server.file.close)
        self.addCleanup(server.stop)
        return server

    def test_json(self):
        server = self.server_with("--access-log", "json")
        # A line is written behind its answer: the next request waits for it, so that they come in order.
        answer = self.ok("/embed", {"inputs": "fox"}, {"x-request-id": "mine-1"}, server=server)
        self.assertEqual(answer.headers["x-request-id"], "mine-1")
        server.logged(1)
        stream = self.ok("/v1/completions", {"prompt": "fox", "max_tokens": 5, "ignore_eos": True, "stream": True}, server=server)
        server.logged(2)
        server.get("/nothing?key=secret")
        server.logged(3)
        server.get("/health")
        one, two, three, four = (json.loads(line) for line in server.logged(4))
        self.assertEqual(list(one), FIELDS)
        self.assertEqual((one["request_id"], one["client"], one["method"], one["path"], one["status"], one["model"]),
                         ("mine-1", "127.0.0.1", "POST", "/embed", 200, "a"))
        self.assertEqual(one["bytes"], len(answer.body))
        for name in ("tokenize_ms", "work_ms", "total_ms"):
            self.assertGreater(one[name], 0, one)
        self.assertGreaterEqual(one["total_ms"] + 0.01, one["queue_ms"])
        self.assertEqual((two["path"], two["model"], two["bytes"]), ("/v1/completions", "b", len(stream.body)))
        self.assertEqual(two["request_id"], stream.headers["x-request-id"])
        self.assertRegex(two["request_id"], r"^[0-9a-f]{32}$")
        self.assertGreater(two["work_ms"], 0)
        self.assertEqual((three["path"], three["status"], three["model"], three["work_ms"]), ("/nothing", 404, None, 0))
        self.assertEqual((four["path"], four["status"]), ("/health", 200))

    def test_text_and_what_clients_send(self):
        """Nothing that a client sends makes a line of its own, or a field."""
        server = self.server_with("--access-log", "text")
        server.get("/a%0Ab%20%22%1b[31m%C3%A9")
        server.logged(1)
        server.raw(b"GET /x HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a b\x01\r\nConnection: close\r\n\r\n")
        server.logged(2)
        server.get("/y", {"x-request-id": "i" * 200})
        server.logged(3)
        server.raw(b"nonsense\r\n\r\n")
        lines = server.logged(4)
        parts = [TEXT.match(line) for line in lines]
        self.assertTrue(all(parts), lines)
        self.assertEqual(parts[0][5], r"/a\x0ab \x22\x1b[31m\xc3\xa9")
        self.assertEqual([p[6] for p in parts], ["404", "404", "404", "400"])
        for p in parts[1:]:
            self.assertRegex(p[2], r"^[0-9a-f]{32}$")
        self.assertEqual(len(lines), 4)

    def test_refused_from_the_head(self):
        server = self.server_with("--access-log", "json", "--max-body", 1024)
        server.post("/nowhere", b"x" * 900)
        server.logged(1)
        answer = server.post("/embed", b"x" * 2000)
        self.assertEqual(answer.status, 413)
        lines = [json.loads(line) for line in server.logged(2)]
        self.assertEqual([(line["status"], line["client"]) for line in lines], [(404, "127.0.0.1"), (413, "127.0.0.1")])

    def test_a_reader_that_stalls_holds_up_nobody(self):
        reading, writing = os.pipe()
        server = Server("a=" + models.embedder(), args=["--access-log", "json"], preexec=lambda: os.dup2(writing, 1))
        os.close(writing)
        try:
            for i in range(800):  # some 200 KiB of lines, of which a pipe takes 64
                self.assertEqual(server.get("/health", {"x-request-id": f"n{i}"}).status, 200)
        finally:
            server.signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(GUARD), 0)
            os.close(reading)
            server.stop()

    def test_off(self):
        server = self.server_with()
        self.assertRegex(server.get("/health").headers["x-request-id"], r"^[0-9a-f]{32}$")
        server.stop()
        self.assertEqual(os.path.getsize(server.file.name), 0)

    def test_levels(self):
        server = self.server_with("--log-level", "debug")
        server.get("/nothing\x7f".replace("\x7f", "%0a"), {"x-request-id": "r1"})
        server.wait_for(lambda: any("debug: request r1 from 127.0.0.1 got 404 at /nothing\\x0a" in line for line in server.lines), "a line")
        self.assertTrue(all(NOTICE.match(line) for line in server.lines), server.lines)
        process = subprocess.Popen([models.QUERN, "serve", "--port", "0", "--log-level", "error", "-m", models.generator()],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            with self.assertRaises(subprocess.TimeoutExpired):
                process.wait(2)
        finally:
            process.terminate()
            out, err = process.communicate(timeout=GUARD)
        self.assertEqual((out, err), (b"", b""))
        done = subprocess.run([models.QUERN, "serve", "--access-log", "loud", "-m", models.generator()], capture_output=True,
                              timeout=GUARD, check=False)
        self.assertNotEqual(done.returncode, 0)

    def test_metrics_say_what_they_are(self):
        server = self.server_with()
        self.ok("/embed", {"inputs": ["fox", "lazy user " * 20]}, server=server)
        self.ok("/v1/chat/completions", {"messages": [{"role": "user", "content": "fox"}], "max_tokens": 6, "ignore_eos": True}, server=server)
        self.ok("/v1/completions", {"prompt": "fox", "max_tokens": 6, "ignore_eos": True, "stream": True}, server=server)
        server.wait_for(lambda: server.metrics().get('quern_output_token_seconds_count{model="b"}', 0) == 2, "streams are counted")
        lines = server.get("/metrics").body.decode().splitlines()
        helped = {line.split()[2]: line.split(" ", 3)[3] for line in lines if line.startswith("# HELP ")}
        typed = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
        self.assertEqual(set(helped), set(typed))
        for name, text in helped.items():
            self.assertNotEqual(name, text, "a metric that nobody described")
        for line in lines:
            if line and line[0] != "#":
                name = re.match(r"[a-z0-9_]+", line)[0]
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertTrue(name in typed or typed.get(base) == "histogram", line)
        metrics = server.metrics()
        for stage in ("queue", "tokenize", "work", "total"):
            self.assertEqual(metrics[f'quern_request_seconds_count{{stage="{stage}"}}'], 3, stage)
        self.assertGreater(metrics['quern_request_seconds_sum{stage="tokenize"}'], 0)
        self.assertEqual(metrics['quern_first_token_seconds_count{model="b"}'], 2)
        self.assertGreater(metrics['quern_output_token_seconds_sum{model="b"}'], 0)
        self.assertGreater(metrics["te_request_tokenization_duration_sum"], 0)

    def test_tokenization_time(self):
        server = self.server_with()
        for outputs in ("/embed", "/embed_all"):
            answer = self.ok(outputs, {"inputs": ["the quick fox"] * 40}, server=server)
            self.assertGreater(float(answer.headers["x-tokenization-time"]), 0)


if __name__ == "__main__":
    unittest.main()

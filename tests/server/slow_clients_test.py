"""Clients that are slow, idle, half gone or gone hold up nobody."""
import json
import os
import resource
import socket
import threading
import unittest

import hostile
import models
from hostile import EMBED, post
from server import GUARD, read_answer


class Slow(hostile.Hostile):
    def test_slow_heads_and_bodies(self):
        body = json.dumps(EMBED).encode()
        socks = []
        for data in (b"", b"G", b"POST /embed HTTP/1.1\r\nHo", post("/embed", body[:5], length=len(body)),
                     post("/embed", b"5\r\nab", "Transfer-Encoding: chunked", length=False)):
            sock = self.server.connect()
            self.addCleanup(sock.close)
            sock.sendall(data)
            socks.append((data, sock))
        self.ok("/embed", EMBED)
        for data, sock in socks:
            answer = read_answer(sock.makefile("rb"))  # within the guard
            if data:
                self.assertEqual(answer.status, 408, data)
                self.assertIn("error", answer.json)

    def test_byte_by_byte(self):
        data = post("/embed", json.dumps(EMBED).encode())
        with self.server.connect() as sock:
            for i in range(len(data)):
                sock.sendall(data[i:i + 1])
            self.assertEqual(read_answer(sock.makefile("rb")).status, 200)

    def test_empty_lines_without_end(self):
        """Are no way to keep a connection, or the server, busy: it is closed."""
        with self.server.connect() as sock:
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(read_answer(sock.makefile("rb")).status, 200)
            ends = []

            def flood():
                try:
                    while True:
                        sock.sendall(b"\r\n" * 32768)
                except OSError as e:
                    ends.append(e)
            thread = threading.Thread(target=flood, daemon=True)
            thread.start()
            for _ in range(20):
                self.ok("/embed", EMBED)
            thread.join(GUARD)
            self.assertTrue(ends and isinstance(ends[0], ConnectionError), ends)

    def test_half_closed(self):
        """A client that has closed its end gets an answer to what it asked, none to half a request; it leaves nothing behind."""
        before = self.server.metric("quern_connections")
        tokenize = post("/tokenize", json.dumps({**EMBED, "model": "tiny"}).encode())
        for data, status in ((b"", None), (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200), (tokenize, 200),
                             (post("/embed", b"{", length=100), None)):
            sock = self.server.connect()
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            answer = read_answer(sock.makefile("rb"))
            self.assertEqual(answer and answer.status, status, data)
            sock.close()
        self.server.wait_for(lambda: self.server.metric("quern_connections") <= before + 1, "no connection is left")

    def test_a_client_that_does_not_read(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect((self.server.host, self.server.port))
        self.addCleanup(sock.close)
        for _ in range(20):
            sock.sendall(post("/embed_all", json.dumps({"inputs": ["the lazy user " * 15] * 100, "model": "tiny"}).encode()))
        for _ in range(20):
            self.ok("/embed", EMBED)

    def test_streams_that_nobody_reads(self):
        """500 of them hold no thread, and nothing else waits for them; each is dropped once its client took no byte for long."""
        streams = 150 if os.environ.get("QUERN_SLOW_BUILD") else 500
        server = self.own_server(models.embedder(), models.generator(), args=["--sequences", 32])
        body = json.dumps({"messages": [{"role": "user", "content": "fox"}], "max_tokens": 200, "logprobs": True,
                           "top_logprobs": 20, "ignore_eos": True, "stream": True}).encode()
        answered = 'quern_requests_total{route="/v1/chat/completions",status="200"}'
        accepted = lambda: server.metric("quern_queue_requests") + server.metrics().get(answered, 0)  # noqa: E731
        socks = []
        for sent in range(streams):
            if sent % 20 == 0:  # requests that arrive together are read side by side, a thread for each
                server.wait_for(lambda: accepted() >= sent, "those before are streams by now")
            sock = socket.socket()
            self.addCleanup(sock.close)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.connect((server.host, server.port))
            sock.sendall(post("/v1/chat/completions", body))
            socks.append(sock)
        for _ in range(20):
            self.assertEqual(server.get("/health").status, 200)
            self.ok("/embed", EMBED, server=server)
        server.wait_for(lambda: server.metric("quern_queue_requests") == 0, "all have generated what they may")
        # Each began, and its client was left with more than the system keeps for it.
        self.assertEqual(server.metrics()[answered], streams)
        self.assertEqual(server.metric("quern_generated_tokens_total"), streams * 200)
        self.assertGreater(server.metric("quern_unsent_bytes"), 0)
        self.assertLessEqual(server.metric("quern_unsent_bytes"), streams * (512 << 10))
        self.ok("/v1/completions", {"model": "generator", "prompt": "fox", "max_tokens": 2}, server=server)
        self.assertLess(len(os.listdir(f"/proc/{server.process.pid}/task")), min(streams, 150))
        server.wait_for(lambda: server.metric("quern_connections") <= 2 and server.metric("quern_unsent_bytes") == 0,
                        "they are dropped")

    def test_a_stream_that_is_read_late(self):
        """Is whole: what did not fit waits for its client."""
        body = {"model": "generator", "prompt": "fox", "max_tokens": 400, "logprobs": 20, "seed": 5, "ignore_eos": True}
        expected = self.ok("/v1/completions", body).json["choices"][0]["text"]
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect((self.server.host, self.server.port))
        self.addCleanup(sock.close)
        health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        sock.sendall(post("/v1/completions", json.dumps({**body, "stream": True}).encode()) + health)
        self.server.wait_for(lambda: self.server.metric("quern_unsent_bytes") > 0, "its client does not read")
        self.server.wait_for(lambda: self.server.metric("quern_queue_requests") == 0, "it is generated all the same")
        stream = sock.makefile("rb")
        events = read_answer(stream).events
        self.assertEqual(events[-1], "[DONE]")
        self.assertEqual("".join(e["choices"][0]["text"] for e in events[:-1]), expected)
        self.assertEqual(read_answer(stream).status, 200)  # the connection goes on
        self.server.wait_for(lambda: self.server.metric("quern_unsent_bytes") == 0, "nothing waits")

    def test_resets(self):
        for _ in range(50):
            sock = self.server.connect()
            sock.sendall(post("/embed", json.dumps({"inputs": ["the lazy user"] * 50}).encode()))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()  # with a reset
        self.ok("/embed", EMBED)

    def test_idle_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 3000
        if soft < wanted + 200:
            self.assertGreaterEqual(hard, wanted + 200, f"this test needs {wanted + 200} file descriptors (ulimit -n)")
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted + 200, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        server = self.own_server(models.embedder())  # with the new limit
        idle = []
        try:
            for _ in range(wanted):
                idle.append(server.connect())
            server.wait_for(lambda: server.metric("quern_connections") >= wanted, "3000 connections")
            for _ in range(50):
                self.ok("/embed", EMBED, server=server)
            threads = len(os.listdir(f"/proc/{server.process.pid}/task"))
            self.assertLess(threads, 500)
        finally:
            for sock in idle:
                sock.close()
        server.wait_for(lambda: server.metric("quern_connections") < 10, "they are closed")


if __name__ == "__main__":
    unittest.main()

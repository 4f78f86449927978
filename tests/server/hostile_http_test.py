"""HTTP that means no good: paths, methods, fields, frames; hosts, origins and keys."""
import json
import unittest

import hostile
import models
from hostile import EMBED, post
from server import OwnServers, ServerCase, read_answer


class Http(hostile.Hostile):
    def test_unknown_paths(self):
        for path in ("/nothing", "/embed/", "/EMBED", "/v1", "/v1/embeddings/x", "/../etc/passwd", "/..%2f..%2fetc/passwd",
                     "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/app.js/../../../etc/passwd", "/page/index.html", "/.git/config",
                     "/%00", "/\\..\\..\\x", "/" + "a" * 4000, "/v1/models/../../x", "/v1/models/%2e%2e"):
            with self.subTest(path):
                answer = self.answered(404, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                self.assertNotIn(b"root:", answer.body)
                self.answered(404, post(path, b"{}"))

    def test_unknown_paths_are_one_series(self):
        for i in range(200):
            self.server.get(f"/nothing/{i}")
        routes = [k for k in self.server.metrics() if k.startswith("quern_requests_total")]
        self.assertLess(len(routes), 100)
        self.assertFalse([k for k in routes if "/nothing/" in k])

    def test_wrong_methods(self):
        for method, path, allowed in (("GET", "/embed", "POST"), ("PUT", "/embed", "POST"), ("DELETE", "/v1/models", "GET"),
                                      ("GET", "/v1/chat/completions", "POST"), ("POST", "/health", "GET"), ("PATCH", "/rerank", "POST")):
            answer = self.server.request(method, path, b"{}" if method != "GET" else None)
            self.assertEqual(answer.status, 405, (method, path))
            self.assertIn(allowed, answer.headers["Allow"])
            self.assertIn("error", answer.json)
        self.answered(400, b"BREW /embed HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.answered(403, b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")
        self.answered(405, b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = self.server.request("HEAD", "/health")
        self.assertEqual(head.status, 200)
        self.assertEqual(head.body, b"")

    def test_first_lines(self):
        for line in (b"GET", b"GET /health", b"GET /health HTTP/9.9", b"GET /health HTTX/1.1", b" GET /health HTTP/1.1",
                     b"GET  /health  HTTP/1.1", b"\xff\xfe /health HTTP/1.1", b"GET /hea\0lth HTTP/1.1", b"GET /health HTTP/1.1 x"):
            with self.subTest(line):
                self.answered(400, line + b"\r\nHost: localhost\r\n\r\n")
        self.answered(404, b"GET /health\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n")  # a path like any other
        for line in (b" GET /health HTTP/1.1", b"  GET /health HTTP/1.1", b"GET  /health HTTP/1.1", b"GET /health  HTTP/1.1"):
            self.answered(400, line + b"\r\nHost: localhost\r\n\r\n")
        self.answered(431, b"GET /" + b"a" * 15_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def test_tls_and_other_protocols(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                     b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"*1\r\n$4\r\nPING\r\n\r\n"):
            self.answered(400, data)

    def test_headers_beyond_the_limit(self):
        for field in (b"X-Long: " + b"a" * 17_000, b"\r\n".join(b"X-%d: a" % i for i in range(3000)), b"X" * 17_000 + b": a"):
            self.answered(431, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + field + b"\r\n\r\n")
        self.answered(431, b"GET /health HTTP/1.1\r\n" + b"a" * 20_000)  # and never an end
        fine = self.server.get("/health", {f"X-{i}": "a" for i in range(90)})
        self.assertEqual(fine.status, 200)

    def test_bad_fields(self):
        for field in (b"no colon", b": no name", b"Spa ce: a", b"Name : a", b" folded: a", b"Nul: a\0b", b"Bare: a\nb: c", b"Cr: a\rb",
                      b"\xff: a", b"Host: other"):
            with self.subTest(field):
                self.answered(400, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + field + b"\r\n\r\n")

    def test_smuggling(self):
        body = json.dumps(EMBED).encode()
        for fields in (("Transfer-Encoding: chunked", "Content-Length: 5"), ("Content-Length: 5", "Transfer-Encoding: chunked"),
                       ("Content-Length: 17", "Content-Length: 5"), ("Content-Length: 17", "Content-Length: 17"),
                       ("Content-Length: 17, 17",), ("Content-Length: +17",), ("Content-Length: -1",), ("Content-Length: 0x11",),
                       ("Content-Length: 1e1",), ("Content-Length: ",), ("Content-Length: 99999999999999999999999",),
                       ("Content-Length: 17abc",), ("Transfer-Encoding: gzip",), ("Transfer-Encoding: gzip, chunked",),
                       ("Transfer-Encoding: chunked, chunked",), ("Transfer-Encoding: xchunked",), ("Transfer-Encoding:\x0bchunked",),
                       ("Transfer-Encoding: identity",), ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
                       ("Transfer-Encoding : chunked",), ("X: a", " Transfer-Encoding: chunked")):
            with self.subTest(fields):
                answer = self.answered(400, post("/embed", body, *fields, length=False) + b"GET /health HTTP/1.1\r\n\r\n")
                self.assertEqual(answer.headers["Connection"].lower(), "close")

    def test_nothing_follows_a_refused_frame(self):
        """What comes behind an ambiguous request is not taken for another one."""
        with self.server.connect() as sock:
            sock.sendall(post("/embed", b"0\r\n\r\n", "Transfer-Encoding: chunked") + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            stream = sock.makefile("rb")
            self.assertEqual(read_answer(stream).status, 400)
            try:
                self.assertIsNone(read_answer(stream))
            except ConnectionResetError:
                pass

    def test_chunked_bodies(self):
        body = json.dumps(EMBED).encode()
        whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        single = b"".join(b"1\r\n%c\r\n" % c for c in body) + b"0\r\n\r\n"
        extended = b"%X;name=value\r\n%s\r\n0\r\nTrailer: a\r\n\r\n" % (len(body), body)
        for chunks in (whole, single, extended):
            answer = self.server.raw(post("/embed", chunks, "Transfer-Encoding: chunked", length=False))
            self.assertEqual((answer.status, len(answer.json[0])), (200, 64))
        for chunks in (b"x\r\n", b"-1\r\n", b"0x5\r\nabcde\r\n", b"5\r\nabcdefg\r\n", b"ffffffffffffffffff\r\n", b"5 5\r\nabcde\r\n",
                       b"\r\n", b"5;" + b"a" * 5000 + b"\r\nabcde\r\n", b"0\r\n" + b"T: a\r\n" * 3000, b"5\nabcde\n0\n\n"):
            with self.subTest(chunks[:30]):
                self.answered(400, post("/embed", chunks, "Transfer-Encoding: chunked", length=False))
        self.answered(413, post("/embed", b"7fffffff\r\n", "Transfer-Encoding: chunked", length=False))
        self.answered(413, post("/embed", b"ffffffffffffffff\r\n", "Transfer-Encoding: chunked", length=False))

    def test_bodies_beyond_the_limit(self):
        self.answered(413, post("/embed", b"", length=33554433))
        self.answered(413, post("/v1/embeddings", b"{", length=2**60))
        self.assertEqual(self.server.post("/embed", b" " * 33554433).status, 413)
        self.assertEqual(self.server.post("/embed", json.dumps(EMBED).encode().ljust(33554432)).status, 200)

    def test_expect(self):
        body = json.dumps(EMBED).encode()
        with self.server.connect() as sock:
            sock.sendall(post("/embed", b"", "Expect: 100-continue", length=len(body)))
            stream = sock.makefile("rb")
            self.assertEqual(read_answer(stream).status, 100)
            sock.sendall(body)
            self.assertEqual(read_answer(stream).status, 200)
        self.answered(413, post("/embed", b"", "Expect: 100-continue", length=2**40))

    def test_content_types(self):
        body = json.dumps(EMBED).encode()
        for kind in ("application/json", "application/json; charset=utf-8", "application/vnd.api+json",
                     "Application/JSON", "APPLICATION/JSON;charset=UTF-8", "application/x-www-form-urlencoded"):
            self.assertEqual(self.server.post("/embed", body, {"Content-Type": kind}).status, 200)
        for kind in ("text/plain", "multipart/form-data; boundary=x", "application/xml"):
            answer = self.server.post("/embed", body, {"Content-Type": kind})
            self.assertEqual(answer.status, 415)
            self.assertError(answer, "/embed")
        answer = self.server.raw(b"POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.server.post("/embed", body, {"Content-Encoding": "gzip"}).status, 415)

    def test_old_http(self):
        answer = self.server.raw(b"GET /health HTTP/1.0\r\n\r\n")
        self.assertEqual(answer.status, 200)
        body = json.dumps({"prompt": "fox", "max_tokens": 3, "stream": True}).encode()
        answer = self.server.raw(b"POST /v1/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self.assertIsNone(answer.headers["Transfer-Encoding"])
        self.assertEqual(answer.events[-1], "[DONE]")

    def test_hosts_and_origins(self):
        for host in ("localhost", "localhost:1234", "127.0.0.1", "[::1]:80", self.server.host):
            self.assertEqual(self.server.post("/embed", EMBED, {"Host": host}).status, 200, host)
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80", "localhost@evil.example"):
            answer = self.server.post("/embed", EMBED, {"Host": host})
            self.assertEqual(answer.status, 403, host)
            self.assertError(answer, "/embed")
        for origin in ("http://evil.example", "null", "https://localhost.evil.example", "file://", "http://localhost:1"):
            answer = self.server.post("/embed", EMBED, {"Origin": origin})
            self.assertEqual(answer.status, 403, origin)
            self.assertIsNone(answer.headers["Access-Control-Allow-Origin"])
        own = self.server.post("/embed", EMBED, {"Origin": self.server.url})
        self.assertEqual(own.status, 200)


class Keys(ServerCase):
    @classmethod
    def start(cls):
        cls.models, cls.key = [models.embedder()], "secret"
        cls.args = ["--api-key", "secret", "--api-key", "another", "--host", "127.0.0.1"]
        return super().start()

    def request(self, headers, method="POST", path="/embed", body=json.dumps(EMBED).encode()):
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
        return self.server.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def test_keys(self):
        for good in (["Authorization: Bearer secret"], ["Authorization: Bearer another"], ["X-Api-Key: secret"], ["x-api-key: another"]):
            self.assertEqual(self.request(good).status, 200, good)
        for bad in ([], ["Authorization: Bearer secre"], ["Authorization: Bearer secrets"], ["Authorization: Bearer "],
                    ["Authorization: Bearer"], ["Authorization: Basic c2VjcmV0"], ["Authorization: secret"], ["X-Api-Key: "],
                    ["X-Api-Key: SECRET"], ["Authorization: Bearer " + "a" * 8000], ["Cookie: key=secret"], ["X-Api-Key: secretsecret"],
                    ["X-Api-Key: ss"], ["Authorization: Bearer secretanother"]):
            with self.subTest(bad):
                answer = self.request(bad)
                self.assertEqual(answer.status, 401)
                self.assertIn("Bearer", answer.headers["WWW-Authenticate"])
                self.assertError(answer, "/embed")
        self.assertEqual(self.request([], path="/embed?key=secret").status, 401)

    def test_every_route(self):
        for method, path in (("GET", "/info"), ("GET", "/v1/models"), ("GET", "/v1/models/tiny"), ("POST", "/v1/embeddings"),
                             ("POST", "/rerank"), ("POST", "/v1/rerank"), ("POST", "/v2/rerank"), ("POST", "/v2/embed"), ("POST", "/api/embed"), ("POST", "/"),
                             ("POST", "/tokenize"), ("POST", "/decode"), ("POST", "/v1/chat/completions"), ("POST", "/v1/completions"),
                             ("POST", "/generate"), ("POST", "/generate_stream"), ("POST", "/predict"), ("POST", "/similarity"),
                             ("POST", "/embed_all"), ("POST", "/embed_sparse"), ("POST", "/embed_multi"), ("POST", "/apply-template")):
            self.assertEqual(self.request([], method, path).status, 401, path)
        for path in ("/health", "/v1/health", "/ping", "/metrics"):
            self.assertEqual(self.request([], "GET", path, b"").status, 200, path)

    def test_a_key_is_not_repeated(self):
        answer = self.request(["Authorization: Bearer hunter2"])
        self.assertNotIn(b"hunter2", answer.body)
        self.assertFalse([line for line in self.server.lines if "secret" in line or "hunter2" in line])
        self.assertNotIn("secret", self.server.get("/info").body.decode())


class KeyFromTheEnvironment(OwnServers):
    def test_it_counts(self):
        server = self.own_server(models.embedder(), env={"QUERN_API_KEY": "from the environment"}, key="from the environment")
        self.assertEqual(server.post("/embed", EMBED).status, 200)
        server.key = None
        self.assertEqual(server.post("/embed", EMBED).status, 401)


class Cors(ServerCase):
    @classmethod
    def start(cls):
        cls.models, cls.args = [models.embedder()], ["--cors-origin", "https://page.example", "--allow-host", "quern.example"]
        return super().start()

    def test_origins(self):
        answer = self.server.post("/embed", EMBED, {"Origin": "https://page.example"})
        self.assertEqual((answer.status, answer.headers["Access-Control-Allow-Origin"]), (200, "https://page.example"))
        preflight = self.server.request("OPTIONS", "/embed", None, {"Origin": "https://page.example",
                                                                    "Access-Control-Request-Method": "POST"})
        self.assertEqual(preflight.status, 204)
        self.assertEqual(preflight.headers["Access-Control-Allow-Origin"], "https://page.example")
        self.assertIn("POST", preflight.headers["Access-Control-Allow-Methods"])
        for name in ("authorization", "content-type"):
            self.assertIn(name, preflight.headers["Access-Control-Allow-Headers"].lower())
        self.assertEqual(self.server.post("/embed", EMBED, {"Origin": "https://other.example"}).status, 403)
        preflight = self.server.request("OPTIONS", "/embed", None, {"Origin": "https://other.example",
                                                                    "Access-Control-Request-Method": "POST"})
        self.assertEqual((preflight.status, preflight.headers["Access-Control-Allow-Origin"]), (403, None))

    def test_hosts(self):
        self.assertEqual(self.server.post("/embed", EMBED, {"Host": "quern.example"}).status, 200)
        self.assertEqual(self.server.post("/embed", EMBED, {"Host": "other.example"}).status, 403)


if __name__ == "__main__":
    unittest.main()

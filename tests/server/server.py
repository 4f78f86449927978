"""A running `quern serve` for tests: requests, raw sockets, event streams, metrics, and an end that is checked.

The environment is that of tests/cli/program.py: QUERN and QUERN_TEST_DIR.
"""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.append(os.path.join(os.environ["QUERN_TEST_DIR"], "cli"))
from program import QUERN  # noqa: E402

GUARD = 600  # seconds: against hanging alone; nothing is measured by it
READY = re.compile(r"quern: serving (.+) on http://(.+):(\d+)$")
NOTICE = re.compile(r"quern: (serving |reloaded$|not reloaded: |note: |warning: |debug: )")  # what may be printed
SANITIZERS = re.compile(r"(Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer|runtime error")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        """Of an error, in any dialect."""
        error = self.json.get("error")
        return error["message"] if isinstance(error, dict) else error

    @property
    def events(self):
        """The data of a whole event stream, parsed; its framing is checked."""
        return list(parse_events(self.body))


class Ended(ConnectionError):
    """The server that was asked is gone; with its last words."""


def parse_events(body):
    text = body.decode("utf-8")
    assert text.endswith("\n\n"), text[-80:]
    for event in text[:-2].split("\n\n"):
        if event.startswith("event: "):  # its data names it once more
            name, event = event.split("\n", 1)
            assert json.loads(event[5:])["type"] == name[7:], (name, event[:200])
        assert event.startswith((":", "data:")) and "\n" not in event, repr(event)
        if event.startswith("data:"):
            data = event[5:].removeprefix(" ")
            yield data if data == "[DONE]" else json.loads(data)


def read_answer(stream):
    """One answer from a socket's file: by Content-Length, in chunks, or to the end. None at the end."""
    line = stream.readline()
    if not line:
        return None
    version, status = line.split(None, 2)[:2]
    assert version in (b"HTTP/1.1", b"HTTP/1.0"), line
    headers = http.client.parse_headers(stream)
    if int(status) == 100:
        return Answer(100, headers, b"")
    if headers.get("Transfer-Encoding") == "chunked":
        body = b""
        while size := int(stream.readline(), 16):
            body += stream.read(size)
            assert stream.readline() == b"\r\n"
        assert stream.readline() == b"\r\n"
    elif headers.get("Content-Length") is not None:
        body = stream.read(int(headers["Content-Length"]))
    else:
        body = stream.read()
    return Answer(int(status), headers, body)


class Server:
    """quern serve on a port (0: one that is free). models: paths, or NAME=PATH. preexec: runs in the process before it.
    program: quern, or a copy of it."""

    def __init__(self, *models, args=(), env=None, key=None, preexec=None, port=0, program=QUERN):
        command = [program, "serve", "--port", str(port)]
        for model in models:
            command += ["-m", model]
        self.key, self.lines, self.ready = key, [], threading.Event()
        self.process = subprocess.Popen([*command, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, preexec_fn=preexec)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if not self.ready.wait(GUARD) or not self.lines:
            self.kill()
            raise AssertionError("the server is not ready: " + "\n".join(self.lines))
        match = next(filter(None, map(READY.match, self.lines)), None)
        if not match:
            self.kill()
            raise AssertionError("the server ended: " + "\n".join(self.lines))
        self.serving, self.host, self.port = match[1], match[2].strip("[]"), int(match[3])

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))
            if READY.match(self.lines[-1]):
                self.ready.set()
        self.ready.set()

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=GUARD)
        try:
            connection.request(method, path, body, self.headers(body, headers))
            got = connection.getresponse()
            return Answer(got.status, got.headers, got.read())
        except (ConnectionError, http.client.HTTPException) as e:
            self._say_how_it_ended(e)
            raise
        finally:
            connection.close()

    def _say_how_it_ended(self, error):
        """Where the server is gone, that is what to read, with its last words, not the connection's error."""
        try:
            code = self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            return
        self.reader.join(GUARD)
        raise Ended(f"the server ended with {code}: " + "\n".join(self.lines[-20:])) from error

    def headers(self, body=None, more=None):
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = "Bearer " + self.key
        return {**headers, **(more or {})}

    def get(self, path, headers=None):
        return self.request("GET", path, None, headers)

    def post(self, path, body, headers=None):
        """body: bytes as they are, or anything that becomes JSON."""
        return self.request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)

    def connect(self):
        sock = socket.create_connection((self.host, self.port), timeout=GUARD)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def raw(self, data):
        """Sends bytes as they are; the first answer, or None where the connection was closed without one."""
        with self.connect() as sock:
            try:
                sock.sendall(data)
            except (ConnectionResetError, BrokenPipeError):
                pass  # refused before all was sent; the answer may be there all the same
            try:
                return read_answer(sock.makefile("rb"))
            except ConnectionResetError:
                return None

    def metrics(self):
        """name{labels} -> value."""
        lines = self.get("/metrics").body.decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}

    def metric(self, name):
        """The sum over all labels."""
        return sum(v for k, v in self.metrics().items() if k == name or k.startswith(name + "{"))

    def wait_for(self, condition, what):
        end = time.monotonic() + GUARD
        while not condition():
            assert time.monotonic() < end, f"never: {what}: " + "\n".join(self.lines[-5:])
            time.sleep(0.02)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, signals=None):
        """By SIGTERM, or those; it has to end with 0, and must have printed nothing but its notices. Once is enough."""
        if self.process.stdout.closed:
            return
        for number in signals or [signal.SIGTERM]:
            if self.process.poll() is None:
                self.signal(number)
        try:
            code = self.process.wait(GUARD)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the server does not end: " + "\n".join(self.lines[-20:])) from None
        self.reader.join(GUARD)
        printed = self.process.stdout.read()
        self._close()
        text = "\n".join(self.lines)
        assert not SANITIZERS.search(text), text
        assert code == 0, f"exit code {code}: {text}"
        assert printed == b"", printed
        odd = [line for line in self.lines if not NOTICE.match(line)]
        assert not odd, text

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(GUARD)
        self._close()

    def _close(self):
        self.process.stdout.close()
        self.process.stderr.close()


class ServerCase(unittest.TestCase):
    """Tests that share a server: `models` and `args` of the class, or what `start` returns."""
    models, args, key = (), (), None
    server = None

    @classmethod
    def start(cls):
        return Server(*cls.models, args=cls.args, key=cls.key)

    @classmethod
    def setUpClass(cls):
        cls.server = cls.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def own_server(self, *models, **more):
        """One for this test alone."""
        server = Server(*models, **more)
        self.addCleanup(server.stop)
        return server

    def ok(self, path, body, headers=None, server=None):
        answer = (server or self.server).post(path, body, headers)
        self.assertEqual(answer.status, 200, answer.body[:500])
        return answer

    def refused(self, status, path, body, says=(), headers=None, server=None):
        """A JSON error of this status in the route's dialect, with all of `says` in it."""
        answer = (server or self.server).post(path, body, headers)
        self.assertEqual(answer.status, status, answer.body[:500])
        self.assertError(answer, path)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, answer.message)
        return answer

    def assertError(self, answer, path):
        self.assertRegex(answer.headers["Content-Type"], "^application/json")
        error = answer.json
        dialect = self.dialect(path)
        if dialect == "openai":
            self.assertLessEqual({"message", "type", "param", "code"}, set(error["error"]))
            self.assertLessEqual({"message", "type", "code"}, set(error))
        elif dialect == "anthropic":
            self.assertEqual((error["type"], set(error["error"])), ("error", {"type", "message"}))
        elif dialect == "ollama":
            self.assertEqual(set(error), {"error"})
        else:
            self.assertLessEqual({"error", "error_type"}, set(error))
        self.assertGreater(len(answer.message), 8)

    @staticmethod
    def dialect(path):
        """Whose shape errors of this route have."""
        path = path.split("?")[0]
        tei = ("/embed", "/embed_all", "/embed_sparse", "/embed_multi", "/rerank", "/predict", "/similarity", "/tokenize",
               "/decode", "/generate", "/generate_stream", "/", "/invocations", "/info")
        return ("anthropic" if path.startswith("/v1/messages") else "ollama" if path.startswith("/api/") else
                "tei" if path in tei else "openai")


class OwnServers(ServerCase):
    """Tests that each start servers of their own: none is shared."""

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

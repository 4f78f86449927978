"""What `quern serve` is told, from a file too, and what it serves besides models: the page and the list of routes."""
import json
import os
import resource
import shutil
import subprocess
import tempfile
import unittest

import models
from program import QUERN
from server import GUARD, Server, ServerCase

ROOT = os.path.dirname(os.environ["QUERN_TEST_DIR"])
SERVER = os.path.join(ROOT, "examples", "server")
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".svg": "image/svg+xml", ".json": "application/json"}


@unittest.skipUnless(os.geteuid() == 0, "only root can become a user of few processes")
class FewThreads(unittest.TestCase):
    """ulimit -u counts a user's threads: the server runs as a user of its own. Without enough it says so, with few it works."""
    USER = 54321

    def test_user_of_few_threads(self):
        folder = tempfile.mkdtemp(prefix="quern-server-")
        self.addCleanup(shutil.rmtree, folder)
        program, model = os.path.join(folder, "quern"), os.path.join(folder, "tiny.q8")
        shutil.copy(QUERN, program)
        shutil.copy(models.embedder(), model)
        os.chmod(folder, 0o755)
        os.chmod(model, 0o644)
        served, few = 0, False
        for threads in range(1, 16):
            def limit(threads=threads):
                os.setgroups([])
                os.setgid(self.USER)
                resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))
                os.setuid(self.USER)
            try:
                server = Server("tiny=" + model, program=program, args=["--threads", 4], preexec=limit)
            except AssertionError as error:
                self.assertEqual(served, 0, error)  # more threads are not worse
                self.assertRegex(str(error), r"(?s)quern: .*(thread|process)", threads)
                self.assertIn("ulimit -u", str(error))
                continue
            with self.subTest(threads=threads):
                served += 1
                few = few or any("of 4 threads" in line for line in server.lines)
                self.assertEqual(server.post("/v1/embeddings", {"input": ["a text", "another"]}).status, 200)
                self.assertEqual(server.get("/health").status, 200)
                server.stop()
        self.assertGreater(served, 0)
        self.assertTrue(few)


class Config(ServerCase):
    """--config FILE."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="quern-server-")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def write(self, config):
        path = os.path.join(self.folder, "serve.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(config if isinstance(config, str) else json.dumps(config))
        return path

    def fails(self, code, *args, says):
        done = subprocess.run([QUERN, "serve", "--port", "0", *args], capture_output=True, text=True, timeout=GUARD)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("quern: ") and done.stderr.count("\n") == 1, done.stderr)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, done.stderr)

    def test_options(self):
        config = {"model": [f"one={models.embedder()}", f"two={models.classifier()}"], "api-key": ["a", "b"], "max-client-batch": 3,
                  "no-truncate": True, "tei-413": False, "deadline": 100, "host": "127.0.0.1", "cors-origin": ["https://page.example"]}
        server = self.own_server(args=["--config", self.write(config)], key="b")
        self.assertEqual([m["id"] for m in server.get("/v1/models").json["data"]], ["one", "two"])
        self.ok("/embed", {"inputs": ["a"] * 3}, server=server)
        self.refused(422, "/embed", {"inputs": ["a"] * 4}, ("4", "3"), server=server)
        self.refused(422, "/embed", {"inputs": "fox " * 100}, "tokens", server=server)
        answer = server.post("/embed", {"inputs": "a"}, {"Origin": "https://page.example"})
        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "https://page.example")
        server.key = "c"
        self.assertEqual(server.post("/embed", {"inputs": "a"}).status, 401)

    def test_the_command_line_goes_before_it(self):
        config = {"model": [models.embedder()], "max-client-batch": 3, "port": 1}
        server = self.own_server(args=["--config", self.write(config), "--max-client-batch", 5])
        self.ok("/embed", {"inputs": ["a"] * 5}, server=server)
        self.refused(422, "/embed", {"inputs": ["a"] * 6}, ("6", "5"), server=server)

    def test_what_is_wrong_with_it(self):
        good = {"model": [models.embedder()]}
        for config, says in (({**good, "max-btach": 3}, "max-btach"), ({**good, "-m": "x"}, "-m"),
                             ({**good, "max-client-batch": "many"}, "max-client-batch"), ({**good, "queue": -1}, "queue"),
                             ({**good, "max-client-batch": {"a": 1}}, "max-client-batch"), ({"max-client-batch": 3}, ())):
            with self.subTest(config):
                self.fails(2, "--config", self.write(config), says=says)
        for config in ([], "", "{", "port = 80"):
            with self.subTest(config):
                self.fails(1, "--config", self.write(config), says="serve.json")
        self.fails(1, "--config", os.path.join(self.folder, "nothing.json"), says="nothing.json")

    def test_the_one_of_deploy(self):
        with open(os.path.join(ROOT, "deploy", "serve.json"), encoding="utf-8") as f:
            config = json.load(f)
        server = self.own_server(args=["--config", self.write({**config, "model": [models.embedder()]})])
        self.ok("/embed", {"inputs": "fox"}, server=server)


class Files(ServerCase):
    @classmethod
    def start(cls):
        return Server(models.embedder(), args=["--api-key", "k"])

    def same(self, path, file):
        answer = self.server.get(path)  # without a key
        self.assertEqual(answer.status, 200, path)
        with open(file, "rb") as f:
            self.assertEqual(answer.body, f.read(), path)
        self.assertEqual(answer.headers["Content-Type"], TYPES[os.path.splitext(file)[1]], path)
        return answer

    def test_the_page(self):
        names = os.listdir(os.path.join(SERVER, "page"))
        self.assertLess({"index.html", "app.js", "style.css", "icon.svg"}, set(names))
        for name in names:
            self.same("/" + name.removeprefix("index.html"), os.path.join(SERVER, "page", name))
        policy = self.server.get("/").headers["Content-Security-Policy"]
        self.assertIn("default-src 'self'", policy)
        self.assertNotIn("unsafe", policy)

    def test_every_route_that_is_described_is_there(self):
        self.same("/openapi.json", os.path.join(SERVER, "openapi.json"))
        for path, methods in self.server.get("/openapi.json").json["paths"].items():
            for method in set(methods) & {"get", "post"}:
                body = b"{}" if method == "post" else None
                answer = self.server.request(method.upper(), path.replace("{id}", "tiny"), body, {"X-Api-Key": "k"})
                self.assertNotIn(answer.status, (404, 405, 500), (method, path))


if __name__ == "__main__":
    unittest.main()

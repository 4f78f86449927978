"""Models that are loaded when they are needed and unloaded when nobody uses them."""
import datetime
import os
import shutil
import signal
import tempfile
import threading
import time
import unittest

import models
from server import OwnServers

LONG = {"model": "slow", "prompt": "fox", "max_tokens": 400, "ignore_eos": True, "stream": True}


class Loading(OwnServers):
    @staticmethod
    def states(server):
        return {m["id"]: m["status"] for m in server.get("/v1/models").json["data"]}

    def loads(self, server, name):
        return server.metrics().get(f'quern_model_loads_total{{model="{name}"}}', 0)

    def unloaded(self, server, name):
        server.wait_for(lambda: self.states(server)[name] == "unloaded", f"{name} is unloaded")

    def vectors(self, server):
        return self.ok("/embed", {"model": "a", "inputs": "fox"}, server=server).json

    def test_lazy(self):
        """The first request that needs a model loads it; many at once load it once."""
        server = self.own_server("a=" + models.embedder(), "b=" + models.generator(), args=["--lazy"])
        self.assertIn("loaded on demand", server.serving)
        self.assertEqual(self.states(server), {"a": "unloaded", "b": "unloaded"})
        self.assertEqual(server.get("/api/ps").json["models"], [])
        self.assertEqual(server.metric("quern_model_loaded"), 0)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(server.post("/embed", {"model": "a", "inputs": "fox"})))
                   for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([a.status for a in answers], [200] * 12)
        self.assertEqual(len({a.body for a in answers}), 1)
        self.assertEqual(self.loads(server, "a"), 1)
        self.assertEqual(self.states(server), {"a": "loaded", "b": "unloaded"})
        self.assertEqual([m["name"] for m in server.get("/api/ps").json["models"]], ["a"])
        # A request that names none asks for what each can do.
        self.ok("/v1/completions", {"prompt": "fox", "max_tokens": 2}, server=server)
        self.assertEqual(self.states(server), {"a": "loaded", "b": "loaded"})
        self.assertEqual([line for line in server.lines if "note: loaded b" in line][0].split(" in ")[0], "quern: note: loaded b")

    def test_lazy_serves_what_eager_serves(self):
        for path, body in (("/info", None), ("/tokenize", {"inputs": "fox"}), ("/", {"inputs": "fox"}), ("/api/show", {"model": "a"}),
                           ("/predict", {"inputs": "fox"})):
            with self.subTest(path):
                eager, lazy = (self.own_server("a=" + models.embedder(), args=args) for args in ((), ["--lazy"]))
                one, other = ((s.post(path, body) if body else s.get(path)) for s in (eager, lazy))
                self.assertEqual((one.status, one.json), (other.status, other.json))
                eager.stop()
                lazy.stop()

    def test_a_model_that_cannot_be_loaded(self):
        folder = tempfile.mkdtemp(prefix="quern-server-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "late.q8")
        with open(path, "w") as f:  # not whole yet; a path without a file is refused at the start
            f.write("GGUF")
        server = self.own_server("a=" + path, "b=" + models.generator(), args=["--lazy"])
        for _ in range(2):
            self.refused(500, "/v1/embeddings", {"model": "a", "input": "fox"}, "late.q8", server=server)
        self.ok("/v1/completions", {"model": "b", "prompt": "fox", "max_tokens": 2}, server=server)
        shutil.copyfile(models.embedder(), path)
        self.ok("/v1/embeddings", {"model": "a", "input": "fox"}, server=server)
        errors = [line for line in server.lines if line.startswith("quern: error: request ")]
        self.assertEqual(len(errors), 2, server.lines)
        for line in errors:  # nothing else may be odd
            self.assertIn("late.q8", line)
            server.lines.remove(line)

    def test_idle_models_are_unloaded_and_come_back(self):
        server = self.own_server("a=" + models.embedder(), "b=" + models.generator(), args=["--idle-unload", 0.2])
        before = self.vectors(server)
        for _ in range(2):
            self.unloaded(server, "a")
            self.unloaded(server, "b")
            listed = {m["id"]: m for m in server.get("/v1/models").json["data"]}
            self.assertEqual(listed["a"]["tasks"], ["embed"])  # what was found out stays known
            self.assertEqual(server.metric("quern_model_bytes"), 0)
            self.assertEqual(self.vectors(server), before)
        self.assertGreaterEqual(self.loads(server, "a"), 3)  # more where this process was held up between two requests

    def test_a_model_in_use_stays(self):
        server = self.own_server("slow=" + models.slow_generator(), args=["--idle-unload", 0.05])
        events = self.ok("/v1/completions", LONG, server=server).events
        self.assertEqual(events[-1], "[DONE]")
        self.assertEqual(events[-2]["choices"][0]["finish_reason"], "length")
        self.assertLessEqual(self.loads(server, "slow"), 2)
        self.unloaded(server, "slow")

    def test_keep_alive(self):
        server = self.own_server("a=" + models.embedder(), "b=" + models.generator())
        generate = {"model": "b", "prompt": "fox", "stream": False, "options": {"num_predict": 2}}

        def expires(name):
            (one,) = [m for m in server.get("/api/ps").json["models"] if m["name"] == name]
            text = one["expires_at"]
            return datetime.datetime.fromisoformat(text[:19])
        self.assertEqual(expires("b").year, 9999)
        self.ok("/api/generate", {**generate, "keep_alive": "1h30m"}, server=server)
        left = expires("b") - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        self.assertTrue(5300 < left.total_seconds() < 5500, left)
        self.ok("/api/generate", {**generate, "keep_alive": -1}, server=server)
        self.assertEqual(expires("b").year, 9999)
        for path, more in (("/api/generate", {"prompt": ""}), ("/api/chat", {"messages": []})):
            answer = self.ok(path, {"model": "b", "keep_alive": 0, **more}, server=server).json
            self.assertEqual(answer["done_reason"], "unload")
            self.unloaded(server, "b")
            answer = self.ok(path, {"model": "b", **more}, server=server).json
            self.assertEqual(answer["done_reason"], "load")
            self.assertEqual(self.states(server)["b"], "loaded")
        got = self.ok("/api/generate", {**generate, "keep_alive": "0s"}, server=server).json
        self.assertTrue(got["done"])
        self.unloaded(server, "b")
        self.assertGreater(self.ok("/api/generate", generate, server=server).json["load_duration"], 0)
        self.ok("/api/embed", {"model": "a", "input": "fox", "keep_alive": 0.01}, server=server)
        self.unloaded(server, "a")
        for wrong in ("a minute", "5", "", {}, [1], True, "m"):
            self.refused(400, "/api/generate", {**generate, "keep_alive": wrong}, "keep_alive", server=server)

    def test_max_memory(self):
        """Those unused for longest make room; one in use does not, and then there is a 503 with figures."""
        size = os.path.getsize(models.embedder())
        server = self.own_server("a=" + models.embedder(), "b=" + models.embedder(), "c=" + models.embedder(),
                                 args=["--max-memory", size * 2 + size // 2])
        self.assertEqual(self.states(server), {"a": "unloaded", "b": "loaded", "c": "loaded"})
        vectors = {name: self.ok("/embed", {"model": name, "inputs": "fox"}, server=server).json for name in "bca"}
        self.assertEqual(len({str(v) for v in vectors.values()}), 1)
        self.assertEqual(self.states(server), {"a": "loaded", "b": "unloaded", "c": "loaded"})
        self.ok("/embed", {"model": "b", "inputs": "fox"}, server=server)
        self.assertEqual(self.states(server), {"a": "loaded", "b": "loaded", "c": "unloaded"})

    def test_max_memory_beside_a_model_in_use(self):
        server = self.own_server("a=" + models.embedder(), "slow=" + models.slow_generator(),
                                 args=["--max-memory", "20M", "--lazy", "--ctx", 1024, "--sequences", 2])
        done = []
        stream = threading.Thread(target=lambda: done.append(self.ok("/v1/completions", LONG, server=server).events[-1]))
        stream.start()
        server.wait_for(lambda: server.metric("quern_running_sequences") == 1, "the stream runs")
        # What is left is too little for a further decoder of that size, but enough for the small model.
        self.ok("/embed", {"model": "a", "inputs": "fox"}, server=server)
        stream.join()
        self.assertEqual(done, ["[DONE]"])

    def test_a_model_that_never_fits(self):
        server = self.own_server("a=" + models.embedder(), "b=" + models.generator(), args=["--lazy", "--max-memory", "100K"])
        self.refused(503, "/v1/completions", {"model": "b", "prompt": "fox"}, ("b", "MiB", "--max-memory"), server=server)
        self.refused(503, "/api/generate", {"model": "b", "prompt": "fox"}, ("b", "MiB"), server=server)

    def test_reload_within_the_memory(self):
        size = os.path.getsize(models.embedder())
        server = self.own_server("a=" + models.embedder(), args=["--max-memory", size + size // 2])
        before = self.vectors(server)
        server.signal(signal.SIGHUP)
        server.wait_for(lambda: any(line.endswith("reloaded") for line in server.lines), "it is reloaded")
        self.assertEqual([line for line in server.lines if "not reloaded" in line], [])
        self.assertEqual(self.vectors(server), before)

    def test_many_requests_while_models_come_and_go(self):
        size = os.path.getsize(models.embedder())
        names = "abcd"
        server = self.own_server(*(f"{n}=" + models.embedder() for n in names), args=["--max-memory", size * 2 + size // 2, "--lazy",
                                                                                      "--idle-unload", 0.05])
        statuses, bodies = [], set()

        def ask(i):
            for k in range(25):
                answer = server.post("/embed", {"model": names[(i + k * (i + 1)) % 4], "inputs": "fox"})
                statuses.append(answer.status)
                if answer.status == 200:
                    bodies.add(answer.body)
                if k % 10 == 9:
                    time.sleep(0.1)
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(statuses), 150)
        self.assertLessEqual(set(statuses), {200, 503})  # 503: all that fit were in use
        self.assertGreater(statuses.count(200), 0)
        self.assertEqual(len(bodies), 1)


if __name__ == "__main__":
    unittest.main()

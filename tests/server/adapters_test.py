"""LoRA adapters on the server: chosen by the model's name in every dialect, against `quern` with --adapter."""
import concurrent.futures
import json
import os
import shutil
import signal
import tempfile
import unittest

import models
from server import OwnServers, Server, ServerCase

GOLDEN = os.path.join(os.environ["QUERN_TEST_DIR"], "golden")
TEXT, PROMPT = "the quick fox", "the quick fox"


def base(name):
    return os.path.join(GOLDEN, "models", name)


def adapter(name):
    return os.path.join(GOLDEN, "adapters", name)


def vector(*args):
    return json.loads(models.printed("embed", "-m", base("bert"), "-p", TEXT, "--normalize", "--quiet", *args))


def text(*args):
    return json.loads(models.printed("generate", "-m", base("llama"), "-p", PROMPT, "-n", 12, "--temp", 0, "--no-chat", "-o", "json",
                                     *args))["text"]


class Adapters(ServerCase):
    models = [base("bert"), base("llama")]
    args = ["--adapter", "bert:query=" + adapter("bert"), "--adapter", "bert:ffn=" + adapter("bert_ffn"),
            "--adapter", "llama:poet=" + adapter("llama")]

    def test_embeddings_in_every_dialect(self):
        plain, query, ffn = vector(), vector("--adapter", adapter("bert")), vector("--adapter", adapter("bert_ffn"))
        self.assertNotEqual(plain, query)
        self.assertNotEqual(ffn, query)
        for name, expected in (("bert", plain), ("bert:query", query), ("bert:ffn", ffn), ("bert:query:latest", query)):
            with self.subTest(name):
                shown = name.removesuffix(":latest")
                openai = self.ok("/v1/embeddings", {"model": name, "input": TEXT})
                self.assertEqual(openai.json["data"][0]["embedding"], expected)
                self.assertEqual((openai.json["model"], openai.headers["x-model"]), (shown, shown))
                self.assertEqual(self.ok("/embed", {"model": name, "inputs": TEXT}).json, [expected])
                self.assertEqual(self.ok("/api/embed", {"model": name, "input": TEXT}).json["model"], shown)

    def test_fingerprints(self):
        prints = {name: self.ok("/v1/embeddings", {"model": name, "input": TEXT}).headers["x-fingerprint"]
                  for name in ("bert", "bert:query", "bert:ffn")}
        self.assertEqual(len(set(prints.values())), 3)
        self.ok("/v1/embeddings", {"model": "bert:ffn", "input": TEXT, "expect_fingerprint": prints["bert:ffn"]})
        self.refused(409, "/v1/embeddings", {"model": "bert:ffn", "input": TEXT, "expect_fingerprint": prints["bert"]},
                     prints["bert:ffn"])

    def test_listed(self):
        listed = {m["id"]: m for m in self.server.get("/v1/models").json["data"]}
        self.assertEqual(set(listed), {"bert", "bert:query", "bert:ffn", "llama", "llama:poet"})
        self.assertEqual((listed["bert:ffn"]["parent"], listed["bert:ffn"]["root"]), ("bert", "ffn"))
        self.assertNotEqual(listed["bert:ffn"]["fingerprint"], listed["bert"]["fingerprint"])
        self.assertEqual(self.server.get("/v1/models/bert:ffn").json["id"], "bert:ffn")
        self.assertEqual(self.server.get("/v1/models/bert:none").status, 404)

    def test_generation_in_every_dialect(self):
        plain, poet = text(), text("--adapter", adapter("llama"))
        self.assertNotEqual(plain, poet)
        for name, expected in (("llama", plain), ("llama:poet", poet)):
            with self.subTest(name):
                asked = {"model": name, "prompt": PROMPT, "temperature": 0, "max_tokens": 12}
                answer = self.ok("/v1/completions", asked).json
                self.assertEqual((answer["choices"][0]["text"], answer["model"]), (expected, name))
                events = self.ok("/v1/completions", {**asked, "stream": True}).events
                self.assertEqual("".join(e["choices"][0]["text"] for e in events[:-1] if e["choices"]), expected)
                ollama = self.ok("/api/generate", {"model": name, "prompt": PROMPT, "raw": True, "stream": False,
                                                   "options": {"temperature": 0, "num_predict": 12}}).json
                self.assertEqual((ollama["response"], ollama["model"]), (expected, name))
        tgi = {"inputs": PROMPT, "parameters": {"max_new_tokens": 12}}
        self.assertEqual(self.ok("/generate", tgi).json["generated_text"], plain)
        tgi["parameters"]["adapter_id"] = "poet"
        self.assertEqual(self.ok("/generate", tgi).json["generated_text"], poet)
        self.assertEqual("".join(e["token"]["text"] for e in self.ok("/generate_stream", tgi).events), poet)
        tgi["parameters"]["adapter_id"] = "none"
        self.refused(404, "/generate", tgi, ("none", "poet"))

    def test_many_at_once_are_as_alone(self):
        expected = {name: self.ok("/v1/embeddings", {"model": name, "input": TEXT}).json["data"][0]["embedding"]
                    for name in ("bert", "bert:query", "bert:ffn")}
        texts = {name: text(*more) for name, more in (("llama", ()), ("llama:poet", ("--adapter", adapter("llama"))))}

        def one(i):
            name = list(expected)[i % 3]
            got = self.ok("/v1/embeddings", {"model": name, "input": [TEXT] * (1 + i % 4)}).json["data"]
            self.assertEqual([row["embedding"] for row in got], [expected[name]] * (1 + i % 4))
            name = list(texts)[i % 2]
            got = self.ok("/v1/completions", {"model": name, "prompt": PROMPT, "temperature": 0, "max_tokens": 12}).json
            self.assertEqual(got["choices"][0]["text"], texts[name])

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            list(pool.map(one, range(60)))

    def test_by_the_name_alone(self):
        """As vLLM's clients name one."""
        for name in ("query", "ffn"):
            answer = self.ok("/v1/embeddings", {"model": name, "input": TEXT})
            self.assertEqual((answer.json["data"][0]["embedding"], answer.headers["x-model"]),
                             (vector("--adapter", adapter("bert" if name == "query" else "bert_ffn")), "bert:" + name))
        self.assertEqual(self.server.get("/v1/models/poet").json["id"], "llama:poet")

    def test_routes_need_their_option(self):
        for path, body in (("/v1/load_lora_adapter", {"lora_name": "bert:x", "lora_path": adapter("bert")}),
                           ("/v1/unload_lora_adapter", {"lora_name": "bert:query"}), ("/lora-adapters", [{"id": 0}])):
            self.refused(403, path, body, "--adapter-routes")
        self.assertEqual(self.server.get("/lora-adapters").status, 403)
        asked = {"model": "llama", "prompt": PROMPT, "max_tokens": 1}
        self.refused(400, "/v1/completions", {**asked, "lora": [{"id": 2, "scale": 1}]}, ("--adapter-routes", "MODEL:NAME"))
        self.ok("/v1/completions", {**asked, "lora": []})

    def test_unknown_ones(self):
        self.refused(404, "/v1/embeddings", {"model": "bert:none", "input": TEXT}, ("none", "query, ffn"))
        self.refused(404, "/v1/completions", {"model": "llama:query", "prompt": PROMPT}, ("query", "poet"))
        self.assertEqual(self.ok("/tokenize", {"model": "bert:query", "inputs": TEXT}).status, 200)


class Routes(OwnServers):
    """--adapter-routes: adapters come and go as vLLM's and llama-server's clients ask."""

    def embedding(self, server, **more):
        return self.ok("/v1/embeddings", {"input": TEXT, **more}, server=server).json["data"][0]["embedding"]

    def test_load_and_unload(self):
        plain, query, ffn = vector(), vector("--adapter", adapter("bert")), vector("--adapter", adapter("bert_ffn"))
        for args in ([], ["--lazy"], ["--max-memory", "100M", "--lazy", "--idle-unload", "0.2"]):
            with self.subTest(args):
                server = self.own_server(base("bert"), args=["--adapter-routes", *args])
                load = {"lora_name": "q", "lora_path": adapter("bert")}
                answer = self.ok("/v1/load_lora_adapter", load, server=server)
                self.assertEqual(answer.body.decode(), "Success: LoRA adapter 'q' added successfully.")
                self.assertEqual([self.embedding(server, model=name) for name in ("bert", "bert:q", "q")], [plain, query, query])
                self.refused(400, "/v1/load_lora_adapter", load, "already", server=server)
                self.ok("/v1/load_lora_adapter", {**load, "lora_path": adapter("bert_ffn"), "load_inplace": True}, server=server)
                if "--idle-unload" in args:  # it comes back with its model
                    server.wait_for(lambda: server.get("/v1/models").json["data"][0]["status"] == "unloaded", "unloaded")
                self.assertEqual(self.embedding(server, model="bert:q"), ffn)
                self.assertEqual([m["id"] for m in server.get("/v1/models").json["data"]], ["bert", "bert:q"])
                self.ok("/v1/unload_lora_adapter", {"lora_name": "q"}, server=server)
                self.refused(404, "/v1/unload_lora_adapter", {"lora_name": "q"}, "no adapter", server=server)
                for name in ("q", "bert:q"):  # never the model by itself in its place
                    self.refused(404, "/v1/embeddings", {"model": name, "input": TEXT}, "no adapter", server=server)
                self.assertEqual([m["id"] for m in server.get("/v1/models").json["data"]], ["bert"])
                self.assertEqual(self.embedding(server, model="bert"), plain)

    def test_memory_is_counted(self):
        server = self.own_server(base("bert"), args=["--adapter-routes"])
        before = server.metric("quern_model_bytes")
        self.ok("/v1/load_lora_adapter", {"lora_name": "q", "lora_path": adapter("bert")}, server=server)
        taken = server.metric("quern_model_bytes") - before
        self.assertGreater(taken, 0)
        self.ok("/v1/unload_lora_adapter", {"lora_name": "q"}, server=server)
        self.assertEqual(server.metric("quern_model_bytes"), before)
        most = max(int(before), os.path.getsize(os.path.join(base("bert"), "model.safetensors")))
        server = self.own_server(base("bert"), args=["--adapter-routes", "--max-memory", most])
        fit = int((most - before) // taken)
        for i in range(fit):
            self.ok("/v1/load_lora_adapter", {"lora_name": f"q{i}", "lora_path": adapter("bert")}, server=server)
        self.refused(503, "/v1/load_lora_adapter", {"lora_name": "more", "lora_path": adapter("bert")}, "--max-memory", server=server)
        self.assertEqual(len(server.get("/v1/models").json["data"]), 1 + fit)

    def test_numbers_and_scales(self):
        """llama-server's list, its scales for all requests, and its field of one."""
        server = self.own_server(base("bert"), base("llama"), args=[
            "--adapter-routes", "--adapter", "bert:q=" + adapter("bert"), "--adapter", "bert:f=" + adapter("bert_ffn"),
            "--adapter", "llama:poet=" + adapter("llama")])
        plain, query, ffn = vector(), vector("--adapter", adapter("bert")), vector("--adapter", adapter("bert_ffn"))
        listed = server.get("/lora-adapters").json
        self.assertEqual([(a["id"], a["path"], a["scale"], a["name"]) for a in listed],
                         [(0, adapter("bert"), 0, "q"), (1, adapter("bert_ffn"), 0, "f"), (2, adapter("llama"), 0, "poet")])
        self.assertEqual(self.embedding(server, model="bert", lora=[{"id": 1}, {"id": 0, "scale": 0}]), ffn)
        self.assertEqual(self.embedding(server, model="bert"), plain)
        self.assertEqual(self.ok("/lora-adapters", [{"id": 0, "scale": 1.0}, {"id": 2, "scale": 1}], server=server).json,
                         {"success": True})
        self.assertEqual([a["scale"] for a in server.get("/lora-adapters").json], [1, 0, 1])
        self.assertEqual(self.embedding(server, model="bert"), query)
        self.assertEqual(self.embedding(server), query)
        self.assertEqual(self.embedding(server, model="bert:f"), ffn)
        asked = {"model": "llama", "prompt": PROMPT, "temperature": 0, "max_tokens": 12}
        self.assertEqual(self.ok("/v1/completions", asked, server=server).json["choices"][0]["text"], text("--adapter", adapter("llama")))
        self.ok("/lora-adapters", [], server=server)
        self.assertEqual(self.embedding(server, model="bert"), plain)
        for body, says in (([{"id": 3}], "no adapter 3"), ([{"id": 0, "scale": 0.5}], "0.5"), ([{"id": 0}, {"id": 1}], "one adapter"),
                           ({"id": 0}, "a list"), ([0], "the number 0"), ([{"scale": 1}], "id"), ([{"id": -1}], "id"),
                           ([{"id": 0, "scale": "1"}], "scale")):
            with self.subTest(body):
                self.refused(400, "/lora-adapters", body, says, server=server)
                self.refused(400, "/v1/embeddings", {"model": "bert", "input": TEXT, "lora": body}, says, server=server)
        self.refused(404, "/v1/embeddings", {"model": "bert", "input": TEXT, "lora": [{"id": 2}]}, "poet", server=server)

    def test_numbers_of_one_name_in_two_models(self):
        other = os.path.join(tempfile.mkdtemp(prefix="quern-server-"), "other")
        self.addCleanup(shutil.rmtree, os.path.dirname(other))
        shutil.copytree(base("bert"), other, copy_function=shutil.copyfile)
        server = self.own_server(base("bert"), other, args=["--adapter-routes", "--adapter", "bert:q=" + adapter("bert"),
                                                            "--adapter", "other:q=" + adapter("bert_ffn")])
        query, ffn = vector("--adapter", adapter("bert")), vector("--adapter", adapter("bert_ffn"))
        self.assertEqual([self.embedding(server, lora=[{"id": i}]) for i in (0, 1)], [query, ffn])
        self.assertEqual(self.embedding(server, model="other", lora=[{"id": 1}]), ffn)
        self.refused(404, "/v1/embeddings", {"model": "other", "input": TEXT, "lora": [{"id": 0}]}, "bert:q", server=server)

    def test_one_that_cannot_replace_another(self):
        server = self.own_server(base("bert"), args=["--adapter-routes", "--adapter", "q=" + adapter("bert")])
        load = {"lora_name": "q", "lora_path": adapter("llama"), "load_inplace": True}
        self.refused(400, "/v1/load_lora_adapter", load, "no layer", server=server)
        self.assertEqual(self.embedding(server, model="q"), vector("--adapter", adapter("bert")))
        self.refused(404, "/v1/unload_lora_adapter", {"lora_name": "bert:"}, "no adapter", server=server)

    def test_wrong_adapters(self):
        server = self.own_server(base("bert"), base("llama"), args=["--adapter-routes"])
        for body, says in (({"lora_name": "bert:x"}, "lora_path"), ({"lora_path": adapter("bert")}, "lora_name"),
                           ({"lora_name": "x", "lora_path": adapter("bert")}, "MODEL:NAME"),
                           ({"lora_name": "none:x", "lora_path": adapter("bert")}, "none"),
                           ({"lora_name": "bert:", "lora_path": adapter("bert")}, "a name"),
                           ({"lora_name": "bert:latest", "lora_path": adapter("bert")}, "latest"),
                           ({"lora_name": "bert:x", "lora_path": "no/such/folder"}, "no/such/folder"),
                           ({"lora_name": "bert:x", "lora_path": ""}, "lora_path"),
                           ({"lora_name": "bert:x", "lora_path": adapter("bert_all")}, "convert BASE"),
                           ({"lora_name": "bert:x", "lora_path": adapter("llama")}, "no layer"),
                           ({"lora_name": 1, "lora_path": adapter("bert")}, "lora_name")):
            with self.subTest(says):
                self.refused(400, "/v1/load_lora_adapter", body, says, server=server)
        self.assertEqual([m["id"] for m in server.get("/v1/models").json["data"]], ["bert", "llama"])

    def test_unloaded_while_it_works(self):
        """Who has it keeps it; whoever comes later is told."""
        server = self.own_server(base("bert"), args=["--adapter-routes"])
        query = vector("--adapter", adapter("bert"))
        load = {"lora_name": "q", "lora_path": adapter("bert")}
        self.ok("/v1/load_lora_adapter", load, server=server)

        def ask(_):
            answer = server.post("/v1/embeddings", {"model": "bert:q", "input": [TEXT] * 20})
            if answer.status == 200:
                self.assertEqual([row["embedding"] for row in answer.json["data"]], [query] * 20)
            return answer.status

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            asked = pool.map(ask, range(80))
            for _ in range(10):
                self.ok("/v1/unload_lora_adapter", {"lora_name": "q"}, server=server)
                self.ok("/v1/load_lora_adapter", load, server=server)
            statuses = list(asked)
        self.assertLessEqual(set(statuses), {200, 404})
        self.assertIn(200, statuses)


class OneModel(ServerCase):
    models = [base("bert")]

    def test_name_alone_and_a_configuration(self):
        folder = os.path.dirname(models.embedder())
        config = os.path.join(folder, "adapters.json")

        def write(*names):
            with open(config, "w", encoding="utf-8") as f:
                json.dump({"model": base("bert"), "adapter": [f"{name}={adapter('bert')}" for name in names]}, f)

        write("one")
        server = self.own_server(args=["--config", config])
        self.ok("/v1/embeddings", {"model": "bert:one", "input": TEXT}, server=server)
        write("one", "two")
        server.signal(signal.SIGHUP)
        server.wait_for(lambda: any("reloaded" in line for line in server.lines), "a reload")
        self.ok("/v1/embeddings", {"model": "bert:two", "input": TEXT}, server=server)

    def test_lazy_and_unloaded(self):
        server = self.own_server(base("bert"), args=["--lazy", "--idle-unload", "0.2", "--adapter", "q=" + adapter("bert")])
        expected = vector("--adapter", adapter("bert"))
        for _ in range(2):
            got = self.ok("/v1/embeddings", {"model": "bert:q", "input": TEXT}, server=server).json
            self.assertEqual(got["data"][0]["embedding"], expected)
            server.wait_for(lambda: server.get("/v1/models").json["data"][0]["status"] == "unloaded", "unloaded")
        self.assertEqual([m["id"] for m in server.get("/v1/models").json["data"]], ["bert", "bert:q"])

    def test_classifier(self):
        server = self.own_server("c=" + models.classifier(), args=["--adapter", "q=" + adapter("bert")])
        plain, changed = (self.ok("/predict", {"model": name, "inputs": TEXT}, server=server).json for name in ("c", "c:q"))
        self.assertNotEqual(plain, changed)
        self.assertTrue(any("base_model_name_or_path" in line for line in server.lines), server.lines)

    def test_wrong_use(self):
        for args, says in ((["--adapter", "q"], "NAME=DIR"), (["--adapter", "x:q=" + adapter("bert")], "no model is called"),
                           (["--adapter", "q=" + adapter("bert"), "--adapter", "q=" + adapter("bert_ffn")], "two adapters"),
                           (["--adapter", "q=no/such/folder"], "no/such/folder"), (["--adapter", "q=" + adapter("bert_all")], "convert BASE"),
                           (["--adapter", "q=" + adapter("llama")], "no layer")):
            with self.subTest(says), self.assertRaisesRegex(AssertionError, says):
                Server(base("bert"), args=args)


if __name__ == "__main__":
    unittest.main()

"""Models by name: what is asked of the Hub, what is in the caches afterwards, and that it is not asked again."""
import json
import os
import shutil
import subprocess
import unittest

from hub import HubCase, Repo, folder_files, git_sha1, sha256
from program import QUERN, TINY, TYPES
from server_of_names import reload, serve
from fixtures import MODELS, read_safetensors, tiny_llama, write_safetensors

NOISE = {"onnx/model.onnx": b"onnx" * 9, "openvino/openvino_model.bin": b"ov", "pytorch_model.bin": b"pickle",
         "tf_model.h5": b"h5", "rust_model.ot": b"ot", "flax_model.msgpack": b"flax", "data_config.json": b"{}",
         "train_script.py": b"print()", ".gitattributes": b"*.bin", "vocab.txt": b"a\nb\n", "imgs/x.png": b"png"}


def tiny():
    return Repo({**folder_files(TINY), **NOISE})


class Names(HubCase):
    def setUp(self):
        super().setUp()
        self.repo = self.hub.repos["org/tiny"] = tiny()

    def test_embed_by_name(self):
        """The vectors are those of the file that the folder converts to, and the second time nothing is asked."""
        path = self.path("tiny.q8")
        self.run_ok("convert", TINY, "-o", path, "--quiet")
        expected = self.run_ok("embed", "-m", path, "-p", "a text", "--quiet").stdout
        self.assertEqual(self.run_ok("embed", "-m", "org/tiny", "-p", "a text", "--quiet").stdout, expected)
        self.hub.log.clear()
        done = self.run_ok("embed", "-m", "org/tiny", "-p", "a text", "--quiet")
        self.assertEqual((done.stdout, done.stderr, self.hub.log), (expected, b"", []))
        for name in ("org/tiny@main", "org/tiny@" + self.repo.commit):
            self.assertEqual(self.run_ok("embed", "-m", name, "-p", "a text", "--quiet").stdout, expected)
        self.assertEqual(self.hub.log, [])

    def test_what_goes_over_the_wire(self):
        self.run_ok("pull", "org/tiny", env={"HF_TOKEN": "hf_good"})
        paths = self.hub.paths()
        self.assertEqual(paths[0], "GET /api/models/org/tiny/revision/main")
        self.assertEqual(paths[1], f"GET /api/models/org/tiny/tree/{self.repo.commit}?recursive=true&expand=false")
        asked = {p.split(f"/resolve/{self.repo.commit}/")[1] for p in paths[2:]}
        self.assertEqual(asked, set(folder_files(TINY)) - {"vocab.txt"})
        self.assertEqual(len(paths[2:]), len(asked))
        self.assertEqual(self.hub.paths("storage"),
                         [f"GET /xet/{sha256(self.repo.files['model.safetensors'])}?sig=x"])
        for r in self.hub.log:
            self.assertEqual(r.headers["Accept-Encoding"], "identity")
            self.assertTrue(r.headers["User-Agent"].startswith("quern/"))
            self.assertEqual(r.headers.get("Authorization"), "Bearer hf_good" if r.where == "hub" else None)

    def test_the_cache(self):
        """huggingface_hub's layout, byte for byte."""
        printed = self.run_ok("pull", "org/tiny").stdout.decode().strip()
        root, commit = self.cache("models--org--tiny"), self.repo.commit
        with open(os.path.join(root, "refs", "main"), encoding="utf-8") as f:
            self.assertEqual(f.read(), commit)
        snapshot = os.path.join(root, "snapshots", commit)
        for path in folder_files(snapshot):
            link, data = os.path.join(snapshot, path), self.repo.files[path]
            etag = sha256(data) if path.endswith(".safetensors") else git_sha1(data)
            self.assertEqual(os.readlink(link), "../" * path.count("/") + "../../blobs/" + etag)
            with open(link, "rb") as f:
                self.assertEqual(f.read(), data)
            self.assertTrue(os.path.exists(self.cache(".locks", "models--org--tiny", etag + ".lock")))
        self.assertEqual(len(self.blobs()), len(folder_files(snapshot)))
        with open(self.cache("CACHEDIR.TAG"), encoding="utf-8") as f:
            self.assertTrue(f.read().startswith("Signature: 8a477f597d28d172789f06886806bc55\n"))
        with open(os.path.join(root, "trees", commit + ".json"), encoding="utf-8") as f:
            tree = json.load(f)
        self.assertEqual(set(tree["files"]), set(self.repo.files))
        self.assertTrue(printed.startswith(self.path("own")) and commit in printed, printed)
        self.run_ok("inspect", printed)

    def test_every_type(self):
        for kind in TYPES:
            self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--type", kind, "--quiet")
            found = json.loads(self.run_ok("inspect", "--json", "org/tiny", "--type", kind).stdout)
            self.assertEqual(found["type"], kind)
            self.assertEqual(found["source"], {**found["source"], "repo": "org/tiny", "revision": self.repo.commit})
        self.assertEqual(len([p for p in self.hub.paths() if "/resolve/" in p]), len(set(self.hub.paths())) - 2)
        folder = json.loads(self.run_ok("inspect", "--json", "org/tiny", "--type", "source").stdout)
        self.assertEqual((folder["format"], folder["type"]), ("folder", "f16"))
        self.fails("embed", "-m", "org/tiny", "-p", "x", "--type", "q6", code=2, says="q6")

    def test_a_file_of_that_name_wins(self):
        os.makedirs(self.path("org"))
        shutil.copytree(TINY, self.path("org/tiny"))
        done = subprocess.run([QUERN, "inspect", "--json", "org/tiny"], cwd=self.dir, env={**os.environ, **self.env},
                              capture_output=True, check=True)
        self.assertEqual(json.loads(done.stdout)["format"], "folder")
        self.assertEqual(self.hub.log, [])

    def test_short_names(self):
        self.hub.repos["sentence-transformers/all-MiniLM-L6-v2"] = tiny()
        expected = self.run_ok("embed", "-m", "sentence-transformers/all-MiniLM-L6-v2", "-p", "x", "--quiet").stdout
        self.hub.log.clear()
        self.assertEqual(self.run_ok("embed", "-m", "minilm", "-p", "x", "--quiet").stdout, expected)
        self.assertEqual(self.hub.log, [])
        known = json.loads(self.run_ok("models", "--known", "--json").stdout)
        self.assertLessEqual({"minilm", "bge-small", "bge-base", "bge-m3", "e5-small", "e5-multilingual", "nomic", "mxbai",
                              "bge-reranker", "qwen3-0.6b", "smollm2"}, {m["name"] for m in known})
        self.assertEqual(len({m["name"] for m in known}), len(known))
        for m in known:
            self.assertNotIn("/", m["name"])
            self.assertEqual(m["dimensions"] > 0, m["task"] == "embed", m)
            self.assertIn(m["name"], self.run_ok("models", "--known").stdout.decode())

    def test_other_revisions(self):
        commit = self.repo.move({**self.repo.files, "README.md": b"Matryoshka"}, "refs/pr/1")
        done = self.run_ok("pull", "org/tiny", "--revision", "refs/pr/1")
        self.assertIn(commit, done.stdout.decode())
        self.assertIn("GET /api/models/org/tiny/revision/refs%2Fpr%2F1", self.hub.paths())
        with open(self.cache("models--org--tiny", "refs", "refs", "pr", "1"), encoding="utf-8") as f:
            self.assertEqual(f.read(), commit)
        self.run_ok("pull", "org/tiny@" + commit)
        self.fails("pull", "org/tiny@v9", says=("org/tiny", "'v9'", "revision"))
        self.fails("pull", "org/tiny@a", "--revision", "b", code=2, says="revision")

    def test_only_pull_looks_whether_a_branch_has_moved(self):
        self.run_ok("pull", "org/tiny")
        new = self.repo.move({**self.repo.files, "README.md": b"Matryoshka"})
        self.hub.log.clear()
        old = self.run_ok("inspect", "--json", "org/tiny").stdout
        self.assertEqual(self.hub.log, [])
        self.run_ok("pull", "org/tiny")
        self.assertEqual(len([p for p in self.hub.paths() if "/resolve/" in p]), 1)  # the file that is new
        found = json.loads(self.run_ok("inspect", "--json", "org/tiny").stdout)
        self.assertEqual(found["source"]["revision"], new)
        self.assertNotEqual(json.loads(old)["source"]["revision"], new)

    def test_offline(self):
        for args, env, word in ((["--offline"], {}, "--offline"), ([], {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE"),
                                ([], {"TRANSFORMERS_OFFLINE": "yes"}, "TRANSFORMERS_OFFLINE")):
            self.fails("embed", "-m", "org/tiny", "-p", "x", *args, env=env, says=("org/tiny", word, "quern pull org/tiny"))
        self.fails("pull", "org/tiny", "--offline", says=("org/tiny", "offline"))
        self.assertEqual(self.hub.log, [])
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")
        shutil.rmtree(self.path("own"))  # what was downloaded is enough
        self.hub.log.clear()
        self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--offline")
        self.assertEqual(self.hub.log, [])

    def test_patterns(self):
        folder = self.run_ok("pull", "org/tiny", "--include", "*.json", "--include", "onnx/", "--exclude", "tok*").stdout
        found = set(folder_files(folder.decode().strip()))
        self.assertEqual(found, {p for p in self.repo.files
                                 if (p.endswith(".json") or p.startswith("onnx/")) and not p.startswith("tok")})
        self.assertFalse(os.path.exists(self.path("own")))
        self.fails("embed", "-m", "org/tiny", "-p", "x", "--offline", says="not whole")  # which is no model yet
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")
        self.fails("pull", "org/tiny", "--include", "nothing*", says="org/tiny")

    def test_lines_of_progress(self):
        """One at once; none where they are not wanted."""
        text = self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--quiet").stderr.decode()
        self.assertRegex(text, r"\Aquern: org/tiny: asking the Hub for [^\n]+\n\Z")
        shutil.rmtree(self.path("hf"))
        shutil.rmtree(self.path("own"))
        done = self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--quiet", env={"HF_HUB_DISABLE_PROGRESS_BARS": "1"})
        self.assertEqual(done.stderr, b"")

    def test_convert_and_verify_take_names(self):
        path = self.path("by-name.q8")
        self.run_ok("convert", "org/tiny", "-o", path, "--quiet")
        text = self.write("texts.txt", "one\ntwo\nthree\n")
        self.run_ok("verify", path, "--reference", "org/tiny", "-f", text, "--min-cosine", 0.99)
        self.assertFalse(os.path.exists(self.path("own")))  # the reference is the source itself

    def test_serve_by_name(self):
        with serve(self, "-m", "org/tiny") as server:
            models = server.get("/v1/models").json["data"]
            self.assertEqual([m["id"] for m in models], ["tiny"])
        config = self.write("serve.json", json.dumps({"model": ["other=org/tiny@main"], "port": 0}))
        with serve(self, "--config", config) as server:
            self.assertEqual([m["id"] for m in server.get("/v1/models").json["data"]], ["other"])
            self.hub.repos["org/second"] = Repo(folder_files(TINY))
            self.write("serve.json", json.dumps({"model": ["other=org/tiny@main", "org/second@main"]}))
            self.assertIn("quern: reloaded", reload(server))
            self.assertEqual([m["id"] for m in server.get("/v1/models").json["data"]], ["other", "second"])
            self.write("serve.json", json.dumps({"model": ["org/none"]}))
            said = reload(server)
            self.assertTrue(any("not reloaded: org/none" in line for line in said), said)
            self.assertEqual([m["id"] for m in server.get("/v1/models").json["data"]], ["other", "second"])

    def test_where_the_caches_are(self):
        self.run_ok("pull", "org/tiny", env={"HF_HUB_CACHE": self.path("a"), "QUERN_CACHE": "",
                                             "XDG_CACHE_HOME": self.path("b")})
        self.assertTrue(os.path.exists(self.path("a/models--org--tiny/refs/main")))
        self.assertTrue(os.path.exists(self.path("b/quern/models/models--org--tiny")))
        self.run_ok("pull", "org/tiny", env={"HF_HOME": "", "QUERN_CACHE": ""})
        self.assertTrue(os.path.exists(self.path("home/.cache/huggingface/hub/models--org--tiny/refs/main")))
        self.assertTrue(os.path.exists(self.path("home/.cache/quern/models/models--org--tiny")))

    def test_without_links(self):
        """Files lie in the snapshot, as on file systems that have no links."""
        self.run_ok("pull", "org/tiny", env={"HF_HUB_DISABLE_SYMLINKS": "1"})
        snapshot = self.cache("models--org--tiny", "snapshots", self.repo.commit)
        for path, data in folder_files(snapshot).items():
            self.assertFalse(os.path.islink(os.path.join(snapshot, path)))
            self.assertEqual(data, self.repo.files[path])
        self.assertEqual(self.blobs(), [])
        self.hub.log.clear()
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")
        self.assertEqual(self.hub.log, [])

    def test_the_token(self):
        """HF_TOKEN, then the older name, then the file; none where that is wanted."""
        self.write("token", "hf_good\n")
        os.makedirs(self.path("hf"))
        shutil.copy(self.path("token"), self.path("hf/token"))
        cases = (({"HF_TOKEN": " hf_good\n", "HUGGING_FACE_HUB_TOKEN": "hf_other"}, "hf_good"),
                 ({"HUGGING_FACE_HUB_TOKEN": "hf_other"}, "hf_other"), ({}, "hf_good"),
                 ({"HF_TOKEN_PATH": self.path("token")}, "hf_good"),
                 ({"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_TOKEN": "hf_good"}, None))
        for env, token in cases:
            self.hub.log.clear()
            self.run_ok("pull", "org/tiny", env=env)
            self.assertEqual(self.hub.log[0].headers.get("Authorization"), token and "Bearer " + token, env)
        self.fails("pull", "org/tiny", env={"HF_TOKEN": "two words"}, says="HF_TOKEN")


class Kinds(HubCase):
    """Which files are taken of which repository."""

    def test_all_golden_models(self):
        """Every folder that the tests have converts to the same, by name or as a folder: no file is forgotten."""
        for name in sorted(os.listdir(MODELS)):
            folder = os.path.join(MODELS, name)
            with self.subTest(name):
                self.hub.repos["org/" + name] = Repo({**folder_files(folder), **NOISE} if os.path.exists(
                    os.path.join(folder, "tokenizer.json")) else folder_files(folder))
                if name == "bert":
                    del self.hub.repos["org/" + name].files["vocab.txt"]
                plain = json.loads(self.run_ok("inspect", "--json", folder).stdout)
                named = json.loads(self.run_ok("inspect", "--json", "org/" + name, "--type", "source").stdout)
                for key in ("architecture", "pipeline", "prompts", "max_length", "similarity", "fingerprint"):
                    self.assertEqual(plain.get(key), named.get(key), key)

    def test_shards(self):
        files = folder_files(TINY)
        weights = files.pop("model.safetensors")
        self.write("all", weights)
        tensors = read_safetensors(self.path("all"))
        names = sorted(tensors)
        index = {}
        for i, part in enumerate((names[::2], names[1::2])):
            file = f"model-{i + 1:05}-of-00002.safetensors"
            write_safetensors(self.path(file), {n: tensors[n] for n in part})
            with open(self.path(file), "rb") as f:
                files[file] = f.read()
            index.update({n: file for n in part})
        files["model.safetensors.index.json"] = json.dumps({"metadata": {}, "weight_map": index}).encode()
        self.hub.repos["org/shards"] = Repo(files)
        self.run_ok("embed", "-m", "org/shards", "-p", "x")
        for wrong, says in ((b'{"weight_map": {"a": "../x.safetensors"}}', "../x"), (b'{"weight_map": {"a": "none.safetensors"}}', "none"),
                            (b"[]", "weight_map"), (b"<html>", "JSON")):
            self.hub.repos["org/wrong"] = Repo({**files, "model.safetensors.index.json": wrong})
            shutil.rmtree(self.cache("models--org--wrong"), ignore_errors=True)
            self.fails("pull", "org/wrong", says=says)

    def test_gguf(self):
        self.run_ok("convert", tiny_llama(self.path("llama")), "-o", self.path("x.gguf"), "--type", "q8_0", "--quiet")
        with open(self.path("x.gguf"), "rb") as f:
            data = f.read()
        one = self.hub.repos["org/one-GGUF"] = Repo({"README.md": b"", "one-Q8_0.gguf": data, "mmproj-one.gguf": b"x"})
        for name in ("org/one-GGUF", "org/one-GGUF:one-Q8_0.gguf", "org/one-GGUF:Q8_0", "org/one-GGUF:q8_0@main"):
            found = json.loads(self.run_ok("inspect", "--json", name).stdout)
            self.assertEqual(found["path"], self.cache("models--org--one-GGUF", "snapshots", one.commit, "one-Q8_0.gguf"))
        self.hub.log.clear()
        self.run_ok("inspect", "--json", "org/one-GGUF:q8_0", "--offline")
        self.run_ok("inspect", "--json", "org/one-GGUF")
        self.assertEqual(self.hub.log, [])
        self.assertFalse(os.path.exists(self.path("own")))
        self.hub.repos["org/two-GGUF"] = Repo({"a-Q8_0.gguf": data, "a-Q4_0.gguf": b"GGUF"})
        self.fails("pull", "org/two-GGUF", says=("several GGUF files", "a-Q8_0.gguf", "a-Q4_0.gguf", "org/two-GGUF:FILE"))
        self.fails("pull", "org/two-GGUF:Q6_K", says=("Q6_K", "a-Q8_0.gguf"))
        self.run_ok("pull", "org/two-GGUF:Q8_0")
        self.hub.repos["org/parts"] = Repo({"a-00001-of-00002.gguf": b"1", "a-00002-of-00002.gguf": b"2"})
        self.fails("pull", "org/parts:a-00001-of-00002.gguf", says=("several parts", "a-00001"))
        self.assertEqual([p for p in self.hub.paths() if "Q4_0" in p and "/resolve/" in p], [])

    def test_pickle_alone(self):
        files = folder_files(TINY)
        del files["model.safetensors"]
        for more, says in (({"pytorch_model.bin": b"\x80\x02."}, ("pytorch_model.bin", "pickle", "refs/pr")),
                           ({"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"}, "adapter"),
                           ({"tf_model.h5": b"x"}, ("model.safetensors", "tf_model.h5"))):
            self.hub.repos["org/pickle"] = Repo({**files, **more})
            self.fails("pull", "org/pickle", says=says)
            self.assertFalse(os.path.exists(self.cache("models--org--pickle", "refs")))
        self.assertEqual([p for p in self.hub.paths() if "/resolve/" in p and "modules.json" not in p], [])
        dense = {**folder_files(TINY), "modules.json": json.dumps(
            [{"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind} for i, (path, kind) in
             enumerate((("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense")))]).encode(),
            "2_Dense/config.json": b"{}", "2_Dense/pytorch_model.bin": b"x"}
        self.hub.repos["org/dense"] = Repo(dense)
        self.fails("pull", "org/dense", says=("2_Dense/pytorch_model.bin", "pickle"))

    def test_many_pages(self):
        self.hub.page = 2
        self.hub.repos["org/tiny"] = tiny()
        self.run_ok("pull", "org/tiny")
        self.assertGreater(len([p for p in self.hub.paths() if "/tree/" in p]), 5)

    def test_a_mirror_with_less(self):
        """Neither a tree nor X-Repo-Commit: the names are in the revision, hashes and sizes in the headers."""
        self.hub.repos["org/tiny"] = tiny()
        self.hub.missing_endpoints.add("tree")
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")
        self.assertTrue(any(p.startswith("HEAD ") for p in self.hub.paths()))
        self.assertFalse(any("/onnx/" in p for p in self.hub.paths()))
        self.assertEqual(self.hub.paths("storage")[0][:3], "GET")
        shutil.rmtree(self.path("hf"))
        shutil.rmtree(self.path("own"))
        original = self.hub.resolve
        def without_hashes(request, *args):
            if request.path.endswith("config.json"):
                return request.reply(200, b"{}", ETag='"plain"')
            return original(request, *args)
        self.hub.resolve = without_hashes
        self.fails("embed", "-m", "org/tiny", "-p", "x", says=("hash", "HF_ENDPOINT"))

    def test_a_renamed_repository(self):
        self.hub.repos["org/new"] = tiny()
        self.hub.repos["org/old"] = Repo({})
        self.hub.repos["org/old"].renamed = "org/new"
        self.run_ok("embed", "-m", "org/old", "-p", "x", env={"HF_TOKEN": "hf_good"})
        self.assertEqual({r.headers.get("Authorization") for r in self.hub.log if r.where == "hub"}, {"Bearer hf_good"})


if __name__ == "__main__":
    unittest.main()

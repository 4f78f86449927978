"""quern push: what arrives, how, with which rights; and what is left where it does not."""
import os
import shutil
import unittest

from faults import GUARD  # noqa: F401
from fixtures import variant
from hub import HubCase, Repo, folder_files
from program import TINY, quern
from push_hub import PushHub


class Push(HubCase):
    def setUp(self):
        super().setUp()
        self.hub.stop()
        self.hub = PushHub()
        self.addCleanup(self.hub.stop)
        self.env.update(HF_ENDPOINT=self.hub.url, HF_TOKEN="hf_good", HF_HUB_DISABLE_PROGRESS_BARS="1")
        self.folder = self.path("folder")
        shutil.copytree(TINY, self.folder, copy_function=shutil.copyfile)
        os.remove(os.path.join(self.folder, "golden.json"))

    def add(self, name, data):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)

    def push(self, *more, name="org/new", **options):
        return self.run_ok("push", self.folder, name, *more, **options)

    def at(self, revision="main", name="org/new"):
        repo = self.hub.repos[name]
        return {p: d for p, d in repo.at[repo.revisions[revision]].items() if p != ".gitattributes"}

    def posts(self, part):
        return [r for r in self.hub.log if r.method in ("POST", "PUT") and part in r.path]

    def test_a_folder_and_back(self):
        done = self.push()
        self.assertEqual(done.stdout.decode(), self.hub.url + "/org/new\n")
        self.assertRegex(done.stderr.decode(), r"quern: org/new: \d+ files, [\d.]+ MB, of which [\d.]+ MB were new: \w{12} in [\d.]+ s\n$")
        there = self.at()
        self.assertEqual({p: d for p, d in there.items() if p != "README.md"}, {p: d for p, d in folder_files(self.folder).items() if p != "README.md"})
        self.assertEqual(self.run_ok("embed", "-m", "org/new", "-p", "the fox").stdout, quern("embed", "-m", self.model(), "-p", "the fox").stdout)
        self.assertFalse(self.hub.repos["org/new"].private)
        sent = self.posts("/upload/")
        self.assertEqual([(r.headers.get("Authorization"), r.headers.get("x-of")) for r in sent], [(None, r.path.split("/")[2]) for r in sent])
        self.assertEqual(len(sent), 1)

    def model(self):
        out = self.path("own.q8")
        self.run_ok("convert", TINY, "-o", out, "--quiet")
        return out

    def test_a_file_and_its_card(self):
        for kind, made, task, use in (("tiny", TINY, "sentence-similarity", "quern embed"), ("rank", None, "text-ranking", "quern rerank")):
            with self.subTest(task=task):
                source = made or self.path("rank")
                if not made:
                    variant(source, "bert", "BertForSequenceClassification", labels=["score"])
                folder, name = self.path(kind + "-gguf"), f"org/{kind}"
                os.mkdir(folder)
                self.run_ok("convert", source, "-o", os.path.join(folder, "model.gguf"), "--quiet")
                self.run_ok("push", folder, name)
                files = self.at(name=name)
                self.assertEqual(set(files), {"README.md", "model.gguf"})
                card = files["README.md"].decode()
                self.assertRegex(card, rf"\A---\nlibrary_name: quern\npipeline_tag: {task}\ntags:\n- quern\n- bert\n---\n\n# {kind}\n")
                self.assertIn(f"{use} -m {name}:model.gguf ", card)
                self.assertFalse(os.path.exists(os.path.join(folder, "README.md")))
        self.run_ok("embed", "-m", "org/tiny:model.gguf", "-p", "the fox")
        self.push("--no-card", "--exclude", "README.md", name="org/bare")
        self.assertNotIn("README.md", self.at(name="org/bare"))

    def test_what_is_there_is_not_sent_again(self):
        self.push()
        before = self.hub.repos["org/new"].commit
        self.hub.log.clear()
        self.assertIn("nothing has changed", self.push().stderr.decode())
        self.assertEqual((self.posts("/commit/"), self.posts("/lfs/"), self.hub.repos["org/new"].commit), ([], [], before))
        self.add("notes.txt", b"new\n")
        self.push("--message", "one more")
        self.assertEqual(self.hub.messages[-1], "one more")
        self.assertEqual(len(self.posts("/commit/")[0].body.splitlines()), 2)
        self.assertEqual(self.posts("/lfs/"), [])
        self.assertEqual(self.at()["notes.txt"], b"new\n")

    def test_large_files(self):
        """In one piece, in parts, with bytes that the Hub has already; many; empty ones; below folders."""
        data = bytes(range(256)) * 1000
        self.add("a/b/large.bin", data)
        self.add("empty.bin", b"")
        for i in range(300):
            self.add(f"many/{i}.txt", b"%d" % i)
        self.add(".hidden/x.txt", b"no")
        self.add("x.ignored", b"no")
        self.hub.chunk = 100000
        self.push()
        self.assertEqual(len(self.posts("/part/")), 3 + -(-len(self.at()["model.safetensors"]) // 100000) * (len(self.at()["model.safetensors"]) > 100000))
        self.assertEqual(self.at()["a/b/large.bin"], data)
        self.assertEqual({p: d for p, d in self.at().items() if p != "README.md"},
                         {p: d for p, d in folder_files(self.folder).items() if not p.startswith(".") and p not in ("README.md", "x.ignored")})
        self.assertEqual(len(self.posts("/preupload/")), 2)
        self.add("again.bin", data)
        self.hub.log.clear()
        self.push()
        self.assertEqual((self.at()["again.bin"], self.posts("/part/"), self.posts("/upload/")), (data, [], []))

    def test_connections_that_end(self):
        """Uploads are tried again; a commit of which nobody knows whether it is there is not."""
        left = {"/upload/": 2, "/preupload/": 1, "/create": 1, "/batch": 1}

        def cut(request):
            for part in left:
                if part in request.path and left[part]:
                    left[part] -= 1
                    request.cut(b"x" * 9, 1)
                    return True
            return False
        self.hub.hook = cut
        self.push()
        self.assertEqual(set(left.values()), {0})
        self.assertIn("model.safetensors", self.at())
        before = self.hub.repos["org/new"].commit
        self.hub.hook = lambda r: "/commit/" in r.path and (r.cut(b"x" * 9, 1) or True)
        self.add("notes.txt", b"new\n")
        self.hub.log.clear()
        self.fails("push", self.folder, "org/new", says=("org/new", "the commit", "ends early"))
        self.assertEqual((len(self.posts("/commit/")), self.hub.repos["org/new"].commit), (1, before))

    def test_tags_branches_private(self):
        self.push("--private", "--tag", "v1.0")
        repo = self.hub.repos["org/new"]
        self.assertTrue(repo.private)
        self.assertEqual(repo.revisions["v1.0"], repo.commit)
        self.fails("push", self.folder, "org/new", "--tag", "v1.0", says=("v1.0", "already exists"))
        repo.revisions["next"] = repo.commit
        self.add("notes.txt", b"new\n")
        self.push(name="org/new@next")
        self.assertIn("notes.txt", self.at("next"))
        self.assertNotIn("notes.txt", self.at())
        self.fails("push", self.folder, "org/new@none", says=("'none'", "branch"))

    def test_patterns(self):
        self.push("--include", "*.json", "--exclude", "tok*", "--no-card")
        expected = {p for p in folder_files(self.folder) if p.endswith(".json") and not p.startswith("tok")}
        self.assertEqual(set(self.at()), expected)
        self.fails("push", self.folder, "org/new", "--include", "nothing*", says="no files to push that match")

    def test_refusals(self):
        self.add("README.md", b"---\npipeline_tag: cooking\n---\n# x\n")
        self.fails("push", self.folder, "org/new", says=("README.md", "pipeline_tag", "must be one of"))
        self.add("README.md", b"# no lines\n")
        self.fails("push", self.folder, "org/new", says=("README.md", "metadata"))
        os.remove(os.path.join(self.folder, "README.md"))
        self.assertEqual(self.hub.repos, {})
        self.fails("push", self.folder, "org/new", env={"HF_TOKEN": ""}, says=("org/new", "HF_TOKEN", "write", "/settings/tokens"))
        self.fails("push", self.folder, "org/new", env={"HF_TOKEN": "hf_other"}, says=("org/new", "HF_TOKEN", "may not write"))
        self.fails("push", self.folder, "org/new", env={"HF_HUB_OFFLINE": "1"}, says=("org/new", "HF_HUB_OFFLINE", "nothing is pushed"))
        for name in ("new", "minilm", "org/new:x.gguf", "org/new@" + "0" * 40, "a b/c"):
            self.fails("push", self.folder, name, says=(name.split("@")[0], "expected org/name"))
        self.fails("push", self.path("nowhere"), "org/new", says=("nowhere",))
        empty = self.path("empty")
        os.mkdir(empty)
        self.fails("push", empty, "org/new", says="no files to push")
        self.assertEqual(self.hub.repos, {})

    def test_answers_that_lie(self):
        self.hub.repos["org/new"] = Repo({})
        for part, answer, says in (("/preupload/", {"files": []}, "how"), ("/batch", {"objects": []}, "where model.safetensors goes"),
                                   ("/commit/", {"success": True}, "commitOid"), ("/preupload/", [], "how"), ("/batch", [], "where")):
            with self.subTest(part=part, answer=answer):
                self.hub.hook = lambda r, part=part, answer=answer: part in r.path and (r.json(answer) or True)
                self.fails("push", self.folder, "org/new", says=("org/new", says))

        def elsewhere(request):
            if not request.path.endswith("/objects/batch"):
                return False
            request.json({"objects": [{"oid": o["oid"], "actions": {"upload": {"href": "file:///etc/x"}}}
                                      for o in self.hub.asked(request, "application/vnd.git-lfs+json")["objects"]]})
            return True
        self.hub.hook = elsewhere
        self.fails("push", self.folder, "org/new", says="no address that can be trusted")
        self.assertEqual(self.at(), {})


if __name__ == "__main__":
    unittest.main()

"""quern models: what is there, and taking it out."""
import json
import os
import shutil
import unittest

from hub import HubCase, Repo, folder_files, sha256
from program import TINY


class Models(HubCase):
    def setUp(self):
        super().setUp()
        self.repo = self.hub.repos["org/tiny"] = Repo(folder_files(TINY))
        self.hub.repos["org/other"] = Repo({**folder_files(TINY), "README.md": b"other"})

    def listed(self):
        return json.loads(self.run_ok("models", "--json").stdout)

    def test_list(self):
        self.assertIn(b"quern pull", self.run_ok("models").stdout)
        self.assertEqual(self.listed(), [])
        self.run_ok("pull", "org/tiny")
        self.run_ok("pull", "org/tiny", "--type", "q4")
        self.run_ok("pull", "org/other", "--type", "source")
        first = self.repo.commit
        self.repo.move({**self.repo.files, "README.md": b"new"})
        self.run_ok("pull", "org/tiny", "--revision", "main")
        found = {(m["name"], m["commit"]): m for m in self.listed()}
        self.assertEqual(set(found), {("org/other", self.hub.repos["org/other"].commit), ("org/tiny", first),
                                      ("org/tiny", self.repo.commit)})
        self.assertEqual(found["org/tiny", first]["revisions"], [])
        self.assertEqual(found["org/tiny", self.repo.commit]["revisions"], ["main"])
        self.assertEqual([c["type"] for c in found["org/tiny", first]["converted"]], ["q4", "q8"])
        self.assertEqual(found["org/other", self.hub.repos["org/other"].commit]["converted"], [])
        for m in found.values():
            self.assertGreater(m["bytes"], len(self.repo.files["model.safetensors"]))
            for c in m["converted"]:
                self.assertEqual(c["bytes"], os.path.getsize(c["path"]))
        text = self.run_ok("models").stdout.decode()
        for word in ("org/tiny", "org/other", "main", first[:12], "q4", "q8", "MB"):
            self.assertIn(word, text)

    def test_remove_all(self):
        self.run_ok("pull", "org/tiny")
        self.run_ok("pull", "org/other")
        self.assertIn(b"removed", self.run_ok("models", "rm", "org/tiny").stdout)
        self.assertEqual([m["name"] for m in self.listed()], ["org/other"])
        for place in (self.cache("models--org--tiny"), self.cache(".locks", "models--org--tiny"),
                      self.path("own/models/models--org--tiny")):
            self.assertFalse(os.path.exists(place), place)
        self.fails("models", "rm", "org/tiny", says=("org/tiny", "quern models"))
        self.fails("embed", "-m", "org/tiny", "-p", "x", "--offline", says="org/tiny")
        self.run_ok("embed", "-m", "org/other", "-p", "x", "--offline")

    def test_remove_one_revision(self):
        self.run_ok("pull", "org/tiny")
        first = self.repo.commit
        second = self.repo.move({**self.repo.files, "README.md": b"new"}, "v2")
        self.run_ok("pull", "org/tiny@v2")
        self.run_ok("models", "rm", "org/tiny@v2")
        self.assertEqual([(m["commit"], m["revisions"]) for m in self.listed()], [(first, ["main"])])
        self.assertFalse(os.path.exists(self.cache("models--org--tiny", "snapshots", second)))
        self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--offline", env={"QUERN_CACHE": self.path("own2")})
        blobs = set(os.listdir(self.cache("models--org--tiny", "blobs")))
        self.assertIn(sha256(self.repo.files["model.safetensors"]), blobs)
        self.assertEqual(len(blobs), len(self.repo.files) - 0 - sum(p in ("vocab.txt",) for p in self.repo.files))

    def test_what_others_left(self):
        """Odd entries of a cache are not listed, and do no harm."""
        self.run_ok("pull", "org/tiny")
        for name in ("models--", "models--a--b--c", "datasets--org--x", "x", "models--org--tiny/snapshots/nothing",
                     "models--org--tiny/refs/a..b"):
            os.makedirs(self.cache(name), exist_ok=True)
        with open(self.cache("models--org--tiny", "refs", "odd"), "w", encoding="utf-8") as f:
            f.write("no commit")
        os.symlink("/", self.cache("models--org--tiny", "snapshots", "0" * 40))
        self.assertIn(("org/tiny", ["main"]), [(m["name"], m["revisions"]) for m in self.listed()])

    def test_removal_follows_no_links(self):
        self.run_ok("pull", "org/tiny")
        os.mkdir(self.path("precious"))
        self.write("precious/x", "x")
        os.symlink(self.path("precious"), self.cache("models--org--tiny", "blobs", "link"))
        os.symlink(self.path("precious"), self.cache("models--org--tiny", "snapshots", "0" * 40))
        self.run_ok("models", "rm", "org/tiny")
        self.assertTrue(os.path.exists(self.path("precious/x")))

    def test_a_short_name(self):
        self.hub.repos["sentence-transformers/all-MiniLM-L6-v2"] = Repo(folder_files(TINY))
        self.run_ok("pull", "minilm")
        self.run_ok("models", "rm", "minilm")
        self.assertEqual(self.listed(), [])


if __name__ == "__main__":
    unittest.main()

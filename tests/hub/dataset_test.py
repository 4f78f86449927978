"""Texts from hf://datasets/…: which files an address means, all of one commit, checked, fetched one ahead and gone behind the work."""
import collections
import gzip
import json
import os
import signal
import subprocess
import threading
import time
import unittest

from faults import GUARD
from fixtures import variant
from hub import HubCase, Repo, sha256
from program import QUERN, has_open, json_rows, model

NAME, ADDRESS = "datasets/org/texts", "hf://datasets/org/texts"
ROWS = 400  # of a shard


def shard(i, rows=ROWS):
    return "".join(json.dumps({"key": i * rows + k, "text": f"fox {i} of {k} texts"}) + "\n" for k in range(rows)).encode()


def shards(n, rows=ROWS):
    return {f"data/train-{i:05}.jsonl.gz": gzip.compress(shard(i, rows), mtime=0) for i in range(n)}


class DatasetCase(HubCase):
    def setUp(self):
        super().setUp()
        self.files = {**shards(3), "data/test.jsonl": shard(9, 5), "data/notes.md": b"# none", "data/.hidden.txt": b"no\n",
                      "README.md": b"---\n---\n", "more/deep/a.txt": b"the fox\nthe user\n", "more/b.csv": b"text,key\nlazy,1\n"}
        self.repo = self.hub.repos[NAME] = Repo(self.files)
        os.mkdir(self.path("tmp"))
        self.env.update(TMPDIR=self.path("tmp"), HF_HUB_DISABLE_PROGRESS_BARS="1")
        self.addCleanup(self.assertNothingLeft)

    def assertNothingLeft(self):
        self.assertEqual(os.listdir(self.path("tmp")), [])
        self.assertFalse(os.path.exists(self.path("hf")))
        self.assertFalse(os.path.exists(self.path("own")))

    def rows(self, *args, **more):
        return json_rows(self.run_ok("embed", "-m", model(), "--quiet", *args, **more).stdout)

    def local(self, *paths, files=None):
        """What the same files give on this machine."""
        here = []
        for path in paths:
            os.makedirs(os.path.dirname(self.path("here/" + path)), exist_ok=True)
            here += ["-f", self.write("here/" + path, (files or self.files)[path])]
        return self.rows(*here)

    def refuses(self, address, *more, **options):
        return self.fails("embed", "-m", model(), "-f", address, "-o", self.path("v.npy"), *more, **options)

    def fetched(self):
        return [r.path.rsplit("/", 1)[1] for r in self.hub.log if "/resolve/" in r.path]


class Addresses(DatasetCase):
    def test_files_folders_and_patterns(self):
        all_three = self.local(*shards(3))
        self.assertEqual(len(all_three), 3 * ROWS)
        one = next(iter(shards(1)))
        for address, expected in (("data/*.jsonl.gz", all_three), ("data/train-0000[0-2]*", all_three), ("**/train*", all_three),
                                  ("*/train-*", all_three), (one, self.local(one)), ("data", self.local("data/test.jsonl", *shards(3))),
                                  ("data/", self.local("data/test.jsonl", *shards(3))), ("more/deep/a.txt", self.local("more/deep/a.txt")),
                                  ("more", self.local("more/b.csv")), ("**/*.txt", self.local("data/.hidden.txt", "more/deep/a.txt"))):
            with self.subTest(address=address):
                self.assertEqual(self.rows("-f", f"{ADDRESS}/{address}"), expected)
        mixed = self.rows("-p", "first", "-f", f"{ADDRESS}/more/b.csv", self.write("last.txt", "last\n"))
        self.assertEqual(mixed, self.rows("-p", "first", "-p", "lazy", "-p", "last"))

    def test_revisions(self):
        before = self.local("data/test.jsonl")
        self.repo.revisions.update({"v1": self.repo.commit, "refs/convert/parquet": self.repo.commit, "refs/pr/3": self.repo.commit})
        commit = self.repo.commit
        self.repo.move({"data/test.jsonl": b'{"text": "new"}\n'})
        self.assertEqual(self.rows("-f", f"{ADDRESS}/data/test.jsonl"), self.rows("-p", "new"))
        for revision in ("v1", commit, "refs%2Fpr%2F3", "refs/pr/3", "refs/convert/parquet", "~parquet"):
            with self.subTest(revision=revision):
                self.hub.log.clear()
                self.assertEqual(self.rows("-f", f"{ADDRESS}@{revision}/data/test.jsonl"), before)
                self.assertEqual({r.path.split("/")[5] for r in self.hub.log if "/resolve/" in r.path}, {commit})
        self.assertEqual(len(self.hub.paths()), 3)

    def test_one_commit_for_all(self):
        """The branch moves while its shards are fetched."""
        commit, expected = self.repo.commit, self.local(*shards(3))

        def move(request):
            if "/resolve/" in request.path:
                self.repo.move({"data/train-00000.jsonl.gz": gzip.compress(b'{"text": "other"}\n')})
        self.hub.hook = move
        self.assertEqual(self.rows("-f", f"{ADDRESS}/data/train*"), expected)
        self.assertEqual({r.path.split("/")[5] for r in self.hub.log if "/resolve/" in r.path}, {commit})

    def test_only_what_is_needed_is_listed(self):
        for address, query in (("data/*.jsonl.gz", "/data?recursive=false"), ("**/train*", "?recursive=true"), ("data/test.jsonl", "/data?recursive=false"),
                               ("*.md", "?recursive=false"), ("more/*/a.txt", "/more?recursive=true")):
            self.hub.log.clear()
            self.run_ok("embed", "-m", model(), "--quiet", "-f", f"{ADDRESS}/{address}", "--input-format", "text", "-o", self.path("v.npy"))
            lists = [p for p in self.hub.paths() if "/tree/" in p]
            self.assertEqual(lists, [f"GET /api/{NAME}/tree/{self.repo.commit}{query}&expand=false"])
        self.hub.page = 2
        self.assertEqual(len(self.rows("-f", f"{ADDRESS}/**/train*")), 3 * ROWS)
        self.assertGreater(len([p for p in self.hub.paths() if "cursor=" in p]), 2)

    def test_mirrors_without_lists(self):
        self.hub.missing_endpoints.add("tree")
        self.assertEqual(self.rows("-f", f"{ADDRESS}/data/*.gz"), self.local(*shards(3)))
        self.assertEqual(self.rows("-f", f"{ADDRESS}/more"), self.local("more/b.csv"))

    def test_other_commands(self):
        local = self.write("t.jsonl", self.files["data/test.jsonl"])
        for command in (("rerank", "-q", "fox 9", "--json"), ("classify", "--json"), ("tokenize",)):
            with self.subTest(command=command):
                name = self.labelled() if command[0] != "tokenize" else model()
                quiet = [] if command[0] == "tokenize" else ["--quiet"]
                found = self.run_ok(command[0], "-m", name, *quiet, *command[1:], "-f", f"{ADDRESS}/data/test.jsonl").stdout
                self.assertEqual(found, self.run_ok(command[0], "-m", name, *quiet, *command[1:], "-f", local).stdout)

    def labelled(self):
        """A model that labels and scores."""
        if not os.path.exists(self.path("labels")):
            variant(self.path("labels"), "bert", "BertForSequenceClassification", labels=["score"])
        return self.path("labels")

    def test_wrong_addresses(self):
        for address, says in (("hf://org/model/x.txt", "datasets"), ("hf://spaces/org/x/y.txt", "datasets"), ("hf://datasets/squad", "datasets/org/name"),
                              ("hf://datasets/or g/name/x", "or g/name"), (ADDRESS + "@../x/y", "no branch"), (ADDRESS + "/../x", "no path"),
                              (ADDRESS + "/a//b", "no path"), (ADDRESS + "@/x", "no branch"), ("hf://", "datasets"), ("hf://datasets/", "datasets/org/name")):
            with self.subTest(address=address):
                self.refuses(address, code=2, says=(says, "expected hf://datasets/org/name/"))
        self.assertEqual(self.hub.log, [])

    def test_what_is_not_there(self):
        self.refuses(f"{ADDRESS}/data/none.jsonl", says=("datasets/org/texts", "no file data/none.jsonl", "data/test.jsonl"))
        self.refuses(f"{ADDRESS}/data/*.parquet", says=("no file data/*.parquet", "there are", "data/test.jsonl"))
        self.refuses(f"{ADDRESS}/none/*.parquet", says="no file none/*.parquet")
        self.refuses(ADDRESS, says=(ADDRESS, "expected files of texts", ".parquet"))
        self.refuses(f"{ADDRESS}@v9/x.txt", says=("org/texts@v9", "'v9'", f"{self.hub.url}/{NAME}"))
        self.refuses("hf://datasets/org/none/x.txt", says=("datasets/org/none", "no such repository", "HF_TOKEN"))
        self.refuses(f"{ADDRESS}/data/train*", env={"HF_ENDPOINT": "http://127.0.0.1:1"}, says=("127.0.0.1:1", "cannot be reached"))
        self.refuses(f"{ADDRESS}/data/train*", env={"TMPDIR": self.path("nowhere")}, says=("nowhere", "TMPDIR"))
        self.assertFalse(os.path.exists(self.path("v.npy")))

    def test_offline(self):
        for more, env, word in ((["--offline"], {}, "offline"), ([], {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE")):
            self.refuses(f"{ADDRESS}/data/train*", *more, env=env, says=("datasets/org/texts", "nothing is downloaded", word))
        self.assertEqual(self.hub.log, [])

    def test_access(self):
        self.repo.gated = "auto"
        self.refuses(f"{ADDRESS}/data/train*", says=("gated", f"{self.hub.url}/{NAME}", "HF_TOKEN"))
        self.refuses(f"{ADDRESS}/data/train*", env={"HF_TOKEN": "hf_other"}, says=("gated", "account"))
        self.repo.gated, self.repo.private = False, True
        self.refuses(f"{ADDRESS}/data/train*", says=("private", "HF_TOKEN"))
        self.hub.log.clear()
        self.assertEqual(self.rows("-f", f"{ADDRESS}/data/train*", env={"HF_TOKEN": "hf_good"}), self.local(*shards(3)))
        self.assertEqual({r.headers.get("Authorization") for r in self.hub.log if r.where == "storage"}, {None})
        self.assertEqual({r.headers.get("Authorization") for r in self.hub.log if r.where == "hub"}, {"Bearer hf_good"})


class Faults(DatasetCase):
    def test_a_connection_that_ends(self):
        second = self.files["data/train-00001.jsonl.gz"]
        left = [0, 7, 900]

        def cut(request):
            if request.where != "storage" or not request.path.endswith(sha256(second)) or not left:
                return False
            request.cut(second, left.pop(0))
            return True
        self.hub.hook = cut
        self.assertEqual(self.rows("-f", f"{ADDRESS}/data/train*"), self.local(*shards(3)))
        self.assertTrue(any(r.headers.get("Range") for r in self.hub.log))
        left = [0] * 1000
        self.refuses(f"{ADDRESS}/data/train*", says=("train-00001.jsonl.gz", "ends early again and again"))

    def test_a_shard_that_goes(self):
        gone = "data/train-00002.jsonl.gz"
        self.hub.hook = lambda r: "/resolve/" in r.path and r.path.endswith(gone) and (r.refuse(404, "EntryNotFound") or True)
        self.refuses(f"{ADDRESS}/data/train*", says=("datasets/org/texts", gone))

    def test_a_shard_that_changes(self):
        for path in ("data/train-00001.jsonl.gz", "data/test.jsonl"):  # in Git LFS, and in Git
            right = self.files[path]
            wrong = right[:-1] + bytes([right[-1] ^ 1])

            def lie(request, right=right, wrong=wrong, path=path):
                if request.path.endswith(sha256(right)) or request.path.endswith("/" + path):
                    if request.where == "hub" and path.endswith(".gz"):
                        return False
                    request.bytes(wrong)
                    return True
                return False
            self.hub.hook = lie
            self.refuses(f"{ADDRESS}/data/*", "--input-format", "text", says=("datasets/org/texts", path, "expected", "found", "nothing of it is kept"))

    def test_a_shard_of_another_size(self):
        path = "data/train-00000.jsonl.gz"
        self.hub.hook = lambda r: r.where == "storage" and (r.bytes(self.files[path] + b"more") or True)
        self.refuses(f"{ADDRESS}/data/train*", says=(path, "expected", "bytes"))

    def test_what_is_in_a_shard_is_named(self):
        self.repo.move({**self.files, "data/train-00001.jsonl.gz": gzip.compress(b'{"text": "fox"}\n{"body": "fox"}\n')})
        self.refuses(f"{ADDRESS}/data/train*", says=(f"{ADDRESS}/data/train-00001.jsonl.gz: line 2", "--field", "body"))


class Held(DatasetCase):
    """Six shards, and a Hub that keeps a run waiting."""

    def setUp(self):
        super().setUp()
        self.many = shards(6)
        self.repo.move(self.many)
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self.addCleanup(self.go_on.set)

    def start(self, *args):
        return subprocess.Popen([QUERN, "embed", "-m", model(), "-f", f"{ADDRESS}/data/*", *args], env={**os.environ, **self.env},
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def hold(self, path):
        """The answer to this file waits for go_on."""
        def wait(request):
            if "/resolve/" not in request.path or not request.path.endswith(path):
                return False
            self.asked.set()
            self.go_on.wait(GUARD)
            return False
        self.hub.hook = wait


class Passing(Held):
    """What lies on the disk while a run works, and behind one that is ended."""

    def test_one_ahead(self):
        """A shard is asked for when the one before the one before it is read, and no more than two are there at once."""
        open_at = {}
        started = []

        def look(request):
            if "/resolve/" in request.path:
                place = f"/proc/{started[0].pid}/fd"
                names = [os.readlink(os.path.join(place, fd)) for fd in os.listdir(place)]
                open_at[request.path[-15:]] = len({n for n in names if n.startswith(self.path("tmp") + "/")})
            return False
        ready = threading.Event()
        self.hub.hook = lambda r: ready.wait(GUARD) and look(r)
        with self.start("-o", self.path("v.npy")) as process:
            started.append(process)
            ready.set()
            self.assertEqual(process.wait(GUARD), 0, process.stderr.read())
        self.assertEqual(len(open_at), 6)
        self.assertLessEqual(max(open_at.values()), 2, open_at)
        self.assertEqual(self.fetched(), sorted(self.fetched()))

    def test_ended_by_a_signal(self):
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            for out in ("v.npy", "-"):
                with self.subTest(how=how, out=out):
                    self.asked.clear()
                    self.go_on.clear()
                    self.hold("train-00002.jsonl.gz")
                    out = out if out == "-" else self.path(out)
                    with self.start("-o", out, "--restart", "--journal-every", "0") if out != "-" else self.start() as process:
                        self.assertTrue(self.asked.wait(GUARD))
                        self.assertTrue(has_open(process, self.path("tmp")))
                        self.assertEqual(os.listdir(self.path("tmp")), [])
                        process.send_signal(how)
                        self.assertEqual(process.wait(GUARD), 128 + how if out != "-" and how != signal.SIGKILL else -how)
                    self.go_on.set()
                    self.assertEqual(os.listdir(self.path("tmp")), [])


class GoingOn(Held):
    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def stop_in(self, path, *more):
        """Killed once all before this shard is in the journal."""
        self.asked.clear()
        self.go_on.clear()
        self.hold(path)
        with self.start("-o", self.path("v.jsonl"), "--keep", "key", "--journal-every", "0", *more) as process:
            self.assertTrue(self.asked.wait(GUARD))
            records = -1
            while records < 0 or self.records() != records:  # what it has is worked on to its end
                records = self.records()
                time.sleep(0.5)
            self.assertGreater(records, 0)
            process.kill()
            process.wait(GUARD)
        self.go_on.set()
        self.hub.hook = None
        self.hub.log.clear()
        return records

    def records(self):
        try:
            last = self.read("v.jsonl.journal").decode().splitlines()[-1]
            return json.loads(last[9:]).get("records", -1)
        except (OSError, IndexError, ValueError):
            return -1

    def resume(self, *more, address=f"{ADDRESS}/data/*"):
        self.run_ok("embed", "-m", model(), "-f", address, "-o", self.path("v.jsonl"), "--keep", "key", "--resume", *more)

    def whole(self, *more):
        self.run_ok("embed", "-m", model(), "-f", f"{ADDRESS}/data/*", "-o", self.path("whole.jsonl"), "--keep", "key", *more)
        return self.read("whole.jsonl")

    def test_killed(self):
        """Shards that are done are not fetched again."""
        expected = self.whole()
        last = (self.stop_in("train-00004.jsonl.gz") - 1) // ROWS
        self.resume()
        self.assertEqual(self.read("v.jsonl"), expected)
        self.assertGreater(last, 0)
        self.assertEqual(self.fetched(), [f"train-0000{i}.jsonl.gz" for i in range(last, 6)])
        self.assertEqual(sorted(f for f in os.listdir(self.dir) if f.startswith("v.")), ["v.jsonl"])

    def test_killed_part(self):
        expected = self.whole("--shard", "2/2")
        # The part's second shard, asked for by the pass that counts the texts too.
        seen = collections.Counter()

        def second(request):
            seen[request.path] += "/resolve/" in request.path
            if not request.path.endswith("train-00005.jsonl.gz") or seen[request.path] < 2:
                return False
            self.asked.set()
            self.go_on.wait(GUARD)
            return False
        self.hold = lambda path: setattr(self.hub, "hook", second)
        self.stop_in("", "--shard", "2/2")
        self.resume("--shard", "2/2")
        self.assertEqual(self.read("v.jsonl"), expected)
        self.assertEqual(self.fetched(), ["train-00004.jsonl.gz", "train-00005.jsonl.gz"])

    def test_a_branch_that_moves(self):
        expected, commit = self.whole(), self.repo.commit
        self.stop_in("train-00003.jsonl.gz")
        new = self.repo.move({**self.many, "README.md": b"moved"})
        args = ["embed", "-m", model(), "-o", self.path("v.jsonl"), "--keep", "key", "--resume"]
        self.fails(*args, "-f", f"{ADDRESS}/data/*", code=2, says=(f"commit of {ADDRESS}", commit, new, "--restart"))
        self.resume(address=f"{ADDRESS}@{commit}/data/*")
        self.assertEqual(self.read("v.jsonl"), expected)

    def test_a_hub_that_goes_away(self):
        """What is done is kept, and gone on with."""
        expected = self.whole()
        self.hub.hook = lambda r: "train-00004" in r.path and (r.refuse(403, message="no") or True)
        text = self.fails("embed", "-m", model(), "-f", f"{ADDRESS}/data/*", "-o", self.path("v.jsonl"), "--keep", "key", "--journal-every", "0",
                          "--quiet", says=("texts are done and kept", "--resume"))
        self.assertIn("datasets/org/texts", text)
        self.hub.hook = None
        self.resume()
        self.assertEqual(self.read("v.jsonl"), expected)

    def test_parts(self):
        expected, parts = self.whole(), b""
        for i in range(1, 5):
            self.hub.log.clear()
            self.run_ok("embed", "-m", model(), "-f", f"{ADDRESS}/data/*", "-o", self.path("p.jsonl"), "--keep", "key", "--shard", f"{i}/4")
            parts += self.read("p.jsonl")
            again = self.fetched()[6:]  # behind the pass that counts
            self.assertEqual(again, [f"train-0000{k}.jsonl.gz" for k in ((0, 1), (1, 2), (3, 4), (4, 5))[i - 1]])
        self.assertEqual(parts, expected)


if __name__ == "__main__":
    unittest.main()

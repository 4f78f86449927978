"""Names that climb out of the cache, caches that lead out of themselves or cannot be written, processes at once."""
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from hub import HubCase, Repo, folder_files, sha256
from program import QUERN, TINY, quern

GUARD = 600


class Hostile(HubCase):
    def setUp(self):
        super().setUp()
        self.repo = self.hub.repos["org/tiny"] = Repo(folder_files(TINY))
        self.weights = self.repo.files["model.safetensors"]

    def everything(self):
        """All names below the test's folder."""
        return sorted(os.path.join(place, name) for place, folders, names in os.walk(self.dir) for name in folders + names)

    def test_names_of_models(self):
        before = self.everything()
        for name in ("../tiny", "org/..", "org/../../x", "/org/tiny/x", "org\\tiny", "org/ti ny", "org/tiny\n", "org//tiny",
                     "org/tiny/", "a/b/c", "-org/tiny", "org/tiny.git", "~org/tiny", "org/" + "x" * 97, "org/ti\x01ny",
                     "https://huggingface.co/org/tiny"):
            self.fails("pull", "--", name, says="no such file or folder")
        for name in ("org/tiny@../x", "org/tiny@a..b", "org/tiny@/x", "org/tiny@a\\b", "org/tiny@a\nb", "org/tiny@" + "x" * 256,
                     "org/tiny@", "org/tiny:../x.gguf", "org/tiny:/x.gguf", "org/tiny:a\\b", "org/tiny:"):
            self.fails("pull", "--", name, says="org/tiny")
            self.fails("models", "rm", "--", name, says="org/tiny")
        for name in ("..", "../..", "/", "org/..", ".", ""):
            self.fails("models", "rm", "--", name)
        self.fails("embed", "-m", "", "-p", "x", says="empty")
        self.assertEqual(self.hub.log, [])
        self.assertEqual(self.everything(), before)

    def test_a_missing_file_is_not_asked_for(self):
        for name in ("models/minilm.q8", "models/x.gguf", "minilm.q8", "x/model.safetensors", "nothing"):
            self.fails("embed", "-m", name, "-p", "x", says=(name, "no such file"))
        self.assertEqual(self.hub.log, [])

    def test_names_of_files(self):
        for path in ("../x", "a/../../x", "/etc/x", "a\\..\\x", "C:/x", "a//b", "./a", "a/", "", "..", "a\u0000b", "a\nb", "\u007f"):
            files = {**self.repo.files, path: b"x"}
            self.hub.repos["org/climbs"] = Repo(files)
            shutil.rmtree(self.path("hf"), ignore_errors=True)
            self.fails("pull", "org/climbs", "--include", "*", says=("org/climbs", "does not stay inside"))
            self.assertFalse(os.path.exists(self.cache("models--org--climbs", "snapshots")))
        odd = {**self.repo.files, "ein bißchen/ö%20?#&+.txt": b"odd", "..a/b..": b"fine"}
        self.hub.repos["org/odd"] = Repo(odd)
        folder = self.run_ok("pull", "org/odd", "--include", "*").stdout.decode().rstrip("\n")
        self.assertEqual(folder_files(folder), odd)
        modules = json.loads(self.repo.files["modules.json"])
        modules[1]["path"] = "../../x"
        self.hub.repos["org/modules"] = Repo({**self.repo.files, "modules.json": json.dumps(modules).encode()})
        self.fails("pull", "org/modules", says=("../../x", "does not stay inside"))
        kept = self.cache("models--org--tiny", "trees")  # a list in the cache is no more to be trusted
        os.makedirs(kept)
        with open(os.path.join(kept, self.repo.commit + ".json"), "w", encoding="utf-8") as f:
            json.dump({"format_version": 1, "files": {"../../../../x": {"size": 1, "blob_id": "0" * 40}}}, f)
        self.run_ok("pull", "org/tiny")

    def test_links_out_of_the_cache(self):
        self.run_ok("pull", "org/tiny")
        secret = self.write("secret", self.repo.files["config.json"])
        link = self.cache("models--org--tiny", "snapshots", self.repo.commit, "config.json")
        os.unlink(link)
        os.symlink(secret, link)
        shutil.rmtree(self.path("own"))
        self.fails("embed", "-m", "org/tiny", "-p", "x", "--offline", says=("config.json", "leads out of the Hub cache", "secret"))
        self.fails("pull", "org/tiny", says="leads out of the Hub cache")
        os.unlink(link)
        self.run_ok("pull", "org/tiny")
        outside = self.path("outside")  # a folder of the snapshot
        os.mkdir(outside)
        pooling = self.cache("models--org--tiny", "snapshots", self.repo.commit, "1_Pooling")
        shutil.rmtree(pooling)
        os.symlink(outside, pooling)
        self.fails("pull", "org/tiny", says="leads out of")
        self.assertEqual(os.listdir(outside), [])
        os.unlink(pooling)
        self.run_ok("pull", "org/tiny")
        partial = self.cache("models--org--tiny", "blobs", sha256(b"new") + ".quern.incomplete")
        os.symlink(secret, partial)  # a partial file that is a link is not written through
        self.repo.move({**self.repo.files, "model.safetensors": b"new"})
        self.fails("pull", "org/tiny", says="quern.incomplete")
        with open(secret, "rb") as f:
            self.assertEqual(f.read(), self.repo.files["config.json"])

    def test_a_cache_on_another_disk(self):
        """Links of whole folders are the user's own."""
        os.makedirs(self.path("disk"))
        os.makedirs(self.cache())
        os.symlink(self.path("disk"), self.cache("models--org--tiny"))
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")
        self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--offline", env={"QUERN_CACHE": self.path("own2")})
        self.run_ok("models", "rm", "org/tiny")
        self.assertFalse(os.path.lexists(self.cache("models--org--tiny")))

    def test_snapshots_that_are_not_whole(self):
        """With a list of its files and without one, a snapshot that lacks some is no model."""
        self.run_ok("pull", "org/tiny")
        snapshot = self.cache("models--org--tiny", "snapshots", self.repo.commit)
        tree = self.cache("models--org--tiny", "trees", self.repo.commit + ".json")
        for listed in (True, False):
            if not listed:
                os.unlink(tree)
            for name in ("model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json", "modules.json"):
                if not listed and name in ("1_Pooling/config.json", "modules.json"):
                    continue
                shutil.rmtree(self.path("own"), ignore_errors=True)
                os.rename(os.path.join(snapshot, name), self.path("away"))
                self.fails("embed", "-m", "org/tiny", "-p", "x", "--offline", says=("org/tiny", "not whole", "quern pull"))
                self.hub.log.clear()
                self.run_ok("embed", "-m", "org/tiny", "-p", "x")  # the blob is still there: nothing of it comes again
                self.assertEqual([p for p in self.hub.paths() if "/resolve/" in p], [])
                if not listed:
                    os.unlink(tree)
        self.hub.stop()  # a whole snapshot without a list, and nobody to ask
        shutil.rmtree(self.path("own"))
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")
        short = os.path.join(snapshot, "tokenizer.json")
        os.unlink(short)
        shutil.rmtree(self.path("own"))
        self.fails("embed", "-m", "org/tiny", "-p", "x", says="cannot be reached")

    def test_a_file_of_another_size(self):
        self.run_ok("pull", "org/tiny")
        blob = self.cache("models--org--tiny", "blobs", sha256(self.weights))
        os.chmod(blob, 0o644)
        with open(blob, "r+b") as f:
            f.truncate(100)
        shutil.rmtree(self.path("own"))
        self.fails("embed", "-m", "org/tiny", "-p", "x", "--offline", says="model.safetensors")
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")

    def test_wrong_refs(self):
        self.run_ok("pull", "org/tiny")
        ref = self.cache("models--org--tiny", "refs", "main")
        for text in ("../../..", "", "main", "x" * 5000):
            with open(ref, "w", encoding="utf-8") as f:
                f.write(text)
            self.fails("embed", "-m", "org/tiny", "-p", "x", says=ref)
        self.run_ok("pull", "org/tiny")
        self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--offline")

    def test_a_full_disk(self):
        """A limit of file sizes stands for it: a sentence, and nothing that is taken for a model."""
        def limited(size):
            def limit():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            return limit
        env = {**os.environ, **self.env, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        done = subprocess.run([QUERN, "pull", "org/tiny"], env=env, capture_output=True, preexec_fn=limited(len(self.weights) // 2))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"make room", done.stderr)
        self.assertIn(self.path("hf").encode(), done.stderr)
        self.assertEqual(done.stderr.count(b"\n"), 1)
        self.assertFalse(os.path.exists(self.cache("models--org--tiny", "refs", "main")))
        self.run_ok("pull", "org/tiny", "--type", "source")
        done = subprocess.run([QUERN, "embed", "-m", "org/tiny", "-p", "x"], env=env, capture_output=True, preexec_fn=limited(20000))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"QUERN_CACHE", done.stderr)
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")
        self.assertEqual([n for _, _, names in os.walk(self.path("own")) for n in names if "tmp" in n], [])

    def test_more_than_fits(self):
        """Seen before anything is downloaded."""
        original = self.hub.item

        def item(path, data):
            made = original(path, data)
            if path == "model.safetensors":
                made["lfs"]["size"] = made["size"] = 1 << 60
            return made
        self.hub.item = item
        self.fails("pull", "org/tiny", says=("MB in the Hub cache", "has room for"))
        self.assertEqual(self.hub.paths("storage"), [])

    def as_nobody(self, *args, env=None):
        """As a user who owns nothing here: root may write everywhere."""
        if os.geteuid() != 0:
            return quern(*args, env={**self.env, **(env or {})})
        place = tempfile.mkdtemp(prefix="quern-nobody-")
        self.addCleanup(shutil.rmtree, place)
        os.chmod(place, 0o755)
        os.chmod(self.dir, 0o755)
        program = shutil.copy(QUERN, place)

        def become():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        return subprocess.run([program, *args], cwd="/", env={**os.environ, **self.env, **(env or {})}, capture_output=True,
                              preexec_fn=become, check=False)

    def test_a_cache_that_cannot_be_written(self):
        self.run_ok("pull", "org/tiny")
        for place, _, names in os.walk(self.path("hf")):
            os.chmod(place, 0o555)
            for name in names:
                if not os.path.islink(os.path.join(place, name)):
                    os.chmod(os.path.join(place, name), 0o444)
        self.addCleanup(lambda: [os.chmod(p, 0o755) for p, _, _ in os.walk(self.path("hf"))])
        own = self.path("theirs")
        os.mkdir(own)
        os.chmod(own, 0o777)
        quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        done = self.as_nobody("embed", "-m", "org/tiny", "-p", "x", env={**quiet, "QUERN_CACHE": own})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.repo.move({**self.repo.files, "README.md": b"new"})
        done = self.as_nobody("pull", "org/tiny", env={**quiet, "QUERN_CACHE": own})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"HF_HUB_CACHE", done.stderr)
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        os.makedirs(self.path("locked"))
        os.chmod(self.path("locked"), 0o555)
        done = self.as_nobody("embed", "-m", "org/tiny", "-p", "x", env={**quiet, "QUERN_CACHE": self.path("locked")})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"QUERN_CACHE", done.stderr)
        done = self.as_nobody("embed", "-m", "org/tiny", "-p", "x", "--type", "source", env={**quiet, "QUERN_CACHE": self.path("locked")})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_locks_and_their_rights(self):
        old = os.umask(0o077)
        self.addCleanup(os.umask, old)
        self.run_ok("pull", "org/tiny")
        for place, _, names in os.walk(self.cache(".locks")):
            for name in names:
                self.assertEqual(stat.S_IMODE(os.stat(os.path.join(place, name)).st_mode), 0o664)

    def test_two_at_once(self):
        """Each file is downloaded once, and both have the model."""
        gate = threading.Event()
        self.hub.hook = lambda r: r.where == "storage" and gate.wait(GUARD) and False
        env = {**os.environ, **self.env}
        many = [subprocess.Popen([QUERN, "embed", "-m", "org/tiny", "-p", "x", "--quiet"], env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE) for _ in range(4)]
        end = time.monotonic() + GUARD
        while not self.hub.paths("storage"):  # the first holds what it downloads; the others come, each as far as it may
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        time.sleep(1)
        gate.set()
        results = [p.communicate(timeout=GUARD) for p in many]
        self.assertEqual([p.returncode for p in many], [0] * 4, results)
        self.assertEqual(len({out for out, _ in results}), 1)
        resolved = [p for p in self.hub.paths() if "/resolve/" in p]
        self.assertEqual(len(resolved), len(set(resolved)))
        self.assertEqual(len(self.hub.paths("storage")), 1)

    def test_stopped_by_a_signal(self):
        """Ctrl-C while it downloads, and while it waits: at once, with what came kept."""
        came = threading.Event()
        stop = threading.Event()
        self.addCleanup(stop.set)

        def stall(request):
            if request.where != "storage":
                return False
            came.set()
            stop.wait(GUARD)
            return True
        self.hub.hook = stall
        with subprocess.Popen([QUERN, "pull", "org/tiny"], env={**os.environ, **self.env}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            came.wait(GUARD)
            second = subprocess.Popen([QUERN, "pull", "org/tiny"], env={**os.environ, **self.env}, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)
            with second:
                end = time.monotonic() + GUARD
                while len([p for p in self.hub.paths() if "/revision/" in p]) < 2:
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.01)
                time.sleep(0.3)
                for one in (second, process):
                    one.send_signal(signal.SIGINT)
                    out, err = one.communicate(timeout=GUARD)
                    self.assertEqual(one.returncode, 130, err)
                    self.assertIn(b"stopped by Interrupt", err)
        stop.set()
        self.hub.hook = None
        self.run_ok("pull", "org/tiny")


if __name__ == "__main__":
    unittest.main()

"""quern and huggingface_hub itself over one cache: each reads what the other wrote. Needs the packages of tests/server/requirements.txt."""
import gzip
import json
import os
import subprocess
import sys
import unittest

import huggingface_hub  # noqa: F401  fails here, and not in a child, where it is missing
from hub import HubCase, Repo, folder_files
from program import QUERN, TINY
from push_hub import PushHub


class Interop(HubCase):
    def setUp(self):
        super().setUp()
        self.repo = self.hub.repos["org/tiny"] = Repo(folder_files(TINY))
        self.env = {**self.env, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
                    "XDG_CACHE_HOME": self.path("xdg")}
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH"):
            self.env.pop(name)  # huggingface_hub takes an empty one as a path

    def python(self, code, env=None):
        """What the code prints as its last line, as JSON."""
        outside = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH")}
        done = subprocess.run([sys.executable, "-c", "import json\nfrom huggingface_hub import *\n" + code],
                              env={**outside, **self.env, **(env or {})}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def test_quern_wrote_it(self):
        self.run_ok("pull", "org/tiny")
        kept = set(folder_files(self.cache("models--org--tiny", "snapshots", self.repo.commit)))
        self.hub.log.clear()
        for path in kept:
            found = self.python(f"print(json.dumps(hf_hub_download('org/tiny', {path!r}, local_files_only=True)))")
            with open(found, "rb") as f:
                self.assertEqual(f.read(), self.repo.files[path])

        report = self.python("c = scan_cache_dir()\nprint(json.dumps([[str(w) for w in c.warnings], "
                             "[[r.repo_id, r.nb_files, [[x.commit_hash, sorted(x.refs)] for x in r.revisions]] for r in c.repos]]))")
        self.assertEqual(report, [[], [["org/tiny", len(kept), [[self.repo.commit, ["main"]]]]]])
        self.assertEqual([p for p in self.hub.paths() if "org/tiny" in p], [])
        self.python("print(json.dumps(snapshot_download('org/tiny')))")
        again = [p for p in self.hub.paths() if any(p.endswith("/" + path) for path in kept)]
        self.assertEqual([p for p in again if p.startswith("GET")], [])
        self.assertEqual(self.hub.paths("storage"), [])

    def test_huggingface_hub_wrote_it(self):
        for env in ({}, {"HF_HUB_DISABLE_SYMLINKS": "1"}):
            env = {**env, "HF_HOME": self.path("hf" + str(len(env))), "QUERN_CACHE": self.path("own" + str(len(env)))}
            self.python("print(json.dumps(snapshot_download('org/tiny')))", env=env)
            self.hub.log.clear()
            self.run_ok("embed", "-m", "org/tiny", "-p", "x", env=env)
            self.run_ok("inspect", "org/tiny", "--type", "source", "--offline", env=env)
            self.assertEqual(self.hub.log, [])
            self.run_ok("pull", "org/tiny", env=env)
            self.assertEqual([p for p in self.hub.paths() if "/resolve/" in p], [])

    def test_what_it_began(self):
        """One file of it alone, or a snapshot without its weights, is no model yet."""
        for code in ("hf_hub_download('org/tiny', 'config.json')", "snapshot_download('org/tiny', ignore_patterns='*.safetensors')"):
            self.python(f"print(json.dumps({code}))")
            self.fails("embed", "-m", "org/tiny", "-p", "x", "--offline", says="not whole")
        self.hub.log.clear()
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")
        self.assertEqual(len([p for p in self.hub.paths() if "/resolve/" in p]), 1)

    def test_at_once(self):
        """The same files by both at once: right in the end, and no warning of a broken cache."""
        code = "from huggingface_hub import *\nsnapshot_download('org/tiny')"
        env = {**os.environ, **self.env}
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH"):
            env.pop(name, None)
        running = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                   for command in ([sys.executable, "-c", code], [QUERN, "pull", "org/tiny"], [sys.executable, "-c", code])]
        results = [p.communicate() for p in running]
        self.assertEqual([p.returncode for p in running], [0, 0, 0], results)
        self.assertEqual(self.python("print(json.dumps([str(w) for w in scan_cache_dir().warnings]))"), [])
        self.assertEqual(folder_files(self.cache("models--org--tiny", "snapshots", self.repo.commit)), self.repo.files)

    def test_removal(self):
        self.python("print(json.dumps(snapshot_download('org/tiny')))")
        self.run_ok("models", "rm", "org/tiny")
        self.assertEqual(self.python("c = scan_cache_dir()\nprint(json.dumps([len(c.repos), [str(w) for w in c.warnings]]))"), [0, []])
        self.run_ok("pull", "org/tiny")
        self.python(f"scan_cache_dir().delete_revisions({self.repo.commit!r}).execute()\nprint(json.dumps(1))")
        self.fails("inspect", "org/tiny", "--type", "source", "--offline", says="org/tiny")

    def test_both_read_a_dataset(self):
        files = {"data/a.jsonl.gz": gzip.compress(b'{"text": "fox"}\n' * 3), "data/b.jsonl": b'{"text": "user"}\n', "data/c.txt": b"no\n"}
        self.hub.repos["datasets/org/texts"] = Repo(files)
        folder = self.python("print(json.dumps(snapshot_download('org/texts', repo_type='dataset', allow_patterns='data/*.jsonl*')))")
        there = [self.run_ok("embed", "-m", "org/tiny", "-f", source).stdout
                 for source in (os.path.join(folder, "data"), "hf://datasets/org/texts/data/*.jsonl*")]
        self.assertEqual(there[0], there[1])
        self.assertEqual(there[0].count(b"\n"), 4)

    def test_both_push_alike(self):
        """huggingface_hub's own client is what says that the Hub of these tests is one; and quern leaves the same there."""
        self.hub.stop()
        self.hub = PushHub()
        self.addCleanup(self.hub.stop)
        self.env.update(HF_ENDPOINT=self.hub.url, HF_TOKEN="hf_good")
        for chunk in (None, 50000):
            self.hub.chunk = chunk
            self.hub.lfs.clear()
            self.hub.repos.clear()
            for file in ("README.md", "large.bin"):
                self.write(file, b"---\nlicense: mit\n---\n# x\n" if file == "README.md" else os.urandom(120001))
            folder = self.path("pushed")
            os.makedirs(folder, exist_ok=True)
            for file in ("README.md", "large.bin"):
                os.replace(self.path(file), os.path.join(folder, file))
            self.python(f"a = HfApi()\na.create_repo('org/theirs')\na.upload_folder(folder_path={folder!r}, repo_id='org/theirs')\n"
                        "a.create_tag('org/theirs', tag='v1')\nprint(json.dumps(1))")
            theirs, stored = self.hub.repos["org/theirs"], dict(self.hub.lfs)
            self.hub.lfs.clear()
            self.run_ok("push", folder, "org/ours", "--tag", "v1")
            ours = self.hub.repos["org/ours"]
            self.assertEqual((ours.at[ours.revisions["v1"]], self.hub.lfs), (theirs.at[theirs.revisions["v1"]], stored))
            self.assertEqual(set(stored), {sha for sha in self.hub.lfs})


if __name__ == "__main__":
    unittest.main()

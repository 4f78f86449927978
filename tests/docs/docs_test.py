"""What the documentation says: links lead somewhere, commands of README run, flags exist.

Commands run in an empty folder, with tiny models under the names that the pages use; requests go to a server with such models; names
of the Hub to a Hub on this machine.
"""
import functools
import glob
import gzip
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path[:0] = [os.path.join(os.environ["QUERN_TEST_DIR"], folder) for folder in ("cli", "server", "hub")]
import models  # noqa: E402
from hub import Hub, Repo, folder_files  # noqa: E402
from push_hub import PushHub  # noqa: E402
from program import QUERN, TINY  # noqa: E402
from server import Server  # noqa: E402

ROOT = os.path.dirname(os.environ["QUERN_TEST_DIR"])
PAGES = sorted(glob.glob(os.path.join(ROOT, "*.md")) + glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True) + [os.path.join(ROOT, "bindings", "python", "README.md")])
# Commands that ask for another machine, start a service or take hours: checked for their flags alone.
NOT_RUN = ("make", "curl", "pip", "psql", "scripts/setup", "python3 -c", "python3 examples/bulk_engines", "./quern serve", "quern serve")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def commands(text):
    """Lines of shell blocks without their comments."""
    for block in blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#\s.*", "", line).strip()
            if line and not line.startswith("#"):
                yield line


def slugs(text):
    """GitHub's names of a page's headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}


@functools.cache
def help_of(command):
    return subprocess.run([QUERN, command, "--help"], capture_output=True, text=True).stdout


class Links(unittest.TestCase):
    def test_they_lead_somewhere(self):
        n = 0
        for page in PAGES:
            text = re.sub(r"^```.*?^```", "", read(page), flags=re.S | re.M)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                file = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                with self.subTest(page=os.path.relpath(page, ROOT), link=target):
                    self.assertTrue(os.path.exists(file))
                    if anchor:
                        self.assertIn(anchor, slugs(read(file)))
                n += 1
        self.assertGreater(n, 50)

    def test_every_page_is_linked_from_the_readme_or_another(self):
        linked = set()
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#\s]+)", read(page)):
                linked.add(os.path.normpath(os.path.join(os.path.dirname(page), target)))
        alone = [os.path.relpath(p, ROOT) for p in PAGES if p not in linked and os.path.basename(p) != "README.md"]
        self.assertEqual(alone, [])


class Commands(unittest.TestCase):
    def test_flags_exist(self):
        n = 0
        for page in PAGES:
            for line in commands(read(page)):
                for part in re.split(r"\s[|&;]+\s", line):
                    words = re.sub(r"^(sudo |[A-Z_]+=\S+ )+", "", part).split()
                    program = os.path.basename(words[0]) if words else ""
                    if program not in ("quern", "embed") or len(words) < 2:
                        continue
                    command = "embed" if program == "embed" else words[1]
                    if command.startswith("-"):
                        continue
                    with self.subTest(page=os.path.relpath(page, ROOT), line=line):
                        self.assertTrue(help_of(command), f"no command {command}")
                        for flag in re.findall(r"(?<![\w-])(--[a-z][\w-]*)", part):
                            self.assertRegex(help_of(command), re.escape(flag) + r"\b")
                    n += 1
        self.assertGreater(n, 20)

    def test_make_targets_exist(self):
        targets = set(re.findall(r"^([a-z-]+):", read(os.path.join(ROOT, "Makefile")), re.M))
        named = {(os.path.relpath(page, ROOT), word) for page in PAGES for text in [*blocks(read(page), "sh"), *re.findall(r"`[^`\n]+`", read(page))]
                 for words in re.findall(r"(?:^|[`&] ?)make((?: [a-z][a-z-]*)+)(?![\w=])", text, re.M) for word in words.split()}
        self.assertGreater(len(named), 10)
        self.assertEqual([(page, word) for page, word in sorted(named) if word not in targets], [])

    def test_what_a_release_is_called(self):
        """The files that README's table of installation names are those of scripts/dist."""
        version = re.search(r"quern VERSION ([0-9.]+)", read(os.path.join(ROOT, "CMakeLists.txt")))[1]
        names = re.findall(r"(?:pyquern-|quern-|quern_|libquern0_|libquern-dev_)[0-9][\w.-]*\.(?:whl|deb|tar\.gz)", read(os.path.join(ROOT, "README.md")))
        self.assertEqual({re.sub(r".*?([0-9]+\.[0-9]+\.[0-9]+).*", r"\1", name) for name in names}, {version})
        self.assertEqual(len(names), 5)


MODELS = {"minilm": models.embedder, "minilm.q8": models.embedder, "nomic.q8": models.embedder, "bge-m3.q8": models.m3,
          "reranker.q8": models.reranker, "sst2.q8": models.classifier, "deberta-zeroshot.q8": models.inference, "smollm2.gguf": models.generator, "qwen2.5.q8": models.generator,
          "MODEL": models.generator, "OTHER": models.generator, "models/smollm2-135m-instruct.gguf": models.generator}
CSV = "key,title,url,body\n1,a,http://a,the quick fox\n2,b,http://b,\"a user, lazy\"\n"
TEXTS = {"texts.txt": "the quick fox\na lazy user\n", "docs.txt": "a fox\nthe user\n", "my.txt": "the quick fox\n",
         "sample.txt": "the quick fox\na lazy user\n", "docs.jsonl": '{"body": "the quick fox"}\n{"body": "a user"}\n',
         "articles.csv": CSV, "articles.csv.gz": CSV, "crawl.jsonl.gz": '{"text": "the quick fox"}\n', "2025/a.txt": "a fox\n",
         "2026/b.txt": "a user\n", "text.txt": "the quick fox jumps over the lazy user. " * 200}
# What tiny models don't have as real ones do.
OF_REAL_MODELS = {"--dimensions 256": "--dimensions 16", "--min-cosine 0.99": "--min-cosine 0.9", "-n 128": "-n 8", "-p 16,128": "-p 16,32",
                  "-p 512 -n 64": "-p 32 -n 8", "--ctx 512": "--ctx 64"}


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def npy(values, shape):
    head = str({"descr": "<f4", "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(values)}f", *values)


class Pages(unittest.TestCase):
    """Each page in the order of its commands: later ones read what earlier ones wrote."""

    def folder(self, leave_out=()):
        folder = tempfile.mkdtemp(prefix="quern-docs-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        shutil.copytree(TINY, os.path.join(folder, "all-MiniLM-L6-v2"))
        for name, text in TEXTS.items():
            write(os.path.join(folder, name), gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        write(os.path.join(folder, "ranges.npy"), npy([-1.0] * 64 + [1.0] * 64, (2, 64)))
        os.mkdir(os.path.join(folder, "models"))
        for name, make in MODELS.items():
            if name not in leave_out:
                os.symlink(make(), os.path.join(folder, name))
        os.symlink(QUERN, os.path.join(folder, "quern"))
        os.symlink("quern", os.path.join(folder, "embed"))
        return folder

    def run_page(self, name, least, env=None, leave_out=()):
        folder = self.folder(leave_out)
        path = {"PATH": folder + os.pathsep + os.environ["PATH"], "XDG_CACHE_HOME": os.path.join(folder, "cache"),
                "XDG_STATE_HOME": os.path.join(folder, "state")}
        n, kept = 0, []
        for line in commands(read(os.path.join(ROOT, name))):
            if line.startswith(NOT_RUN):
                continue
            for real, tiny in OF_REAL_MODELS.items():
                line = line.replace(real, tiny)
            with self.subTest(page=name, line=line):
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", "\n".join([*kept, line])], cwd=folder, input=b"hello\n",
                                      capture_output=True, env={**os.environ, **path, **(env or {})})
                self.assertEqual(done.returncode, 0, done.stderr.decode("utf-8", "replace")[-600:])
            kept += re.findall(r"export .*", line)  # for what follows
            n += 1
        self.assertGreaterEqual(n, least, name)

    def test_commands(self):
        for name, least in (("README.md", 13), ("docs/generation.md", 6)):
            self.run_page(name, least)
        if not help_of("pull"):
            self.skipTest("docs/bulk.md: a build without the network")
        row = b'{"key": 1, "text": "the quick fox", "body": "a user"}\n'
        hub = Hub({"datasets/org/name": Repo({"data/a.jsonl.gz": gzip.compress(row), "test.jsonl": row})})
        self.addCleanup(hub.stop)
        hub.repos["datasets/org/name"].revisions["v1.0"] = hub.repos["datasets/org/name"].commit
        self.run_page("docs/bulk.md", 17, {"HF_ENDPOINT": hub.url})

    def test_commands_with_names(self):
        """Against a Hub on this machine."""
        if not help_of("pull"):
            self.skipTest("a build without the network")
        files = folder_files(TINY)
        hub = PushHub({name: Repo(files) for name in ("sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-small-en-v1.5",
                                                  "BAAI/bge-reranker-v2-m3", "org/name")})
        self.addCleanup(hub.stop)
        hub.repos["org/name"].move(files, "v1.0")
        converted = os.path.join(self.folder(), "generator.q8")
        subprocess.run([QUERN, "convert", models.generator(), "-o", converted, "--quiet"], check=True)
        with open(converted, "rb") as f:
            hub.repos["org/name-GGUF"] = Repo({"name-Q4_K_M.gguf": f.read(), "name-Q8_0.gguf": b"other"})
        self.run_page("docs/hub.md", 12, {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_good"}, leave_out=("minilm",))

    def test_requests(self):
        names = {"minilm": models.embedder(), "reranker": models.reranker(), "mood": models.classifier(), "chat": models.generator()}
        servers = [Server(*(f"{name}={path}" for name, path in names.items())), Server("bge-m3=" + models.m3()), Server("nli=" + models.inference())]
        for server in servers:
            self.addCleanup(server.stop)
        n = 0
        for page in PAGES:
            for line in commands(read(page)):
                if not line.startswith("curl ") or "localhost:8080" not in line or "…" in line:
                    continue
                words = [word for word in shlex.split(line)[1:] if word != "-N"]
                address, flags = words[0].removeprefix("http://"), words[1:]
                with self.subTest(page=os.path.relpath(page, ROOT), line=line):
                    self.assertTrue(address.startswith("localhost:8080/"), line)
                    path = address.removeprefix("localhost:8080")
                    answers = [server.post(path, flags[1].encode(), {"Content-Type": "application/x-www-form-urlencoded"})  # as curl says
                               if flags[:1] == ["-d"] else server.get(path) for server in servers]
                    self.assertIn(200, [answer.status for answer in answers], answers[0].body[:300])  # one has a model for it
                n += 1
        self.assertGreater(n, 14)

    def test_python_is_python(self):
        for page in PAGES:
            for block in blocks(read(page), "python"):
                with self.subTest(page=os.path.relpath(page, ROOT), block=block[:60]):
                    compile(block, page, "exec")


if __name__ == "__main__":
    unittest.main()

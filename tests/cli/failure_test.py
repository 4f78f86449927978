"""What the program does when it cannot: the exit code, one sentence on stderr, no half-written file."""
import os
import signal
import subprocess
import time
import unittest

from program import QUERN, Case, has_open, model, quern


class WrongUse(Case):
    def test_flags(self):
        self.run_failing(2)
        self.run_failing(2, "frobnicate")
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--colour", says="--colour")
        self.run_failing(2, "embed", "-p", "x", says="--model")
        self.run_failing(2, "embed", "-m", model())
        self.run_failing(2, "tokenize", "-m", model())
        self.run_failing(2, "inspect")
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--pooling", "median", says=("median", "mean"))
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--dimensions", 65, says=("65", "64"))
        for flag in ("--dimensions", "--max-length", "-t"):
            for value in ("0", "-1", "x", "1e9", "99999999999999999999"):
                self.run_failing(2, "embed", "-m", model(), "-p", "x", flag, value)
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--max-length", 65, says="64")
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--max-length", 1, says="64")
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "-o", self.path("v.txt"), says=(".npy", "v.txt"))
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--format", "xml", says="xml")
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--truncate", "--no-truncate")
        self.assertEqual(os.listdir(self.dir), [])

    def test_help_and_version(self):
        for args in (["--help"], ["embed", "--help"], ["convert", "-h"], ["--version"]):
            done = self.run_ok(*args)
            self.assertGreater(len(done.stdout), 5)
            self.assertEqual(done.stderr, b"")


class Models(Case):
    def test_files_that_are_no_models(self):
        with open(model(), "rb") as f:
            data = f.read()
        os.mkdir(self.path("folder"))
        for name, content in (("none", None), ("empty", b""), ("text", b"no model\n"), ("half", data[:len(data) // 2]),
                              ("head", data[:1000]), ("short", data[:-1]), ("folder", None)):
            if content is not None:
                self.write(name, content)
            for command in (["embed", "-p", "x", "-m"], ["tokenize", "-p", "x", "-m"], ["inspect"]):
                with self.subTest(f"{name} {command[0]}"):
                    self.run_failing(1, *command, self.path(name), says=self.path(name))

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_no_permission(self):
        path = self.write("secret", b"x")
        os.chmod(path, 0)
        self.run_failing(1, "inspect", path, says=path)

    def test_an_embedded_repo_id_that_is_not_there(self):
        self.run_failing(1, "inspect", "some-org/no-such-model", env={"HF_HOME": self.dir, "HF_HUB_OFFLINE": "1"},
                         says=("some-org/no-such-model", "HF_HUB_OFFLINE"))


class Inputs(Case):
    def test_files(self):
        self.run_failing(1, "embed", "-m", model(), "-f", self.path("none"), says=self.path("none"))
        self.run_failing(1, "embed", "-m", model(), "-f", self.dir, says=self.dir)
        self.run_failing(1, "tokenize", "-m", model(), "-f", self.path("none"), says=self.path("none"))

    def test_no_truncate_names_the_text(self):
        long = "the quick fox " * 20
        self.run_failing(1, "embed", "-m", model(), "-p", "a", "-p", long, "--no-truncate", says=("text 2 ", "62", "32"))
        for at in (1, 2, 2048, 2049, 5000):
            with self.subTest(at):
                texts = ["fox"] * 5200
                texts[at - 1] = long
                done = quern("embed", "-m", model(), "-f", "-", "-o", self.path("v.npy"), "--no-truncate", stdin="\n".join(texts))
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr.count(b"\n"), 1)
                self.assertIn(f"text {at} has 62 tokens".encode(), done.stderr)
                self.assertEqual(os.listdir(self.dir), [])
        self.run_ok("embed", "-m", model(), "-p", "the quick fox", "--no-truncate")


class Outputs(Case):
    def test_full_disk(self):
        for flags in (["-o", "/dev/full"], ["-o", "/dev/full", "--format", "csv"], ["-o", "/dev/full", "--format", "npy"]):
            self.run_failing(1, "embed", "-m", model(), "-p", "x", *flags, says="/dev/full")
        many = "fox\n" * 3000
        self.run_failing(1, "embed", "-m", model(), "-f", "-", "-o", "/dev/full", stdin=many, says="/dev/full")
        for command in (["embed", "-m", model(), "-p", "x"], ["tokenize", "-m", model(), "-p", "x"],
                        ["inspect", model()], ["inspect", "--json", model()]):
            with self.subTest(command[0]), open("/dev/full", "wb") as full:
                self.run_failing(1, *command, stdout=full, says="stdout")

    def test_places_that_cannot_be_written(self):
        self.run_failing(1, "embed", "-m", model(), "-p", "x", "-o", self.path("no/v.npy"), says="no/v.npy")
        os.mkdir(self.path("v.npy"))
        self.run_failing(1, "embed", "-m", model(), "-p", "x", "-o", self.path("v.npy"), says="v.npy")

    def test_closed_pipe(self):
        """A reader that goes away ends the program without a message of a crash."""
        with subprocess.Popen([QUERN, "embed", "-m", model(), "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdout.close()
            try:
                process.stdin.write(b"fox\n" * 20000)
                process.stdin.close()
            except BrokenPipeError:
                pass
            code = process.wait()
            self.assertEqual(code, -signal.SIGPIPE)
            self.assertLessEqual(process.stderr.read().count(b"\n"), 1)

    def killed(self, how):
        out = self.path("v.npy")
        with subprocess.Popen([QUERN, "embed", "-m", model(), "-f", "-", "-o", out], stdin=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            process.stdin.write(b"fox\n" * 5000)  # two batches and more: it is writing and wants more
            process.stdin.flush()
            while not has_open(process, self.dir) and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(how)
            process.wait()
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
        self.assertNotEqual(process.returncode, 0)
        self.assertEqual(os.listdir(self.dir), [])

    def test_killed(self):
        self.killed(signal.SIGKILL)

    def test_interrupted(self):
        self.killed(signal.SIGINT)
        self.killed(signal.SIGTERM)

    def test_killed_keeps_the_older_file(self):
        out = self.path("v.npy")
        self.run_ok("embed", "-m", model(), "-p", "x", "-o", out)
        with open(out, "rb") as f:
            before = f.read()
        self.run_failing(1, "embed", "-m", model(), "-p", "x", "-p", "a " * 99, "--no-truncate", "-o", out, says="text 2")
        with open(out, "rb") as f:
            self.assertEqual(f.read(), before)


if __name__ == "__main__":
    unittest.main()

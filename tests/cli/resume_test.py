"""quern embed --resume: a run that was killed or stopped, at any moment, is gone on with and gives the same bytes."""
import json
import os
import random
import signal
import subprocess
import time
import unittest

from program import QUERN, Case, has_open, model

KILLS = int(os.environ.get("QUERN_KILLS", "4" if "QUERN_SLOW_BUILD" in os.environ else "12"))  # of each kind of output
DICE = random.Random(int(os.environ.get("QUERN_SEED", "7")))
WORDS = "the quick fox jumps over the lazy user of foxes and texts".split()


def table(rows):
    dice = random.Random(3)
    lines = ["key,text"]
    for i in range(rows):
        lines.append(f"{i}," + ("" if i % 97 == 0 else " ".join(dice.choices(WORDS, k=dice.randint(1, 9)))))
    return "\n".join(lines) + "\n"


class Resume(Case):
    ROWS = 12000

    def setUp(self):
        super().setUp()
        self.source = self.write("t.csv", table(self.ROWS))

    def command(self, out, *more, every="0"):
        return ["embed", "-m", model(), "-f", self.source, "-o", out, "--journal-every", every, *more]

    def read(self, path):
        with open(path, "rb") as f:
            return f.read()

    def left(self, out):
        """What lies beside the output, but for the inputs."""
        return sorted(f for f in os.listdir(self.dir) if f.startswith(os.path.basename(out)))

    def start(self, *args):
        return subprocess.Popen([QUERN, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def stop_behind(self, out, records, how, *more, resume=False):
        """Ends a run once its journal has so many lines; its exit status and what it said."""
        with self.start(*self.command(out, *more), *(["--resume"] if resume else [])) as process:
            while process.poll() is None:
                try:
                    if self.read(out + ".journal").count(b"\n") > records:
                        break
                except OSError:
                    pass
                time.sleep(0.002)
            process.send_signal(how)
            said = process.stderr.read().decode()
        return process.returncode, said

    def check_kills(self, name, *more):
        whole = self.path("whole-" + name)
        began = time.monotonic()
        self.run_ok(*self.command(whole, *more))
        took = time.monotonic() - began
        expected, out = self.read(whole), self.path(name)
        self.assertEqual(self.left(whole), [os.path.basename(whole)])
        self.stop_behind(out, 1, signal.SIGKILL, *more)
        gone_on, kills = 1, 1
        self.assertEqual(self.left(out), [name + ".journal", name + ".part"])
        while kills < KILLS:
            done = False
            while not done and kills < KILLS:
                with self.start(*self.command(out, *more), "--resume") as process:
                    try:
                        process.wait(DICE.uniform(0, took))
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.wait()
                    said = process.stderr.read().decode()
                    done = process.returncode == 0
                    self.assertIn(process.returncode, (0, -signal.SIGKILL), said)
                kills += not done
                files = self.left(out)
                self.assertLessEqual(set(files), {name, name + ".part", name + ".journal"})
                gone_on += name + ".journal" in files
            self.run_ok(*self.command(out, *more), "--resume")
            self.assertEqual(self.read(out), expected, f"{name} behind {kills} kills")
            self.assertEqual(self.left(out), [name])
            os.unlink(out)
        return gone_on

    def test_killed_npy(self):
        self.assertGreater(self.check_kills("v.npy"), 1)

    def test_killed_jsonl(self):
        self.check_kills("v.jsonl", "--id", "key", "--keep", "text", "--on-empty", "skip")

    def test_killed_csv(self):
        self.check_kills("v.csv", "--id", "key", "--on-empty", "zero")

    def test_killed_smaller_values(self):
        for precision in ("f16", "int8", "ubinary"):
            self.check_kills(precision + ".npy", "--precision", precision)

    def test_killed_pgcopy(self):
        self.check_kills("v.pgcopy", "--id", "key", "--pg-types", "id=bigint")

    def test_killed_part(self):
        self.check_kills("s.jsonl", "--shard", "2/2", "--keep", "key")

    def test_killed_pieces(self):
        self.check_kills("p.jsonl", "--long", "chunks", "--max-length", "6")

    def test_stopped(self):
        expected = self.path("whole.npy")
        self.run_ok(*self.command(expected))
        for how in (signal.SIGINT, signal.SIGTERM):
            out = self.path("v.npy")
            code, said = self.stop_behind(out, 2, how)
            self.assertEqual(code, 128 + how, said)
            self.assertRegex(said, r"quern: stopped by \w+: \d+ texts are done and kept; .*--resume goes on\n$")
            self.assertEqual(self.left(out), ["v.npy.journal", "v.npy.part"])
            done = int(said.split(": ")[2].split()[0])
            self.assertGreater(done, 0)
            self.run_failing(1, *self.command(out), says=("v.npy.journal", "--resume", "--restart", str(done)))
            summary = self.run_ok(*self.command(out), "--resume").stderr.decode()
            self.assertIn(f"{self.ROWS} texts, ", summary)
            self.assertIn(f"{done} by an earlier run", summary)
            self.assertEqual(self.read(out), self.read(expected))
            self.assertEqual(self.left(out), ["v.npy"])
            os.unlink(out)

    def test_counts_are_those_of_the_whole(self):
        def counts(text):
            return text.splitlines()[-1].split(", ")[:3] + [p for p in text.split(", ") if "empty" in p]
        out = self.path("v.npy")
        expected = counts(self.run_ok(*self.command(out)).stderr.decode())
        self.stop_behind(out, 3, signal.SIGKILL)
        self.stop_behind(out, 6, signal.SIGKILL, resume=True)
        self.assertEqual(counts(self.run_ok(*self.command(out), "--resume").stderr.decode()), expected)

    def test_stopped_before_the_first_record_by_time(self):
        """Being told to stop keeps what is done, whatever the journal's seconds."""
        self.source = self.write("t.csv", table(150_000))
        out = self.path("v.npy")
        with self.start(*self.command(out, every="3600")) as process:
            while not has_open(process, self.dir) and process.poll() is None:
                time.sleep(0.005)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            said = process.stderr.read().decode()
        self.assertEqual(process.returncode, 130, said)
        self.assertEqual(self.left(out), ["v.npy.journal", "v.npy.part"])

    def test_what_differs_is_named(self):
        out = self.path("v.npy")
        self.stop_behind(out, 2, signal.SIGKILL)
        before = self.read(out + ".journal")
        other = self.path("other.q8")
        self.run_ok("convert", os.path.join(os.environ["QUERN_TEST_DIR"], "golden", "models", "bert"), "-o", other, "--quiet")
        for flags, says in ((("--pooling", "max"), ("--pooling", '"max"')), (("--dimensions", "8"), ("--dimensions", "8")),
                            (("--prompt", "query: "), ("--prompt", "query: ")), (("--precision", "f16"), ("--precision", "f16")),
                            (("--max-length", "9"), ("--max-length", "9")), (("--no-normalize",), ("--normalize",)),
                            (("--on-empty", "zero"), ("--on-empty",)), (("--long", "chunk-mean"), ("--long",)),
                            (("-p", "fox"), ("-p was",)), (("--field", "key"), ("--field", '"key"')),
                            (("-f", self.write("more.txt", "fox\n")), ("number of inputs", "more.txt"))):
            with self.subTest(flags=flags):
                self.run_failing(2, *self.command(out), *flags, "--resume", says=("v.npy.journal", "another run", "--restart", *says))
        command = self.command(out, "--resume")
        self.run_failing(2, *[other if a == model() else a for a in command], says=("fingerprint",))
        os.utime(self.source, ns=(1, 1))
        self.run_failing(2, *command, says=("t.csv", "changed"))
        self.assertEqual(self.read(out + ".journal"), before)
        self.run_ok(*self.command(out), "--restart")
        self.assertEqual(self.left(out), ["v.npy"])

    def test_texts_that_changed_with_the_same_time_and_size(self):
        out = self.path("v.npy")
        self.stop_behind(out, 2, signal.SIGKILL)
        times = os.stat(self.source).st_mtime_ns
        data = self.read(self.source)
        self.write("t.csv", data.replace(b"1,", b"1,", 1).replace(b"quick", b"kciuq", 1))
        os.utime(self.source, ns=(times, times))
        self.run_failing(1, *self.command(out), "--resume", says=("--resume", "not those", "--restart"))

    def test_broken_remains(self):
        out = self.path("v.npy")
        self.stop_behind(out, 4, signal.SIGKILL)
        journal, part = self.read(out + ".journal"), self.read(out + ".part")
        expected = self.path("whole.npy")
        self.run_ok(*self.command(expected))

        def again(journal, part):
            self.write("v.npy.journal", journal)
            self.write("v.npy.part", part)
        again(journal, part[:200])
        self.run_failing(1, *self.command(out), "--resume", says=("v.npy.part", "--restart"))
        end = max(json.loads(line[9:])["end"] for line in journal.splitlines()[1:])
        again(journal, part[:end - 3] + bytes([part[end - 3] ^ 1]) + part[end - 2:])
        self.run_failing(1, *self.command(out), "--resume", says=("v.npy.part", "--restart"))
        os.unlink(out + ".part")
        self.run_failing(1, *self.command(out), "--resume", says=("v.npy.part", "gone"))
        lines = journal.splitlines(keepends=True)
        for damaged in (b"x" + journal, b"".join(lines[1:]), b"fox\n"):
            again(damaged, part)
            for flag in ("--resume", "--quiet"):
                self.run_failing(1, *self.command(out), flag, says=("v.npy.journal", "expected a journal", "--restart"))
            self.assertEqual(self.read(out + ".part"), part)
        for damaged in (journal + b"torn", b"".join(lines[:-1]) + lines[-1][:20], b"".join(lines[:3]) + b"0" + b"".join(lines[3:]),
                        lines[0], b"", b"torn"):
            with self.subTest(damaged[-40:]):
                again(damaged, part + b"some bytes that no record tells of")
                self.run_ok(*self.command(out), "--resume")
                self.assertEqual(self.read(out), self.read(expected))
                self.assertEqual(self.left(out), ["v.npy"])
                os.unlink(out)

    def test_killed_at_the_end(self):
        """The output has its name already, and the journal is still there."""
        out = self.path("v.npy")
        kept = None  # an open file can be read when it has no name any more
        with self.start(*self.command(out)) as process:
            while kept is None and process.poll() is None:
                if os.path.exists(out + ".journal"):
                    kept = os.open(out + ".journal", os.O_RDONLY)
                    self.addCleanup(os.close, kept)
        journal = os.pread(kept, 1 << 20, 0)
        self.assertIn(b'"whole":true', journal)
        whole = self.read(out)
        self.write("v.npy.journal", journal)
        self.run_ok(*self.command(out), "--resume")
        self.assertEqual((self.read(out), self.left(out)), (whole, ["v.npy"]))
        self.write("v.npy.journal", journal)
        os.rename(out, out + ".part")
        self.run_ok(*self.command(out), "--resume")
        self.assertEqual((self.read(out), self.left(out)), (whole, ["v.npy"]))

    def test_two_at_once(self):
        out = self.path("v.npy")
        with self.start(*self.command(out)) as process:
            while not os.path.exists(out + ".journal") and process.poll() is None:
                time.sleep(0.002)
            process.send_signal(signal.SIGSTOP)
            try:
                for flag in ("--resume", "--restart"):
                    self.run_failing(1, *self.command(out), flag, says=("v.npy.journal", "another process"))
                self.run_failing(1, *self.command(out), says=("v.npy.journal", "another process"))
            finally:
                process.send_signal(signal.SIGCONT)
            process.communicate()
        self.assertEqual(process.returncode, 0)

    def test_what_cannot_be_resumed(self):
        out = self.path("v.npy")
        self.run_failing(2, "embed", "-m", model(), "-f", "-", "-o", out, "--resume", says=("--resume", "stdin"), stdin="fox\n")
        self.run_failing(2, "embed", "-m", model(), "-f", self.source, "--resume", says=("--resume", "stdout"))
        os.mkfifo(self.path("pipe"))
        self.run_failing(2, "embed", "-m", model(), "-f", self.path("pipe"), "-o", out, "--resume", says="--resume")
        self.run_failing(2, "embed", "-m", model(), "-f", self.source, "-o", out, "--resume", "--restart", says="--restart")

    def test_a_short_run_leaves_nothing(self):
        out = self.path("v.npy")
        said = self.run_ok("embed", "-m", model(), "-p", "fox", "-o", out, "--resume").stderr.decode()
        self.assertIn("note: there is no " + out + ".journal to go on from", said)
        self.assertEqual(self.left(out), ["v.npy"])

    def test_remains_of_no_record(self):
        """Killed between the journal's first line and its first record."""
        out = self.path("v.npy")
        self.stop_behind(out, 2, signal.SIGKILL)
        head = self.read(out + ".journal").splitlines(keepends=True)[0]
        for flags in ((), ("--resume",), ("--restart",)):
            self.write("v.npy.journal", head)
            self.write("v.npy.part", b"some")
            self.run_ok("embed", "-m", model(), "-f", self.source, "-o", out, *flags)
            self.assertEqual(self.left(out), ["v.npy"])

    def test_a_failure_keeps_what_is_done(self):
        broken = self.read(self.source) + b"one,two,three\n"
        self.write("t.csv", broken)
        out = self.path("v.npy")
        text = self.run_failing(1, *self.command(out, "--quiet"), says=("t.csv", "row", "--resume goes on"))
        self.assertRegex(text, r"\d+ texts are done and kept")
        self.assertEqual(self.left(out), ["v.npy.journal", "v.npy.part"])


class Repeated(Case):
    def test_equal_texts_are_embedded_once(self):
        texts = [f"number {i % 50} fox" for i in range(4000)] + ["a " * 90, "a " * 90, "\udcff fox", "\udcff fox"]
        source = self.write("t.txt", ("\n".join(texts) + "\n").encode("utf-8", "surrogateescape"))
        said = self.run_ok("embed", "-m", model(), "-f", source, "-o", self.path("v.npy")).stderr.decode()
        self.assertIn(f"{len(texts)} texts, ", said)
        self.assertIn("2 truncated", said)
        self.assertIn("2 with invalid UTF-8", said)
        self.assertIn(f"{len(texts) - 52} repeated (embedded once)", said)
        rows = self.embed("-f", source)
        for i in list(range(0, 4000, 251)) + [4000, 4001, 4002, 4003]:
            one = self.write("one.txt", (texts[i] + "\n").encode("utf-8", "surrogateescape"))
            self.assertEqual(rows[i], self.embed("-f", one)[0])
        tokens = self.run_ok("embed", "-m", model(), "-p", texts[7]).stderr.decode().split(" tokens")[0].split()[-1]
        self.assertIn(f"100 texts, {100 * int(tokens)} tokens",
                      self.run_ok("embed", "-m", model(), "-f", "-", stdin=(texts[7] + "\n") * 100).stderr.decode())

    def test_lines_too(self):
        texts = "".join(f"number {i % 40} " + "fox " * (i % 40) + "\n" for i in range(3000))
        flags = ("embed", "-m", model(), "--long", "chunks", "--max-length", "8")
        done = self.run_ok(*flags, "-f", "-", stdin=texts)
        lines = done.stdout.splitlines()
        self.assertIn("2960 repeated", done.stderr.decode())
        for i in range(40):
            alone = self.run_ok(*flags, "-p", f"number {i} " + "fox " * i).stdout.splitlines()
            self.assertEqual(set(lines[i::40]), set(alone))

    def test_an_error_names_the_text_as_it_is_numbered(self):
        self.run_failing(1, "embed", "-m", model(), "-f", "-", "--no-truncate", "-o", self.path("v.npy"), says="text 5",
                         stdin="fox\nfox\nfox\nfox\n" + "a " * 99 + "\n")


if __name__ == "__main__":
    unittest.main()

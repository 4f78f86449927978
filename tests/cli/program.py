"""What the tests of the quern program share: running it, a scratch folder with converted models, reading its outputs.

The environment: QUERN, the program's path; QUERN_TEST_DIR, the folder tests/.
"""
import array
import ast
import atexit
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

QUERN = os.environ["QUERN"]
TINY = os.path.join(os.environ["QUERN_TEST_DIR"], "golden", "tiny-bert")
with open(os.path.join(TINY, "golden.json"), encoding="utf-8") as f:
    GOLDEN = json.load(f)

_shared = tempfile.mkdtemp(prefix="quern-cli-")
atexit.register(shutil.rmtree, _shared, ignore_errors=True)


def quern(*args, stdin=b"", env=None, program=QUERN, stdout=subprocess.PIPE):
    """Runs the program to its end; .stdout and .stderr are bytes."""
    stdin = stdin.encode() if isinstance(stdin, str) else stdin
    return subprocess.run([program, *map(str, args)], input=stdin, stdout=stdout, stderr=subprocess.PIPE,
                          env={**os.environ, **(env or {})})


# The weight types that the program says it writes.
TYPES = re.search(r"one of ((?:\w+, )*\w+);", " ".join(quern("convert", "--help").stdout.decode().split()))[1].split(", ")


def model(kind="q8"):
    """A model file of this type, converted once for all tests."""
    path = os.path.join(_shared, "tiny." + kind)
    if not os.path.exists(path):
        subprocess.run([QUERN, "convert", TINY, "-o", path, "--quiet"], check=True)
    return path


def has_open(process, folder):
    """Whether the process has a file of the folder open, with a name or without one."""
    place = f"/proc/{process.pid}/fd"
    try:
        return any(os.readlink(os.path.join(place, fd)).startswith(folder + "/") for fd in os.listdir(place))
    except OSError:  # it has ended, or closed one meanwhile
        return False


def read_npy(path):
    """Rows of floats; checks what numpy would."""
    with open(path, "rb") as f:
        data = f.read()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    size = int.from_bytes(data[8:10], "little")
    assert (10 + size) % 64 == 0 and data[9 + size:10 + size] == b"\n"
    header = ast.literal_eval(data[10:10 + size].decode("ascii"))
    assert header["descr"] == "<f4" and header["fortran_order"] is False, header
    rows, width = header["shape"]
    values = array.array("f")
    values.frombytes(data[10 + size:])
    assert len(values) == rows * width, (len(values), header)
    return [list(values[i * width:(i + 1) * width]) for i in range(rows)]


def f32(rows):
    """Each number as the nearest f32, so that text outputs compare with .npy exactly."""
    return [list(array.array("f", row)) for row in rows]


def json_rows(data):
    return f32(json.loads(line) for line in data.decode().splitlines())


def csv_rows(data):
    return f32([float(v) for v in line.split(",")] for line in data.decode().splitlines())


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    return dot / (sum(x * x for x in a) * sum(x * x for x in b)) ** 0.5


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="quern-cli-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        data = data.encode() if isinstance(data, str) else data
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def run_ok(self, *args, **more):
        done = quern(*args, **more)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done

    def run_failing(self, code, *args, says=(), **more):
        """Exits with `code` and says why in one line on stderr, with all of `says` in it; nothing on stdout. What a run that takes
        a second says of its progress does not count."""
        done = quern(*args, **more)
        text = re.sub(r"^( *\d+% )?\d+ texts, .* texts/s, .*\n", "", done.stderr.decode(errors="replace"), flags=re.MULTILINE)
        self.assertEqual(done.returncode, code, text)
        self.assertTrue(text.startswith("quern: ") and text.endswith("\n"), text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertGreater(len(text), 20, text)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, text)
        if done.stdout is not None:
            self.assertEqual(done.stdout, b"")
        return text

    def embed(self, *args, **more):
        """Rows from stdout."""
        return json_rows(self.run_ok("embed", "-m", model(), "--quiet", *args, **more).stdout)

    def assertClose(self, found, expected, limit):
        self.assertEqual(len(found), len(expected))
        for i, (a, b) in enumerate(zip(found, expected)):
            self.assertEqual(len(a), len(b))
            self.assertGreater(cosine(a, b), limit, f"row {i}")

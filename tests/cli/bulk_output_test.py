"""quern embed: what goes with the vectors, and how they are stored."""
import ast
import csv
import io
import json
import os
import pty
import re
import struct
import subprocess
import time
import unittest

from program import QUERN, Case, f32, model


class Kept(Case):
    TABLE = 'key,title,text\n7,"a ""title"", of two\nlines",fox\n08,,lazy\n'

    def rows(self, *args, **more):
        return [json.loads(line) for line in self.run_ok("embed", "-m", model(), "--quiet", *args, **more).stdout.splitlines()]

    def test_json_lines(self):
        vectors = self.embed("-p", "fox", "-p", "lazy")
        table = self.write("t.csv", self.TABLE)
        rows = self.rows("-f", table, "--keep", "title", "--id", "key")
        self.assertEqual([list(r) for r in rows], [["id", "title", "embedding"]] * 2)
        self.assertEqual([(r["id"], r["title"]) for r in rows], [("7", 'a "title", of two\nlines'), ("08", "")])
        self.assertEqual(f32(r["embedding"] for r in rows), vectors)
        self.assertEqual([list(r) for r in self.rows("-f", table, "--keep", "title,key,text")], [["title", "key", "text", "embedding"]] * 2)
        self.assertEqual([list(r) for r in self.rows("-f", table, "--keep", "title", "--keep", "key")], [["title", "key", "embedding"]] * 2)
        lines = [{"text": "fox", "n": 12345678901234567, "x": {"a": [1.5, None]}}, {"text": "lazy", "n": None, "x": "\u00e9"}]
        for name, text in (("t.jsonl", "".join(json.dumps(l) + "\n" for l in lines)), ("t.json", json.dumps(lines))):
            rows = self.rows("-f", self.write(name, text), "--keep", "n,x")
            self.assertEqual([(r["n"], r["x"]) for r in rows], [(l["n"], l["x"]) for l in lines])
            self.assertEqual(f32(r["embedding"] for r in rows), vectors)

    def test_csv(self):
        out = self.path("o.csv")
        self.embed("-f", self.write("t.csv", self.TABLE), "--id", "key", "--keep", "title", "-o", out)
        with open(out, encoding="utf-8", newline="") as f:
            names, *rows = csv.reader(f)
        vectors = self.embed("-p", "fox", "-p", "lazy")
        self.assertEqual(names, ["id", "title"] + [str(i) for i in range(len(vectors[0]))])
        self.assertEqual([r[:2] for r in rows], [["7", 'a "title", of two\nlines'], ["08", ""]])
        self.assertEqual(f32([float(v) for v in r[2:]] for r in rows), vectors)
        line = json.dumps({"text": "fox", "n": 3, "none": None, "x": {"a": "b,c"}}) + "\n"
        self.embed("-f", self.write("t.jsonl", line), "--keep", "n,none,x", "-o", out)
        with open(out, encoding="utf-8", newline="") as f:
            self.assertEqual(list(csv.reader(io.StringIO(f.read())))[1][:3], ["3", "", '{"a":"b,c"}'])

    def test_many_stay_together(self):
        lines = "".join(json.dumps({"text": f"number {i % 91}", "i": i}) + "\n" for i in range(5000))
        rows = self.rows("-f", "-", "--jsonl", "--keep", "i", stdin=lines)
        self.assertEqual([r["i"] for r in rows], list(range(5000)))
        few = self.embed(*[w for i in range(91) for w in ("-p", f"number {i}")])
        self.assertEqual(f32(r["embedding"] for r in rows), [few[i % 91] for i in range(5000)])

    def test_with_skipped_texts_and_pieces(self):
        table = self.write("t.csv", "key,text\n1,\n2,fox\n3,\n")
        self.assertEqual([r["id"] for r in self.rows("-f", table, "--id", "key", "--on-empty", "skip")], ["2"])
        pieces = self.rows("-f", table, "--id", "key", "--long", "chunks")
        self.assertEqual([r["id"] for r in pieces], ["1", "2", "3"])
        self.assertEqual(f32(pieces[1]["embedding"]), self.embed("-p", "fox"))

    def test_errors(self):
        table, lines = self.write("t.csv", self.TABLE), self.write("t.jsonl", '{"text": "fox", "n": 1}\n{"text": "lazy"}\n')
        for code, args, says in ((1, ("-f", table, "--keep", "none"), ("no column", "key, title, text")),
                                 (1, ("-f", lines, "--keep", "n"), ("line 2", '"n"', "--keep")),
                                 (2, ("-f", table, "--keep", "key", "-o", self.path("v.npy")), (".npy", "--keep")),
                                 (2, ("-f", table, "--keep", "key", "-p", "fox"), ("-p", "--keep")),
                                 (2, ("-f", table, "--keep", "key,key"), ("two fields",)),
                                 (2, ("-f", table, "--id", "title", "--keep", "id"), ("two fields",)),
                                 (2, ("-f", self.write("t.txt", "fox\n"), "--id", "key"), ("--id", "no fields"))):
            with self.subTest(args=args):
                extra = () if "-o" in args else ("-o", self.path("v.jsonl"))
                self.run_failing(code, "embed", "-m", model(), *args, *extra, says=says)
                self.assertFalse(os.path.exists(self.path("v.jsonl")))

    def test_nested_values_are_bounded(self):
        def line(depth):
            return b'{"text": "fox", "x": ' + b"[" * depth + b"]" * depth + b"}\n"
        for name in ("t.jsonl", "t.json"):
            self.assertEqual(len(self.rows("-f", self.write(name, line(100)), "--keep", "x")), 1)
            for depth in (101, 2_000_000):
                self.run_failing(1, "embed", "-m", model(), "-f", self.write(name, line(depth)), "--keep", "x", "-o", self.path("v.jsonl"),
                                 says=('"x"', "at most 100"))


class PgCopy(Case):
    """COPY ... (FORMAT binary), as PostgreSQL's documentation has it, and the binary forms of pgvector's types."""
    def rows(self, data):
        self.assertEqual(data[:19], b"PGCOPY\n\xff\r\n\0" + bytes(8))
        rows, at = [], 19
        while True:
            (n,) = struct.unpack_from(">h", data, at)
            at += 2
            if n == -1:
                self.assertEqual(at, len(data))
                return rows
            row = []
            for _ in range(n):
                (size,) = struct.unpack_from(">i", data, at)
                at += 4
                row.append(None if size < 0 else data[at:at + size])
                at += max(size, 0)
            rows.append(row)

    def written(self, *args):
        out = self.path("o.pgcopy")
        self.run_ok("embed", "-m", model(), *args, "-o", out)
        with open(out, "rb") as f:
            return f.read()

    def test_vectors(self):
        expected = self.embed("-p", "fox", "-p", "lazy")
        width = len(expected[0])
        for (row,), values in zip(self.rows(self.written("-p", "fox", "-p", "lazy")), expected):
            self.assertEqual(struct.unpack(">hh", row[:4]), (width, 0))
            self.assertEqual(list(struct.unpack(f">{width}f", row[4:])), values)
        (row,), _ = self.rows(self.written("-p", "fox", "-p", "lazy", "--precision", "f16"))
        self.assertEqual(row, struct.pack(f">hh{width}e", width, 0, *expected[0]))
        (row,), _ = self.rows(self.written("-p", "fox", "-p", "lazy", "--precision", "ubinary"))
        bits = "".join("1" if x > 0 else "0" for x in expected[0])
        self.assertEqual(row, struct.pack(">i", width) + int(bits, 2).to_bytes(width // 8, "big"))

    def test_columns(self):
        lines = [{"text": "fox", "key": -5, "n": 7, "x": 1.5, "b": True, "u": "0f0e0d0c-0b0a-0908-0706-050403020100", "j": {"a": [1]}, "s": "\u00e9\n"},
                 {"text": "lazy", "key": "12345678901", "n": None, "x": 2, "b": False, "u": "0F0E0D0C0B0A09080706050403020100", "j": "a", "s": 3}]
        source = self.write("t.jsonl", "".join(json.dumps(l) + "\n" for l in lines))
        rows = self.rows(self.written("-f", source, "--id", "key", "--keep", "n,x,b,u,j,s", "--pg-types",
                                      "id=bigint,n=integer,x=double,b=boolean", "--pg-types", "u=uuid,j=jsonb"))
        self.assertEqual([r[:7] for r in rows], [
            [struct.pack(">q", -5), struct.pack(">i", 7), struct.pack(">d", 1.5), b"\1", bytes(range(15, -1, -1)), b'\1{"a":[1]}', "\u00e9\n".encode()],
            [struct.pack(">q", 12345678901), None, struct.pack(">d", 2), b"\0", bytes(range(15, -1, -1)), b'\1"a"', b"3"]])
        vector = struct.unpack(f">{len(rows[1][7][4:]) // 4}f", rows[1][7][4:])
        self.assertEqual(list(vector), self.embed("-p", "lazy")[0])

    def test_none_and_parts(self):
        self.assertEqual(self.rows(self.written("-f", self.write("none.txt", ""))), [])
        source = self.write("t.txt", "fox\nlazy\nuser\n")
        whole = self.written("-f", source)
        self.assertEqual(b"".join(self.written("-f", source, "--shard", f"{i}/3") for i in (1, 2, 3)), whole)

    def test_errors(self):
        source = self.write("t.jsonl", '{"text": "fox", "k": 1}\n{"text": "fox", "k": "a\\u0000"}\n')
        flags = ("embed", "-m", model(), "-f", source, "-o", self.path("o.pgcopy"), "--keep", "k")
        for given, says in (("k=bigint", ("row 2", '"k" as bigint', "integer")), ("k=uuid", ("row 1", "UUID")), ("k=text", ("row 2", "NUL")),
                            ("k=boolean", ("row 1", "true or false"))):
            self.run_failing(1, *flags, "--pg-types", given, says=says)
            self.assertFalse(os.path.exists(self.path("o.pgcopy")))
        for given, says in (("k=float", "bigint"), ("k", "NAME=TYPE"), ("z=text", "--keep")):
            self.run_failing(2, *flags, "--pg-types", given, says=("--pg-types", says))
        self.run_failing(2, *flags, "--precision", "int8", says=("--precision int8", "halfvec"))
        self.run_failing(2, "embed", "-m", model(), "-f", source, "-o", self.path("o.csv"), "--pg-types", "k=text", says="--pg-types")


class Shards(Case):
    def parts(self, n, name, *args):
        out = []
        for i in range(1, n + 1):
            self.run_ok("embed", "-m", model(), *args, "--shard", f"{i}/{n}", "-o", self.path(f"{i}-{name}"))
            with open(self.path(f"{i}-{name}"), "rb") as f:
                out.append(f.read())
        return out

    def test_together_they_are_the_whole(self):
        table = "key,text\n" + "".join(f"{i},{'' if i % 7 == 0 else f'fox number {i}'}\n" for i in range(101))
        one = self.write("a.csv", table)
        two = self.write("b.jsonl", "".join(json.dumps({"text": f"lazy {i}", "key": i}) + "\n" for i in range(50)))
        for n in (1, 2, 3, 7, 151, 160):
            for name, more in (("v.jsonl", ("--id", "key")), ("v.csv", ("--id", "key", "--on-empty", "skip")), ("v.npy", ("--on-empty", "zero"))):
                if n > 7 and name != "v.csv":
                    continue
                self.run_ok("embed", "-m", model(), "-f", one, two, *more, "-o", self.path(name))
                with open(self.path(name), "rb") as f:
                    whole = f.read()
                parts = self.parts(n, name, "-f", one, two, *more)
                if name == "v.npy":
                    parts = [p[128:] for p in parts]
                    whole = whole[128:]
                    sizes = {len(p) for p in parts}
                    self.assertLessEqual(max(sizes) - min(sizes), len(whole) // 151)
                self.assertEqual(b"".join(parts), whole, (n, name))

    def test_texts_of_the_command_line_count_too(self):
        source = self.write("t.txt", "fox\nlazy\nuser\n")
        rows = self.embed("-p", "a", "-p", "b", "-f", source)
        self.assertEqual(self.embed("-p", "a", "-p", "b", "-f", source, "--shard", "1/2"), rows[:2])
        self.assertEqual(self.embed("-p", "a", "-p", "b", "-f", source, "--shard", "2/2"), rows[2:])
        self.assertEqual(self.embed("-p", "a", "--shard", "1/3"), [])

    def test_siblings(self):
        source = self.write("t.txt", "fox\nlazy\nuser\n")
        ids = self.run_ok("tokenize", "-m", model(), "-f", source).stdout
        self.assertEqual(b"".join(self.run_ok("tokenize", "-m", model(), "-f", source, "--shard", f"{i}/2").stdout for i in (1, 2)), ids)

    def test_nonsense(self):
        source = self.write("t.txt", "fox\n")
        for value in ("0/4", "5/4", "1/0", "4", "1/", "/4", "a/b", "1/4x", "-1/4", "1.5/4", "1 /4", "1/2000000", "99999999999999999999/4", ""):
            with self.subTest(value):
                self.run_failing(2, "embed", "-m", model(), "-f", source, "-o", self.path("v.npy"), f"--shard={value}", says=("--shard",))
        self.run_failing(2, "embed", "-m", model(), "-f", "-", "-o", self.path("v.npy"), "--shard", "1/2", says=("--shard", "stdin"), stdin="fox\n")
        self.run_failing(2, "embed", "-m", model(), "-f", source, "-o", self.path("v.npy"), "--shard", "1/2", "--precision", "int8",
                         says=("--shard", "--ranges"))


class Progress(Case):
    def slow(self, seconds, stderr, more=()):
        """Embeds texts from a pipe that stays open so long."""
        process = subprocess.Popen([QUERN, "embed", "-m", model(), "-f", "-", *more, "-o", self.path("v.npy")], stdin=subprocess.PIPE, stderr=stderr)
        process.stdin.write(b"fox\n" * 5000)
        process.stdin.flush()
        time.sleep(seconds)
        process.stdin.close()
        return process

    def test_a_line_every_ten_seconds_without_a_terminal(self):
        with self.slow(10.5, subprocess.PIPE) as process:
            lines = process.stderr.read().decode().splitlines()
        self.assertEqual(process.returncode, 0)
        self.assertGreaterEqual(len(lines), 2, lines)
        for line in lines[:-1]:
            self.assertRegex(line, r"^\d+ texts, \d+ texts/s, \d+ tokens/s$")
        self.assertRegex(lines[-1], r"^5000 texts, ")

    def terminal(self, *more, seconds=3.0):
        ours, theirs = pty.openpty()
        process = self.slow(seconds, theirs, more)
        os.close(theirs)
        out = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # its end, as a terminal says it
                break
            out += part
            if not part:
                break
        os.close(ours)
        self.assertEqual(process.wait(), 0)
        return out.decode()

    def test_a_terminal(self):
        text = self.terminal()
        self.assertGreaterEqual(len(re.findall(r"\r\x1b\[K\d+ texts, \d+ texts/s, \d+ tokens/s", text)), 2, text)
        self.assertRegex(text, r"\r\x1b\[K5000 texts, \d+ tokens, ")  # the summary in its place
        self.assertEqual(self.terminal("--quiet", seconds=1.2), "")

    def test_the_rest_where_the_size_is_known(self):
        source = self.write("t.txt", "".join(f"{i} the quick fox jumps over the lazy user\n" for i in range(200_000)))
        ours, theirs = pty.openpty()
        with subprocess.Popen([QUERN, "embed", "-m", model(), "-f", source, "-o", self.path("v.npy")], stderr=theirs) as process:
            os.close(theirs)
            text = ""
            while " left" not in text:
                text += os.read(ours, 4096).decode()
            process.terminate()
        os.close(ours)
        self.assertRegex(text, r"\r\x1b\[K +\d+% \d+ texts, \d+ texts/s, \d+ tokens/s, (\d+h)?(\d+m)?(\d+s)? left")


def raw_npy(path):
    """Its type, its rows as bytes, and their width in values."""
    with open(path, "rb") as f:
        data = f.read()
    size = int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:10 + size].decode("ascii"))
    rows, width = header["shape"]
    body = data[10 + size:]
    assert len(body) == rows * width * int(header["descr"][2]), (len(body), header)
    return header["descr"], body, (rows, width)


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def npy(rows, descr="<f4", order="False", shape=None):
    """A file as numpy writes it."""
    header = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape or (len(rows), len(rows[0]))}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    body = b"".join(struct.pack(f"<{len(r)}f", *r) for r in rows)
    return b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + body


class Precision(Case):
    TEXTS = "".join(f"number {i % 37} fox {i % 11}\n" for i in range(300))

    def stored(self, precision, *more, texts=TEXTS):
        out = self.path("v.npy")
        done = self.run_ok("embed", "-m", model(), "-f", "-", "-o", out, "--precision", precision, *more, stdin=texts)
        return (*raw_npy(out), done.stderr.decode())

    def bytes_of(self, rows, least, most, signed):
        """sentence-transformers' quantize_embeddings in float32, but what is out of the range is bounded."""
        out = []
        for row in rows:
            for x, low, high in zip(row, least, most):
                value = single(single(x - low) / single(single(high - low) / 255))
                out.append(int(max(-128, min(127, single(value - 128)))) if signed else int(max(0, min(255, value))))
        return out

    def test_floats(self):
        rows = self.embed("-f", "-", stdin=self.TEXTS)
        flat = [x for r in rows for x in r]
        self.assertEqual(self.stored("f32")[:2], ("<f4", struct.pack(f"<{len(flat)}f", *flat)))
        self.assertEqual(self.stored("f16")[:3], ("<f2", struct.pack(f"<{len(flat)}e", *flat), (300, len(rows[0]))))
        rows = self.embed("-f", "-", "--no-normalize", stdin=self.TEXTS)
        flat = [x for r in rows for x in r]
        self.assertEqual(self.stored("f16", "--no-normalize")[1], struct.pack(f"<{len(flat)}e", *flat))

    def test_bits(self):
        rows = self.embed("-f", "-", stdin=self.TEXTS)
        width = len(rows[0])
        packed = [int("".join("1" if x > 0 else "0" for x in r[k:k + 8]), 2) for r in rows for k in range(0, width, 8)]
        self.assertGreater(len(set(packed)), 10)
        self.assertEqual(self.stored("ubinary")[:3], ("|u1", bytes(packed), (300, width // 8)))
        self.assertEqual(self.stored("binary")[:3], ("|i1", struct.pack(f"{len(packed)}b", *(p - 128 for p in packed)), (300, width // 8)))
        self.run_failing(2, "embed", "-m", model(), "-p", "a", "--dimensions", "12", "--precision", "binary", "-o", self.path("x.npy"),
                         says=("binary", "12"))

    def test_bytes(self):
        rows = self.embed("-f", "-", stdin=self.TEXTS)
        least, most = [min(c) for c in zip(*rows)], [max(c) for c in zip(*rows)]
        for precision, signed in (("int8", True), ("uint8", False)):
            descr, body, shape, said = self.stored(precision)
            values = self.bytes_of(rows, least, most, signed)
            self.assertEqual((descr, shape), ("|i1" if signed else "|u1", (300, len(rows[0]))))
            self.assertEqual(list(struct.unpack(f"{len(values)}{'b' if signed else 'B'}", body)), values)
            self.assertIn("first 300 rows", said)
            self.assertIn("--ranges", said)
            half = [x / 2 for x in least], [x / 2 for x in most]  # so that some lie outside
            ranges = self.write("r.npy", npy([[single(x) for x in r] for r in half]))
            body, said = self.stored(precision, "--ranges", ranges)[1::2]
            values = self.bytes_of(rows, *half, signed)
            self.assertEqual(list(struct.unpack(f"{len(values)}{'b' if signed else 'B'}", body)), values)
            self.assertEqual({min(values), max(values)}, {-128, 127} if signed else {0, 255})
            self.assertNotIn("note:", said)

    def test_ranges_of_the_first_8192_rows(self):
        few, many = "a\nfox\n" * 4096, "a\nfox\nlazy\nuser of foxes\n" * 1000
        alone = self.stored("uint8", texts=few)[1]
        body, shape, said = self.stored("uint8", texts=few + many)[1:]
        self.assertEqual(body[:len(alone)], alone)
        self.assertEqual(shape[0], 12192)
        self.assertIn("first 8192 rows", said)

    def test_one_row_and_none(self):
        self.assertEqual(set(self.stored("uint8", texts="fox\n")[1]), {0})
        self.assertEqual(set(self.stored("int8", texts="fox\n")[1]), {128})  # -128
        self.assertEqual(self.stored("int8", texts="")[2][0], 0)

    def test_errors(self):
        width = len(self.embed("-p", "a")[0])
        good = [[-1.0] * width, [1.0] * width]
        for says, data in (("no .npy", b"fox"), ("no .npy", b""), ("ends early", npy(good)[:40]), ("another size", npy(good)[:-4]),
                           ("another size", npy(good) + b"more"), ("something else", npy([r[1:] for r in good])),
                           ("something else", npy(good + good)), ("something else", npy(good, descr="<f8")),
                           ("something else", npy(good, order="True")), ("dimension 0", npy(good[::-1])),
                           ("dimension 0", npy([[float("nan")] * width, good[1]])), ("two rows", None)):
            with self.subTest(says):
                path = self.write("r.npy", data) if data is not None else self.dir
                self.run_failing(1, "embed", "-m", model(), "-p", "a", "--precision", "int8", "--ranges", path, "-o", self.path("v.npy"),
                                 says=("--ranges", says))
        self.run_failing(1, "embed", "-m", model(), "-p", "a", "--precision", "int8", "--ranges", self.path("none"), "-o", self.path("v.npy"),
                         says="No such file")
        for args in (("--precision", "f16", "--ranges", self.path("r.npy")), ("--ranges", self.path("r.npy"))):
            self.run_failing(2, "embed", "-m", model(), "-p", "a", "-o", self.path("v.npy"), *args, says="--ranges")
        for out in ("-", self.path("v.jsonl"), self.path("v.csv")):
            self.run_failing(2, "embed", "-m", model(), "-p", "a", "-o", out, "--precision", "int8", says=("--precision", ".npy"))
        self.run_failing(2, "embed", "-m", model(), "-p", "a", "--precision", "int4", "-o", self.path("v.npy"), says="--precision")


if __name__ == "__main__":
    unittest.main()

"""quern embed and its siblings: inputs told by content, CSV, JSON arrays, compressed files, many files, empty texts."""
import gzip
import io
import json
import os
import pickle
import random
import struct
import subprocess
import tarfile
import unittest
import zipfile
import zlib

from fixtures import write_safetensors
from program import QUERN, TINY, Case, model

ARROW = b"ARROW1\0\0" + b"\xff\xff\xff\xff\x80\0\0\0" * 20
PARQUET = b"PAR1\x15\x04\x15\x10" + b"\x01text\x02" * 20 + b"PAR1"


def zip_bytes():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("texts.txt", "fox\n" * 50)
    return out.getvalue()


def tar_bytes():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        data = b"fox\n" * 50
        info = tarfile.TarInfo("texts.txt")
        info.size = len(data)
        t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zstd(data):
    """A frame of raw blocks of at most 64 KiB, without a checksum."""
    out = b"\x28\xb5\x2f\xfd" + bytes([0x80, 0x38]) + struct.pack("<I", len(data))  # window of 128 KiB, size of 4 bytes
    parts = [data[i:i + 65536] for i in range(0, len(data), 65536)] or [b""]
    for i, part in enumerate(parts):
        header = len(part) << 3 | (i == len(parts) - 1)
        out += header.to_bytes(3, "little") + part
    return out


class Refused(Case):
    def refused(self, source, *says, args=(), code=1, **more):
        text = self.run_failing(code, "embed", "-m", model(), "-f", source, "-o", self.path("v.npy"), *args, says=says, **more)
        self.assertFalse(os.path.exists(self.path("v.npy")))
        return text

    def test_binary_formats_by_content(self):
        write_safetensors(self.path("w"), {"w": ["F32", [1], b"\0\0\x80?"]})
        with open(self.path("w"), "rb") as f:
            weights = f.read()
        with open(model(), "rb") as f:
            gguf = f.read(5000)
        npy = b"\x93NUMPY\x01\0v\0{'descr': '<f4'}" + b" " * 90 + b"\n" + bytes(range(1, 65))
        for data, says in ((PARQUET, "Parquet"), (ARROW, "Arrow"), (b"\xff\xff\xff\xff\x08\0\0\0" * 9, "Arrow"),
                           (zip_bytes(), "zip"), (tar_bytes(), "tar"), (pickle.dumps(["fox"] * 9), "pickle"),
                           (npy, "numpy"), (weights, "safetensors"), (gguf, "GGUF"), (b"%PDF-1.7\nfox\n", "PDF"),
                           (b"ORC\x11\0\0\n\x12", "ORC"), (b"BZh91AY&SY\x01\x02", "bzip2"), (b"\xfd7zXZ\0\0\x04", "xz"),
                           (b"SQLite format 3\0\x10\0", "SQLite"), (b"Obj\x01\x02\x16avro", "Avro"),
                           ("fox\n".encode("utf-16"), "UTF-16"), ("fox\n".encode("utf-16-le"), "NUL byte at byte 1 "),
                           (b"fox\n" * 40000 + b"a\0b\n", "NUL byte at byte 160001 "), (gzip.compress(gzip.compress(b"fox")), "gzip"),
                           (gzip.compress(tar_bytes()), "tar"), (zstd(PARQUET), "Parquet")):
            name = "texts.csv" if len(data) % 2 else "data"  # which does not matter
            with self.subTest(says, name=name):
                self.refused(self.write(name, data), name, says)
            with self.subTest(says, name="stdin"):
                self.refused("-", "stdin", says, stdin=data)

    def test_text_that_begins_as_they_do_is_text(self):
        lines = ["PAR1S is a town", "GGUF", "ORC, an animal", "BZh", "PK", "FEA1", "12345678{\"a\"", "ARROW1"]
        for line in lines:
            with self.subTest(line):
                self.assertEqual(self.embed("-f", "-", stdin=line + "\n"), self.embed("-p", line))

    def test_fields_of_what_has_none(self):
        plain = self.write("texts.txt", "fox\n")
        self.refused(plain, "texts.txt", "--field", "--input-format", args=("--field", "body"), code=2)
        self.refused("-", "stdin", "--field", args=("--field", "text"), code=2, stdin="fox\n")
        self.run_failing(2, "embed", "-m", model(), "-p", "fox", "--field", "body", says=("--field", "-p"))
        self.refused(self.write("a.json", '["fox"]'), "a.json", "value 1", "--field", args=("--field", "text"))

    def test_siblings_refuse_alike(self):
        source = self.write("texts.txt", PARQUET)
        for command in ("tokenize", "verify"):
            args = [model(), "--reference", TINY] if command == "verify" else ["-m", model()]
            self.run_failing(1, command, *args, "-f", source, says="Parquet")


class Csv(Case):
    def csv(self, text, *args, name="t.csv"):
        return self.embed("-f", self.write(name, text), *args)

    def fails(self, text, *says, args=(), name="t.csv"):
        self.run_failing(1, "embed", "-m", model(), "-f", self.write(name, text), "-o", self.path("v.npy"), *args, says=(name, *says))
        self.assertFalse(os.path.exists(self.path("v.npy")))

    def test_columns(self):
        table = 'id,text,body\n1,"the quick, fox",lazy\n2,"say ""hi""\nthere",  user \n'
        texts = self.embed("-p", "the quick, fox", "-p", 'say "hi"\nthere')
        bodies = self.embed("-p", "lazy", "-p", "  user ")
        for text in (table, table.replace("\n2", "\r\n2"), "\ufeff" + table, table[:-1], table.replace("\n2", "\n\n2")):
            with self.subTest(repr(text)):
                self.assertEqual(self.csv(text), texts)
                self.assertEqual(self.csv(text, "--field", "body"), bodies)
        tabs = table.replace("quick, fox", "quick\t fox").replace(",", "\t")
        self.assertEqual(self.csv(tabs, name="t.tsv"), self.embed("-p", "the quick\t fox", "-p", 'say "hi"\nthere'))
        self.assertEqual(self.csv(table, "--input-format", "csv", name="t.dat"), texts)
        self.assertEqual(self.embed("-f", "-", "--input-format", "csv", stdin=table), texts)
        self.assertEqual(self.csv("question\nfox\nlazy\n"), self.embed("-p", "fox", "-p", "lazy"))
        self.assertEqual(self.csv("text\n"), [])
        self.assertEqual(self.csv(""), [])

    def test_blocks_do_not_matter(self):
        dice = random.Random(3)
        texts = ["word, \"quoted\"\n" * dice.randrange(60) + str(i) for i in range(700)]
        table = "n,text\r\n" + "".join(f'{i},"{t.replace(chr(34), chr(34) * 2)}"\r\n' for i, t in enumerate(texts))
        lines = "".join(json.dumps({"text": t}) + "\n" for t in texts)
        self.assertGreater(len(table), 200_000)
        self.assertEqual(self.csv(table), self.embed("-f", self.write("t.jsonl", lines)))

    def test_what_is_broken_names_file_and_row(self):
        self.fails("id,title\n1,fox\n", '"text"', "--field", "id, title")
        self.fails("id,text\n1,fox\n", '"body"', "id, text", args=("--field", "body"))
        self.fails("text,text\na,b\n", "two columns")
        self.fails("id,text\n1,fox\n2\n", "row 3", "expected 2 fields", "found 1 field")
        self.fails("id,text\n1,fox\n2,a,b\n", "row 3", "found 3 fields")
        self.fails('id,text\n1,"fox\n2,lazy\n', "row 2", "ends within a quoted field")
        self.fails('id,text\n1,fox\n2,a "b" c\n', "row 3", "quote")
        self.fails('id,text\n1,"a"b\n', "row 2", "quote")
        self.fails('id\ttext\n1\t"a"b\n', "row 2", "quote", name="t.tsv")

    def test_a_field_is_bounded(self):
        process = subprocess.Popen([QUERN, "embed", "-m", model(), "-f", "-", "--input-format", "csv", "-o", self.path("v.npy")],
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        with process, self.assertRaises(BrokenPipeError):
            process.stdin.write(b'id,text\n1,"')
            for _ in range(200):
                process.stdin.write(b"fox " * (1 << 18))
        self.assertEqual(process.returncode, 1)

    def test_invalid_utf8(self):
        done = self.run_ok("embed", "-m", model(), "-f", self.write("t.csv", b"text\nna\xc3\nfox\n"))
        self.assertIn(b", 1 with invalid UTF-8 (read as U+FFFD), ", done.stderr)


class JsonArrays(Case):
    def test_strings_and_objects(self):
        expected = self.embed("-p", "the quick fox", "-p", "a, \"b\" [c] \u00e9", "-p", "")
        texts = ["the quick fox", "a, \"b\" [c] \u00e9", ""]
        objects = [{"id": i, "nested": {"text": ["]"]}, "text": t} for i, t in enumerate(texts)]
        for text in (json.dumps(texts), json.dumps(texts, indent=2), json.dumps(objects), json.dumps(objects, indent=1),
                     "\n".join(map(json.dumps, objects)), "\ufeff" + json.dumps(texts) + "\n"):
            with self.subTest(text):
                self.assertEqual(self.embed("-f", self.write("t.json", text)), expected)
                self.assertEqual(self.embed("-f", "-", "--input-format", "json", stdin=text), expected)
        self.assertEqual(self.embed("-f", self.write("t.json", " [ ] ")), [])

    def test_large(self):
        texts = [f"number {i} " + "word " * (i % 50) for i in range(3000)]
        self.assertEqual(self.embed("-f", self.write("t.json", json.dumps(texts))),
                         self.embed("-f", self.write("t.txt", "\n".join(texts))))

    def test_broken(self):
        for text, says in (('["a", "b"', ("value 2", "expected , or ]", "the end")), ('["a", "b', ("value 2", "ends within")),
                           ('["a" "b"]', ("value 1", "expected , or ]")), ('["a", 1]', ("value 2", "number")),
                           ('["a", ["b"]]', ("value 2", "array")), ('[{"text": 1}]', ("value 1", "string", "number")),
                           ('[{"body": "a"}]', ("value 1", '"text"', "there are: body")), ('["a"] x', ("value 1", "end of the file")),
                           ('"a"', ("array",)), ("fox", ("array",)), ('["a", fox]', ("value 2", "not JSON")),
                           ('["a",]', ("value 2", "not JSON")), (b'["\xff"]', ("value 1",)),
                           ('{"columns": ["text"], "rows": []}', ("value 1", '"text"', "columns, rows"))):
            with self.subTest(text):
                source = self.write("t.json", text)
                self.run_failing(1, "embed", "-m", model(), "-f", source, "-o", self.path("v.npy"), says=("t.json", *says))
                self.assertEqual(os.listdir(self.dir), ["t.json"])

    def test_values_are_bounded(self):
        for name, text in (("t.json", b'["' + b"x" * (18 << 20) + b'"]'), ("t.json", b"[" * (18 << 20)),
                           ("t.jsonl", b'{"text": "' + b"x" * (18 << 20) + b'"}\n')):
            with self.subTest(name):
                self.run_failing(1, "embed", "-m", model(), "-f", self.write(name, text), "-o", self.path("v.npy"), "--quiet", says=(name, "16 MiB"))
        deep = b'{"text": "fox", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
        self.assertEqual(self.embed("-f", self.write("t.json", b"[" + deep + b"]")), self.embed("-p", "fox"))


class Compressed(Case):
    KINDS = {"t.txt": "fox\nlazy\n", "t.csv": "text\nfox\nlazy\n", "t.tsv": "id\ttext\n1\tfox\n2\tlazy\n",
             "t.jsonl": '{"text": "fox"}\n{"text": "lazy"}\n', "t.json": '["fox", "lazy"]'}

    def test_all_kinds(self):
        expected = self.embed("-p", "fox", "-p", "lazy")
        for name, text in self.KINDS.items():
            for ending, pack in ((".gz", gzip.compress), (".zst", zstd)):
                with self.subTest(name + ending):
                    data = pack(text.encode())
                    self.assertEqual(self.embed("-f", self.write(name + ending, data)), expected)
                    self.assertEqual(self.embed("-f", self.write(name, data)), expected)  # by content
                    kind = {"txt": "text"}.get(name[2:], name[2:])
                    self.assertEqual(self.embed("-f", "-", "--input-format", kind, stdin=data), expected)

    def test_parts_and_sizes(self):
        lines = [f"number {i}" for i in range(20000)]
        text = "\n".join(lines).encode()
        expected = self.embed("-f", self.write("t.txt", text))
        half = len(text) // 2
        for pack in (gzip.compress, zstd):
            self.assertEqual(self.embed("-f", "-", stdin=pack(text)), expected)
            self.assertEqual(self.embed("-f", "-", stdin=pack(text[:half]) + pack(b"") + pack(text[half:])), expected)
        self.assertEqual(self.embed("-f", "-", stdin=gzip.compress(text) + b"\0" * 1000), expected)

    def test_broken(self):
        text = random.Random(1).randbytes(150_000).hex().encode() + b"\nfox\n"
        for name, data, says in [("t.txt.gz", gzip.compress(text)[:n], "gzip data ends early") for n in (15, 1000, 100_000, -1, -8)] + [
                ("t.txt.zst", zstd(text)[:n], "zstd data ends early") for n in (5, 1000, 70_000, -1)] + [
                ("t.txt.gz", gzip.compress(text)[:-8] + b"\1\2\3\4\5\6\7\x08", "broken gzip"),
                ("t.txt.gz", gzip.compress(b"fox\n") + b"rubbish" * 9, "broken gzip"),
                ("t.txt.zst", zstd(b"fox\n") + b"rubbish" * 9, "broken zstd"),
                ("t.txt.gz", b"fox\n", "expected gzip"), ("t.txt.gz", b"", "expected gzip"), ("t.csv.zst", b"", "expected zstd")]:
            with self.subTest(name, size=len(data), says=says):
                self.run_failing(1, "embed", "-m", model(), "-f", self.write(name, data), "-o", self.path("v.npy"), says=(name, says))
                self.assertFalse(os.path.exists(self.path("v.npy")))

    def test_a_bomb_is_bounded(self):
        pack = zlib.compressobj(9, zlib.DEFLATED, 31)
        data = b"".join(pack.compress(b"x" * (1 << 20)) for _ in range(200)) + pack.flush()
        self.run_failing(1, "embed", "-m", model(), "-f", self.write("t.txt.gz", data), "-o", self.path("v.npy"), "--quiet",
                         says=("line 1", "64 MiB"))


class Many(Case):
    def test_several_files(self):
        a, b = self.write("a.txt", "fox"), self.write("b.csv", "text\nlazy\n")
        c = self.write("c.json.gz", gzip.compress(b'["user"]'))
        expected = self.embed("-p", "one", "-p", "fox", "-p", "lazy", "-p", "user", "-p", "end")
        for args in (("-f", a, "-f", b, "-f", c, "-f", "-"), ("-f", a, b, c, "-"), ("-f", a, "-f", b, c, "-")):
            self.assertEqual(self.embed("-p", "one", *args, stdin="end\n"), expected)

    def test_folders(self):
        os.mkdir(self.path("d"))
        for name, text in (("b.csv", "text\nlazy\n"), ("a.txt", "fox\n"), ("README.md", "no"), (".hidden.txt", "no"), ("C.JSONL", '{"text": "user"}\n')):
            self.write("d/" + name, text)
        os.mkdir(self.path("d/e.txt"))
        self.assertEqual(self.embed("-f", self.path("d")), self.embed("-p", "user", "-p", "fox", "-p", "lazy"))
        os.mkdir(self.path("empty"))
        self.run_failing(1, "embed", "-m", model(), "-f", self.path("empty"), says=("empty", "folder", ".csv"))

    def test_what_is_missing_is_told_first(self):
        a = self.write("a.txt", "fox\n")
        self.run_failing(1, "embed", "-m", model(), "-f", a, self.path("none.txt"), says="none.txt: No such file")
        self.run_failing(2, "embed", "-m", model(), "-f", "-", "-f", "-", says="once")

    def test_errors_name_the_file_and_its_own_row(self):
        a, b = self.write("a.csv", "text\nx\ny\n"), self.write("b.csv", "text\nx\ny,z\n")
        self.run_failing(1, "embed", "-m", model(), "-f", a, b, "-o", self.path("v.npy"), says=("b.csv: row 3",))

    def test_a_required_argument_behind_them(self):
        a, b = self.write("a.txt", "fox\n" * 9), self.write("b.txt", "lazy\n")
        self.run_ok("verify", "--reference", TINY, "-f", a, b, model())


class Empty(Case):
    def test_choices(self):
        source = self.write("t.csv", 'id,text\n1,fox\n2,\n3,"  "\n4,lazy\n')
        kept = self.embed("-p", "fox", "-p", "", "-p", "  ", "-p", "lazy")
        self.assertEqual(self.embed("-f", source), kept)
        self.assertEqual(self.embed("-f", source, "--on-empty", "keep"), kept)
        self.assertEqual(self.embed("-f", source, "--on-empty", "skip"), [kept[0], kept[3]])
        zeros = [0.0] * len(kept[0])
        self.assertEqual(self.embed("-f", source, "--on-empty", "zero"), [kept[0], zeros, zeros, kept[3]])
        for choice, says in (("keep", b", 2 empty, "), ("skip", b", 2 empty (skipped), "), ("zero", b", 2 empty (zeros), ")):
            self.assertIn(says, self.run_ok("embed", "-m", model(), "-f", source, "--on-empty", choice).stderr)
        self.run_failing(1, "embed", "-m", model(), "-f", source, "--on-empty", "error", "-o", self.path("v.npy"),
                         says=("t.csv: row 3", "empty", "--on-empty"))
        self.assertEqual(self.embed("-f", "-", "--on-empty", "skip", stdin="\n\nfox\n\n"), kept[:1])
        self.assertEqual(self.embed("-f", "-", "--on-empty", "skip", stdin="\n\n\n"), [])
        self.run_failing(2, "embed", "-m", model(), "-f", source, "--on-empty", "zero", "--long", "chunks", says="--on-empty")


if __name__ == "__main__":
    unittest.main()

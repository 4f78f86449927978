"""quern over Parquet, Arrow files and streams, and datasets' folders, by the plug-in that QUERN_ARROW names; and pyarrow's word on
what it writes."""
import datetime
import decimal
import json
import os
import random
import signal
import subprocess
import unittest

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from program import QUERN, Case, f32, model

TEXTS = [f"number {i % 211} of {['fox', 'lazy user', ''][i % 3]}" for i in range(5000)]
TABLE = pa.table({"text": TEXTS, "key": list(range(len(TEXTS)))})


class ArrowCase(Case):
    def parquet(self, table, name="t.parquet", **more):
        pq.write_table(table, self.path(name), **more)
        return self.path(name)

    def ipc(self, table, name, stream=False, batch=None):
        with (ipc.new_stream if stream else ipc.new_file)(self.path(name), table.schema) as f:
            f.write_table(table, max_chunksize=batch)
        return self.path(name)

    def rows(self, source, *more):
        done = self.run_ok("embed", "-m", model(), "--quiet", "-f", source, *more)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def expected(self, texts):
        return self.embed("-f", self.write("expected.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in texts)))


class Reading(ArrowCase):
    def test_every_way_to_store_texts(self):
        expected = self.expected(TEXTS)
        for more in ({}, {"row_group_size": 700}, {"compression": "zstd"}, {"compression": "gzip"}, {"compression": "brotli"}, {"compression": "lz4"},
                     {"compression": "none", "use_dictionary": False}, {"data_page_version": "2.0"}, {"data_page_size": 1000}):
            with self.subTest(**more):
                self.assertEqual(self.embed("-f", self.parquet(TABLE, **more)), expected)
        for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
            table = pa.table({"text": pa.array(TEXTS).cast(kind) if kind != pa.string_view() else pa.array(TEXTS, kind)})
            with self.subTest(kind=kind):
                for stream in (False, True):
                    self.assertEqual(self.embed("-f", self.ipc(table, "t.arrow", stream, 900)), expected)
        self.assertEqual(self.embed("-f", self.parquet(TABLE.slice(1000, 2000))), expected[1000:3000])
        self.assertEqual(self.embed("-f", self.ipc(TABLE.slice(1000, 2000), "no ending")), expected[1000:3000])
        self.assertEqual(self.embed("-f", self.parquet(TABLE.slice(0, 0))), [])
        self.assertEqual(self.embed("-f", self.parquet(TABLE.select(["text"]).rename_columns(["only"]))), expected)

    def test_kept_columns(self):
        when = datetime.datetime(2026, 1, 2, 3, 4, 5)
        values = {"i": [1, None], "u": pa.array([2 ** 64 - 1, 0], pa.uint64()), "d": [1.5, float("nan")], "b": [True, False], "s": ["\u00e9\n\"", None],
                  "l": [[1, 2], []], "o": [{"a": 1, "b": [None]}, None], "t": [when, when], "n": pa.array([None, None], pa.null()),
                  "c": pa.array(["x", "y"]).dictionary_encode(), "m": [decimal.Decimal("1.50"), None], "y": pa.array([1, 2], pa.int8())}
        table = pa.table({"text": ["fox", "lazy"], **values})
        expected = [{"i": 1, "u": 2 ** 64 - 1, "d": 1.5, "b": True, "s": "\u00e9\n\"", "l": [1, 2], "o": {"a": 1, "b": [None]},
                     "t": "2026-01-02 03:04:05.000000", "n": None, "c": "x", "m": "1.50", "y": 1},
                    {"i": None, "u": 0, "d": None, "b": False, "s": None, "l": [], "o": None, "t": "2026-01-02 03:04:05.000000", "n": None,
                     "c": "y", "m": None, "y": 2}]
        for source in (self.parquet(table), self.ipc(table, "t.arrow")):
            rows = self.rows(source, "--keep", ",".join(values))
            self.assertEqual(f32(r.pop("embedding") for r in rows), self.embed("-p", "fox", "-p", "lazy"))
            self.assertEqual(rows, expected)
        self.assertEqual([r["id"] for r in self.rows(source, "--id", "i")], [1, None])

    def test_nulls(self):
        source = self.parquet(pa.table({"text": ["fox", None, "lazy"]}))
        self.run_failing(1, "embed", "-m", model(), "-f", source, "-o", self.path("v.npy"), says=("t.parquet: row 2", "null", "--on-empty"))
        fox, lazy = self.embed("-p", "fox", "-p", "lazy")
        self.assertEqual(self.embed("-f", source, "--on-empty", "skip"), [fox, lazy])
        self.assertEqual(self.embed("-f", source, "--on-empty", "zero"), [fox, [0] * len(fox), lazy])

    def test_many_files_and_folders(self):
        expected = self.expected(TEXTS[:300])
        os.mkdir(self.path("d"))
        self.parquet(TABLE.slice(0, 100), "d/a.parquet")
        self.ipc(TABLE.slice(100, 100), "d/b.arrow")
        self.write("d/c.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in TEXTS[200:300]))
        self.assertEqual(self.embed("-f", self.path("d")), expected)
        self.assertEqual(self.embed("-f", self.path("d"), "--shard", "2/3"), expected[100:200])

    def dataset(self, name, parts, **state):
        os.makedirs(self.path(name), exist_ok=True)
        files = []
        for i, part in enumerate(parts):
            files.append({"filename": f"data-{i:05d}-of-{len(parts):05d}.arrow"})
            self.ipc(part, f"{name}/{files[-1]['filename']}", stream=True, batch=77)
        self.write(f"{name}/dataset_info.json", "{}")
        self.write(f"{name}/state.json", json.dumps({"_data_files": files, "_indices_data_files": None, "_split": "train", **state}))
        return self.path(name)

    def test_datasets(self):
        folder = self.dataset("ds/train", [TABLE.slice(0, 200), TABLE.slice(200, 50)])
        self.assertEqual(self.embed("-f", folder), self.expected(TEXTS[:250]))
        self.write("ds/dataset_dict.json", json.dumps({"splits": ["train", "test"]}))
        self.run_failing(1, "embed", "-m", model(), "-f", self.path("ds"), says=("splits", "ds/train", "ds/test"))
        self.dataset("ds/train", [TABLE], _indices_data_files=[{"filename": "indices.arrow"}])
        self.run_failing(1, "embed", "-m", model(), "-f", folder, says=("state.json", "flatten_indices"))
        for files in ([{"filename": "../x.arrow"}], ["x"], [], {"a": 1}, [{"filename": 3}]):
            self.dataset("ds/train", [TABLE], _data_files=files)
            self.run_failing(1, "embed", "-m", model(), "-f", folder, says="state.json")

    def test_wrong_columns(self):
        table = pa.table({"body": ["fox"], "n": [1], "raw": [b"fox"]})
        for source in (self.parquet(table), self.ipc(table, "t.arrow"), self.ipc(table, "s.arrow", stream=True)):
            name = os.path.basename(source)
            for args, says in (((), ('no column "text"', "--field", "body, n, raw")), (("--field", "none"), ('no column "none"',)),
                               (("--field", "n"), ('column "n"', "expected strings", "int64")), (("--field", "raw"), ("expected strings", "binary")),
                               (("--field", "body", "--keep", "x"), ('no column "x"', "--keep")),
                               (("--field", "body", "--keep", "raw"), ("row 1", '"raw"', "binary"))):
                with self.subTest(args=args, name=name):
                    self.run_failing(1, "embed", "-m", model(), "-f", source, "-o", self.path("v.jsonl"), *args, says=(name, *says))
                    self.assertFalse(os.path.exists(self.path("v.jsonl")))
        twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
        self.run_failing(1, "embed", "-m", model(), "-f", self.ipc(twice, "t.arrow"), says=("two columns",))

    def test_broken(self):
        dice = random.Random(3)
        for source in (self.parquet(TABLE, compression="none"), self.ipc(TABLE, "t.arrow", batch=500), self.ipc(TABLE, "s.arrow", True, 500)):
            with open(source, "rb") as f:
                good = f.read()
            for n in (12, 100, len(good) // 2, len(good) - 9):
                with self.subTest(cut=n, name=source):
                    if os.path.exists(self.path("v.npy")):
                        os.unlink(self.path("v.npy"))
                    path = self.write("cut" + os.path.splitext(source)[1], good[:n])
                    self.run_failing(1, "embed", "-m", model(), "-f", path, "-o", self.path("v.npy"), says=("cut.",))
                    self.assertFalse(os.path.exists(self.path("v.npy")))
            for _ in range(40):  # an error or an answer, but no crash
                at, bits = dice.randrange(8, len(good)), dice.randrange(1, 256)
                path = self.write("bad" + os.path.splitext(source)[1], good[:at] + bytes([good[at] ^ bits]) + good[at + 1:])
                done = subprocess.run([QUERN, "embed", "-m", model(), "-f", path, "-o", self.path("v.npy"), "--quiet"], capture_output=True)
                self.assertIn(done.returncode, (0, 1), (source, at, bits, done.stderr))
                if done.returncode == 1:
                    self.assertTrue(done.stderr.startswith(b"quern: ") and done.stderr.count(b"\n") == 1, done.stderr)

    def test_without_the_plug_in(self):
        source = self.parquet(TABLE)
        for place, says in ((self.path("none"), "scripts/setup arrow"), (self.write("x.so", "no library"), "cannot be used")):
            env = {"QUERN_ARROW": place}
            self.run_failing(1, "embed", "-m", model(), "-f", source, says=("t.parquet", "scripts/setup arrow", says), env=env)
            self.run_failing(1, "embed", "-m", model(), "-p", "fox", "-o", self.path("o.parquet"), says=("o.parquet", "scripts/setup arrow"), env=env)
            self.run_ok("embed", "-m", model(), "-p", "fox", env=env)

    def test_siblings(self):
        source = self.parquet(TABLE.slice(0, 9))
        lines = self.write("t.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in TEXTS[:9]))
        self.assertEqual(self.run_ok("tokenize", "-m", model(), "-f", source).stdout, self.run_ok("tokenize", "-m", model(), "-f", lines).stdout)
        self.run_ok("embed", "-m", model(), "-f", source, "-o", self.path("v.npy"))
        found = self.run_ok("search", "-m", model(), "--index", self.path("v.npy"), "--texts", source, "--id", "key", "-q", TEXTS[4], "--prompt", "",
                            "-k", "1", "--json").stdout
        match = json.loads(found)["matches"][0]
        self.assertEqual((match["row"], match["id"], match["text"]), (4, 4, TEXTS[4]))

    def test_standard_input_and_compressed_files(self):
        with open(self.parquet(TABLE), "rb") as f:
            self.run_failing(1, "embed", "-m", model(), "-f", "-", says=("stdin", "Parquet", "file"), stdin=f.read())


class Writing(ArrowCase):
    def written(self, name, *args):
        self.run_ok("embed", "-m", model(), *args, "-o", self.path(name))
        return self.read(name)

    def read(self, name):
        return pq.read_table(self.path(name)) if name.endswith(".parquet") else ipc.open_file(self.path(name)).read_all()

    def test_columns(self):
        lines = [{"text": "fox", "i": 1, "r": 1, "b": True, "s": "a", "m": 1, "z": None, "o": {"a": 1}},
                 {"text": "lazy", "i": None, "r": 2.5, "b": None, "s": "\u00e9", "m": "x", "z": None, "o": [1]}]
        source = self.write("t.jsonl", "".join(json.dumps(l) + "\n" for l in lines))
        vectors = self.embed("-f", source)
        width = len(vectors[0])
        for name in ("o.parquet", "o.arrow"):
            table = self.written(name, "-f", source, "--id", "i", "--keep", "r,b,s,m,z,o")
            self.assertEqual([f.name for f in table.schema], ["id", "r", "b", "s", "m", "z", "o", "embedding"])
            self.assertEqual([str(f.type) for f in table.schema][:7], ["int64", "double", "bool"] + ["large_string"] * 4)
            self.assertEqual(table.schema.field("embedding").type, pa.list_(pa.field("element", pa.float32(), False), width))
            self.assertEqual(table.drop_columns(["embedding"]).to_pylist(), [
                {"id": 1, "r": 1.0, "b": True, "s": "a", "m": "1", "z": None, "o": '{"a":1}'},
                {"id": None, "r": 2.5, "b": None, "s": "\u00e9", "m": "x", "z": None, "o": "[1]"}])
            self.assertEqual(table["embedding"].to_pylist(), vectors)

    def test_many_rows(self):
        source = self.parquet(TABLE)
        expected = self.embed("-f", source)
        for name in ("o.parquet", "o.arrow"):
            table = self.written(name, "-f", source, "--keep", "key,text")
            self.assertEqual(table["embedding"].to_pylist(), expected)
            self.assertEqual((table["key"].to_pylist(), table["text"].to_pylist()), (TABLE["key"].to_pylist(), TEXTS))
            self.assertEqual(self.embed("-f", self.path(name)), expected)  # what was kept is read again
        self.assertEqual(self.written("none.parquet", "-f", self.write("none.txt", "")).num_rows, 0)

    def test_precisions(self):
        source = self.write("t.txt", "".join(f"number {i % 37} fox {i % 11}\n" for i in range(300)))
        for precision, kind in (("f16", "halffloat"), ("int8", "int8"), ("uint8", "uint8"), ("binary", "int8"), ("ubinary", "uint8")):
            said = self.run_ok("embed", "-m", model(), "-f", source, "--precision", precision, "-o", self.path("v.npy")).stderr
            with open(self.path("v.npy"), "rb") as f:
                expected = f.read()[128:]
            for name in ("o.parquet", "o.arrow"):
                done = self.run_ok("embed", "-m", model(), "-f", source, "--precision", precision, "-o", self.path(name))
                column = self.read(name)["embedding"].combine_chunks()
                self.assertEqual(str(column.type.value_type), kind)
                values = column.flatten()
                self.assertEqual(values.buffers()[1].to_pybytes()[values.offset * values.type.bit_width // 8:][:len(expected)], expected)
                self.assertEqual(b"note:" in done.stderr, b"note:" in said)

    def test_killed(self):
        source = self.parquet(TABLE)
        for name in ("o.parquet", "o.arrow"):
            command = [QUERN, "embed", "-m", model(), "-f", source, "--keep", "key,text", "--journal-every", "0", "--resume", "-o"]
            self.run_ok(*command[1:], self.path("whole-" + name))
            with open(self.path("whole-" + name), "rb") as f:
                expected = f.read()
            dice = random.Random(11)
            for _ in range(int(os.environ.get("QUERN_KILLS", "12"))):
                with subprocess.Popen([*command, self.path(name)], stderr=subprocess.DEVNULL) as process:
                    try:
                        process.wait(dice.uniform(0, 0.5))
                    except subprocess.TimeoutExpired:
                        process.send_signal(signal.SIGKILL)
                self.assertIn(process.returncode, (0, -signal.SIGKILL))
                left = {f for f in os.listdir(self.dir) if f.startswith(name)}
                self.assertLessEqual(left, {name, name + ".part", name + ".journal"})
                if process.returncode == 0:
                    with open(self.path(name), "rb") as f:
                        self.assertEqual(f.read(), expected)
                    os.unlink(self.path(name))
            self.run_ok(*command[1:], self.path(name))
            with open(self.path(name), "rb") as f:
                self.assertEqual(f.read(), expected)
            self.assertEqual([f for f in os.listdir(self.dir) if f.startswith(name)], [name])

    def test_errors(self):
        self.run_failing(2, "embed", "-m", model(), "-p", "fox", "-o", "-", "--format", "parquet", says=("Parquet", "files"))
        self.run_failing(2, "embed", "-m", model(), "-p", "fox", "-o", "/dev/full", "--format", "arrow", says="files")
        self.run_failing(2, "embed", "-m", model(), "-p", "fox", "-o", self.path("o.parquet"), "--long", "chunks", says=".jsonl")
        self.run_failing(2, "embed", "-m", model(), "-p", "fox", "-o", self.path("o.parquet"), "--dimensions", "12", "--precision", "ubinary", says="12")
        self.assertEqual(os.listdir(self.dir), [])


if __name__ == "__main__":
    unittest.main()

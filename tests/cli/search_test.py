"""quern search and quern dedup: exact, over what quern embed wrote in any precision."""
import array
import json
import unittest

from program import Case, cosine, model, read_npy

WORDS = "the quick fox jumps over the lazy user of foxes and texts big small".split()
TEXTS = [f"{WORDS[i % 13]} {WORDS[i * 7 % 11]} number {i}" for i in range(700)]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


class Indexed(Case):
    def setUp(self):
        super().setUp()
        self.texts = self.write("t.jsonl", "".join(json.dumps({"text": t, "key": i * 3}) + "\n" for i, t in enumerate(TEXTS)))
        self.vectors = self.index("v.npy")

    def index(self, name, *more):
        self.run_ok("embed", "-m", model(), "-f", self.texts, "-o", self.path(name), *more)
        return self.path(name)

    def search(self, *args, **more):
        done = self.run_ok("search", "-m", model(), "--json", "--quiet", *(() if "--input-type" in args else ("--prompt", "")), *args, **more)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def dedup(self, *args):
        return [json.loads(line) for line in self.run_ok("dedup", "--quiet", *args).stdout.splitlines()]

    def ranges(self):
        rows = read_npy(self.vectors)
        values = [min(c) for c in zip(*rows)] + [max(c) for c in zip(*rows)]
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (2, {len(rows[0])}), }}".encode()
        header += b" " * (-(len(header) + 11) % 64) + b"\n"
        return self.write("r.npy", b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + array.array("f", values).tobytes())


class Search(Indexed):
    def expected(self, query, k):
        rows, (vector,) = read_npy(self.vectors), self.embed("-p", query, "--prompt", "")
        return sorted(((dot(vector, r), -i) for i, r in enumerate(rows)), reverse=True)[:k]

    def test_nearest(self):
        queries = [TEXTS[40], "a lazy fox", TEXTS[699]]
        found = self.search("--index", self.vectors, "-k", "6", *[w for q in queries for w in ("-q", q)])
        self.assertEqual([f["query"] for f in found], queries)
        for f in found:
            expected = self.expected(f["query"], 6)
            self.assertEqual([m["row"] for m in f["matches"]], [-i for _, i in expected])
            for m, (score, _) in zip(f["matches"], expected):
                self.assertAlmostEqual(m["score"], score, places=5)
        self.assertEqual(found[0]["matches"][0]["row"], 40)
        again = self.search("--index", self.vectors, "-k", "6", "-f", "-", "-t", "1", stdin="".join(q + "\n" for q in queries))
        self.assertEqual(again, found)

    def test_the_prompt_of_queries(self):
        (vector,) = self.embed("-p", "lazy fox", "--input-type", "query")
        expected = sorted(((dot(vector, r), -i) for i, r in enumerate(read_npy(self.vectors))), reverse=True)[:3]
        plain = self.run_ok("search", "-m", model(), "--index", self.vectors, "-q", "lazy fox", "-k", "3", "--json").stdout
        self.assertEqual([m["row"] for m in json.loads(plain)["matches"]], [-i for _, i in expected])
        self.assertNotEqual(json.loads(plain)["matches"],
                            self.search("--index", self.vectors, "-q", "lazy fox", "-k", "3", "--input-type", "document")[0]["matches"])

    def test_texts_beside(self):
        flags = ("--index", self.vectors, "-k", "3", "-q", TEXTS[5])
        matches = self.search(*flags, "--texts", self.texts, "--id", "key", "--keep", "text")[0]["matches"]
        self.assertEqual(matches[0], {"row": 5, "score": matches[0]["score"], "id": 15, "text": TEXTS[5]})
        for m in matches:
            self.assertEqual((m["id"], m["text"]), (3 * m["row"], TEXTS[m["row"]]))
        table = self.run_ok("search", "-m", model(), *flags, "--prompt", "", "--texts", self.texts).stdout.decode().splitlines()
        self.assertEqual(len(table), 4)
        self.assertIn(TEXTS[5], table[1])

    def test_every_precision(self):
        ranges = self.ranges()
        for precision, more in (("f16", ()), ("int8", ("--ranges", ranges)), ("uint8", ("--ranges", ranges)), ("binary", ()), ("ubinary", ())):
            with self.subTest(precision):
                index = self.index("x.npy", "--precision", precision, *more)
                for i in (3, 77, 500):
                    (found,) = self.search("--index", index, "-q", TEXTS[i], "-k", "20", *more)
                    rows = [m["row"] for m in found["matches"]]
                    self.assertIn(i, rows)
                    if precision in ("f16", "uint8", "int8"):
                        exact = dict((-r, s) for s, r in self.expected(TEXTS[i], 700))
                        for m in found["matches"]:
                            self.assertAlmostEqual(m["score"], exact[m["row"]], places=2)
                    else:
                        self.assertEqual(found["matches"][0]["score"], 1)
                    (best,) = self.search("--index", index, "-q", TEXTS[i], "-k", "3", *more, "--rescore", self.vectors, "--oversample", "300")
                    (exact,) = self.search("--index", self.vectors, "-q", TEXTS[i], "-k", "3")
                    self.assertEqual(best, exact)

    def test_json_lines_as_an_index(self):
        lines = self.index("v.jsonl")
        named = self.index("n.jsonl", "--id", "key")
        expected = self.search("--index", self.vectors, "-q", TEXTS[9], "-k", "5")
        self.assertEqual(self.search("--index", lines, "-q", TEXTS[9], "-k", "5"), expected)
        self.assertEqual(self.search("--index", named, "-q", TEXTS[9], "-k", "5"), expected)

    def test_lengths(self):
        index = self.index("u.npy", "--no-normalize")
        (vector,), rows = self.embed("-p", TEXTS[3]), read_npy(index)
        (found,) = self.search("--index", index, "-q", TEXTS[3], "-k", "4", "--cosine")
        best = sorted(((cosine(vector, r), -i) for i, r in enumerate(rows)), reverse=True)[:4]
        self.assertEqual([m["row"] for m in found["matches"]], [-i for _, i in best])
        self.assertAlmostEqual(found["matches"][0]["score"], 1, places=5)

    def test_fewer_rows_than_asked_for(self):
        self.run_ok("embed", "-m", model(), "-p", "fox", "-o", self.path("one.npy"))
        (found,) = self.search("--index", self.path("one.npy"), "-q", "fox", "-k", "9")
        self.assertEqual([m["row"] for m in found["matches"]], [0])
        self.run_ok("embed", "-m", model(), "-f", self.write("none.txt", ""), "-o", self.path("none.npy"))
        self.assertEqual(self.search("--index", self.path("none.npy"), "-q", "fox"), [{"query": "fox", "matches": []}])

    def test_errors(self):
        with open(self.vectors, "rb") as f:
            good = f.read()
        flags = ("search", "-m", model(), "-q", "fox", "--index")
        short = self.index("d.npy", "--dimensions", "8")
        other = good.replace(b"'<f4'", b"'<f8'", 1)
        self.run_failing(1, *flags, short, says=("d.npy", "8", "--dimensions"))
        self.run_ok(*flags, short, "--dimensions", "8")
        for data, says in ((good[:-4], "bytes"), (good + b"x", "bytes"), (other, "<f8"), (good[:40], "header"), (b"\x93NUMPY\x01", "early"),
                           (good.replace(b"False", b"True ", 1), "fortran"), (good.replace(b"(700, ", b"(7)00, ", 1), "shape"),
                           (good.replace(b"(700", b"(701", 1), "701"), (b"fox\n", "expected vectors"), (b"", "expected vectors")):
            with self.subTest(says):
                self.run_failing(1, *flags, self.write("bad.npy", data), says=("bad.npy", says))
        self.run_failing(1, *flags, self.path("missing.npy"), says="missing.npy")
        for line, says in (("[1, \"a\"]", "numbers"), ("[1, 2]\n[1]", "line 2"), ("{\"text\": 1}", "line 1"), ("fox", "line 1"), ("", "none")):
            self.run_failing(1, "dedup", "--threshold", "1", "--index", self.write("bad.jsonl", line), says=("bad.jsonl", says))
        self.run_failing(1, *flags, self.vectors, "--texts", self.write("few.txt", "fox\n"), says=("--texts", "700", "found 1"))
        self.run_failing(2, *flags, self.vectors, "--id", "key", says="--texts")
        self.run_failing(1, *flags, self.vectors, "--rescore", self.index("s.npy", "--on-empty", "skip", "-p", "one more"), says=("--rescore", "701"))
        self.run_failing(2, *flags, self.vectors, "--ranges", self.ranges(), says="--ranges")
        self.run_failing(1, *flags, self.vectors, "--precision", "int8", says="int8")
        self.run_failing(2, "search", "-m", model(), "--index", self.vectors, says="nothing to search for")


class Dedup(Indexed):
    def reference(self, rows, threshold):
        of = {}
        for i, row in enumerate(rows):
            best = max(((cosine(row, rows[j]), -j) for j in range(i) if j not in of), default=(-2, 0))
            if best[0] >= threshold:
                of[i] = -best[1]
        return of

    def test_rows_like_earlier_ones(self):
        texts = [TEXTS[i % 90] + (" big" if i % 5 == 0 else "") for i in range(1300)]  # more than a block
        source = self.write("many.txt", "".join(t + "\n" for t in texts))
        self.run_ok("embed", "-m", model(), "-f", source, "-o", self.path("m.npy"))
        first = {}
        found = self.dedup("--index", self.path("m.npy"), "--threshold", "0.999999", "--texts", source)
        rows = [tuple(r) for r in read_npy(self.path("m.npy"))]  # some texts are the same to the small vocabulary
        expected = [(i, first[r], texts[i]) for i, r in enumerate(rows) if first.setdefault(r, i) != i]
        self.assertEqual([(f["row"], f["of"], f["text"]) for f in found], expected)
        self.assertTrue(all(f["score"] > 0.99999 for f in found))
        kept = self.dedup("--index", self.path("m.npy"), "--threshold", "0.999999", "--texts", source, "--kept")
        self.assertEqual([(k["row"], k["text"]) for k in kept], [(i, texts[i]) for i in sorted(first.values())])
        said = self.run_ok("dedup", "--index", self.path("m.npy"), "--threshold", "0.999999").stderr.decode()
        self.assertIn(f"1300 rows, {len(first)} stay, {1300 - len(first)} are like", said)

    def test_thresholds(self):
        rows = read_npy(self.vectors)[:200]
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (200, {len(rows[0])}), }}".encode()
        header += b" " * (-(len(header) + 11) % 64) + b"\n"
        index = self.write("s.npy", b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + array.array("f", sum(rows, [])).tobytes())
        for threshold in (0.6012, 0.8013, 0.9511):
            found = {f["row"]: f["of"] for f in self.dedup("--index", index, "--threshold", threshold)}
            self.assertEqual(found, self.reference(rows, threshold))

    def test_bits_and_bytes(self):
        bits = self.index("b.npy", "--precision", "ubinary", "-p", TEXTS[3])  # the first row, and row 4
        found = self.dedup("--index", bits, "--precision", "ubinary", "--threshold", "1")
        self.assertIn({"row": 4, "of": 0, "score": 1}, found)
        ranges = self.ranges()
        codes = self.index("c.npy", "--precision", "int8", "--ranges", ranges, "-p", TEXTS[3])
        self.assertIn((4, 0), [(f["row"], f["of"]) for f in self.dedup("--index", codes, "--ranges", ranges, "--threshold", "0.99999")])

    def test_errors(self):
        self.run_failing(2, "dedup", "--index", self.vectors, says="--threshold")
        self.run_failing(2, "dedup", "--index", self.vectors, "--threshold", "1.5", says="--threshold")
        self.run_failing(1, "dedup", "--index", self.path("none.npy"), "--threshold", "0.9", says="none.npy")


if __name__ == "__main__":
    unittest.main()

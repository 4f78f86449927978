"""quern embed: outputs and their agreement, order, options, the summary line, forced instruction sets."""
import json
import os
import unittest

from program import QUERN, TYPES, Case, csv_rows, json_rows, model, quern, read_npy


class Outputs(Case):
    def test_every_type_gives_unit_vectors(self):
        for kind in TYPES:
            with self.subTest(kind):
                rows = json_rows(self.run_ok("embed", "-m", model(kind), "-p", "hello world").stdout)
                self.assertEqual(len(rows), 1)
                self.assertAlmostEqual(sum(x * x for x in rows[0]), 1, places=5)
                self.assertEqual(json.loads(self.run_ok("inspect", model(kind), "--json").stdout)["type"], kind)

    def test_outputs_agree(self):
        texts = self.write("t.txt", "one\ntwo words\n\nthree more words")
        rows = self.embed("-f", texts)
        self.assertEqual(len(rows), 4)
        self.assertEqual(self.embed("-p", "one", "-p", "two words", "-p", "", "-p", "three more words"), rows)
        named = self.run_ok("-m", model(), "-f", texts, program=os.path.join(os.path.dirname(QUERN), "embed"))
        self.assertEqual(json_rows(named.stdout), rows)
        for kind in ("npy", "jsonl", "csv"):
            with self.subTest(kind):
                out = self.path("o." + kind)
                self.assertEqual(self.embed("-f", texts, "-o", out), [])
                if kind == "npy":
                    self.assertEqual(read_npy(out), rows)
                else:
                    with open(out, "rb") as f:
                        self.assertEqual((json_rows if kind == "jsonl" else csv_rows)(f.read()), rows)

    def test_rows_keep_the_texts_order(self):
        texts = [f"number {i % 97} " + "word " * (i % 23) for i in range(5000)]
        many = self.embed("-f", "-", "-t", "3", stdin="\n".join(texts))
        self.assertEqual(len(many), 5000)
        for i in (0, 1, 2047, 2048, 4095, 4999):
            self.assertEqual(self.embed("-p", texts[i]), [many[i]])


class Options(Case):
    def test_summary_and_quiet(self):
        done = self.run_ok("embed", "-m", model(), "-p", "one", "-t", "2")
        self.assertRegex(done.stderr.decode(),
                         r"^1 texts, \d+ tokens, 0 truncated, [\d.]+ s, [\d.]+ texts/s, \w+, 2 threads\n$")
        self.assertEqual(self.run_ok("embed", "-m", model(), "-p", "one", "--quiet").stderr, b"")
        self.assertIn(b" 1 truncated, ", self.run_ok("embed", "-m", model(), "-f", "-", stdin="word " * 2_000_000).stderr)

    def test_dimensions_and_prompt(self):
        whole = self.embed("-p", "one", "--no-normalize")[0]
        self.assertEqual(self.embed("-p", "one", "--no-normalize", "--dimensions", "8")[0], whole[:8])
        self.assertEqual(self.embed("-p", "one", "--prompt", "query: "), self.embed("-p", "query: one", "--prompt", ""))

    def test_isa(self):
        for isa in ("scalar", "avx2", "avx512_vnni", "neon", "neon_i8mm"):
            with self.subTest(isa):
                done = quern("embed", "-m", model(), "-p", "one", env={"QUERN_ISA": isa})
                if done.returncode == 2:
                    self.skipTest(done.stderr.decode().strip())
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(isa.encode(), done.stderr)


if __name__ == "__main__":
    unittest.main()

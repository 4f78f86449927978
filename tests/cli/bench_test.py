"""quern bench, and the back ends and instruction sets that --backend and --isa force."""
import json
import os
import unittest

from program import TINY, Case, json_rows, model, quern

TEXTS = ("-p", "hello world", "-p", "", "-p", "a much longer text than the others " * 3)


class Bench(Case):
    def test_json(self):
        done = self.run_ok("bench", "-m", model(), "-p", "4,16", "-b", "1,3", "-t", "2", "-r", "1", "-o", "json")
        rows = json.loads(done.stdout)
        self.assertEqual([(r["n_prompt"], r["batch"]) for r in rows], [(4, 1), (4, 3), (16, 1), (16, 3)])
        for row in rows:
            self.assertEqual((row["n_gen"], row["threads"], row["type"], row["backend"]), (0, 2, "q8", "native"))
            self.assertGreater(row["tokens_per_second"], 0)
            self.assertAlmostEqual(row["tokens_per_second"] / row["texts_per_second"], row["n_prompt"], places=6)
            self.assertGreater(row["int8_limit_gmacs_per_second"], 0)
            self.assertTrue(row["isa"] and row["cpu"])

    def test_table(self):
        lines = self.run_ok("bench", "-m", model("f32"), "-p", "8", "-b", "2", "-r", "1").stdout.decode().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn("(f32)", lines[0])
        self.assertEqual(lines[2].split()[:2], ["8", "2"])

    def test_decoders_behind_a_depth(self):
        """Prompts behind tokens that are kept are timed by the tokens that were read, which a finite rate shows."""
        folder = os.path.join(os.path.dirname(TINY), "models", "llama")
        for depth in (0, 64):
            done = self.run_ok("bench", "-m", folder, "-p", "16", "-n", "4", "-d", depth, "-r", "2", "-o", "json")
            rows = json.loads(done.stdout)
            self.assertEqual([(r["n_prompt"], r["n_gen"], r["depth"]) for r in rows], [(16, 0, depth), (0, 4, depth)])
            for row in rows:
                self.assertGreater(row["tokens_per_second"], 0)
                self.assertLess(row["tokens_per_second"], 1e9)

    def test_bad_input(self):
        self.run_failing(2, "bench", "-m", model(), "-p", "1000000", says="at most")
        self.run_failing(2, "bench", "-m", model(), "-p", "0", says="-p")
        self.run_failing(2, "bench", "-m", model(), "-p", "a", says="-p")
        self.run_failing(1, "bench", "-m", self.path("none.q8"), says="none.q8")


class Backends(Case):
    def check(self, backend, kind):
        native = json_rows(self.run_ok("embed", "-m", model(kind), *TEXTS).stdout)
        done = quern("embed", "-m", model(kind), *TEXTS, "--backend", backend)
        if done.returncode != 0:
            text = done.stderr.decode()
            self.assertRegex(text, "here can run: native")
            self.skipTest(text.strip())
        self.assertClose(json_rows(done.stdout), native, 0.9999)

    def test_openblas(self):
        self.check("openblas", "f32")

    def test_onednn_q8(self):
        self.check("onednn", "q8")

    def test_onednn_bf16(self):
        self.check("onednn", "bf16")

    def test_what_cannot_run_is_refused(self):
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--backend", "abacus", says=["abacus", "native"])
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--isa", "abacus", says=["abacus", "scalar"])
        if "openblas" in quern("embed", "-m", model(), "-p", "x", "--backend", "abacus").stderr.decode():
            self.run_failing(1, "embed", "-m", model("q4"), "-p", "x", "--backend", "openblas", says=["q4", "native"])


if __name__ == "__main__":
    unittest.main()

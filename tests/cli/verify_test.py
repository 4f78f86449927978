"""quern verify, and the self-test that a file carries: quern inspect --self-test."""
import json
import os
import shutil
import struct
import unittest

from fixtures import edit_weights, halves, variant
from program import TINY, TYPES, Case, model, quern

TEXTS = ["the quick fox", "lazy users compare embeddings", "", "50 cents", "cosine similarity of sentences"]


class Verify(Case):
    def setUp(self):
        super().setUp()
        self.texts = self.write("t.txt", "\n".join(TEXTS))

    def verify(self, a, b, *more):
        return json.loads(self.run_ok("verify", a, "--reference", b, "-f", self.texts, "--json", *more).stdout)

    def test_a_model_is_itself(self):
        report = self.verify(model(), model(), "--min-cosine", "0.9999999")
        self.assertEqual(report["texts"], 5)
        self.assertEqual(report["texts_whose_tokens_differ"], 0)
        for value in report["cosine"].values():
            self.assertAlmostEqual(value, 1, places=7)
        self.assertEqual(report["neighbours"], {"of": 4, "texts": 5, "overlap": 1.0})
        self.assertEqual([list(t) for t in report["worst_texts"]], [["cosine", "index", "text"]] * 5)

    def test_what_a_type_lost(self):
        loss = [1 - self.verify(model(kind), TINY)["cosine"]["worst"] for kind in ("f32", "q8", "q4")]
        self.assertLess(loss[0], 1e-6)
        self.assertLess(loss[0], loss[1])
        self.assertLess(loss[1], loss[2])
        worst = [t["cosine"] for t in self.verify(model("q4"), TINY)["worst_texts"]]
        self.assertEqual(worst, sorted(worst))

    def test_limits_decide_the_exit_code(self):
        worst = self.verify(model("q4"), TINY)["cosine"]["worst"]
        args = ("verify", model("q4"), "--reference", TINY, "-f", self.texts)
        self.run_ok(*args, "--min-cosine", worst - 1e-5)
        done = quern(*args, "--min-cosine", worst + 1e-5)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"--min-cosine", done.stderr)
        self.assertIn(b"cosine", done.stdout)  # the report comes all the same
        table = self.run_ok(*args).stdout.decode()
        self.assertIn("worst texts", table)

    def test_rerankers_and_classifiers(self):
        one = variant(self.path("one"), "bert", "BertForSequenceClassification", ["R"])
        three = variant(self.path("three"), "bert", "BertForSequenceClassification")
        report = self.verify(one, one, "-q", "quick fox", "--max-delta", "0")
        self.assertEqual(report["score_delta"], {"mean": 0.0, "percentile_99": 0.0, "worst": 0.0})
        self.assertEqual(report["same_order"], 1.0)
        self.assertEqual(self.verify(three, three)["same_label"], 1.0)
        small = self.path("one.q4")
        self.run_ok("convert", one, "-o", small, "--quiet")
        moved = self.verify(small, one, "-q", "quick fox")["score_delta"]["worst"]
        self.assertGreater(moved, 0)
        args = ("verify", small, "--reference", one, "-q", "quick fox", "-f", self.texts)
        self.run_ok(*args, "--max-delta", moved * 1.01)
        self.assertEqual(quern(*args, "--max-delta", moved * 0.99).returncode, 1)
        self.run_failing(2, "verify", one, "--reference", three, "-p", "x", says=("1", "3", "labels"))
        self.run_failing(2, "verify", one, "--reference", model(), "-p", "x", says="do not both make them")

    def test_scores_that_are_no_numbers_do_not_pass(self):
        one = variant(self.path("one"), "bert", "BertForSequenceClassification", ["R"])
        broken = shutil.copytree(one, self.path("broken"))
        edit_weights(broken, lambda t: t.update({"classifier.bias": ["F16", [1], halves([float("nan")])]}))
        done = quern("verify", broken, "--reference", one, "-p", "x", "--max-delta", "1")
        self.assertEqual(done.returncode, 1, done.stdout)

    def test_wrong_uses(self):
        self.run_failing(2, "verify", model(), "--reference", TINY, says="nothing to verify")
        self.run_failing(2, "verify", model(), "--reference", TINY, "-f", self.write("empty", ""), says="no texts")
        wide = variant(self.path("t5"), "t5", "T5EncoderModel")
        narrow = os.path.join(os.environ["QUERN_TEST_DIR"], "golden", "models", "bert")
        self.run_failing(2, "verify", wide, "--reference", narrow, "-p", "x", says=("16", "32", "values"))
        self.run_failing(1, "verify", model(), "--reference", self.path("nowhere"), "-p", "x", says="nowhere")
        self.run_failing(2, "verify", model(), says="--reference")


class SelfTest(Case):
    def self_test(self, path):
        done = quern("inspect", path, "--self-test", "--json")
        return done, json.loads(done.stdout) if done.stdout else None

    def test_passes_on_every_type(self):
        for kind in TYPES:
            with self.subTest(kind):
                done, report = self.self_test(model(kind))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(report["passed"])
                self.assertGreater(len(report["texts"]), 2)
                for t in report["texts"]:
                    self.assertTrue(t["ids_equal"])
                    self.assertGreaterEqual(t["cosine"], report["least_cosine"])
        table = self.run_ok("inspect", model(), "--self-test").stdout.decode().splitlines()
        self.assertTrue(table[-1].startswith("passed"))

    def test_passes_on_every_head(self):
        for source, architecture, labels in (("bert", "BertForSequenceClassification", ["R"]),
                                             ("bert", "BertForSequenceClassification", None),
                                             ("bert", "BertForTokenClassification", None),
                                             ("xlm-roberta", "XLMRobertaModel", None)):
            with self.subTest(architecture + str(labels)):
                folder = variant(self.path(f"f{len(os.listdir(self.dir))}"), source, architecture, labels)
                path = folder + ".q8"
                self.run_ok("convert", folder, "-o", path, "--quiet")
                done, report = self.self_test(path)
                self.assertTrue(report["passed"], done.stdout)

    def damaged(self, path):
        """A copy with the sign of every number of the file's last half changed."""
        with open(path, "rb") as f:
            data = bytearray(f.read())
        for i in range(len(data) // 2, len(data)):
            data[i] ^= 0x80
        return self.write("damaged", bytes(data))

    def test_damage_is_seen(self):
        for kind in TYPES:
            with self.subTest(kind):
                done, report = self.self_test(self.damaged(model(kind)))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertFalse(report["passed"])
                self.assertIn(b"self-test did not pass", done.stderr)
        table = quern("inspect", self.damaged(model()), "--self-test")
        self.assertEqual(table.returncode, 1)
        self.assertIn(b"FAILED", table.stdout)

    def test_a_score_that_is_no_number_is_seen(self):
        folder = variant(self.path("one"), "bert", "BertForSequenceClassification", ["R"])
        path = self.path("one.f32")
        marks = [600.5 + i for i in range(32)]  # exact in F16 and F32, to be found again
        edit_weights(folder, lambda t: t.update({"classifier.weight": ["F16", [1, 32], halves(marks)]}))
        self.run_ok("convert", folder, "-o", path, "--quiet")
        self.assertTrue(self.self_test(path)[1]["passed"])
        with open(path, "rb") as f:
            data = f.read()
        for mark in marks:
            self.assertEqual(data.count(struct.pack("<f", mark)), 1)
            data = data.replace(struct.pack("<f", mark), struct.pack("<f", float("nan")))
        done, report = self.self_test(self.write("nan", data))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertFalse(report["passed"])

    def test_a_text_of_the_users(self):
        path = self.path("own.q8")
        self.run_ok("convert", TINY, "-o", path, "--quiet", "--self-test", "naïve quick fox 你好")
        report = self.self_test(path)[1]
        self.assertIn("naïve quick fox 你好", [t["text"] for t in report["texts"]])

    def test_folders_have_none(self):
        self.run_failing(1, "inspect", TINY, "--self-test", says=("no self-test", "quern convert"))


if __name__ == "__main__":
    unittest.main()

"""Classification over HTTP, against `quern classify`."""
import json
import os
import unittest

import models
from fixtures import MODELS
from server import ServerCase

TEXTS = ["what a lovely day", "quick fox", "50 cents"]


class Predict(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.classifier()]
        return super().start()

    @staticmethod
    def program(texts, *more):
        rows = models.quern_json("classify", "-m", models.classifier(), "-f", "-", "--jsonl", "--json", *more,
                                 stdin=models.lines(texts))
        return [[(r["label"], r["score"]) for r in row] for row in rows]

    def same(self, found, expected):
        self.assertEqual([r["label"] for r in found], [label for label, _ in expected])
        for r, (_, score) in zip(found, expected):
            self.assertAlmostEqual(r["score"], score, places=6)

    def test_one_text(self):
        for path in ("/predict", "/invocations"):
            self.same(self.ok(path, {"inputs": TEXTS[0]}).json, self.program(TEXTS[:1])[0])
        (found,) = self.ok("/", {"inputs": TEXTS[0]}).json  # a list of lists, as Hugging Face's inference API has it
        self.same(found, self.program(TEXTS[:1])[0])
        self.same(self.ok("/predict", {"inputs": TEXTS[0], "raw_scores": True}).json, self.program(TEXTS[:1], "--raw")[0])

    def test_two_strings_are_a_pair(self):
        (expected,) = self.program(["quick fox\tlazy user"], "--pairs")
        self.same(self.ok("/predict", {"inputs": ["quick fox", "lazy user"]}).json, expected)

    def test_batch(self):
        rows = self.ok("/predict", {"inputs": [[t] for t in TEXTS]}).json
        for row, expected in zip(rows, self.program(TEXTS), strict=True):
            self.same(row, expected)

    def test_texts_and_pairs_in_one_batch(self):
        batch = [["quick fox"], ["quick fox", "lazy user"], ["50 cents"], ["lazy user", "quick fox"]] * 5
        rows = self.ok("/predict", {"inputs": batch}).json
        for entry, row in zip(batch, rows, strict=True):
            self.same(row, self.program(["\t".join(entry)], *["--pairs"] * (len(entry) - 1))[0])

    def test_long_texts(self):
        answer = self.ok("/predict", {"inputs": [["word " * 500], ["fox"]]})
        self.assertEqual(answer.headers["x-truncated-inputs"], "1")
        self.refused(422, "/predict", {"inputs": "word " * 500, "truncate": False}, "tokens")

    def test_refused(self):
        self.refused(400, "/predict", {"inputs": []})
        self.refused(422, "/predict", {}, "inputs")
        for wrong in (1, None, {}, ["a", "b", "c"], [["a", "b", "c"]], [[]], ["a", ["b"]], [[1]], [["a"], "b"]):
            self.refused(422, "/predict", {"inputs": wrong})
        self.refused(422, "/predict", {"inputs": "a", "raw_scores": 1}, "raw_scores")
        self.refused(422, "/predict", {"inputs": [["a"]] * 2049}, ("2049", "2048"))
        self.refused(424, "/embed", {"inputs": "a"}, "embed")


class Spans(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.tagger()]
        return super().start()

    def test_tagger_is_listed(self):
        self.assertEqual(self.server.get("/v1/models").json["data"][0]["tasks"], ["token_classify"])

    def test_spans(self):
        texts = ["Angela quick fox", "the lazy user compared embeddings"]
        expected = models.quern_json("classify", "-m", models.tagger(), "-f", "-", "--jsonl", "--json", stdin=models.lines(texts))
        self.assertTrue(any(expected))
        for text, found, spans in zip(texts, self.ok("/predict", {"inputs": [[t] for t in texts]}).json, expected, strict=True):
            self.assertEqual(len(found), len(spans))
            for f, s in zip(found, spans):
                self.assertEqual(set(f), {"entity_group", "score", "word", "start", "end"})
                self.assertEqual((f["entity_group"], s["label"]), ("PER", "PER"))  # without B- and I-
                self.assertEqual((f["start"], f["end"], f["word"]), (s["begin"], s["end"], text[f["start"]:f["end"]]))
                self.assertAlmostEqual(f["score"], s["score"], places=6)

    def test_places_are_transformers_s(self):
        """In characters; see tests/reference/make_character_offsets.py."""
        with open(os.path.join(os.path.dirname(MODELS), "tokenizers", "characters.json"), encoding="utf-8") as f:
            golden = json.load(f)["spans"]
        rows = self.ok("/predict", {"inputs": [[g["text"]] for g in golden], "grouped": False}).json
        for g, row in zip(golden, rows, strict=True):
            self.assertEqual([[t["start"], t["end"]] for t in row], g["places"], g["text"])
            self.assertEqual([t["word"] for t in row], [g["text"][t["start"]:t["end"]] for t in row])


class ZeroShot(ServerCase):
    """Labels of the caller's own."""
    @classmethod
    def start(cls):
        cls.models = [models.inference()]
        return super().start()

    def test_candidate_labels(self):
        with open(os.path.join(os.path.dirname(models.MODELS), "zero_shot.json"), encoding="utf-8") as f:
            cases = [c for c in json.load(f) if c["model"] == "deberta" and c["names"][0] == "entailment"]
        for c in cases:
            given = {k: c[k] for k in ("multi_label", "hypothesis_template") if k in c}
            body = {"inputs": c["text"], "parameters": {"candidate_labels": c["labels"], **given}}
            found = self.ok("/predict", body).json
            self.assertEqual(sorted(found, key=lambda r: -r["score"]), found)
            for label, score in zip(c["labels"], c["scores"]):
                self.assertAlmostEqual(next(r["score"] for r in found if r["label"] == label), score, places=4)
            self.assertEqual(self.ok("/predict", {**body, "inputs": [c["text"]] * 2}).json, [found, found])
            body["parameters"]["candidate_labels"] = ", ".join(c["labels"])
            self.assertEqual(self.ok("/predict", body).json, found)

    def test_refused(self):
        for parameters, says in (({"candidate_labels": []}, "candidate_labels"), ({"candidate_labels": ["a", " "]}, "candidate_labels"),
                                 ({"candidate_labels": ["a"], "hypothesis_template": "no"}, "hypothesis_template"),
                                 ({"candidate_labels": 3}, "candidate_labels")):
            with self.subTest(parameters):
                self.refused(422, "/predict", {"inputs": "a", "parameters": parameters}, says)


if __name__ == "__main__":
    unittest.main()

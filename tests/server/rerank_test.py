"""Reranking in the dialects of TEI, Jina and Cohere, against `quern rerank`."""
import json
import os
import unittest

import models
from server import ServerCase

QUERY = "quick fox"
DOCUMENTS = ["the lazy user compared embeddings", "quick fox", "what costs 50 cents?", "sentences of cosine similarity"]
LONG = "word " * 500


class Rerank(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.reranker()]
        return super().start()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.expected = cls.program()

    @staticmethod
    def program(*more, documents=tuple(DOCUMENTS)):
        """[(index, score)], best first."""
        args = ("-q", QUERY, "-f", "-", "--jsonl", "--json", *more)
        rows = json.loads(models.printed("rerank", "-m", models.reranker(), *args, stdin=models.lines(documents)))
        return [(r["index"], r["score"]) for r in rows]

    def same(self, found, expected):
        self.assertEqual([i for i, _ in found], [i for i, _ in expected])
        for (_, a), (_, b) in zip(found, expected):
            self.assertAlmostEqual(a, b, places=6)

    def test_tei(self):
        for path in ("/rerank", "/", "/invocations"):
            rows = self.ok(path, {"query": QUERY, "texts": DOCUMENTS}).json
            self.same([(r["index"], r["score"]) for r in rows], self.expected)
            self.assertNotIn("text", rows[0])
        raw = self.ok("/rerank", {"query": QUERY, "texts": DOCUMENTS, "raw_scores": True, "return_text": True}).json
        self.same([(r["index"], r["score"]) for r in raw], self.program("--raw"))
        self.assertEqual([r["text"] for r in raw], [DOCUMENTS[r["index"]] for r in raw])

    def test_jina(self):
        for path in ("/v1/rerank", "/reranking", "/v1/reranking", "/rerank"):
            with self.subTest(path):
                got = self.ok(path, {"model": "reranker", "query": QUERY, "documents": DOCUMENTS}).json
                self.same([(r["index"], r["relevance_score"]) for r in got["results"]], self.expected)
                self.assertEqual(got["model"], "reranker")
                self.assertGreater(got["usage"]["total_tokens"], 0)
        body = {"model": "reranker", "query": QUERY, "documents": [{"text": d} for d in DOCUMENTS], "top_n": 2,
                "return_documents": True}
        results = self.ok("/v1/rerank", body).json["results"]
        self.same([(r["index"], r["relevance_score"]) for r in results], self.expected[:2])
        self.assertEqual([r["document"] for r in results], [{"text": DOCUMENTS[r["index"]]} for r in results])
        self.assertEqual(len(self.ok("/v1/rerank", {**body, "top_n": 100}).json["results"]), len(DOCUMENTS))

    def test_cohere(self):
        got = self.ok("/v2/rerank", {"model": "reranker", "query": QUERY, "documents": DOCUMENTS, "top_n": 3}).json
        self.same([(r["index"], r["relevance_score"]) for r in got["results"]], self.expected[:3])
        self.assertIsInstance(got["id"], str)
        self.assertEqual(got["meta"]["billed_units"]["search_units"], 1)

    def test_max_tokens_per_doc(self):
        documents = [LONG, *DOCUMENTS]
        answer = self.ok("/v2/rerank", {"model": "reranker", "query": QUERY, "documents": documents, "max_tokens_per_doc": 4})
        self.assertEqual(sorted(r["index"] for r in answer.json["results"]), list(range(5)))
        self.assertGreater(int(answer.headers["x-truncated-inputs"]), 1)
        self.refused(400, "/v2/rerank", {"query": QUERY, "documents": DOCUMENTS, "max_tokens_per_doc": 0}, "max_tokens_per_doc")

    def test_long_texts(self):
        answer = self.ok("/rerank", {"query": QUERY, "texts": ["ok", LONG]})
        self.assertEqual(answer.headers["x-truncated-inputs"], "1")
        self.refused(422, "/rerank", {"query": QUERY, "texts": ["ok", LONG], "truncate": False}, "tokens")
        answer = self.ok("/v1/rerank", {"query": QUERY, "documents": ["ok", LONG]})
        self.assertEqual(answer.json["usage"]["truncated"], 1)

    def test_ties_keep_their_order(self):
        rows = self.ok("/rerank", {"query": "fox", "texts": ["same"] * 9}).json
        self.assertEqual([r["index"] for r in rows], list(range(9)))

    def test_many(self):
        documents = [f"{DOCUMENTS[i % 4]} {i}" for i in range(2000)]
        rows = self.ok("/rerank", {"query": QUERY, "texts": documents}).json
        self.same([(r["index"], r["score"]) for r in rows], self.program(documents=documents))

    def test_refused(self):
        self.refused(400, "/rerank", {"query": QUERY, "texts": []})
        self.refused(422, "/rerank", {"texts": ["a"]}, "query")
        self.refused(422, "/rerank", {"query": QUERY}, "texts")
        self.refused(422, "/rerank", {"query": 1, "texts": ["a"]}, "query")
        self.refused(422, "/rerank", {"query": QUERY, "texts": ["a", 2]}, "texts")
        self.refused(422, "/rerank", {"query": QUERY, "texts": ["a"] * 2049}, ("2049", "2048"))
        for body, field in (({"documents": ["a"]}, "query"), ({"query": QUERY}, "documents"),
                            ({"query": QUERY, "documents": [1]}, "documents"), ({"query": QUERY, "documents": [{}]}, "documents"),
                            ({"query": QUERY, "documents": ["a"], "top_n": 0}, "top_n"),
                            ({"query": QUERY, "documents": ["a"], "top_n": -1}, "top_n"),
                            *(({"query": QUERY, "documents": ["a"], "top_n": n}, "top_n")
                              for n in ("2", 1.5, True, [2], -2**63, 2**63, 2**64, 10**30, 1e308))):
            with self.subTest(body):
                self.refused(400, "/v1/rerank", body, field)
                self.refused(400, "/v2/rerank", body, field)
        self.refused(400, "/v1/rerank", {"query": QUERY, "documents": []})
        self.refused(424, "/embed", {"inputs": "a"}, "embed")
        self.refused(400, "/v1/embeddings", {"input": "a"})


class LateInteraction(ServerCase):
    """By the vectors of tokens, which /embed_multi gives."""
    @classmethod
    def start(cls):
        cls.models = [models.late()]
        cls.golden = models.late_golden("pylate")
        return super().start()

    def test_every_dialect_gives_the_library_s_scores(self):
        documents = self.golden["documents"]
        for query, expected in zip(self.golden["queries"], self.golden["scores"]):
            tei = self.ok("/rerank", {"query": query, "texts": documents}).json
            jina = self.ok("/v1/rerank", {"query": query, "documents": documents}).json["results"]
            cohere = self.ok("/v2/rerank", {"query": query, "documents": documents, "model": "late"}).json["results"]
            for found in ({r["index"]: r["score"] for r in tei}, {r["index"]: r["relevance_score"] for r in jina},
                          {r["index"]: r["relevance_score"] for r in cohere}):
                for i, score in enumerate(expected):
                    self.assertAlmostEqual(found[i], score, places=4)
            self.assertEqual([r["score"] for r in tei], sorted((r["score"] for r in tei), reverse=True))

    def test_vectors_of_queries_and_documents(self):
        for kind, texts, expected in (("query", "queries", "of_queries"), ("document", "documents", "of_documents")):
            rows = self.ok("/embed_multi", {"inputs": [t for t in self.golden[texts] if t], "input_type": kind, "outputs": ["multi_vector"]}).json
            for row, vectors in zip(rows, (v for t, v in zip(self.golden[texts], self.golden[expected]) if t), strict=True):
                self.assertEqual(len(row["multi_vector"]), len(vectors))
                for x, y in zip(row["multi_vector"], vectors):
                    for a, b in zip(x, y):
                        self.assertAlmostEqual(a, b, places=5)

    def test_what_it_does_not_make(self):
        self.refused(424, "/embed", {"inputs": "a", "model": "late"})
        self.refused(424, "/predict", {"inputs": ["a"], "model": "late"})


class NoReranker(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.classifier()]
        return super().start()

    def test_three_labels_are_no_reranker(self):
        self.refused(424, "/rerank", {"query": "a", "texts": ["b"]})
        self.refused(400, "/v1/rerank", {"query": "a", "documents": ["b"]})


class LanguageModels(ServerCase):
    """Rerankers that are told what to look for."""
    @classmethod
    def start(cls):
        cls.models = [os.path.join(os.path.dirname(models.MODELS), "rerankers", "qwen3_logit_score")]
        return super().start()

    def test_instructions(self):
        with open(os.path.join(self.models[0], "golden.json"), encoding="utf-8") as f:
            entries = [e for e in json.load(f) if not e["max_length"]]
        for told in {e["instruction"] for e in entries}:
            for query in {e["query"] for e in entries}:
                expected = {e["document"]: e["score"] for e in entries if (e["instruction"], e["query"]) == (told, query)}
                documents = list(expected)
                body = {"query": query, **({"instruction": told} if told else {})}
                routes = {"/v1/rerank": "documents", "/v2/rerank": "documents", "/rerank": "texts"}
                for route, texts in routes.items():
                    with self.subTest(route, told=told, query=query):
                        answer = self.ok(route, {**body, texts: documents}).json
                        for r in answer if texts == "texts" else answer["results"]:
                            score = r.get("score", r.get("relevance_score"))
                            self.assertAlmostEqual(score, expected[documents[r["index"]]], places=4)

    def test_prompt_names(self):
        body = {"query": "quick fox", "texts": ["the lazy user"]}
        default, web, same = (self.ok("/rerank", {**body, **more}).json for more in ({}, {"prompt_name": "web"}, {"prompt_name": "same"}))
        self.assertEqual(default, same)
        self.assertNotEqual(default, web)
        self.refused(422, "/rerank", {**body, "prompt_name": "none"}, "no prompt is called")

    def test_single_texts_are_refused(self):
        self.refused(422, "/predict", {"inputs": "a text"}, "scores pairs of texts")


if __name__ == "__main__":
    unittest.main()

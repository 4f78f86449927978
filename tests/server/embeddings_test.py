"""Embeddings in every dialect, against what `quern embed` writes."""
import array
import base64
import math
import subprocess
import tempfile
import unittest

import models
from program import QUERN, cosine, f32, read_npy
from server import ServerCase

TEXTS = ["the quick fox", " ", "Straße \u4e16\u754c \U0001f44d", "the lazy user compared embeddings", "the quick fox"]
LONG = " ".join(f"the lazy user {i} compared embeddings" for i in range(60))
LISTS = ("/embed", "/", "/invocations")  # TEI's, a bare list
OBJECTS = ("/v1/embeddings", "/embeddings")


def reference(texts, *args, model=None):
    with tempfile.NamedTemporaryFile(suffix=".npy") as out:
        subprocess.run([QUERN, "embed", "-m", model or models.embedder(), "-f", "-", "--jsonl", "--quiet", "-o", out.name, *args],
                       input=models.lines(texts), check=True)
        return read_npy(out.name)


def unpacked(text):
    values = array.array("f")
    values.frombytes(base64.b64decode(text, validate=True))
    return list(values)


class Embeddings(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.embedder()]
        return super().start()

    def tei(self, texts, server=None, **more):
        return f32(self.ok("/embed", {"inputs": texts, **more}, server=server).json)

    def openai(self, texts, **more):
        data = self.ok("/v1/embeddings", {"input": texts, "model": "tiny", **more}).json["data"]
        return f32(row["embedding"] for row in data)

    def test_base64_is_the_program_s_vector_to_the_bit(self):
        expected = reference(TEXTS)
        for path in OBJECTS:
            answer = self.ok(path, {"input": TEXTS, "model": "tiny", "encoding_format": "base64"}).json
            self.assertEqual([row["index"] for row in answer["data"]], list(range(len(TEXTS))))
            self.assertEqual([unpacked(row["embedding"]) for row in answer["data"]], expected)

    def test_cohere(self):
        expected = reference(TEXTS)
        bits = [[int("".join("1" if x > 0 else "0" for x in row[k:k + 8]), 2) for k in range(0, len(row), 8)] for row in expected]
        answer = self.ok("/v2/embed", {"model": "tiny", "texts": TEXTS, "embedding_types": ["float", "base64", "binary", "ubinary", "float"],
                                       "truncate": "END", "input_type": "clustering"}).json
        self.assertEqual(list(answer["embeddings"]), ["float", "base64", "binary", "ubinary"])
        self.assertEqual(f32(answer["embeddings"]["float"]), expected)
        self.assertEqual([unpacked(row) for row in answer["embeddings"]["base64"]], expected)
        self.assertEqual(answer["embeddings"]["ubinary"], bits)
        self.assertEqual(answer["embeddings"]["binary"], [[x - 128 for x in row] for row in bits])
        self.assertEqual(answer["texts"], TEXTS)
        tokens = sum(map(len, models.tokens(models.embedder(), TEXTS)))
        self.assertEqual(answer["meta"]["billed_units"], {"input_tokens": tokens})
        plain = self.ok("/v2/embed", {"model": "tiny", "texts": ["fox"], "output_dimension": 16, "input_type": "search_query"}).json
        self.assertEqual(f32(plain["embeddings"]["float"]), reference(["fox"], "--dimensions", "16", "--input-type", "query"))
        for body, field in (({}, "texts"), ({"texts": []}, "texts"), ({"texts": ["fox"], "embedding_types": ["int8"]}, ("embedding_types", "--precision int8")),
                            ({"texts": ["fox"], "embedding_types": ["f16"]}, "embedding_types"), ({"texts": ["fox"], "embedding_types": 3}, "embedding_types"),
                            ({"texts": ["fox"], "output_dimension": 0}, "output_dimension"), ({"texts": ["fox"], "output_dimension": "8"}, "output_dimension"),
                            ({"images": ["x"]}, "images"), ({"texts": ["fox"], "input_type": "image"}, "input_type"),
                            ({"texts": ["fox"], "truncate": "START"}, "truncate")):
            self.refused(400, "/v2/embed", {"model": "tiny", **body}, field)

    def test_jina_s_types(self):
        expected = reference(["fox"])[0]
        def one(kind):
            return self.ok("/v1/embeddings", {"model": "tiny", "input": "fox", "embedding_type": kind}).json["data"][0]["embedding"]
        self.assertEqual(f32([one("float")]), [expected])
        self.assertEqual(unpacked(one("base64")), expected)
        packed = [int("".join("1" if x > 0 else "0" for x in expected[k:k + 8]), 2) for k in range(0, len(expected), 8)]
        self.assertEqual(one("ubinary"), packed)
        self.assertEqual(one("binary"), [x - 128 for x in packed])
        self.refused(400, "/v1/embeddings", {"model": "tiny", "input": "fox", "embedding_type": "int8"}, "embedding_type")

    def test_openai(self):
        answer = self.ok("/v1/embeddings", {"input": TEXTS, "model": "tiny", "user": "somebody", "encoding_format": "float"})
        got = answer.json
        self.assertEqual((got["object"], got["model"]), ("list", "tiny"))
        self.assertEqual([row["object"] for row in got["data"]], ["embedding"] * len(TEXTS))
        self.assertEqual(f32(row["embedding"] for row in got["data"]), reference(TEXTS))
        tokens = sum(map(len, models.tokens(models.embedder(), TEXTS)))
        self.assertEqual((got["usage"]["prompt_tokens"], got["usage"]["total_tokens"]), (tokens, tokens))
        self.assertEqual(got["usage"]["truncated"], 0)
        one = self.ok("/v1/embeddings", {"input": TEXTS[0], "model": "tiny"}).json
        self.assertEqual(f32([one["data"][0]["embedding"]]), reference(TEXTS[:1]))

    def test_tei(self):
        expected = reference(TEXTS)
        for path in LISTS:
            self.assertEqual(f32(self.ok(path, {"inputs": TEXTS}).json), expected)
            self.assertEqual(f32(self.ok(path, {"inputs": TEXTS[3]}).json), expected[3:4])  # of one string too

    def test_ollama(self):
        answer = self.ok("/api/embed", {"model": "tiny", "input": TEXTS}).json
        self.assertEqual(f32(answer["embeddings"]), reference(TEXTS))
        self.assertEqual(answer["model"], "tiny")
        for name in ("total_duration", "load_duration", "prompt_eval_count"):
            self.assertIsInstance(answer[name], int)
        one = self.ok("/api/embed", {"model": "tiny", "input": "fox", "truncate": True, "keep_alive": "5m", "options": {}}).json
        self.assertEqual(f32(one["embeddings"]), reference(["fox"]))

    def test_batches(self):
        texts = [f"{TEXTS[3]} {i % 97}" for i in range(2048)]
        expected = reference(texts)
        self.assertEqual(self.tei(texts), expected)
        answer = self.ok("/v1/embeddings", {"input": texts, "model": "tiny", "encoding_format": "base64"}).json
        self.assertEqual([unpacked(row["embedding"]) for row in answer["data"]], expected)
        texts.append("one too many")
        self.refused(422, "/embed", {"inputs": texts}, ("2049", "2048"))
        self.refused(400, "/v1/embeddings", {"input": texts, "model": "tiny"}, ("2049", "2048"))
        self.refused(400, "/api/embed", {"input": texts, "model": "tiny"}, ("2049", "2048"))

    def test_nothing_to_embed(self):
        self.refused(400, "/embed", {"inputs": []})
        self.refused(400, "/v1/embeddings", {"input": [], "model": "tiny"})
        for texts in ("", ["fox", ""]):
            self.refused(400, "/embed", {"inputs": texts}, "empty")
            self.refused(400, "/v1/embeddings", {"input": texts, "model": "tiny"}, "empty")
            self.refused(400, "/api/embed", {"input": texts}, "empty")
        self.refused(422, "/embed", {}, "inputs")
        self.refused(400, "/v1/embeddings", {"model": "tiny"}, "input")

    def test_dimensions(self):
        expected = reference(TEXTS, "--dimensions", "16")
        self.assertEqual(self.tei(TEXTS, dimensions=16), expected)
        self.assertEqual(self.openai(TEXTS, dimensions=16), expected)
        self.assertEqual(f32(self.ok("/api/embed", {"input": TEXTS, "dimensions": 16}).json["embeddings"]), expected)
        for wrong in (0, 65, -1, 1.5, "16", True, 2**63, 1e308):
            self.refused(422, "/embed", {"inputs": "fox", "dimensions": wrong}, "dimensions")
            self.refused(400, "/v1/embeddings", {"input": "fox", "model": "tiny", "dimensions": wrong}, "dimensions")

    def test_normalize(self):
        self.assertEqual(self.tei(TEXTS, normalize=False), reference(TEXTS, "--no-normalize"))
        for row in self.tei(TEXTS, normalize=True):
            self.assertAlmostEqual(math.hypot(*row), 1, places=5)

    def test_prompts(self):
        query, plain = reference(TEXTS, "--prompt-name", "query"), reference(TEXTS)
        self.assertNotEqual(query, plain)
        for more, expected in (({"prompt_name": "query"}, query), ({"prompt_name": "document"}, plain),
                               ({"input_type": "query"}, query), ({"input_type": "document"}, plain),
                               ({"prompt": "query: "}, query), ({"prompt": ""}, plain), ({}, plain)):
            with self.subTest(**more):
                self.assertEqual(self.tei(TEXTS, **more), expected)
                self.assertEqual(self.openai(TEXTS, **more), expected)
                self.assertEqual(f32(self.ok("/api/embed", {"input": TEXTS, **more}).json["embeddings"]), expected)
        self.refused(422, "/embed", {"inputs": "fox", "prompt_name": "nonsense"}, ("nonsense", "query", "document"))
        self.refused(400, "/v1/embeddings", {"input": "fox", "model": "tiny", "prompt_name": "nonsense"}, ("nonsense", "query"))
        self.refused(422, "/embed", {"inputs": "fox", "input_type": "nonsense"}, "input_type")

    def test_truncation_is_counted(self):
        texts = [LONG, "fox", LONG]
        expected = reference(texts)
        answer = self.ok("/embed", {"inputs": texts})
        self.assertEqual(f32(answer.json), expected)
        self.assertEqual(answer.headers["x-truncated-inputs"], "2")
        answer = self.ok("/v1/embeddings", {"input": texts, "model": "tiny"})
        self.assertEqual(answer.headers["x-truncated-inputs"], "2")
        self.assertEqual(answer.json["usage"]["truncated"], 2)
        self.assertEqual(self.ok("/embed", {"inputs": "fox"}).headers["x-truncated-inputs"], "0")
        self.assertEqual(self.ok("/api/embed", {"input": texts}).headers["x-truncated-inputs"], "2")
        self.refused(422, "/embed", {"inputs": texts, "truncate": False}, ("tokens", "32"))
        self.refused(400, "/v1/embeddings", {"input": texts, "model": "tiny", "truncate": False}, ("tokens", "32"))
        self.refused(400, "/api/embed", {"input": texts, "truncate": False}, ("tokens", "32"))

    def test_truncation_direction(self):
        for right in ("Right", "right"):
            self.assertEqual(self.tei([LONG], truncation_direction=right), reference([LONG]))
        for wrong in ("Left", "left", "Up", 1):
            self.refused(422, "/embed", {"inputs": LONG, "truncation_direction": wrong}, "truncation_direction")

    def test_on_error_null(self):
        texts = ["the quick fox", LONG, "the lazy user", ""]
        good = reference([texts[0], texts[2]])
        rows = self.ok("/embed", {"inputs": texts, "truncate": False, "on_error": "null"}).json
        self.assertEqual((len(rows), rows[1], rows[3]), (4, None, None))
        self.assertEqual(f32([rows[0], rows[2]]), good)
        answer = self.ok("/v1/embeddings", {"input": texts, "model": "tiny", "truncate": False, "on_error": "null"}).json
        rows = [row["embedding"] for row in answer["data"]]
        self.assertEqual((len(rows), rows[1], rows[3]), (4, None, None))
        self.assertEqual(f32([rows[0], rows[2]]), good)
        self.assertEqual([e["index"] for e in answer["errors"]], [1, 3])
        self.assertIn("tokens", answer["errors"][0]["message"])
        self.assertEqual(self.ok("/embed", {"inputs": [""], "on_error": "null"}).json, [None])
        self.refused(422, "/embed", {"inputs": texts[:3], "truncate": False, "on_error": "fail"}, "tokens")
        self.refused(422, "/embed", {"inputs": texts, "on_error": "ignore"}, "on_error")

    def test_fingerprint(self):
        answer = self.ok("/embed", {"inputs": "fox"})
        fingerprint = answer.headers["x-fingerprint"]
        self.assertGreaterEqual(len(fingerprint), 16)
        self.assertEqual(self.server.get("/info").json["models"][0]["fingerprint"], fingerprint)
        for path, body in (("/embed", {"inputs": "fox"}), ("/v1/embeddings", {"input": "fox", "model": "tiny"}),
                           ("/api/embed", {"input": "fox"}), ("/embed_all", {"inputs": "fox"})):
            with self.subTest(path):
                self.ok(path, {**body, "expect_fingerprint": fingerprint})
                self.ok(path, body, {"x-expect-fingerprint": fingerprint})
                self.refused(409, path, {**body, "expect_fingerprint": "0" * len(fingerprint)}, fingerprint)
                self.refused(409, path, body, fingerprint, {"x-expect-fingerprint": "other"})

    def test_headers(self):
        texts = ["the quick fox", "\u00e9", "\u4e16\u754c", "\U0001f44d"]
        answer = self.ok("/embed", {"inputs": texts})
        self.assertEqual(answer.headers["x-model"], "tiny")
        self.assertRegex(answer.headers["x-compute-type"], r"^cpu\+\w+$")
        self.assertEqual(answer.headers["x-compute-characters"], "17")  # not bytes
        tokens = sum(map(len, self.ok("/tokenize", {"inputs": texts}).json))
        self.assertEqual(answer.headers["x-compute-tokens"], str(tokens))
        for name in ("compute", "total", "tokenization", "queue", "inference"):
            self.assertRegex(answer.headers[f"x-{name}-time"], r"^\d+(\.\d+)?$")

    def test_token_ids(self):
        for ids in ([5, 6], [[5, 6], [7]]):
            self.refused(400, "/v1/embeddings", {"input": ids, "model": "tiny"}, "check_embedding_ctx_length=False")
            self.refused(422, "/embed", {"inputs": ids}, "accept-token-ids")
        server = self.own_server(models.embedder(), args=["--accept-token-ids"])
        ids = models.tokens(models.embedder(), [TEXTS[0], TEXTS[3]])
        expected = reference([TEXTS[0], TEXTS[3]])
        data = self.ok("/v1/embeddings", {"input": ids, "model": "tiny"}, server=server).json["data"]
        self.assertEqual(f32(row["embedding"] for row in data), expected)
        data = self.ok("/v1/embeddings", {"input": ids[0], "model": "tiny"}, server=server).json["data"]
        self.assertEqual(f32(row["embedding"] for row in data), expected[:1])
        for wrong in ([633], [-1], [2**40], [1.5], [[5], 6], [5, "fox"], [[]]):
            self.refused(400, "/v1/embeddings", {"input": wrong, "model": "tiny"}, "input", server=server)

    def test_every_token(self):
        rows = self.ok("/embed_all", {"inputs": TEXTS}).json
        ids = models.tokens(models.embedder(), TEXTS)
        self.assertEqual([len(row) for row in rows], [len(i) for i in ids])
        self.assertEqual({len(vector) for row in rows for vector in row}, {64})
        # The model's vector is their mean, to length 1.
        for row, expected in zip(rows, reference(TEXTS)):
            self.assertGreater(cosine([sum(column) for column in zip(*row)], expected), 0.9999)

    def test_similarity(self):
        vectors = reference(TEXTS)
        answer = self.ok("/similarity", {"inputs": {"source_sentence": TEXTS[0], "sentences": TEXTS}}).json
        self.assertEqual(len(answer), len(TEXTS))
        for found, vector in zip(answer, vectors):
            self.assertAlmostEqual(found, cosine(vectors[0], vector), places=5)
        named = self.ok("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"]},
                                        "parameters": {"prompt_name": "query", "truncate": True}}).json
        self.assertAlmostEqual(named[0], cosine(*reference(["a", "b"], "--prompt-name", "query")), places=5)
        self.refused(400, "/similarity", {"inputs": {"source_sentence": "a", "sentences": []}})
        self.refused(422, "/similarity", {"inputs": "a"}, "inputs")

    def test_wrong_kinds(self):
        self.refused(424, "/rerank", {"query": "a", "texts": ["b"]})
        self.refused(424, "/predict", {"inputs": "a"})
        self.refused(424, "/embed_sparse", {"inputs": "a"})
        self.refused(424, "/generate", {"inputs": "a"})
        self.refused(400, "/v1/rerank", {"query": "a", "documents": ["b"]})
        self.refused(400, "/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]})
        self.refused(400, "/v1/completions", {"prompt": "a"})

    def test_encoding_format(self):
        self.refused(400, "/v1/embeddings", {"input": "fox", "encoding_format": "int8"}, "encoding_format")

    def test_repaired_text(self):
        """A lone surrogate is no text, whatever the client's JSON says."""
        self.refused(400, "/embed", b'{"inputs": "\\ud800"}')
        self.refused(400, "/embed", b'{"inputs": "\xff\xfe"}')
        zero = self.tei(["a\0b"])
        self.assertEqual(zero, reference(["a\0b"]))


class Strict(ServerCase):
    """--no-truncate and --tei-413."""

    @classmethod
    def start(cls):
        cls.models, cls.args = [models.embedder()], ["--no-truncate", "--tei-413", "--max-client-batch", 3]
        return super().start()

    def test_long_texts_are_errors_unless_asked(self):
        self.refused(413, "/embed", {"inputs": LONG}, "tokens")
        self.refused(413, "/embed", {"inputs": LONG, "truncate": None}, "tokens")
        self.refused(400, "/v1/embeddings", {"input": LONG}, "tokens")
        self.assertEqual(f32(self.ok("/embed", {"inputs": LONG, "truncate": True}).json), reference([LONG]))

    def test_too_many(self):
        self.ok("/embed", {"inputs": ["a"] * 3})
        self.refused(413, "/embed", {"inputs": ["a"] * 4}, ("4", "3"))
        self.refused(400, "/v1/embeddings", {"input": ["a"] * 4}, ("4", "3"))


class Heads(ServerCase):
    """bge-m3's outputs, and SPLADE, beside each other."""

    @classmethod
    def start(cls):
        cls.models = [f"m3={models.m3()}", f"splade={models.splade()}"]
        return super().start()

    def sparse(self, model, path):
        texts = ["the quick fox", "sentences of cosine similarity"]
        rows = self.ok("/embed_sparse", {"inputs": texts, "model": model}).json
        expected = models.quern_json("embed", "-m", path, "--sparse", "--quiet", *(f"-p{t}" for t in texts))
        for row, e in zip(rows, expected, strict=True):
            self.assertEqual([(w["index"], f32([[w["value"]]])) for w in row],
                             [(i, f32([[v]])) for i, v in zip(e["indices"], e["values"])])

    def test_sparse(self):
        self.sparse("m3", models.m3())
        self.sparse("splade", models.splade())

    def test_several_fit(self):
        self.refused(404, "/embed_sparse", {"inputs": "fox"}, ("m3", "splade"))
        self.ok("/embed", {"inputs": "fox"})  # only one makes vectors
        self.refused(424, "/embed", {"inputs": "fox", "model": "splade"})

    def test_all_heads_of_one_pass(self):
        texts = ["the quick fox", "a"]
        both = models.quern_json("embed", "-m", models.m3(), "--sparse", "--multi-vector", "--quiet", *(f"-p{t}" for t in texts))
        dense = reference(texts, model=models.m3())
        self.assertNotEqual(dense, reference(texts, "--normalize", model=models.m3()))
        rows = self.ok("/embed_multi", {"inputs": texts, "outputs": ["dense", "sparse", "multi_vector"]}).json
        for row, e, vector in zip(rows, both, dense, strict=True):
            self.assertEqual(f32([row["dense"]]), [vector])
            self.assertEqual({w["index"]: f32([[w["value"]]]) for w in row["sparse"]},
                             {i: f32([[v]]) for i, v in zip(e["sparse"]["indices"], e["sparse"]["values"])})
            self.assertEqual(f32(row["multi_vector"]), f32(e["multi_vector"]))
        only = self.ok("/embed_multi", {"inputs": "a", "outputs": ["dense"]}).json
        self.assertEqual(list(only[0]), ["dense"])
        self.refused(422, "/embed_multi", {"inputs": "a", "outputs": ["dense", "nonsense"]}, "outputs")
        self.assertEqual(self.ok("/embed_multi", {"inputs": texts, "model": "m3"}).json, rows)  # all, where none is named
        self.refused(424, "/embed_multi", {"inputs": "a", "outputs": ["dense"], "model": "splade"})


class SeveralModels(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [f"one={models.embedder()}", f"two={models.m3()}"]
        return super().start()

    def test_by_name(self):
        for name, path in (("one", models.embedder()), ("two", models.m3())):
            answer = self.ok("/v1/embeddings", {"input": "fox", "model": name})
            self.assertEqual(answer.json["model"], name)
            self.assertEqual(answer.headers["x-model"], name)
            self.assertEqual(f32(row["embedding"] for row in answer.json["data"]), reference(["fox"], "--normalize", model=path))

    def test_unknown(self):
        for body in ({"input": "fox"}, {"input": "fox", "model": "text-embedding-3-small"}):
            answer = self.refused(404, "/v1/embeddings", body, ("one", "two"))
            self.assertEqual(answer.json["error"]["code"], "model_not_found")
        self.refused(404, "/embed", {"inputs": "fox"}, ("one", "two"))

    def test_lists(self):
        listed = self.server.get("/v1/models").json
        self.assertEqual(listed["object"], "list")
        self.assertEqual([m["id"] for m in listed["data"]], ["one", "two"])
        for m in listed["data"]:
            self.assertEqual((m["object"], m["owned_by"]), ("model", "quern"))
            self.assertIn("embed", m["tasks"])
            self.assertEqual(self.server.get("/v1/models/" + m["id"]).json, m)
        self.assertEqual(self.server.get("/models").json, listed)
        self.assertEqual(listed["data"][1]["tasks"], ["embed", "sparse", "multi_vector", "rerank"])
        self.assertEqual(listed["data"][0]["prompts"], {"query": "query: ", "document": ""})
        missing = self.server.get("/v1/models/three")
        self.assertEqual(missing.status, 404)
        self.assertEqual(missing.json["error"]["code"], "model_not_found")
        info = self.server.get("/info").json
        self.assertEqual([m["id"] for m in info["models"]], ["one", "two"])
        self.assertEqual(info["models"][0]["dimensions"], 64)
        self.assertEqual(info["models"][0]["max_input_length"], 32)
        for name in ("model_id", "model_dtype", "model_type", "max_concurrent_requests", "max_input_length", "max_batch_tokens",
                     "max_client_batch_size", "auto_truncate", "version"):
            self.assertIn(name, info)


if __name__ == "__main__":
    unittest.main()

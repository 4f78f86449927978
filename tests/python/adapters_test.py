"""pyquern beside the packages that its users have, unchanged: Arrow streams, LangChain, LlamaIndex, Haystack, Chroma. Needs
requirements.txt; run by scripts/test-wheel."""
import asyncio
import gc
import os
import sys
import tempfile
import unittest

os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
sys.path[:0] = [os.path.join(os.environ["QUERN_TEST_DIR"], folder) for folder in ("cli", "server")]
import models  # noqa: E402

import duckdb  # noqa: E402
import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyquern  # noqa: E402

TEXTS = ["the quick fox", "a lazy user, über 中文 text", "", "fox " * 40, "short", "twelve bytes", "a text of more than twelve bytes"]


class Streams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = pyquern.Model(models.embedder())
        cls.expected = cls.model.encode(TEXTS)

    def check(self, source, column=None, expected=None, **options):
        found = np.concatenate(list(self.model.encode_stream(source, column, **options)))
        np.testing.assert_array_equal(found, self.expected if expected is None else expected)

    def test_types_of_strings(self):
        for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()),
                     pa.dictionary(pa.uint16(), pa.large_string())):
            with self.subTest(kind):
                array = pa.array(TEXTS, pa.string()).cast(kind) if not pa.types.is_dictionary(kind) else pa.array(TEXTS).dictionary_encode().cast(kind)
                self.check(pa.chunked_array([array]))
                self.check(pa.table({"id": list(range(len(TEXTS))), "body": array}))
                self.check(pa.table({"title": ["t"] * len(TEXTS), "body": array}), "body")

    def test_slices_and_chunks(self):
        table = pa.table({"n": list(range(9)), "body": ["skipped", *TEXTS, "left out"]})
        self.check(table.slice(1, len(TEXTS)), "body")
        self.check(pa.Table.from_batches(table.slice(1, len(TEXTS)).to_batches(max_chunksize=2)), "body")
        for rows in (1, 2, 3, len(TEXTS), 1000):
            parts = list(self.model.encode_stream(table.slice(1, len(TEXTS)), "body", batch_rows=rows))
            self.assertEqual([len(p) for p in parts[:-1]], [rows] * (len(parts) - 1))
            np.testing.assert_array_equal(np.concatenate(parts), self.expected)
        self.assertEqual(list(self.model.encode_stream(table.slice(0, 0), "body")), [])
        struct = pa.StructArray.from_arrays([pa.array(["no", *TEXTS, "no"]).slice(1, len(TEXTS))], ["body"])
        self.check(pa.RecordBatch.from_struct_array(struct), "body")

    def test_others(self):
        self.check(pl.DataFrame({"n": list(range(len(TEXTS))), "body": TEXTS}), "body")
        self.check(pl.Series("body", TEXTS))
        self.check(pl.Series("body", TEXTS, dtype=pl.Categorical))
        connection = duckdb.connect()
        connection.execute("create table t (id integer, body varchar)")
        connection.executemany("insert into t values (?, ?)", list(enumerate(TEXTS)))
        self.check(connection.sql("select body, id from t order by id"), "body")

    def test_nulls(self):
        table = pa.table({"body": [TEXTS[0], None, TEXTS[1]]})
        with self.assertRaisesRegex(ValueError, "row 1: .*null"):
            list(self.model.encode_stream(table))
        with self.assertRaisesRegex(ValueError, "row 1: "):
            list(self.model.encode_stream(table, batch_rows=1))
        self.check(table, on_null="empty", expected=self.expected[[0, 2, 1]])
        zero = np.stack([self.expected[0], np.zeros_like(self.expected[0]), self.expected[1]])
        self.check(table, on_null="zero", expected=zero)
        self.check(pl.Series([TEXTS[0], None, TEXTS[1]]), on_null="zero", expected=zero)
        self.check(pa.chunked_array([pa.array([TEXTS[0], None, TEXTS[1]]).dictionary_encode()]), on_null="zero", expected=zero)

    def test_options(self):
        self.check(pa.table({"t": TEXTS}), expected=self.model.encode(TEXTS, precision="binary"), precision="binary")
        self.check(pa.table({"t": TEXTS}), expected=self.model.encode(TEXTS, truncate_dim=16), truncate_dim=16)

    def test_refused(self):
        two = pa.table({"a": ["x"], "b": ["y"], "n": [1]})
        for error, says, source, more in (
                (ValueError, "a, b, n", two, {}), (ValueError, "'c'", two, {"column": "c"}), (TypeError, "'n'", two, {"column": "n"}),
                (TypeError, "__arrow_c_stream__", ["a"], {}), (TypeError, "format", pa.chunked_array([[1, 2]]), {}),
                (ValueError, "no columns", pa.chunked_array([["a"]]), {"column": "x"}), (ValueError, "on_null", two, {"on_null": "skip"}),
                (ValueError, "batch_rows", two, {"batch_rows": 0}), (ValueError, "output_value", two, {"output_value": "token_embeddings"})):
            with self.subTest(says), self.assertRaisesRegex(error, says):
                list(self.model.encode_stream(source, **more))

    def test_a_stream_that_fails_and_one_that_is_left(self):
        def broken():
            yield pa.record_batch({"t": ["a"]})
            raise RuntimeError("the disk is gone")
        reader = pa.RecordBatchReader.from_batches(pa.schema({"t": pa.string()}), broken())
        with self.assertRaisesRegex(OSError, "the disk is gone"):
            list(self.model.encode_stream(reader))
        before = pa.total_allocated_bytes()
        stream = self.model.encode_stream(pa.table({"t": ["text"] * 1000}), batch_rows=10)
        next(stream)
        stream.close()
        del stream
        gc.collect()
        self.assertEqual(pa.total_allocated_bytes(), before)


class Frameworks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = models.embedder()
        cls.model = pyquern.Model(cls.path)
        cls.documents, cls.query = cls.model.encode_document(TEXTS).tolist(), cls.model.encode_query(TEXTS[0]).tolist()
        filled = [i for i, text in enumerate(TEXTS) if text]
        cls.nearest = TEXTS[max(filled, key=lambda i: np.dot(cls.documents[i], cls.query))]

    def test_langchain(self):
        from langchain_core.vectorstores import InMemoryVectorStore
        from pyquern.langchain import QuernEmbeddings
        embeddings = QuernEmbeddings(self.path)
        self.assertEqual(embeddings.embed_documents(TEXTS), self.documents)
        self.assertEqual(embeddings.embed_query(TEXTS[0]), self.query)
        self.assertEqual(asyncio.run(embeddings.aembed_query(TEXTS[0])), self.query)
        store = InMemoryVectorStore(QuernEmbeddings(self.model))
        store.add_texts([t for t in TEXTS if t])
        self.assertEqual(store.similarity_search(TEXTS[0], k=1)[0].page_content, self.nearest)

    def test_llama_index(self):
        from pyquern.llama_index import QuernEmbedding
        embedding = QuernEmbedding(self.path, embed_batch_size=3)
        self.assertEqual(embedding.get_text_embedding_batch(TEXTS), self.documents)
        self.assertEqual(embedding.get_text_embedding(TEXTS[1]), self.documents[1])
        self.assertEqual(embedding.get_query_embedding(TEXTS[0]), self.query)
        self.assertEqual(asyncio.run(embedding.aget_text_embedding_batch(TEXTS)), self.documents)
        self.assertEqual(embedding.model_name, self.path)

    def test_haystack(self):
        from haystack import Document, Pipeline
        from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from pyquern.haystack import QuernDocumentEmbedder, QuernTextEmbedder
        found = QuernDocumentEmbedder(self.path).run([Document(content=t) for t in TEXTS])["documents"]
        self.assertEqual([d.embedding for d in found], self.documents)
        titled = QuernDocumentEmbedder(self.path, meta_fields=["title"]).run([Document(content="fox", meta={"title": "the"})])["documents"]
        self.assertEqual(titled[0].embedding, self.model.encode_document("the\nfox").tolist())
        store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        store.write_documents([d for d in found if d.content])
        pipeline = Pipeline()
        pipeline.add_component("query", QuernTextEmbedder(self.path))
        pipeline.add_component("documents", InMemoryEmbeddingRetriever(store, top_k=1))
        pipeline.connect("query.embedding", "documents.query_embedding")
        self.assertEqual(pipeline.run({"query": {"text": TEXTS[0]}})["documents"]["documents"][0].content, self.nearest)
        data = QuernTextEmbedder(self.path).to_dict()
        self.assertEqual(QuernTextEmbedder.from_dict(data).run(TEXTS[0])["embedding"], self.query)
        with self.assertRaisesRegex(TypeError, "QuernDocumentEmbedder"):
            QuernTextEmbedder(self.path).run([Document(content="x")])

    def test_chroma(self):
        import chromadb
        from pyquern.chroma import QuernEmbeddingFunction
        with tempfile.TemporaryDirectory() as folder:
            client = chromadb.PersistentClient(folder)
            collection = client.create_collection("texts", embedding_function=QuernEmbeddingFunction(self.path))
            texts = [t for t in TEXTS if t]
            collection.add(ids=[str(i) for i in range(len(texts))], documents=texts)
            stored = collection.get(ids=["0"], include=["embeddings"])["embeddings"][0]
            np.testing.assert_allclose(stored, self.documents[0], rtol=1e-6)
            self.assertEqual(collection.query(query_texts=[TEXTS[0]], n_results=1)["documents"], [[self.nearest]])
            again = chromadb.PersistentClient(folder).get_collection("texts")  # with the function that it was made with
            self.assertEqual(again.query(query_texts=[TEXTS[0]], n_results=1)["documents"], [[self.nearest]])


if __name__ == "__main__":
    unittest.main()

"""The official client packages, unchanged, against the server: what their users call works. Needs requirements.txt."""
import json
import unittest

import cohere
import httpx
import langchain_openai
import ollama
import openai
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

import models
from embeddings_test import reference
from generate_test import SCHEMA
from program import cosine, f32
from server import GUARD, Server, ServerCase

TEXTS = ["the quick fox", "the lazy user compared embeddings"]
MESSAGES = [{"role": "user", "content": "Where is the fox?"}]
KEY = "a key"


class Clients(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.embedder(), models.reranker(), models.classifier(), models.generator()]
        cls.key, cls.args = KEY, ["--api-key", KEY]
        return super().start()


class OpenAi(Clients):
    def setUp(self):
        self.client = openai.OpenAI(base_url=self.server.url + "/v1", api_key=KEY, timeout=GUARD, max_retries=0)
        self.addCleanup(self.client.close)

    def test_embeddings(self):
        for more in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):  # base64 is the package's default
            got = self.client.embeddings.create(model="tiny", input=TEXTS, **more)
            rows = [e.embedding for e in got.data]
            if more.get("encoding_format") != "base64":
                self.assertEqual(f32(rows), reference(TEXTS))
            self.assertEqual(got.model, "tiny")
            self.assertGreater(got.usage.total_tokens, 0)
        got = self.client.embeddings.create(model="tiny", input="fox", dimensions=16, extra_body={"input_type": "query"})
        self.assertEqual(f32([got.data[0].embedding]), reference(["fox"], "--dimensions", "16", "--input-type", "query"))

    def test_chat(self):
        got = self.client.chat.completions.create(model="generator", messages=MESSAGES, max_tokens=12, seed=3, logprobs=True,
                                                  top_logprobs=2)
        self.assertEqual(got.choices[0].message.role, "assistant")
        self.assertEqual(len(got.choices[0].logprobs.content), got.usage.completion_tokens)
        stream = self.client.chat.completions.create(model="generator", messages=MESSAGES, max_tokens=12, seed=3, stream=True,
                                                     stream_options={"include_usage": True})
        chunks = list(stream)
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), got.choices[0].message.content)
        self.assertEqual(chunks[-1].usage.completion_tokens, got.usage.completion_tokens)

    def test_json_schema(self):
        got = self.client.chat.completions.create(
            model="generator", messages=MESSAGES, max_completion_tokens=400, seed=1,
            response_format={"type": "json_schema", "json_schema": {"name": "fox", "strict": True, "schema": SCHEMA}})
        if got.choices[0].finish_reason == "stop":
            self.assertIsInstance(json.loads(got.choices[0].message.content)["fox"], int)
        else:
            self.assertRegex(got.choices[0].message.content, r'^\s*\{\s*"fox"')

    def test_completions(self):
        got = self.client.completions.create(model="generator", prompt="the fox", max_tokens=9, seed=2, n=2, logprobs=1)
        self.assertEqual(len(got.choices), 2)
        self.assertEqual(len(got.choices[0].logprobs.tokens), len(got.choices[0].logprobs.token_logprobs))
        stream = self.client.completions.create(model="generator", prompt="the fox", max_tokens=9, seed=2, stream=True)
        self.assertEqual("".join(c.choices[0].text for c in stream), got.choices[0].text)

    def test_models(self):
        self.assertEqual([m.id for m in self.client.models.list()], ["tiny", "reranker", "classifier", "generator"])
        self.assertEqual(self.client.models.retrieve("tiny").owned_by, "quern")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("nothing")

    def test_errors(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.embeddings.create(model="tiny", input="fox", dimensions=0)
        self.assertIn("dimensions", caught.exception.message)
        self.assertEqual(caught.exception.param, "dimensions")
        with self.assertRaises(openai.AuthenticationError):
            openai.OpenAI(base_url=self.server.url + "/v1", api_key="wrong", max_retries=0).models.list()

    def test_asynchronous(self):
        import asyncio

        async def ask():
            async with openai.AsyncOpenAI(base_url=self.server.url + "/v1", api_key=KEY, timeout=GUARD, max_retries=0) as client:
                work = [client.embeddings.create(model="tiny", input=f"fox {i}") for i in range(30)]
                return [f32([a.data[0].embedding])[0] for a in await asyncio.gather(*work)]
        self.assertEqual(asyncio.run(ask()), reference([f"fox {i}" for i in range(30)]))


class LangChain(Clients):
    def test_embeddings(self):
        embeddings = langchain_openai.OpenAIEmbeddings(model="tiny", base_url=self.server.url + "/v1", api_key=KEY,
                                                       check_embedding_ctx_length=False)
        self.assertEqual(f32(embeddings.embed_documents(TEXTS)), reference(TEXTS))
        self.assertEqual(f32([embeddings.embed_query("fox")]), reference(["fox"]))

    def test_chat(self):
        chat = langchain_openai.ChatOpenAI(model="generator", base_url=self.server.url + "/v1", api_key=KEY, max_tokens=10, seed=4)
        whole = chat.invoke("Where is the fox?")
        self.assertGreater(whole.usage_metadata["output_tokens"], 0)
        self.assertEqual("".join(c.content for c in chat.stream("Where is the fox?")), whole.content)


class HuggingFace(Clients):
    """With a URL in place of a model, as for any server of one's own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.generator = Server(models.generator())

    @classmethod
    def tearDownClass(cls):
        try:
            cls.generator.stop()
        finally:
            super().tearDownClass()

    def client(self, path):
        return InferenceClient(self.server.url + path, token=KEY, timeout=GUARD)

    def test_feature_extraction(self):
        self.assertEqual(f32(self.client("/embed").feature_extraction(TEXTS).tolist()), reference(TEXTS))
        self.assertEqual(f32(self.client("/").feature_extraction("fox", prompt_name="query", normalize=True).tolist()),
                         reference(["fox"], "--prompt-name", "query"))

    def test_sentence_similarity(self):
        a, b = reference(TEXTS)
        (found,) = self.client("/similarity").sentence_similarity(TEXTS[0], other_sentences=[TEXTS[1]])
        self.assertAlmostEqual(found, cosine(a, b), places=5)

    def test_text_classification(self):
        server = self.own_server(models.classifier())
        got = InferenceClient(server.url, timeout=GUARD).text_classification("what a lovely day")
        self.assertEqual(sorted(e.label for e in got), sorted(models.LABELS))

    def test_text_generation(self):
        client = InferenceClient(self.generator.url, timeout=GUARD)
        whole = client.text_generation("the fox", max_new_tokens=12)
        details = client.text_generation("the fox", max_new_tokens=12, details=True)
        self.assertEqual(details.generated_text, whole)
        self.assertEqual(details.details.generated_tokens, len(details.details.tokens))
        self.assertEqual("".join(client.text_generation("the fox", max_new_tokens=12, stream=True)), whole)
        *_, last = client.text_generation("the fox", max_new_tokens=12, stream=True, details=True)
        self.assertEqual(last.generated_text, whole)
        self.assertEqual(last.details.finish_reason, details.details.finish_reason)

    def test_chat(self):
        client = InferenceClient(base_url=self.server.url, api_key=KEY, timeout=GUARD)
        got = client.chat_completion(MESSAGES, model="generator", max_tokens=9, seed=5)
        stream = client.chat_completion(MESSAGES, model="generator", max_tokens=9, seed=5, stream=True)
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in stream if c.choices), got.choices[0].message.content)

    def test_errors(self):
        with self.assertRaises(HfHubHTTPError) as caught:
            self.client("/embed").feature_extraction("fox", dimensions=0)
        self.assertIn("dimensions", str(caught.exception))


class Others(Clients):
    def test_cohere(self):
        client = cohere.ClientV2(KEY, base_url=self.server.url)
        got = client.rerank(model="reranker", query="quick fox", documents=["a lazy user", "quick fox", "cents"], top_n=2)
        expected = self.ok("/rerank", {"query": "quick fox", "texts": ["a lazy user", "quick fox", "cents"]}).json[:2]
        self.assertEqual([r.index for r in got.results], [r["index"] for r in expected])
        for r, e in zip(got.results, expected):
            self.assertAlmostEqual(r.relevance_score, e["score"], places=6)

    def test_ollama(self):
        client = ollama.Client(self.server.url, headers={"Authorization": "Bearer " + KEY})
        self.assertEqual(f32(client.embed("tiny", TEXTS).embeddings), reference(TEXTS))
        self.assertEqual(f32(client.embed("tiny", "fox", dimensions=16, truncate=True).embeddings),
                         reference(["fox"], "--dimensions", "16"))
        with self.assertRaises(ollama.ResponseError):
            client.embed("tiny", "")

    def test_httpx_keeps_its_connections(self):
        with httpx.Client(base_url=self.server.url, headers={"Authorization": "Bearer " + KEY}, timeout=GUARD) as client:
            for i in range(20):
                self.assertEqual(client.post("/embed", json={"inputs": f"fox {i}"}).status_code, 200)



if __name__ == "__main__":
    unittest.main()

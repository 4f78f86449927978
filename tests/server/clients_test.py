"""The official client packages, unchanged, against the server: what their users call works. Needs requirements.txt."""
import json
import unittest

import anthropic
import cohere
import httpx
import langchain_openai
import litellm
import ollama
import openai
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

import models
from embeddings_test import reference
from generate_test import SCHEMA, TOOLS
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

    def test_the_agents_loop(self):
        messages = [*MESSAGES]
        for required in ({"type": "function", "function": {"name": "weather"}}, "required", "none"):
            got = self.client.chat.completions.create(model="generator", messages=messages, tools=TOOLS, tool_choice=required,
                                                      max_tokens=600, seed=2, parallel_tool_calls=False).choices[0]
            if required == "none":
                break
            self.assertEqual(got.finish_reason, "tool_calls")
            (call,) = got.message.tool_calls
            json.loads(call.function.arguments)
            messages += [got.message, {"role": "tool", "tool_call_id": call.id, "content": "sun"}]
        self.assertIsNone(got.message.tool_calls)

    def test_stream_of_calls(self):
        with self.client.chat.completions.stream(model="generator", messages=MESSAGES, tools=TOOLS, max_tokens=600, seed=2,
                                                 tool_choice={"type": "function", "function": {"name": "weather"}}) as stream:
            final = stream.get_final_completion().choices[0]
        if final.finish_reason == "tool_calls":
            self.assertIn(json.loads(final.message.tool_calls[0].function.arguments)["unit"], ("c", "f"))

    def test_responses(self):
        tools = [{"type": "function", **t["function"]} for t in TOOLS]
        got = self.client.responses.create(model="generator", input="Where is the fox?", instructions="Be brief.", max_output_tokens=9,
                                           store=False, extra_body={"seed": 3})
        self.assertEqual(len(got.output), 1)
        with self.client.responses.stream(model="generator", input="Where is the fox?", instructions="Be brief.", max_output_tokens=9,
                                          extra_body={"seed": 3}) as stream:
            events = list(stream)
            final = stream.get_final_response() if events[-1].type == "response.completed" else events[-1].response
        self.assertEqual(final.output_text, got.output_text)
        call = self.client.responses.create(model="generator", input="Weather?", tools=tools, max_output_tokens=600, parallel_tool_calls=False,
                                            tool_choice={"type": "function", "name": "weather"}, extra_body={"seed": 3}).output[0]
        self.assertEqual((call.type, call.name), ("function_call", "weather"))
        again = self.client.responses.create(model="generator", tools=tools, max_output_tokens=4, input=[
            {"role": "user", "content": "Weather?"}, call, {"type": "function_call_output", "call_id": call.call_id, "output": "sun"}])
        self.assertGreater(again.usage.input_tokens, 20)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.responses.create(model="generator", input="a", previous_response_id="resp_1")
        self.assertIn("previous_response_id", caught.exception.message)

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


class Anthropic(Clients):
    TOOLS = [{"name": t["function"]["name"], "description": "d", "input_schema": t["function"].get("parameters", {
        "type": "object", "properties": {}})} for t in TOOLS]

    def setUp(self):
        self.client = anthropic.Anthropic(base_url=self.server.url, api_key=KEY, timeout=GUARD, max_retries=0)
        self.addCleanup(self.client.close)

    def test_messages(self):
        more = {"model": "generator", "max_tokens": 12, "messages": MESSAGES, "system": "Be brief.", "extra_body": {"seed": 3}}
        got = self.client.messages.create(**more)
        with self.client.messages.stream(**more) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, got.content[0].text)
        self.assertEqual((final.stop_reason, final.usage.output_tokens), (got.stop_reason, got.usage.output_tokens))
        counted = self.client.messages.count_tokens(model="generator", messages=MESSAGES, system="Be brief.")
        self.assertEqual(counted.input_tokens, got.usage.input_tokens + got.usage.cache_read_input_tokens)

    def test_the_agents_loop(self):
        messages = [*MESSAGES]
        more = {"model": "generator", "max_tokens": 600, "tools": self.TOOLS, "extra_body": {"seed": 2}}
        got = self.client.messages.create(messages=messages, **more, tool_choice={
            "type": "tool", "name": "weather", "disable_parallel_tool_use": True})
        (use,) = got.content
        self.assertEqual((got.stop_reason, use.type, use.name), ("tool_use", "tool_use", "weather"))
        with self.client.messages.stream(messages=messages, **more, tool_choice={
                "type": "tool", "name": "weather", "disable_parallel_tool_use": True}) as stream:
            self.assertEqual(stream.get_final_message().content[0].input, use.input)
        messages += [{"role": "assistant", "content": got.content},
                     {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "sun"}]}]
        answer = self.client.messages.create(messages=messages, **{**more, "max_tokens": 4}, tool_choice={"type": "none"})
        self.assertEqual(answer.content[0].type, "text")

    def test_errors(self):
        with self.assertRaises(anthropic.BadRequestError) as caught:
            self.client.messages.create(model="generator", max_tokens=4, messages=[])
        self.assertIn("messages", caught.exception.message)
        with self.assertRaises(anthropic.AuthenticationError):
            anthropic.Anthropic(base_url=self.server.url, api_key="wrong", max_retries=0).messages.create(
                model="generator", max_tokens=4, messages=MESSAGES)


class LiteLlm(Clients):
    def test_openai_and_anthropic(self):
        for provider, base in (("openai/", "/v1"), ("anthropic/", "")):
            got = litellm.completion(model=provider + "generator", messages=MESSAGES, max_tokens=600, tools=TOOLS, api_key=KEY,
                                     tool_choice={"type": "function", "function": {"name": "weather"}}, api_base=self.server.url + base,
                                     num_retries=0, timeout=GUARD)
            call = got.choices[0].message.tool_calls[0]
            self.assertEqual(call.function.name, "weather")

    def test_ollama(self):
        got = litellm.completion(model="ollama_chat/generator", messages=MESSAGES, max_tokens=8, api_base=self.server.url, api_key=KEY,
                                 timeout=GUARD)
        self.assertEqual(got.choices[0].message.role, "assistant")


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
        vectors = client.embed(model="tiny", texts=TEXTS, input_type="search_document", embedding_types=["float", "binary", "ubinary"])
        self.assertEqual(f32(vectors.embeddings.float_), reference(TEXTS, "--input-type", "document"))
        self.assertEqual([[x + 128 for x in row] for row in vectors.embeddings.binary], vectors.embeddings.ubinary)

    def test_ollama(self):
        client = ollama.Client(self.server.url, headers={"Authorization": "Bearer " + KEY})
        self.assertEqual(f32(client.embed("tiny", TEXTS).embeddings), reference(TEXTS))
        self.assertEqual(f32(client.embed("tiny", "fox", dimensions=16, truncate=True).embeddings),
                         reference(["fox"], "--dimensions", "16"))
        with self.assertRaises(ollama.ResponseError):
            client.embed("tiny", "")

    def test_ollama_chats(self):
        client = ollama.Client(self.server.url, headers={"Authorization": "Bearer " + KEY})
        options = {"seed": 3, "num_predict": 9}
        whole = client.chat("generator", MESSAGES, options=options)
        parts = list(client.chat("generator:latest", MESSAGES, options=options, stream=True))
        self.assertEqual("".join(p.message.content for p in parts), whole.message.content)
        self.assertEqual((parts[-1].done, parts[-1].eval_count), (True, whole.eval_count))
        told = client.chat("generator", [*MESSAGES, {"role": "assistant", "tool_calls": [{"function": {
            "name": "weather", "arguments": {"unit": "c"}}}]}, {"role": "tool", "content": "sun", "tool_name": "weather"}], tools=TOOLS, options=options)
        self.assertGreater(told.prompt_eval_count, whole.prompt_eval_count + 50)
        self.assertRegex(client.chat("generator", MESSAGES, format=SCHEMA, options={"num_predict": 300}).message.content, r'^\s*\{\s*"fox"')
        self.assertEqual(client.generate("generator", "the fox", options=options).response,
                         "".join(p.response for p in client.generate("generator", "the fox", options=options, stream=True)))
        self.assertEqual({m.model for m in client.list().models}, {"tiny", "reranker", "classifier", "generator"})
        self.assertEqual(len(client.ps().models), 4)
        self.assertEqual(client.show("generator").capabilities, ["completion", "tools"])
        self.assertEqual(len(client.embeddings("tiny", "fox").embedding), 64)
        for call in (lambda: client.pull("a"), lambda: client.push("a"), lambda: client.delete("a"), lambda: client.copy("a", "b"),
                     lambda: client.create("a", from_="b"), lambda: client.chat("generator", MESSAGES, think=True)):
            with self.assertRaises(ollama.ResponseError) as caught:
                call()
            self.assertIn("not supported", caught.exception.error)

    def test_httpx_keeps_its_connections(self):
        with httpx.Client(base_url=self.server.url, headers={"Authorization": "Bearer " + KEY}, timeout=GUARD) as client:
            for i in range(20):
                self.assertEqual(client.post("/embed", json={"inputs": f"fox {i}"}).status_code, 200)



if __name__ == "__main__":
    unittest.main()

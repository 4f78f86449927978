"""Chats in Anthropic's dialect, as OpenAI's responses and in Ollama's, against /v1/chat/completions."""
import json
import unittest

import models
from generate_test import ENDLESS, MESSAGES, PROMPT, SCHEMA, TOOLS, GenerateCase
from server import OwnServers

USER = MESSAGES[1:]
WEATHER = {"type": "function", "function": {"name": "weather"}}


def text_of(chat):
    return chat["choices"][0]["message"]["content"]


class Anthropic(GenerateCase):
    TOOLS = [{"name": "weather", "description": "the weather of a city", "input_schema": TOOLS[0]["function"]["parameters"]},
             {"name": "now", "input_schema": {"type": "object", "properties": {}}}]

    def messages(self, **more):
        return self.ok("/v1/messages", {"model": "generator", "max_tokens": 12, "messages": USER, **more}).json

    def test_answer(self):
        got = self.messages(seed=4, system="Be brief.", **ENDLESS)
        self.assertEqual((got["type"], got["role"], got["model"], got["stop_reason"], got["stop_sequence"]),
                         ("message", "assistant", "generator", "max_tokens", None))
        self.assertRegex(got["id"], "^msg_")
        same = self.chat(max_tokens=12, seed=4, **ENDLESS)
        self.assertEqual(got["content"], [{"type": "text", "text": text_of(same)}])
        usage = got["usage"]
        self.assertEqual(usage["input_tokens"] + usage["cache_read_input_tokens"], same["usage"]["prompt_tokens"])
        self.assertEqual(usage["output_tokens"], 12)
        blocks = self.messages(seed=4, system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}], messages=[
            {"role": "user", "content": [{"type": "text", "text": USER[0]["content"]}]}], **ENDLESS)
        self.assertEqual(blocks["content"], got["content"])

    def test_stop_sequences(self):
        whole = self.messages(temperature=0, max_tokens=40, **ENDLESS)["content"][0]["text"]
        stop = whole[len(whole) // 2:][:4]
        body = {"temperature": 0, "max_tokens": 40, "stop_sequences": ["never in there", stop], **ENDLESS}
        got = self.messages(**body)
        self.assertEqual((got["content"][0]["text"], got["stop_reason"], got["stop_sequence"]),
                         (whole[:whole.index(stop)], "stop_sequence", stop))
        events = self.events("/v1/messages", {"messages": USER, "stream": True, **body})
        self.assertEqual("".join(e["delta"]["text"] for e in events if e["type"] == "content_block_delta"), whole[:whole.index(stop)])
        self.assertEqual(events[-2]["delta"], {"stop_reason": "stop_sequence", "stop_sequence": stop})

    def test_a_begun_answer_goes_on(self):
        begun = [*USER, {"role": "assistant", "content": "The fox is"}]
        got = self.messages(messages=begun, seed=3)
        same = self.chat(messages=begun, seed=3, max_tokens=12, continue_final_message=True)
        self.assertEqual(got["content"][0]["text"], text_of(same))

    def test_stream(self):
        body = {"messages": USER, "max_tokens": 30, "seed": 9, **ENDLESS}
        plain = self.messages(**body)
        events = self.events("/v1/messages", {**body, "stream": True})
        self.assertEqual([e["type"] for e in events[:3]], ["message_start", "ping", "content_block_start"])
        self.assertEqual([e["type"] for e in events[-3:]], ["content_block_stop", "message_delta", "message_stop"])
        self.assertEqual(events[0]["message"]["content"], [])
        self.assertEqual("".join(e["delta"]["text"] for e in events if e["type"] == "content_block_delta"), plain["content"][0]["text"])
        self.assertEqual(events[-2]["delta"]["stop_reason"], "max_tokens")
        self.assertEqual(events[-2]["usage"]["output_tokens"], 30)

    def test_tools(self):
        body = {"max_tokens": 600, "seed": 2, "tools": self.TOOLS,
                "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}}
        got = self.messages(**body)
        (block,) = got["content"]
        self.assertEqual((got["stop_reason"], block["type"], block["name"]), ("tool_use", "tool_use", "weather"))
        self.assertRegex(block["id"], "^toolu_")
        self.assertIn(block["input"]["unit"], ("c", "f"))
        events = self.events("/v1/messages", {"messages": USER, "stream": True, **body})
        (start,) = [e for e in events if e["type"] == "content_block_start"]
        self.assertEqual({**start["content_block"], "id": 0}, {"type": "tool_use", "id": 0, "name": "weather", "input": {}})
        parts = [e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta"]
        self.assertEqual(json.loads("".join(parts)), block["input"])
        self.assertEqual(events[-2]["delta"]["stop_reason"], "tool_use")
        again = [*USER, {"role": "assistant", "content": got["content"]},
                 {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block["id"], "content": [{"type": "text", "text": "sun"}]},
                                              {"type": "text", "text": "And now?"}]}]
        counted = self.ok("/v1/messages/count_tokens", {"messages": again, "tools": self.TOOLS}).json["input_tokens"]
        openai = [*USER, {"role": "assistant", "content": None, "tool_calls": [
            {"id": block["id"], "type": "function", "function": {"name": "weather", "arguments": json.dumps(block["input"])}}]},
            {"role": "tool", "tool_call_id": block["id"], "content": "sun"}, {"role": "user", "content": "And now?"}]
        tools = [{"type": "function", "function": {"name": t["name"], **({"description": t["description"]} if "description" in t else {}),
                                                   "parameters": t["input_schema"]}} for t in self.TOOLS]
        self.assertEqual(counted, self.chat(messages=openai, tools=tools, max_tokens=1)["usage"]["prompt_tokens"])
        for choice in ("auto", "any", "none"):
            self.messages(max_tokens=2, tools=self.TOOLS, tool_choice={"type": choice})

    def test_schema(self):
        got = self.messages(max_tokens=400, seed=1, output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
        self.assertRegex(got["content"][0]["text"], r'^\s*\{\s*"fox"')

    def test_refused(self):
        body = {"messages": USER, "max_tokens": 2}
        self.refused(400, "/v1/messages", {"messages": USER}, "max_tokens")
        for field, wrong, says in (("messages", [], "messages"), ("messages", [{"role": "system", "content": "a"}], "messages[0].role"),
                                   ("messages", [{"role": "user", "content": 1}], "messages[0].content"),
                                   ("messages", [{"role": "user", "content": [{"type": "image", "source": {}}]}], "messages[0].content[0]"),
                                   ("system", 1, "system"), ("tools", [{"type": "bash_20250124", "name": "bash"}], "tools[0].type"),
                                   ("tools", [{"name": "a b"}], "tools[0]"), ("tool_choice", {"type": "all"}, "tool_choice"),
                                   ("thinking", {"type": "enabled", "budget_tokens": 1024}, "thinking"), ("mcp_servers", [{"url": "x"}], "mcp_servers"),
                                   ("stop_sequences", [1], "stop_sequences"), ("temperature", -1, "temperature")):
            with self.subTest(field=field, wrong=wrong):
                self.refused(400, "/v1/messages", {**body, field: wrong}, says)
        self.messages(thinking={"type": "disabled"}, metadata={"user_id": "a"})
        self.assertEqual(self.server.get("/v1/messages").json["error"]["type"], "invalid_request_error")


class Responses(GenerateCase):
    TOOLS = [{"type": "function", "strict": True, **t["function"]} for t in TOOLS]

    def respond(self, **more):
        return self.ok("/v1/responses", {"model": "generator", "max_output_tokens": 12, "input": "Where is the fox?", **more}).json

    def test_answer(self):
        got = self.respond(seed=4, instructions="Be brief.", store=False, **ENDLESS)
        self.assertEqual((got["object"], got["status"], got["incomplete_details"], got["error"], got["store"]),
                         ("response", "incomplete", {"reason": "max_output_tokens"}, None, False))
        (item,) = got["output"]
        same = self.chat(max_tokens=12, seed=4, **ENDLESS)
        self.assertEqual((item["type"], item["role"], item["content"][0]["type"], item["content"][0]["text"]),
                         ("message", "assistant", "output_text", text_of(same)))
        self.assertEqual((got["usage"]["input_tokens"], got["usage"]["output_tokens"]), (same["usage"]["prompt_tokens"], 12))
        for given in ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is the fox?"}],
                      [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
                       {"role": "user", "content": [{"type": "input_text", "text": "Where is the fox?"}]}]):
            self.assertEqual(self.respond(seed=4, input=given, **ENDLESS)["output"][0]["content"][0]["text"], text_of(same))

    def test_stream(self):
        body = {"input": "Where is the fox?", "max_output_tokens": 30, "seed": 9, **ENDLESS}
        plain = self.respond(**body)
        events = self.events("/v1/responses", {**body, "stream": True})
        self.assertEqual([e["sequence_number"] for e in events], list(range(len(events))))
        self.assertEqual([e["type"] for e in events[:4]], ["response.created", "response.in_progress", "response.output_item.added",
                                                           "response.content_part.added"])
        self.assertEqual([e["type"] for e in events[-4:]], ["response.output_text.done", "response.content_part.done",
                                                            "response.output_item.done", "response.incomplete"])
        text = plain["output"][0]["content"][0]["text"]
        self.assertEqual("".join(e["delta"] for e in events if e["type"] == "response.output_text.delta"), text)
        self.assertEqual(events[-4]["text"], text)
        self.assertEqual(events[-1]["response"]["output"][0]["content"][0]["text"], text)
        self.assertEqual(events[-1]["response"]["usage"]["output_tokens"], 30)

    def test_tools(self):
        body = {"max_output_tokens": 600, "seed": 2, "tools": self.TOOLS, "tool_choice": {"type": "function", "name": "weather"},
                "parallel_tool_calls": False}
        got = self.respond(**body)
        (item,) = got["output"]
        self.assertEqual((got["status"], item["type"], item["name"], item["status"]), ("completed", "function_call", "weather", "completed"))
        self.assertIn(json.loads(item["arguments"])["unit"], ("c", "f"))
        events = self.events("/v1/responses", {"input": "Where is the fox?", "stream": True, **body})
        types = [e["type"] for e in events]
        self.assertEqual(types[2], "response.output_item.added")
        self.assertEqual(events[2]["item"]["arguments"], "")
        parts = [e["delta"] for e in events if e["type"] == "response.function_call_arguments.delta"]
        self.assertGreater(len(parts), 1)
        self.assertEqual("".join(parts), item["arguments"])
        self.assertEqual(types[-3:], ["response.function_call_arguments.done", "response.output_item.done", "response.completed"])
        self.assertEqual(events[-1]["response"]["output"][0]["arguments"], item["arguments"])
        again = [{"role": "user", "content": "Where is the fox?"}, item,
                 {"type": "function_call_output", "call_id": item["call_id"], "output": "sun"}]
        used = self.respond(input=again)["usage"]["input_tokens"]
        openai = [*USER, {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "weather", "arguments": item["arguments"]}}]},
            {"role": "tool", "tool_call_id": "1", "content": "sun"}]
        self.assertEqual(used, self.chat(messages=openai, max_tokens=1)["usage"]["prompt_tokens"])

    def test_formats(self):
        for form in ({"type": "json_schema", "name": "fox", "schema": SCHEMA}, {"type": "json_object"}):
            got = self.respond(max_output_tokens=400, seed=1, text={"format": form})
            self.assertRegex(got["output"][0]["content"][0]["text"], r'^\s*\{')
        self.respond(text={"format": {"type": "text"}})

    def test_refused(self):
        for field, wrong, says in (("previous_response_id", "resp_1", "previous_response_id"), ("conversation", "conv_1", "conversation"),
                                   ("background", True, "background"), ("store", True, "store"), ("input", None, "input"), ("input", [], "input"),
                                   ("input", [{"type": "item_reference", "id": "a"}], "input[0].type"),
                                   ("input", [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}], "input[0].content"),
                                   ("input", [{"role": "critic", "content": "a"}], "input[0].role"),
                                   ("tools", [{"type": "web_search"}], "tools[0].type"), ("text", {"format": {"type": "xml"}}, "format.type"),
                                   ("truncation", "auto", "truncation"), ("prompt", {"id": "a"}, "prompt")):
            with self.subTest(field=field, wrong=wrong):
                self.refused(400, "/v1/responses", {"model": "generator", "input": "a", "max_output_tokens": 2, field: wrong}, says)


class Ollama(GenerateCase):
    @classmethod
    def start(cls):
        cls.models = [models.generator(), models.embedder()]
        return super(GenerateCase, cls).start()

    def ask(self, path, **more):
        return self.ok(path, {"model": "generator", "stream": False, **more}).json

    def test_chat(self):
        options = {"seed": 4, "num_predict": 12, "temperature": 0.7, **ENDLESS}
        got = self.ask("/api/chat", messages=MESSAGES, options=options)
        same = self.chat(max_tokens=12, seed=4, temperature=0.7, **ENDLESS)
        self.assertEqual(got["message"], {"role": "assistant", "content": text_of(same)})
        self.assertEqual((got["done"], got["done_reason"], got["eval_count"], got["prompt_eval_count"]),
                         (True, "length", 12, same["usage"]["prompt_tokens"]))
        *parts, last = self.lines("/api/chat", {"model": "generator:latest", "messages": MESSAGES, "options": options})
        self.assertEqual("".join(p["message"]["content"] for p in parts), text_of(same))
        self.assertEqual({p["done"] for p in parts}, {False})
        self.assertEqual((last["done"], last["done_reason"], last["eval_count"], last["message"]["content"]), (True, "length", 12, ""))
        self.assertEqual(self.ask("/api/chat", messages=[])["done_reason"], "load")

    def test_generate(self):
        options = {"seed": 4, "num_predict": 12, **ENDLESS}
        got = self.ask("/api/generate", prompt=USER[0]["content"], system="Be brief.", options=options)
        same = self.chat(max_tokens=12, seed=4, **ENDLESS)
        self.assertEqual((got["response"], got["done_reason"]), (text_of(same), "length"))
        raw = self.ask("/api/generate", prompt=PROMPT, raw=True, options=options)
        self.assertEqual(raw["response"], self.text(max_tokens=12, seed=4, **ENDLESS))
        *parts, last = self.lines("/api/generate", {"model": "generator", "prompt": PROMPT, "raw": True, "options": options})
        self.assertEqual("".join(p["response"] for p in parts), raw["response"])
        self.assertTrue(last["done"])
        self.assertEqual(self.ask("/api/generate")["done_reason"], "load")

    def test_formats(self):
        for form in (SCHEMA, "json"):
            got = self.ask("/api/chat", messages=MESSAGES, format=form, options={"seed": 1, "num_predict": 300})
            self.assertRegex(got["message"]["content"], r'^\s*\{')

    def test_tools(self):
        calls = [{"function": {"name": "weather", "arguments": {"unit": "c"}}}]
        again = [*MESSAGES, {"role": "assistant", "content": "", "tool_calls": calls}, {"role": "tool", "content": "sun", "tool_name": "weather"}]
        got = self.ask("/api/chat", messages=again, tools=TOOLS, options={"num_predict": 2})
        openai = [*MESSAGES, {"role": "assistant", "content": "", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"unit": "c"}'}}]},
            {"role": "tool", "tool_call_id": "1", "name": "weather", "content": "sun"}]
        self.assertEqual(got["prompt_eval_count"], self.chat(messages=openai, tools=TOOLS, max_tokens=1)["usage"]["prompt_tokens"])

    def test_embeddings(self):
        body = {"model": "tiny", "input": "fox"}
        (row,) = self.ok("/api/embed", body).json["embeddings"]
        self.assertEqual(self.ok("/api/embeddings", {"model": "tiny:latest", "prompt": "fox"}).json, {"embedding": row})
        self.refused(400, "/api/embeddings", {"model": "tiny"}, "prompt")

    def test_what_is_there(self):
        (first, second) = self.server.get("/api/tags").json["models"]
        self.assertEqual((first["name"], first["model"], second["name"]), ("generator", "generator", "tiny"))
        self.assertGreater(first["size"], 1000)
        self.assertRegex(first["modified_at"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        self.assertEqual([m["name"] for m in self.server.get("/api/ps").json["models"]], ["generator", "tiny"])
        self.assertTrue(self.server.get("/api/version").json["version"])
        for name in ("generator", "generator:latest"):
            shown = self.ok("/api/show", {"model": name}).json
            self.assertEqual(shown["capabilities"], ["completion", "tools"])
            self.assertEqual(shown["details"]["family"], "llama")
            self.assertEqual(shown["model_info"]["llama.context_length"], 4096)
        self.assertEqual(self.ok("/api/show", {"model": "tiny"}).json["capabilities"], ["embedding"])
        self.refused(404, "/api/show", {"model": "nobody"}, "nobody")

    def test_what_is_not_done(self):
        for path in ("pull", "push", "create", "copy"):
            self.refused(400, "/api/" + path, {"model": "a"}, "quern serve -m")
        answer = self.server.request("DELETE", "/api/delete", b'{"model": "a"}')
        self.assertEqual((answer.status, "quern serve -m" in answer.json["error"]), (400, True))
        for path, more in (("/api/chat", {"messages": MESSAGES}), ("/api/generate", {"prompt": PROMPT})):
            for field, wrong, says in (("think", True, "think"), ("think", "high", "think"), ("format", 1, "format"), ("format", "xml", "format"),
                                       ("options", {"num_ctx": 1 << 20}, "num_ctx"), ("options", {"mirostat": 1}, "mirostat"),
                                       ("options", {"temperature": -1}, "temperature"), ("options", 1, "options"), ("logprobs", True, "logprobs")):
                with self.subTest(path=path, field=field):
                    self.refused(400, path, {"model": "generator", **more, field: wrong}, says)
        self.refused(400, "/api/generate", {"model": "generator", "prompt": "a", "suffix": "b"}, "suffix")
        self.refused(400, "/api/generate", {"model": "generator", "prompt": "a", "context": [1]}, "context")
        self.refused(400, "/api/chat", {"model": "generator", "messages": [{"role": "user", "content": "a", "images": ["x"]}]}, "images")


class OddShapes(GenerateCase):
    """Every field with values of every kind: taken, or refused with an error in the dialect; never a 5xx."""
    VALUES = (None, True, False, 0, -1, 1.5, 1e308, 2**63, "", "a", "none", [], [1], [None], [{}], [[]], {}, {"type": 1}, {"type": "a"},
              {"a": {"b": []}}, [{"type": "function"}], [{"role": 1}], [{"role": "user"}], [{"role": "assistant", "tool_calls": [1]}],
              [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": 1}}]}], [{"type": "text"}],
              [{"role": "user", "content": [{"type": "tool_result"}]}], [{"type": "function_call"}], [{"type": "function_call_output"}])
    ROUTES = (
        ("/v1/chat/completions", {"messages": USER, "max_tokens": 1}, ("messages", "tools", "tool_choice", "parallel_tool_calls", "response_format",
         "guided_json", "guided_regex", "guided_choice", "structured_outputs", "chat_template_kwargs", "continue_final_message", "stream_options")),
        ("/v1/messages", {"messages": USER, "max_tokens": 1}, ("messages", "system", "tools", "tool_choice", "stop_sequences", "output_config",
                                                               "output_format", "thinking", "metadata", "max_tokens")),
        ("/v1/messages/count_tokens", {"messages": USER}, ("messages", "system", "tools", "tool_choice")),
        ("/v1/responses", {"input": "a", "max_output_tokens": 1}, ("input", "instructions", "tools", "tool_choice", "text", "reasoning", "include",
                                                                   "metadata", "user", "parallel_tool_calls")),
        ("/api/chat", {"messages": USER, "stream": False, "options": {"num_predict": 1}}, ("messages", "tools", "format", "think", "keep_alive")),
        ("/api/generate", {"prompt": "a", "stream": False, "options": {"num_predict": 1}}, ("prompt", "system", "raw", "format", "context", "images")),
        ("/api/show", {"model": "generator"}, ("model", "name")),
    )

    def test_fields(self):
        for path, good, fields in self.ROUTES:
            for field in fields:
                for value in self.VALUES:
                    with self.subTest(path=path, field=field, value=value):
                        # What is taken ends soon: an endless object of a random model would not.
                        answer = self.server.post(path, {**good, field: value, **({"seed": 1} if path[1] == "v" else {})})
                        self.assertIn(answer.status, (200, 400, 404), answer.body)
                        if answer.status != 200:
                            self.assertError(answer, path)


class OpenWebUI(GenerateCase):
    """What it sends to Ollama's and OpenAI's routes, fields of its own too."""
    OPTIONS = {"mirostat": 0, "mirostat_eta": 0.1, "mirostat_tau": 5.0, "num_ctx": 2048, "num_batch": 512, "num_gpu": 0, "num_keep": 24,
               "num_predict": 4, "num_thread": 2, "repeat_last_n": 64, "repeat_penalty": 1.1, "presence_penalty": 0, "frequency_penalty": 0,
               "seed": 1, "stop": ["</s>"], "temperature": 0.7, "tfs_z": 1, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "use_mmap": True,
               "use_mlock": False}
    OWN = {"params": {}, "tool_servers": [], "tool_ids": [], "filter_ids": [], "files": [], "id": "5c8d", "session_id": "Wq3Z", "chat_id": "9f1e",
           "parent_id": None, "parent_message": {"id": "1"}, "model_item": {"id": "generator", "object": "model", "info": {"meta": {}}},
           "features": {"voice": False, "image_generation": False, "code_interpreter": False, "web_search": False, "memory": False},
           "variables": {"{{USER_NAME}}": "a", "{{CURRENT_DATE}}": "2026-11-30"},
           "background_tasks": {"title_generation": True, "tags_generation": True, "follow_up_generation": True}}

    def test_what_it_asks_first(self):
        for path in ("/api/version", "/api/tags", "/api/ps", "/v1/models", "/models"):
            self.assertEqual(self.server.get(path, {"Authorization": "Bearer ", "X-OpenWebUI-User-Id": "1"}).status, 200, path)
        self.assertIn("version", self.server.get("/api/version").json)
        (one,) = [m for m in self.server.get("/api/tags").json["models"] if m["name"] == "generator"]
        self.assertLessEqual({"name", "model", "modified_at", "size", "digest", "details"}, set(one))
        for body in ({"model": "generator"}, {"name": "generator"}, {"model": "generator", "verbose": False}):
            self.assertIn("completion", self.ok("/api/show", body).json["capabilities"])

    def test_a_chat_of_ollama(self):
        body = {"model": "generator", "messages": [*USER, {"role": "assistant", "content": "a"}, *USER], "options": self.OPTIONS,
                "keep_alive": "5m", "format": "", "stream": True, "truncate": True, "tools": []}
        lines = [json.loads(line) for line in self.ok("/api/chat", body).body.splitlines()]
        self.assertTrue(lines[-1]["done"])
        self.assertGreater(lines[-1]["eval_count"], 0)
        nothing = dict.fromkeys(self.OPTIONS)
        self.ok("/api/chat", {**body, "options": {**nothing, "num_predict": 2}, "think": None, "format": None, "keep_alive": None})
        self.ok("/api/generate", {"model": "generator", "prompt": "a title", "options": self.OPTIONS, "stream": False, "keep_alive": "5m"})

    def test_a_chat_of_openai(self):
        body = {"model": "generator", "messages": USER, "max_tokens": 4, "stream": True, "stream_options": {"include_usage": True}, **self.OWN}
        *chunks, usage, done = self.events("/v1/chat/completions", body)
        self.assertEqual(done, "[DONE]")
        self.assertGreater(usage["usage"]["completion_tokens"], 0)
        self.ok("/v1/chat/completions", {"model": "generator", "messages": USER, "stream": False, "max_completion_tokens": 4,
                                         "metadata": {"task": "title_generation", "chat_id": "9f1e"}, "user": "a", **self.OWN})


class Contexts(OwnServers):
    def test_a_context_beyond_one_of_several_models(self):
        server = self.own_server("a=" + models.generator(), "b=" + models.short_generator(), args=("--ctx", 2048))
        self.assertEqual([m["context"] for m in server.get("/v1/models").json["data"]], [2048, 512])


if __name__ == "__main__":
    unittest.main()

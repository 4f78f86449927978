"""Generation in the dialects of OpenAI and TGI, against `quern generate`."""
import json
import math
import unittest

import models
from server import ServerCase

PROMPT = "the quick fox"
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is the fox?"}]
SCHEMA = {"type": "object", "properties": {"fox": {"type": "integer"}, "lazy": {"type": "boolean"}},
          "required": ["fox", "lazy"], "additionalProperties": False}
TOOLS = [{"type": "function", "function": {
    "name": "weather", "description": "the weather of a city", "parameters": {
        "type": "object", "properties": {"unit": {"type": "string", "enum": ["c", "f"]}, "deep": {"type": "boolean"}},
        "required": ["unit"], "additionalProperties": False}}},
    {"type": "function", "function": {"name": "now"}}]
ENDLESS = {"logit_bias": {str(models.END): -100}}  # -100 bans a token


class GenerateCase(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.generator()]
        return super().start()

    def complete(self, prompt=PROMPT, **more):
        return self.ok("/v1/completions", {"model": "generator", "prompt": prompt, **more}).json

    def chat(self, **more):
        return self.ok("/v1/chat/completions", {"model": "generator", "messages": MESSAGES, **more}).json

    def text(self, **more):
        return self.complete(**more)["choices"][0]["text"]

    def events(self, path, body):
        answer = self.ok(path, body)
        self.assertRegex(answer.headers["Content-Type"], "^text/event-stream")
        return answer.events

    def lines(self, path, body):
        answer = self.ok(path, body)
        self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
        return [json.loads(line) for line in answer.body.decode().splitlines()]

    @staticmethod
    def program(*args, prompt=PROMPT, n=24):
        return json.loads(models.printed("generate", "-m", models.generator(), "-p", prompt, "-n", n, "--no-chat", "-o", "json",
                                         *args))


class Completions(GenerateCase):
    def test_greedy_is_the_program_s_text(self):
        expected = self.program("--temp", 0)
        for path in ("/v1/completions", "/completions"):
            got = self.ok(path, {"model": "generator", "prompt": PROMPT, "temperature": 0, "max_tokens": 24}).json
            (choice,) = got["choices"]
            self.assertEqual(choice["text"], expected["text"])
            self.assertEqual((choice["index"], choice["finish_reason"], choice["logprobs"]), (0, "length", None))
            self.assertEqual((got["object"], got["model"]), ("text_completion", "generator"))
            self.assertRegex(got["id"], "^cmpl-")
            n = len(expected["tokens"])
            self.assertEqual(got["usage"]["prompt_tokens"], expected["prompt_tokens"])
            self.assertEqual(got["usage"]["completion_tokens"], n)
            self.assertEqual(got["usage"]["total_tokens"], expected["prompt_tokens"] + n)

    def test_seeds(self):
        one = self.text(seed=1, max_tokens=20)
        self.assertEqual(self.text(seed=1, max_tokens=20), one)
        self.assertNotEqual(self.text(seed=2, max_tokens=20), one)
        self.assertNotEqual(self.text(max_tokens=20), self.text(max_tokens=20))  # without a seed

    def test_several_choices(self):
        got = self.complete(n=5, seed=7, max_tokens=20, **ENDLESS)
        self.assertEqual([c["index"] for c in got["choices"]], list(range(5)))
        self.assertEqual(len({c["text"] for c in got["choices"]}), 5)
        self.assertEqual(got["choices"][0]["text"], self.text(seed=7, max_tokens=20, **ENDLESS))
        self.assertEqual(got["usage"]["completion_tokens"], 100)

    def test_stop(self):
        whole = self.text(temperature=0, max_tokens=40, **ENDLESS)
        stop = whole[len(whole) // 2:][:4]
        for given in (stop, [stop], ["never in there", stop]):
            (choice,) = self.complete(temperature=0, max_tokens=40, stop=given, **ENDLESS)["choices"]
            self.assertEqual(choice["text"], whole[:whole.index(stop)])
            self.assertEqual(choice["finish_reason"], "stop")
        self.ok("/v1/completions", {"prompt": PROMPT, "max_tokens": 1, "stop": [f"x{i}" for i in range(16)]})

    def test_logprobs(self):
        (choice,) = self.complete(temperature=0, max_tokens=6, logprobs=3, **ENDLESS)["choices"]
        found = choice["logprobs"]
        self.assertEqual({len(found[k]) for k in ("tokens", "token_logprobs", "top_logprobs", "text_offset")}, {6})
        for logprob, top in zip(found["token_logprobs"], found["top_logprobs"]):
            self.assertTrue(math.isfinite(logprob) and logprob < 0)
            self.assertLessEqual(len(top), 4)
            self.assertAlmostEqual(max(top.values()), logprob, places=5)

    def test_bias(self):
        self.assertEqual(self.text(max_tokens=3, logit_bias={"84": 100}), 3 * self.ok("/decode", {"ids": [84]}).json[0])
        for wrong in ({"900": 1}, {"-1": 1}, {"fox": 1}, {"1": "a"}, {"1": None}, [], 1, {"1": 101}):
            self.refused(400, "/v1/completions", {"prompt": PROMPT, "logit_bias": wrong}, "logit_bias")

    def test_nothing_to_generate(self):
        answer = self.ok("/v1/completions", {"prompt": PROMPT, "max_tokens": 0}).json
        self.assertEqual((answer["choices"][0]["text"], answer["usage"]["completion_tokens"]), ("", 0))
        self.refused(400, "/v1/completions", {"max_tokens": 1}, "prompt")

    def test_stream(self):
        body = {"model": "generator", "prompt": PROMPT, "max_tokens": 40, "seed": 3, **ENDLESS}
        plain = self.ok("/v1/completions", body).json
        *chunks, usage, done = self.events("/v1/completions", {**body, "stream": True, "stream_options": {"include_usage": True}})
        self.assertEqual(done, "[DONE]")
        self.assertEqual((usage["choices"], usage["usage"]["completion_tokens"]), ([], 40))
        self.assertEqual("".join(c["choices"][0]["text"] for c in chunks), plain["choices"][0]["text"])
        self.assertEqual(len({c["id"] for c in chunks}), 1)
        self.assertEqual({c["object"] for c in chunks}, {"text_completion"})
        self.assertEqual([c["choices"][0]["finish_reason"] for c in chunks], [None] * (len(chunks) - 1) + ["length"])

    def test_refused(self):
        for field, wrongs in {
                "max_tokens": (-1, 1.5, "a", 2**40, True), "temperature": (-0.1, 101, 1e308, "hot"), "top_p": (-1, 1.1),
                "n": (0, 17, -1, 1.5), "stop": (1, [1], [f"x{i}" for i in range(17)]), "logprobs": (-1, 21, "all"),
                "seed": ("a", 1.5), "frequency_penalty": (-2.1, 2.1), "presence_penalty": (-3, 3), "min_p": (-1, 2),
                "top_k": (-2, 1.5), "repetition_penalty": (-1, 0), "echo": (True,), "stream": (1, "yes"),
                "grammar": ("root ::= nothing", 1), "json_schema": ("{", 3), "prompt": (1, {"a": 1})}.items():
            for wrong in wrongs:
                with self.subTest(field=field, wrong=wrong):
                    self.refused(400, "/v1/completions", {"prompt": PROMPT, "max_tokens": 2, field: wrong}, field)

    def test_context(self):
        self.refused(400, "/v1/completions", {"prompt": "fox " * 9000}, "4096")


class Chat(GenerateCase):
    def test_answer(self):
        got = self.chat(max_tokens=12, seed=4, **ENDLESS)
        (choice,) = got["choices"]
        self.assertEqual((got["object"], got["model"]), ("chat.completion", "generator"))
        self.assertRegex(got["id"], "^chatcmpl-")
        self.assertEqual(choice["message"]["role"], "assistant")
        self.assertEqual((choice["index"], choice["finish_reason"]), (0, "length"))
        self.assertEqual(got["usage"]["completion_tokens"], 12)
        prompt = self.ok("/apply-template", {"messages": MESSAGES}).json["prompt"]
        same = self.complete(prompt, max_tokens=12, seed=4, **ENDLESS)
        self.assertEqual(same["choices"][0]["text"], choice["message"]["content"])
        self.assertEqual(same["usage"]["prompt_tokens"], got["usage"]["prompt_tokens"])
        self.assertEqual(self.ok("/chat/completions", {"messages": MESSAGES, "max_completion_tokens": 12, "seed": 4, **ENDLESS})
                         .json["choices"], got["choices"])

    def test_content_in_parts(self):
        parts = [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in MESSAGES]
        body = {"max_tokens": 8, "seed": 4}
        self.assertEqual(self.ok("/v1/chat/completions", {"messages": parts, **body}).json["choices"], self.chat(**body)["choices"])
        picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/x.png"}}]}]
        self.refused(400, "/v1/chat/completions", {"messages": picture}, "messages")
        for kind in (1, None, ["text"], {"text": "a"}):
            part = [{"role": "user", "content": [{"type": kind, "text": "a"}]}]
            self.refused(400, "/v1/chat/completions", {"messages": part}, "messages")

    def test_kept_prompts(self):
        messages = [{"role": "user", "content": "the lazy user compared embeddings " * 30}]
        usages = [self.ok("/v1/chat/completions", {"messages": messages, "max_tokens": 2}).json["usage"] for _ in range(2)]
        cached = usages[1]["prompt_tokens_details"]["cached_tokens"]
        self.assertGreater(cached, 32)
        self.assertLess(cached, usages[1]["prompt_tokens"])
        self.assertEqual(usages[0]["prompt_tokens"], usages[1]["prompt_tokens"])

    def test_logprobs(self):
        (choice,) = self.chat(max_tokens=5, temperature=0, logprobs=True, top_logprobs=2, **ENDLESS)["choices"]
        content = choice["logprobs"]["content"]
        self.assertEqual(len(content), 5)
        for token in content:
            self.assertEqual(len(token["top_logprobs"]), 2)
            self.assertAlmostEqual(token["top_logprobs"][0]["logprob"], token["logprob"], places=5)
            self.assertLess(token["logprob"], 0)
            self.assertIsInstance(token["token"], str)
            self.assertIsInstance(token["bytes"], list)
        (choice,) = self.chat(max_tokens=5, logprobs=True, **ENDLESS)["choices"]
        self.assertEqual({len(t["top_logprobs"]) for t in choice["logprobs"]["content"]}, {0})

    def test_json_schema(self):
        schema = {"type": "json_schema", "json_schema": {"name": "fox", "strict": True, "schema": SCHEMA}}
        for more in ({"response_format": schema}, {"json_schema": SCHEMA}):
            for seed in range(4):
                (choice,) = self.chat(seed=seed, max_tokens=400, **more)["choices"]
                if choice["finish_reason"] == "stop":
                    value = json.loads(choice["message"]["content"])
                    self.assertEqual((type(value["fox"]), type(value["lazy"])), (int, bool))
                else:
                    self.assertRegex(choice["message"]["content"], r'^\s*\{\s*"fox"')
        for _ in range(3):
            (choice,) = self.chat(max_tokens=30, response_format={"type": "json_object"})["choices"]
            self.assertRegex(choice["message"]["content"], r"^\s*(\{|$)")
        self.chat(max_tokens=2, response_format={"type": "text"})
        for wrong in ({"type": "xml"}, {}, "json", {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"name": "a"}},
                      {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nonsense"}}}):
            self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "max_tokens": 4, "response_format": wrong})
        loop = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
        for unsupported in (loop, {"$ref": "#"}, {"$ref": "#/nowhere"}, {"type": "integer", "minimum": 1e308},
                            {"type": "string", "pattern": "abc", "maxLength": 100000}, {"contains": {}}):
            with self.subTest(unsupported):
                form = {"type": "json_schema", "json_schema": {"name": "a", "schema": unsupported}}
                self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "max_tokens": 4, "response_format": form})

    def test_guided(self):
        def text(**more):
            (choice,) = self.chat(seed=1, max_tokens=300, **more)["choices"]
            return choice["message"]["content"]
        for json_of in ({"guided_json": SCHEMA}, {"guided_json": json.dumps(SCHEMA)}, {"structured_outputs": {"json": SCHEMA}},
                        {"response_format": {"type": "json_object", "schema": SCHEMA}}):
            self.assertRegex(text(**json_of), r'^\s*\{\s*"fox"')
        for regex in (r"fox [a-c]{2}\d", r"^fox [a-c]{2}\d$"):
            self.assertRegex(text(guided_regex=regex), r"^fox [a-c]{2}\d$")
            self.assertRegex(text(structured_outputs={"regex": regex}), r"^fox [a-c]{2}\d$")
        self.assertIn(text(guided_choice=['a "fox"', "b\n\\c"]), ('a "fox"', "b\n\\c"))
        self.assertEqual(text(guided_grammar='root ::= "lazy fox"'), "lazy fox")
        for field, wrong in (("guided_json", 1), ("guided_json", "{"), ("guided_regex", 1), ("guided_regex", "("), ("guided_choice", []),
                             ("guided_choice", "a"), ("guided_choice", [1]), ("guided_grammar", 1), ("structured_outputs", 1)):
            with self.subTest(field=field, wrong=wrong):
                self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "max_tokens": 4, field: wrong})
        self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "guided_regex": "a", "guided_choice": ["a"]}, "guided_choice")

    def test_what_is_not_done_is_refused_by_name(self):
        for field, wrong, neutral in (("best_of", 2, 1), ("stop_token_ids", [1], []), ("min_tokens", 3, 0), ("echo", True, False),
                                      ("modalities", ["audio"], ["text"]), ("store", True, False), ("audio", {"voice": "a"}, None),
                                      ("prompt_logprobs", 1, None), ("logits_processors", ["a"], []), ("mirostat", 2, 0),
                                      ("parse_special", False, True), ("chat_template", "{{ x }}", None), ("lora", [{"id": 1}], [])):
            with self.subTest(field):
                self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "max_tokens": 1, field: wrong}, field)
                self.chat(max_tokens=1, **{field: neutral})

    def test_grammar(self):
        for seed in range(3):
            (choice,) = self.chat(seed=seed, grammar='root ::= "lazy " ("fox" | "user") [0-9]')["choices"]
            self.assertRegex(choice["message"]["content"], r"^lazy (fox|user)\d$")
            self.assertEqual(choice["finish_reason"], "stop")

    def test_stream(self):
        body = {"messages": MESSAGES, "max_tokens": 60, "seed": 9, **ENDLESS}
        plain = self.ok("/v1/chat/completions", body).json
        *chunks, done = self.events("/v1/chat/completions", {**body, "stream": True})
        self.assertEqual(done, "[DONE]")
        self.assertEqual(chunks[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual("".join(c["choices"][0]["delta"].get("content") or "" for c in chunks),
                         plain["choices"][0]["message"]["content"])
        self.assertEqual({c["object"] for c in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({(c["id"], c["created"], c["model"]) for c in chunks}), 1)
        self.assertEqual(chunks[-1]["choices"][0], {**chunks[-1]["choices"][0], "delta": {}, "finish_reason": "length"})
        self.assertTrue(all(c["choices"][0]["finish_reason"] is None for c in chunks[:-1]))
        *_, usage, done = self.events("/v1/chat/completions", {**body, "stream": True, "stream_options": {"include_usage": True}})
        self.assertEqual(usage["choices"], [])
        self.assertEqual({k: usage["usage"][k] for k in ("prompt_tokens", "completion_tokens", "total_tokens")},
                         {k: plain["usage"][k] for k in ("prompt_tokens", "completion_tokens", "total_tokens")})

    def test_stream_of_several_choices(self):
        body = {"messages": MESSAGES, "max_tokens": 30, "seed": 9, "n": 4, **ENDLESS}
        expected = [c["message"]["content"] for c in self.ok("/v1/chat/completions", body).json["choices"]]
        texts, ends = [""] * 4, [None] * 4
        for chunk in self.events("/v1/chat/completions", {**body, "stream": True})[:-1]:
            for choice in chunk["choices"]:
                texts[choice["index"]] += choice["delta"].get("content") or ""
                ends[choice["index"]] = choice["finish_reason"] or ends[choice["index"]]
        self.assertEqual(texts, expected)
        self.assertEqual(ends, ["length"] * 4)

    def test_the_last_chunk_has_no_text(self):
        for more, reason in (({"max_tokens": 5, "n": 3, **ENDLESS}, "length"), ({"grammar": 'root ::= "lazy fox"'}, "stop")):
            last = {}
            for chunk in self.events("/v1/chat/completions", {"messages": MESSAGES, "stream": True, **more})[:-1]:
                for choice in chunk["choices"]:
                    self.assertIsNone(last.get(choice["index"], {}).get("finish_reason"))  # nothing follows it
                    last[choice["index"]] = choice
            self.assertEqual([(c["delta"], c["finish_reason"]) for c in last.values()], [({}, reason)] * more.get("n", 1))

    def test_tools_are_told_and_not_called(self):
        for choice in ({}, {"tool_choice": "auto"}, {"tool_choice": "none"}):
            self.chat(max_tokens=2, tools=TOOLS, **choice)
        prompt = self.ok("/apply-template", {"messages": MESSAGES, "tools": TOOLS}).json["prompt"]
        for part in ("Be brief.", '"name":"weather"', "<tool_call>", "Where is the fox?"):  # the template has no tools of its own
            self.assertIn(part, prompt)
        without = self.ok("/apply-template", {"messages": MESSAGES, "tools": TOOLS, "tool_choice": "none"}).json["prompt"]
        self.assertEqual(without, self.ok("/apply-template", {"messages": MESSAGES}).json["prompt"])
        used = [self.chat(max_tokens=2, tools=tools)["usage"]["prompt_tokens"] for tools in (TOOLS, [])]
        self.assertGreater(used[0], used[1] + 50)

    def test_required_calls(self):
        for choice, names in (("required", {"weather", "now"}), ("any", {"weather", "now"}),
                              ({"type": "function", "function": {"name": "weather"}}, {"weather"})):
            for seed in range(3):
                got = self.chat(seed=seed, max_tokens=600, tools=TOOLS, tool_choice=choice)["choices"][0]
                message = got["message"]
                if got["finish_reason"] == "length":  # a random model may go on for ever
                    continue
                self.assertEqual(got["finish_reason"], "tool_calls")
                self.assertIsNone(message["content"])
                for call in message["tool_calls"]:
                    self.assertEqual(call["type"], "function")
                    self.assertRegex(call["id"], "^call_[0-9a-zA-Z]+$")
                    self.assertIn(call["function"]["name"], names)
                    arguments = json.loads(call["function"]["arguments"])
                    if call["function"]["name"] == "weather":
                        self.assertIn(arguments["unit"], ("c", "f"))
                    else:
                        self.assertEqual(arguments, {})
        for seed in range(4):
            (choice,) = self.chat(seed=seed, max_tokens=600, tools=TOOLS, tool_choice="required", parallel_tool_calls=False)["choices"]
            self.assertEqual(len(choice["message"]["tool_calls"]), 1)

    def test_stream_of_calls(self):
        body = {"messages": MESSAGES, "max_tokens": 600, "tools": TOOLS, "seed": 2, "n": 2,
                "tool_choice": {"type": "function", "function": {"name": "weather"}}, "parallel_tool_calls": False}
        plain = self.ok("/v1/chat/completions", body).json["choices"]
        *chunks, done = self.events("/v1/chat/completions", {**body, "stream": True})
        self.assertEqual(done, "[DONE]")
        for i, choice in enumerate(plain):
            parts = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == i]
            self.assertEqual(parts[0]["delta"]["role"], "assistant")
            self.assertIsNone(parts[0]["delta"].get("content"))
            self.assertEqual(parts[-1]["finish_reason"], choice["finish_reason"])
            deltas = [d for p in parts for d in p["delta"].get("tool_calls", ())]
            first, *rest = deltas
            self.assertEqual((first["index"], first["type"], first["function"]), (0, "function", {"name": "weather", "arguments": ""}))
            self.assertRegex(first["id"], "^call_")
            self.assertGreater(len(rest), 1)
            self.assertTrue(all(set(d) == {"index", "function"} and set(d["function"]) == {"arguments"} for d in rest))
            self.assertEqual("".join(d["function"]["arguments"] for d in rest),
                             choice["message"]["tool_calls"][0]["function"]["arguments"])

    def test_the_agents_loop(self):
        call = self.chat(seed=1, max_tokens=600, tools=TOOLS, parallel_tool_calls=False,
                         tool_choice={"type": "function", "function": {"name": "now"}})["choices"][0]["message"]
        again = [*MESSAGES, call, {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "noon"}]
        self.ok("/v1/chat/completions", {"messages": again, "tools": TOOLS, "max_tokens": 2})
        prompt = self.ok("/apply-template", {"messages": again, "tools": TOOLS}).json["prompt"]
        self.assertIn('<tool_call>\n{"name":"now","arguments":{}}\n</tool_call>', prompt)
        self.assertIn("<tool_response>\nnoon\n</tool_response>", prompt)

    def test_tools_that_are_refused(self):
        def function(**more):
            return [{"type": "function", "function": {"name": "f", **more}}]
        for field, tools in (("tools", 1), ("tools", [1]), ("tools[0]", [{"type": "web_search"}]), ("tools[0].function.name", [
                {"type": "function", "function": {}}]), ("name", function(name="a b")), ("name", function(name="a" * 65)),
                ("parameters", function(parameters=[])), ("parameters", function(parameters={"type": "array"})),
                ("tools[1].function.name", function() * 2), ("128", [function(name=f"f{i}")[0] for i in range(129)])):
            with self.subTest(tools):
                self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "tools": tools, "max_tokens": 1}, field)
        for choice in (1, "all", {"type": "function"}, {"type": "function", "function": {"name": "nobody"}}, {}):
            self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "tools": TOOLS, "tool_choice": choice}, "tool_choice")
        self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "tool_choice": "required"}, "tool_choice")
        self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "tools": TOOLS, "tool_choice": "required",
                                                   "response_format": {"type": "json_object"}}, "tool_choice")
        for old in ({"functions": [{"name": "f"}]}, {"function_call": "auto"}):
            self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, **old}, "tools")
        unsupported = function(parameters={"type": "object", "properties": {"a": {"contains": {"const": 1}}}})
        self.chat(tools=unsupported, max_tokens=1)
        self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "tools": unsupported, "tool_choice": "required"}, "contains")

    def test_messages_as_agents_send_them(self):
        def prompt(*messages, **more):
            return self.ok("/apply-template", {"messages": messages, **more}).json["prompt"]
        user = {"role": "user", "content": "fox"}
        plain = prompt(user, {"role": "assistant", "content": "a"}, user)
        for more in ({"tool_calls": None}, {"tool_calls": []}, {"refusal": None}):
            self.assertEqual(prompt(user, {"role": "assistant", "content": "a", **more}, user), plain)
        self.assertEqual(prompt({"role": "developer", "content": "s"}, user), prompt({"role": "system", "content": "s"}, user))
        parts = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
        self.assertEqual(prompt(parts), prompt({"role": "user", "content": "a\nb"}))
        calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": [1, "x"]}'}}]
        self.assertIn('"arguments":{"a":[1,"x"]}', prompt(user, {"role": "assistant", "content": None, "tool_calls": calls}))
        for wrong in ("{", "[1]", "1", '"a"'):
            calls[0]["function"]["arguments"] = wrong
            self.refused(400, "/v1/chat/completions", {"messages": [user, {"role": "assistant", "content": None, "tool_calls": calls}]},
                         "messages[1].tool_calls[0].function.arguments")

    def test_going_on_with_the_last_message(self):
        def prompt(*messages, **more):
            return self.ok("/apply-template", {"messages": messages, **more}).json["prompt"]
        user, begun = {"role": "user", "content": "fox"}, {"role": "assistant", "content": "The fox is "}
        self.assertEqual(prompt(user, begun, continue_final_message=True), "<|im_start|>user\nfox<|im_end|>\n<|im_start|>assistant\nThe fox is ")
        self.assertEqual(prompt(user, begun, continue_final_message=True, add_generation_prompt=False),
                         prompt(user, begun, continue_final_message=True))
        self.assertTrue(prompt(user, begun, add_generation_prompt=False).endswith("The fox is <|im_end|>\n"))
        for wrong in ({"continue_final_message": True, "add_generation_prompt": True}, {"continue_final_message": 1}):
            self.refused(400, "/v1/chat/completions", {"messages": [user, begun], **wrong}, "continue_final_message")

    def test_refused(self):
        for wrong in (None, [], "a", [1], [{}], [{"role": 1, "content": "a"}], [{"role": "user", "content": 1}]):
            with self.subTest(wrong):
                self.refused(400, "/v1/chat/completions", {"messages": wrong}, "message")
        for field, wrong in (("top_logprobs", 21), ("top_logprobs", -1), ("logprobs", 3), ("n", 17), ("max_completion_tokens", -1),
                             ("stream_options", 1)):
            self.refused(400, "/v1/chat/completions", {"messages": MESSAGES, "logprobs": True, field: wrong}, field)


class Tgi(GenerateCase):
    def generate(self, inputs=PROMPT, **parameters):
        return self.ok("/generate", {"inputs": inputs, "parameters": parameters}).json

    def test_greedy_by_default(self):
        expected = self.program("--temp", 0)
        got = self.generate(max_new_tokens=24, details=True)
        self.assertEqual(got["generated_text"], expected["text"])
        self.assertEqual([t["id"] for t in got["details"]["tokens"]], [t["id"] for t in expected["tokens"]])
        self.assertEqual(got["details"]["finish_reason"], "length")
        self.assertEqual(got["details"]["generated_tokens"], 24)
        for t in got["details"]["tokens"]:
            self.assertLessEqual({"id", "text", "logprob", "special"}, set(t))
        self.assertNotIn("details", {k: v for k, v in self.generate(max_new_tokens=2).items() if v is not None})
        self.assertEqual(len(self.generate(details=True)["details"]["tokens"]), 100)  # by default
        self.assertEqual(self.ok("/generate", {"inputs": PROMPT, "parameters": {"max_new_tokens": 3}}).json,
                         self.generate(max_new_tokens=3))

    def test_full_text(self):
        self.assertEqual(self.generate(max_new_tokens=9, return_full_text=True)["generated_text"],
                         PROMPT + self.generate(max_new_tokens=9)["generated_text"])

    def test_sampling(self):
        one = self.generate(max_new_tokens=20, do_sample=True, seed=5, temperature=0.9, top_k=50, top_p=0.9)
        self.assertEqual(self.generate(max_new_tokens=20, do_sample=True, seed=5, temperature=0.9, top_k=50, top_p=0.9), one)
        self.assertNotEqual(self.generate(max_new_tokens=20, do_sample=True, seed=6, temperature=0.9), one)

    def test_stop(self):
        whole = self.generate(max_new_tokens=40)["generated_text"]
        stop = whole[len(whole) // 2:][:4]
        got = self.generate(max_new_tokens=40, stop=[stop], details=True)
        self.assertTrue(got["generated_text"].startswith(whole[:whole.index(stop)]))
        self.assertEqual(got["details"]["finish_reason"], "stop_sequence")

    def test_grammar(self):
        got = self.generate(max_new_tokens=400, grammar={"type": "json", "value": SCHEMA}, details=True)
        if got["details"]["finish_reason"] == "length":
            self.assertRegex(got["generated_text"], r'^\s*\{\s*"fox"')
        else:
            self.assertIsInstance(json.loads(got["generated_text"])["fox"], int)
        got = self.generate(max_new_tokens=60, grammar={"type": "regex", "value": r"fox [a-c]{2}\d"})
        self.assertRegex(got["generated_text"], r"^fox [a-c]{2}\d$")
        same = {"type": "object", "properties": {"x": {"const": 1}}, "required": ["x"]}
        for grammar in ({"type": "json", "value": json.dumps(same)}, {"type": "json_schema", "value": {"name": "s", "schema": same}}):
            self.assertEqual(json.loads(self.generate(max_new_tokens=60, grammar=grammar)["generated_text"]), {"x": 1})
        for wrong in ({"type": "regex", "value": "("}, {"type": "regex", "value": 1}, {"type": "regex"}, {"type": "gbnf", "value": "a"},
                      {"type": "json", "value": "{"}, {"type": "json", "value": {"contains": {"const": 1}}}):
            with self.subTest(wrong):
                self.assertGreaterEqual(self.server.post("/generate", {"inputs": PROMPT, "parameters": {"grammar": wrong}}).status, 400)

    def test_stream(self):
        parameters = {"max_new_tokens": 30, "details": True}
        plain = self.generate(**parameters)
        body = {"inputs": PROMPT, "parameters": parameters}
        events = self.events("/generate_stream", body)
        self.assertEqual([e["token"]["id"] for e in events], [t["id"] for t in plain["details"]["tokens"]])
        self.assertEqual([e["index"] for e in events], list(range(1, 31)))
        self.assertEqual({e["generated_text"] for e in events[:-1]}, {None})
        self.assertEqual(events[-1]["generated_text"], plain["generated_text"])
        self.assertEqual(events[-1]["details"]["finish_reason"], "length")
        self.assertEqual(events[-1]["details"]["generated_tokens"], 30)
        for path in ("/", "/invocations"):
            self.assertEqual(self.events(path, {**body, "stream": True}), events)

    def test_default_route_is_a_list(self):
        got = self.ok("/", {"inputs": PROMPT, "parameters": {"max_new_tokens": 8}}).json
        self.assertEqual(got, [self.generate(max_new_tokens=8)])

    def test_refused(self):
        self.refused(422, "/generate", {}, "inputs")
        self.refused(422, "/generate", {"inputs": 1}, "inputs")
        self.refused(422, "/generate", {"inputs": PROMPT, "parameters": 1}, "parameters")
        for field, wrongs in {"max_new_tokens": (-1, 1.5, 2**40), "temperature": (-1, 1e308), "top_k": (-1, "a"),
                              "top_p": (-1, 1.5), "typical_p": (-1, 1.5), "repetition_penalty": (0, -1), "stop": (1, [1], ["a"] * 5),
                              "seed": ("a", 2**65), "truncate": (0, -1), "best_of": (2,), "top_n_tokens": (-1,)}.items():
            for wrong in wrongs:
                with self.subTest(field=field, wrong=wrong):
                    self.refused(422, "/generate", {"inputs": PROMPT, "parameters": {"do_sample": True, field: wrong}}, field)
        self.refused(422, "/generate", {"inputs": "fox " * 9000}, "4096")
        error = self.server.post("/generate", {"inputs": 1}).json
        self.assertEqual(error["error_type"], "validation")


class ModelsOwnSampling(ServerCase):
    """By the source's generation_config.json: the same in the server, in the program and in what is converted."""
    GIVEN = {"temperature": 0.5, "top_k": 7, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.2}

    @classmethod
    def start(cls):
        cls.converted = models.cool_generator() + ".f32"
        models.printed("convert", models.cool_generator(), "--type", "f32", "-o", cls.converted)
        cls.models = ["folder=" + models.cool_generator(), "file=" + cls.converted, "plain=" + models.generator()]
        return super().start()

    def text(self, model, **more):
        return self.ok("/v1/completions", {"model": model, "prompt": PROMPT, "max_tokens": 24, "seed": 5, **more}).json["choices"][0]["text"]

    def test_the_same_everywhere(self):
        for path in (models.cool_generator(), self.converted):
            shown = json.loads(models.printed("inspect", path, "--json"))["sampling"]
            self.assertEqual({k: round(v, 5) for k, v in shown.items()}, self.GIVEN)
        self.assertIn(b"temperature 0.5, top_k 7", models.printed("inspect", self.converted))
        text = self.text("folder")
        self.assertEqual(self.text("file"), text)
        self.assertEqual(self.text("plain", **self.GIVEN), text)
        self.assertNotEqual(self.text("plain"), text)
        self.assertEqual(self.text("plain"), self.text("plain", temperature=0.8, top_k=40, top_p=0.95, min_p=0.05))
        program = json.loads(models.printed("generate", "-m", models.cool_generator(), "-p", PROMPT, "-n", 24, "--no-chat", "-o", "json",
                                            "--seed", 5))
        self.assertEqual((program["text"], program["seed"]), (text, 5))
        self.assertNotEqual(self.text("folder", top_k=0, temperature=2), text)

    def test_seeds_are_told(self):
        for stream in (False, True):
            body = {"model": "plain", "prompt": PROMPT, "max_tokens": 24, **ENDLESS}
            answer = self.ok("/v1/completions", {**body, "stream": stream})
            again = self.ok("/v1/completions", {**body, "stream": stream, "seed": int(answer.headers["x-seed"])})
            if stream:
                self.assertEqual([e["choices"][0]["text"] for e in answer.events[:-1]], [e["choices"][0]["text"] for e in again.events[:-1]])
            else:
                self.assertEqual(answer.json["choices"], again.json["choices"])
        seeds = {json.loads(models.printed("generate", "-m", models.generator(), "-p", PROMPT, "-n", 1, "-o", "json"))["seed"] for _ in range(3)}
        self.assertGreater(len(seeds), 1)


class NoTemplate(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.plain_generator()]
        return super().start()

    def test_chat_needs_a_template(self):
        self.refused(400, "/v1/chat/completions", {"messages": MESSAGES}, "template")
        self.ok("/v1/completions", {"prompt": PROMPT, "max_tokens": 2})


if __name__ == "__main__":
    unittest.main()

"""Agents' loop (question, call, result, answer) by the official clients on a real model that calls tools. Needs requirements.txt.

Exit code 77: the model is not there; scripts/get-model qwen-coder fetches it.
"""
import json
import os
import unittest

import anthropic
import ollama
import openai

from server import GUARD, Server, ServerCase

PATH = os.path.join(os.path.dirname(__file__), "..", "..", "models", "qwen2.5-coder-0.5b-instruct.gguf")
if not os.path.exists(PATH):
    print("skipped: models/qwen2.5-coder-0.5b-instruct.gguf is not there (scripts/get-model qwen-coder)", flush=True)
    os._exit(77)  # unittest would make an error of an exit
QUESTION = {"role": "user", "content": "What is the weather in Lisbon?"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WHAT = {"name": "get_weather", "description": "The current weather of a city"}
TOOLS = [{"type": "function", "function": {**WHAT, "parameters": CITY}}]
RESULT = json.dumps({"temperature": 17, "sky": "rain"})


class Agents(ServerCase):
    @classmethod
    def start(cls):
        return Server("coder=" + PATH, args=["--ctx", 2048, "--sequences", 2])

    def called(self, name, arguments):
        self.assertEqual(name, "get_weather")
        self.assertEqual(list(arguments), ["city"])
        self.assertIn("lis", arguments["city"].lower())  # it says Lisboa

    def answered(self, text):
        self.assertIn("17", text)


class OpenAi(Agents):
    def setUp(self):
        self.client = openai.OpenAI(base_url=self.server.url + "/v1", api_key="none", timeout=GUARD, max_retries=0)
        self.addCleanup(self.client.close)

    def test_chat(self):
        more = {"model": "coder", "temperature": 0, "max_tokens": 128}
        for choice in ("auto", "required", {"type": "function", "function": {"name": "get_weather"}}):
            with self.subTest(choice):
                messages = [QUESTION]
                got = self.client.chat.completions.create(messages=messages, tools=TOOLS, tool_choice=choice,
                                                          parallel_tool_calls=False, **more).choices[0]
                self.assertEqual(got.finish_reason, "tool_calls")
                (call,) = got.message.tool_calls
                self.called(call.function.name, json.loads(call.function.arguments))
                messages += [got.message, {"role": "tool", "tool_call_id": call.id, "content": RESULT}]
                got = self.client.chat.completions.create(messages=messages, **more).choices[0]
                self.answered(got.message.content)

    def test_stream(self):
        stream = self.client.chat.completions.create(model="coder", messages=[QUESTION], tools=TOOLS, temperature=0,
                                                     max_tokens=128, parallel_tool_calls=False, stream=True)
        name, arguments, finish = "", "", None
        for chunk in stream:
            for call in chunk.choices[0].delta.tool_calls or []:
                name += call.function.name or ""
                arguments += call.function.arguments or ""
            finish = chunk.choices[0].finish_reason or finish
        self.assertEqual(finish, "tool_calls")
        self.called(name, json.loads(arguments))

    def test_responses(self):
        tool = {"type": "function", **WHAT, "parameters": CITY, "strict": True}
        more = {"model": "coder", "temperature": 0, "max_output_tokens": 128, "store": False}
        asked = [QUESTION]
        got = self.client.responses.create(input=asked, tools=[tool], parallel_tool_calls=False, **more)
        (call,) = [item for item in got.output if item.type == "function_call"]
        self.called(call.name, json.loads(call.arguments))
        asked += [{"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
                  {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}]
        self.answered(self.client.responses.create(input=asked, **more).output_text)

    def test_schema(self):
        schema = {"type": "object", "properties": {"capital": {"type": "string"}, "country": {"enum": ["Portugal", "Spain"]}},
                  "required": ["capital", "country"], "additionalProperties": False}
        got = self.client.chat.completions.create(
            model="coder", messages=[{"role": "user", "content": "Which country is Lisbon the capital of? As JSON."}], temperature=0,
            max_tokens=100, response_format={"type": "json_schema", "json_schema": {"name": "capital", "schema": schema}})
        self.assertEqual(json.loads(got.choices[0].message.content)["country"], "Portugal")


class Anthropic(Agents):
    def test_messages(self):
        client = anthropic.Anthropic(base_url=self.server.url, api_key="none", timeout=GUARD, max_retries=0)
        self.addCleanup(client.close)
        more = {"model": "coder", "max_tokens": 128, "extra_body": {"temperature": 0}}
        tools = [{**WHAT, "input_schema": CITY}]
        messages = [QUESTION]
        got = client.messages.create(messages=messages, tools=tools, tool_choice={"type": "any", "disable_parallel_tool_use": True}, **more)
        self.assertEqual(got.stop_reason, "tool_use")
        use = got.content[-1]
        self.called(use.name, use.input)
        with client.messages.stream(messages=messages, tools=tools, tool_choice={"type": "any", "disable_parallel_tool_use": True},
                                    **more) as stream:
            self.assertEqual(stream.get_final_message().content[-1].input, use.input)
        messages += [{"role": "assistant", "content": got.content},
                     {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": RESULT}]}]
        self.answered(client.messages.create(messages=messages, **more).content[0].text)


class Ollama(Agents):
    def test_chat(self):
        client = ollama.Client(host=self.server.url, timeout=GUARD)
        more = {"model": "coder", "options": {"temperature": 0, "num_predict": 128}}
        messages = [QUESTION]
        got = client.chat(messages=messages, tools=TOOLS, **more)
        call = got.message.tool_calls[0]
        self.called(call.function.name, call.function.arguments)
        messages += [got.message, {"role": "tool", "tool_name": "get_weather", "content": RESULT}]
        self.answered(client.chat(messages=messages, **more).message.content)


if __name__ == "__main__":
    unittest.main()

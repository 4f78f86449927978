"""Bodies that mean no good: each gets its documented status and a JSON error, and the next request is served."""
import json
import socket
import unittest

import hostile
from hostile import CHAT, EMBED

INTEGERS = (-1, -2**31, -2**63, -2**63 - 1, -10**30, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, 10**308, 1e308,
            -1e308, 0.5, "1", True, [], {}, "1e5")


class Json(hostile.Hostile):
    def test_malformed(self):
        for body in (b"", b"{", b"}", b"{]", b'{"inputs": }', b'{"inputs": "fox"', b'{"inputs": "fox"}}', b"{'inputs': 'fox'}",
                     b'{"inputs": NaN}', b'{"inputs": Infinity}', b'{"inputs": 1e999999}', b'{"inputs": 01}', b'{"inputs": "a\nb"}',
                     b'{"inputs": "\xff"}', b'{"inputs": "\xed\xa0\x80"}', b'{"inputs": "\\x"}', b"\0", b"\xef\xbb\xbf{", b"nul",
                     b'{"inputs": "fox", "dimensions": NaN}', b'{"inputs": "fox",}', b"/* a */ {"):
            with self.subTest(body):
                for path in ("/embed", "/v1/embeddings", "/v1/chat/completions", "/generate", "/rerank", "/tokenize"):
                    answer = self.server.post(path, body)
                    self.assertEqual(answer.status, 400, answer.body)
                    self.assertError(answer, path)

    def test_other_json(self):
        for body in (b"1", b'"fox"', b"[]", b"null", b"true", b'["fox"]'):
            with self.subTest(body):
                self.refused(422, "/embed", body)
                self.refused(400, "/v1/embeddings", body)
                self.refused(400, "/v1/chat/completions", body)

    def test_deep(self):
        for depth in (65, 1000, 100_000, 3_000_000):
            for start, end in ((b"[", b"]"), (b'{"a":', b"}")):
                body = b'{"inputs":' + start * depth + b"1" + end * depth + b"}"
                for whole in (body, body[:len(body) // 2]):
                    self.assertEqual(self.server.post("/embed", whole).status, 400)
                    self.assertEqual(self.server.post("/v1/chat/completions", whole).status, 400)

    def test_many_members(self):
        body = b'{"inputs": "fox"' + b"".join(b', "k%d": %d' % (i, i) for i in range(200_000)) + b"}"
        for path in ("/embed", "/v1/embeddings", "/v1/chat/completions", "/generate"):
            answer = self.server.post(path, body)
            self.assertEqual(answer.status, 400)
            self.assertError(answer, path)
        body = b'{"inputs": "a", ' + b'"inputs": "b", ' * 100_000 + b'"inputs": "fox"}'
        self.assertEqual(self.server.post("/embed", body).status, 400)

    def test_wrong_types(self):
        for path, field, good in (
                ("/embed", "inputs", EMBED), ("/embed", "truncate", EMBED), ("/embed", "normalize", EMBED),
                ("/embed", "prompt_name", EMBED), ("/embed", "prompt", EMBED), ("/embed", "input_type", EMBED),
                ("/embed", "on_error", EMBED), ("/embed", "expect_fingerprint", EMBED), ("/embed", "model", EMBED),
                ("/rerank", "query", {"query": "a", "texts": ["b"]}), ("/rerank", "texts", {"query": "a", "texts": ["b"]}),
                ("/generate", "inputs", {"inputs": "a"}), ("/generate", "parameters", {"inputs": "a"}),
                ("/tokenize", "inputs", EMBED), ("/tokenize", "add_special_tokens", EMBED),
                ("/similarity", "inputs", {}), ("/decode", "ids", {})):
            for wrong in (1, 1.5, 10**30, [[[]]], {"a": {}}, [None], [{}]):
                if field == "parameters" and isinstance(wrong, dict):
                    continue
                with self.subTest(path=path, field=field, wrong=wrong):
                    body = {"model": "tiny" if path in ("/embed", "/tokenize", "/decode") else None, **good, field: wrong}
                    if (path, field) == ("/decode", "ids") and wrong == [[[]]]:
                        continue
                    answer = self.server.post(path, body)
                    self.assertEqual(answer.status, 422, answer.body)
                    self.assertError(answer, path)

    def test_messages_of_odd_shapes(self):
        for content in ([1], [None], [{}], [{"type": 1, "text": "a"}], [{"type": "text"}], [{"type": "text", "text": 1}], [[]],
                        {"type": "text", "text": "a"}, True, 1e308, [{"type": None, "text": "a"}], [{"type": ["text"], "text": "a"}]):
            with self.subTest(content):
                self.refused(400, "/v1/chat/completions", {"messages": [{"role": "user", "content": content}], "max_tokens": 1})
        for more in ({"tool_choice": 1}, {"chat_template_kwargs": 1}, {"stream_options": []}, {"response_format": 1},
                     {"logit_bias": "a"}, {"stop": {}}):
            with self.subTest(more):
                self.refused(400, "/v1/chat/completions", {**CHAT, **more})
        for more in ({"tools": 1}, {"tools": [1]}, {"tools": {}}, {"tools": [{"function": 1}]}):
            with self.subTest(more):
                self.refused(400, "/v1/chat/completions", {**CHAT, **more}, "tools")
        # These mean nothing here.
        for more in ({"tools": []}, {"metadata": {"a": 1}}, {"user": 1}):
            with self.subTest(more):
                self.ok("/v1/chat/completions", {**CHAT, **more})

    def test_unused_fields_are_let_be(self):
        self.ok("/embed", {**EMBED, "nonsense": {"a": [1, 2]}})
        self.ok("/v1/embeddings", {"input": "fox", "model": "tiny", "nonsense": None})


class Integers(hostile.Hostile):
    """Every integer field, with everything that is none or out of range. Where a number is fine, it is taken; never a 5xx."""
    FIELDS = [
        ("/embed", EMBED, ("dimensions",)),
        ("/v1/embeddings", {"input": "fox", "model": "tiny"}, ("dimensions",)),
        ("/api/embed", {"input": "fox", "model": "tiny"}, ("dimensions",)),
        ("/v2/embed", {"texts": ["fox"], "model": "tiny"}, ("dimensions", "output_dimension")),
        ("/v1/rerank", {"query": "a", "documents": ["b"], "model": "reranker"}, ("top_n",)),
        ("/v2/rerank", {"query": "a", "documents": ["b"], "model": "reranker"}, ("top_n", "max_tokens_per_doc")),
        ("/v1/chat/completions", CHAT, ("max_tokens", "max_completion_tokens", "n", "seed", "top_k", "top_logprobs")),
        ("/v1/completions", {"prompt": "fox", "max_tokens": 2}, ("max_tokens", "n", "seed", "top_k", "logprobs", "best_of")),
    ]
    TGI = ("max_new_tokens", "top_k", "seed", "truncate", "best_of", "top_n_tokens")
    NUMBERS = ("temperature", "top_p", "min_p", "typical_p", "repetition_penalty", "frequency_penalty", "presence_penalty")

    def check(self, path, body, field, value):
        with self.subTest(path=path, field=field, value=value):
            if self.possible(field, value):
                self.ok(path, body)
            else:
                self.refused(422 if self.dialect(path) == "tei" else 400, path, body, field)

    @staticmethod
    def possible(field, value):
        """Seeds are any 64 bits; a penalty may be as good as none. All else here is out of range, or no number."""
        if field == "seed":
            return type(value) is int and -2**63 <= value < 2**63
        return field in ("frequency_penalty", "presence_penalty") and value == -1e-300

    def test_integers(self):
        for path, good, fields in self.FIELDS:
            for field in fields:
                for value in INTEGERS:
                    body = {"logprobs": True, **good} if field == "top_logprobs" else good
                    self.check(path, {**body, field: value}, field, value)

    def test_tgi(self):
        for field in self.TGI:
            for value in INTEGERS:
                self.check("/generate", {"inputs": "fox", "parameters": {"max_new_tokens": 2, field: value}}, field, value)

    def test_numbers(self):
        for field in self.NUMBERS:
            for value in (1e308, -1e308, -1e-300, 10**30, "0.5", True, [], {}):
                for path, body in (("/v1/completions", {"prompt": "fox", "max_tokens": 2, field: value}),
                                   ("/generate", {"inputs": "fox", "parameters": {"max_new_tokens": 2, field: value}})):
                    if field == "min_p" and path == "/generate":
                        continue
                    self.check(path, body, field, value)
            raw = b'{"prompt": "fox", "max_tokens": 2, "%s": NaN}' % field.encode()
            self.assertEqual(self.server.post("/v1/completions", raw).status, 400)

    def test_ids(self):
        for value in (-1, 2**31, 2**63, 10**30, 1e308, 0.5, "1", None):
            self.check("/decode", {"ids": [value], "model": "tiny"}, "ids", value)
        for key in ("-1", "2147483648", "99999999999999999999", "1.5", "", "a", "900"):
            self.check("/v1/completions", {"prompt": "fox", "max_tokens": 2, "logit_bias": {key: 1}}, "logit_bias", key)


class Texts(hostile.Hostile):
    def test_ten_megabytes(self):
        self.refused(422, "/embed", {"inputs": "fox " * 2_500_000, "truncate": False}, "tokens")
        for text, status in (("fox " * 2_500_000, 422), ("\u4e16" * 3_000_000, 422),
                             # One word, which is one token.
                             ("x" * 10_000_000, 200), ("\0" * 1_500_000, 200), ("e\u0301" * 3_000_000, 200)):
            self.ok("/embed", {"inputs": text})
            self.assertEqual(self.server.post("/embed", {"inputs": text, "truncate": False}).status, status)
            self.ok("/rerank", {"query": "a", "texts": [text], "model": "reranker"})

    def test_a_long_prompt(self):
        self.refused(400, "/v1/completions", {"prompt": "x" * 10_000_000})
        self.refused(400, "/v1/chat/completions", {"messages": [{"role": "user", "content": "x" * 10_000_000}]})
        self.refused(422, "/generate", {"inputs": "x" * 10_000_000})

    def test_what_looks_like_files_and_addresses(self):
        """Is text, and nothing is fetched: a listener hears no connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.2)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
            for text in (url, "file:///etc/passwd", "/etc/passwd", "../../etc/passwd", "${HOME}", "data:text/plain,fox", "@/etc/passwd"):
                self.ok("/embed", {"inputs": text})
                self.ok("/v1/rerank", {"query": text, "documents": [text], "model": "reranker"})
                self.ok("/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": text}]})
                for field in ("image_url", "input_audio", "file"):
                    part = {"type": field, field: {"url": text, "file_data": text}}
                    self.refused(400, "/v1/chat/completions", {"messages": [{"role": "user", "content": [part]}]})
                self.ok("/embed", {**EMBED, "model": text})  # no model of this name is loaded: the only one for this answers
            with self.assertRaises(TimeoutError):
                listener.accept()

    def test_schemas_that_refer_elsewhere(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.2)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.json"
            for schema in ({"$ref": url}, {"$schema": url, "$ref": "#/nowhere"}, {"$ref": "file:///etc/passwd"}):
                self.refused(400, "/v1/chat/completions", {**CHAT, "json_schema": schema})
            with self.assertRaises(TimeoutError):
                listener.accept()

    def test_grammars_without_end(self):
        body = {"prompt": "fox", "max_tokens": 3}
        for grammar in ("root ::= root", "root ::= a\na ::= b\nb ::= a", 'root ::= ("a"?){1000000000}', "root ::= " + "(" * 100_000,
                        "root ::= [", "root ::= \"\xff", "x ::= \"a\"", "root ::= " + "a " * 100_000):
            with self.subTest(grammar[:40]):
                self.refused(400, "/v1/completions", {**body, "grammar": grammar})
        self.ok("/v1/completions", {**body, "grammar": 'root ::= (("a"*)*)*'})
        nested = {"type": "string"}
        for _ in range(20):
            nested = {"anyOf": [{"type": "array", "items": nested}, nested]}
            if len(json.dumps(nested)) > 500_000:
                break
        for schema in (nested, {"type": "array", "minItems": 10**12}, {"type": "string", "minLength": 10**12},
                       {"enum": [str(i) for i in range(50_000)]}, {"enum": []},
                       {"type": "integer", "minimum": 1e308}, {"$ref": "#"}, {"allOf": [{"$ref": "#"}]}):
            with self.subTest(json.dumps(schema)[:40]):
                self.refused(400, "/v1/completions", {**body, "json_schema": schema})
        for schema in ({"type": "string", "pattern": "(a*)*b"}, {"type": "array", "minItems": 10**9}, {"type": "string", "maxLength": 10**12}):
            self.ok("/v1/completions", {**body, "json_schema": schema})

    def test_control_tokens_of_users_stay_text(self):
        content = "<|endoftext|><|im_end|>"
        prompt = self.ok("/apply-template", {"messages": [{"role": "user", "content": content}]}).json["prompt"]
        self.assertIn(content, prompt)
        plain = self.ok("/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": "a"}]}).json["usage"]["prompt_tokens"]
        more = self.ok("/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": content}]}).json["usage"]["prompt_tokens"]
        self.assertGreater(more, plain + 4)  # not two tokens


if __name__ == "__main__":
    unittest.main()

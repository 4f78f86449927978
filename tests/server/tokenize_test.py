"""Tokens over HTTP: TEI's /tokenize and /decode, llama-server's form, chat templates as text."""
import json
import os
import unittest

import models
from fixtures import MODELS
from server import ServerCase

TEXTS = ["the quick fox", "Straße \u4e16\u754c!", "a"]


class Tokenize(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.embedder()]
        return super().start()

    def test_ids_are_the_program_s(self):
        for more, flags in (({}, ()), ({"add_special_tokens": False}, ("--no-special",))):
            rows = self.ok("/tokenize", {"inputs": TEXTS, **more}).json
            self.assertEqual([[t["id"] for t in row] for row in rows], models.tokens(models.embedder(), TEXTS, *flags))

    def test_parts(self):
        rows = self.ok("/tokenize", {"inputs": TEXTS}).json
        for text, row in zip(TEXTS, rows, strict=True):
            self.assertTrue(row[0]["special"] and row[-1]["special"])
            end = 0
            for t in row:
                self.assertEqual(set(t), {"id", "text", "special", "start", "stop"})
                if t["special"]:
                    self.assertEqual((t["start"], t["stop"]), (None, None))
                    continue
                self.assertTrue(end <= t["start"] < t["stop"] <= len(text), (text, t))
                self.assertEqual(t["text"], text[t["start"]:t["stop"]])
                end = t["stop"]
            self.assertEqual(end, len(text))

    def test_one_string_is_a_list(self):
        self.assertEqual(self.ok("/tokenize", {"inputs": TEXTS[0]}).json, self.ok("/tokenize", {"inputs": TEXTS[:1]}).json)

    def test_prompt(self):
        with_prompt = self.ok("/tokenize", {"inputs": "fox", "prompt_name": "query"}).json
        self.assertEqual([t["id"] for t in with_prompt[0]], models.tokens(models.embedder(), ["query: fox"])[0])

    def test_llama_server_form(self):
        plain = models.tokens(models.embedder(), TEXTS[:1], "--no-special")[0]
        self.assertEqual(self.ok("/tokenize", {"content": TEXTS[0]}).json, {"tokens": plain})
        whole = models.tokens(models.embedder(), TEXTS[:1])[0]
        self.assertEqual(self.ok("/tokenize", {"content": TEXTS[0], "add_special": True}).json, {"tokens": whole})
        pieces = self.ok("/tokenize", {"content": TEXTS[0], "with_pieces": True}).json["tokens"]
        self.assertEqual([p["id"] for p in pieces], plain)
        self.assertTrue(all(p["piece"] for p in pieces))

    def test_decode(self):
        ids = models.tokens(models.embedder(), TEXTS[:1])[0]
        self.assertEqual(self.ok("/decode", {"ids": ids}).json, [TEXTS[0]])
        self.assertEqual(self.ok("/decode", {"ids": [ids, ids]}).json, [TEXTS[0]] * 2)
        shown = self.ok("/decode", {"ids": ids, "skip_special_tokens": False}).json[0]
        self.assertTrue(shown.startswith("[CLS]"), shown)

    def test_long_texts_are_whole(self):
        (row,) = self.ok("/tokenize", {"inputs": "fox " * 300}).json
        self.assertEqual(len(row), 302)

    def test_refused(self):
        self.refused(422, "/tokenize", {}, "inputs")
        self.refused(422, "/tokenize", {"inputs": 3}, "inputs")
        self.refused(422, "/tokenize", {"inputs": ["a"] * 2049}, ("2049", "2048"))
        self.refused(422, "/decode", {}, "ids")
        for wrong in ("a", ["a"], [-1], [2**31], [2**64], [1.5], [None], [[["a"]]], {"a": 1}):
            self.refused(422, "/decode", {"ids": wrong}, "ids")


class Places(ServerCase):
    """In characters, as the tokenizers library gives them: tests/reference/make_character_offsets.py."""
    @classmethod
    def start(cls):
        cls.models = [os.path.join(MODELS, name) for name in ("bert", "xlm-roberta", "llama")]
        return super().start()

    def test_places_are_the_library_s(self):
        with open(os.path.join(os.path.dirname(MODELS), "tokenizers", "characters.json"), encoding="utf-8") as f:
            golden = json.load(f)["tokens"]
        for name, texts in golden.items():
            answer = self.ok("/tokenize", {"model": name, "inputs": [t["text"] for t in texts]}).json
            for row, expected in zip(answer, texts, strict=True):
                with self.subTest(name, text=expected["text"]):
                    self.assertEqual([t["id"] for t in row], expected["ids"])
                    places = [None if t["special"] else [t["start"], t["stop"]] for t in row]
                    self.assertEqual(places, expected["offsets"])


class Template(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.generator()]
        return super().start()

    def test_apply_template(self):
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello <|im_end|>"}]
        self.assertEqual(self.ok("/apply-template", {"messages": messages}).json, {"prompt": (
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello <|im_end|><|im_end|>\n<|im_start|>assistant\n")})
        for wrong in ({}, {"messages": "a"}, {"messages": [1]}, {"messages": [{"content": "a"}]}):
            self.refused(400, "/apply-template", wrong)

    def test_tokenize_of_a_decoder(self):
        text = "the quick fox \u4e16\u754c"
        ids = models.tokens(models.generator(), [text])[0]
        rows = self.ok("/tokenize", {"inputs": text}).json
        self.assertEqual([t["id"] for t in rows[0]], ids)
        self.assertEqual(self.ok("/decode", {"ids": ids}).json, [text])


if __name__ == "__main__":
    unittest.main()

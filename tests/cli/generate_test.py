"""quern generate and perplexity: outputs, limits, and what they refuse."""
import json
import math
import os
import subprocess
import unittest

from fixtures import MODELS, golden
from program import QUERN, TINY, Case, _shared

LLAMA = os.path.join(MODELS, "llama")
GREEDY = ("--temp", 0, "-t", 1)


def converted(kind):
    path = os.path.join(_shared, "llama." + kind)
    if not os.path.exists(path):
        subprocess.run([QUERN, "convert", LLAMA, "-o", path, "--quiet"], check=True)
    return path


class Generate(Case):
    def text(self, *args, model=LLAMA, **more):
        return self.run_ok("generate", "-m", model, "--quiet", *args, **more).stdout.decode(errors="replace")

    def answer(self, *args, model=LLAMA, **more):
        return json.loads(self.run_ok("generate", "-m", model, "-o", "json", *args, **more).stdout)

    def test_the_reference_s_tokens(self):
        reference = golden("llama")
        for text, ids, expected in zip(reference["texts"], reference["ids"], reference["greedy"]):
            done = self.answer("-p", text, "-n", len(expected), "--ignore-eos", *GREEDY)
            self.assertEqual([t["id"] for t in done["tokens"]], expected)
            self.assertEqual(done["prompt_tokens"], len(ids))
            self.assertEqual(done["finish"], "length")

    def test_text_is_what_json_holds(self):
        args = ("-p", "the quick fox", "-n", 12, *GREEDY)
        text = self.answer(*args)["text"]
        self.assertEqual(self.text(*args), text + "\n")
        loud = self.run_ok("generate", "-m", LLAMA, *args)
        self.assertEqual(loud.stdout.decode(errors="replace"), "the quick fox" + text + "\n")
        self.assertRegex(loud.stderr.decode(), r"prompt: 6 tokens, .* answer: 12 tokens, .* ended by length")
        self.assertEqual(self.run_ok("generate", "-m", LLAMA, "--quiet", *args).stderr, b"")

    def test_prompt_from_a_file_and_from_standard_input(self):
        args = ("-n", 8, *GREEDY)
        expected = self.text("-p", "the quick fox", *args)
        self.assertEqual(self.text("-f", self.write("prompt", "the quick fox"), *args), expected)
        self.assertEqual(self.text("-f", "-", *args, stdin="the quick fox"), expected)

    def test_seeds_threads_and_guesses(self):
        args = ("-p", "the lazy user", "-n", 20)
        one = self.text(*args, "-s", 1)
        self.assertEqual(self.text(*args, "-s", 1, "-t", 3), one)
        self.assertEqual(self.text(*args, "-s", 1, "--speculate", 6), one)
        self.assertNotEqual(self.text(*args, "-s", 2), one)

    def test_stop(self):
        args = ("-p", "the quick fox", "-n", 30, *GREEDY)
        whole = self.answer(*args)["text"]
        stop = whole[len(whole) // 2:][:3]
        done = self.answer(*args, "--stop", stop, "--stop", "never in there")
        self.assertEqual(done["text"], whole[:whole.index(stop)])
        self.assertEqual(done["finish"], "stop")

    def test_nothing_to_generate(self):
        done = self.answer("-p", "fox", "-n", 0)
        self.assertEqual((done["text"], done["tokens"], done["finish"]), ("", [], "length"))

    def test_logprobs(self):
        for token in self.answer("-p", "fox", "-n", 5, "--logprobs", 3, *GREEDY)["tokens"]:
            self.assertEqual(len(token["top"]), 3)
            self.assertEqual(token["top"][0], {"id": token["id"], "logprob": token["logprob"]})
            self.assertLess(token["logprob"], 0)
        self.assertNotIn("logprob", self.answer("-p", "fox", "-n", 1)["tokens"][0])

    def test_json_schema(self):
        schema = json.dumps({"type": "object", "properties": {"fox": {"type": "integer"}, "lazy": {"type": "boolean"}},
                             "required": ["fox", "lazy"], "additionalProperties": False})
        for seed in range(4):
            for given in (("--json-schema", schema), ("--json-schema-file", self.write("schema", schema))):
                done = self.answer("-p", "fox", "-s", seed, "-n", 200, *given)
                if done["finish"] == "length":
                    continue
                value = json.loads(done["text"])
                self.assertIsInstance(value["fox"], int)
                self.assertIsInstance(value["lazy"], bool)

    def test_grammar(self):
        grammar = self.write("grammar", 'root ::= "lazy " ("fox" | "user") [0-9] [0-9]')
        for seed in range(4):
            self.assertRegex(self.answer("-p", "the", "-s", seed, "--grammar", grammar)["text"], r"^lazy (fox|user)\d\d$")
        self.assertEqual(self.answer("-p", "the", "--grammar", grammar)["finish"], "end")

    def test_files(self):
        for kind in ("q8", "f32", "q4_0"):
            self.assertEqual(len(self.answer("-p", "fox", "-n", 9, "--ignore-eos", model=converted(kind))["tokens"]), 9)
        args = ("-p", "the quick fox", "-n", 12, *GREEDY)
        self.assertEqual(self.answer(*args, model=converted("f32"))["tokens"], self.answer(*args)["tokens"])

    def test_context_and_memory(self):
        done = self.answer("-p", "the quick fox", "--ctx", 20, "--ignore-eos", "--kv-memory", "64K", "--kv-type", "i8")
        self.assertEqual((len(done["tokens"]), done["finish"]), (14, "length"))

    def test_refused(self):
        run = lambda *args, code=2, says: self.run_failing(code, "generate", *args, says=says)
        run("-m", LLAMA, says="prompt")
        run("-m", LLAMA, "-p", "fox", "-f", "x", says="prompt")
        run("-m", LLAMA, "-p", "fox", "--ctx", 257, says=("context", "256", "257"))
        run("-m", LLAMA, "-p", "fox", "--kv-memory", 1000, says=("kv_memory", "256 tokens", "MiB"))
        for size in ("0", "-1", "x", "1T", "1e99"):
            run("-m", LLAMA, "-p", "fox", "--kv-memory=" + size, says="--kv-memory")
        run("-m", LLAMA, "-p", "fox", "--temp=-1", says="temperature", code=1)
        run("-m", LLAMA, "-p", "fox " * 300, says=("256",), code=1)
        run("-m", LLAMA, "-p", "fox", "--json-schema", "{", says="", code=1)
        run("-m", LLAMA, "-p", "fox", "--json-schema", "{}", "--json-schema-file", "x", says="--json-schema-file")
        run("-m", LLAMA, "-p", "fox", "--grammar", self.write("g", "root ::= nothing"), says="nothing", code=1)
        run("-m", LLAMA, "-p", "fox", "--grammar", self.path("no-grammar"), says="no-grammar", code=1)
        run("-m", LLAMA, "-f", self.path("no-prompt"), says="no-prompt", code=1)
        run("-m", self.path("no-model"), "-p", "fox", says="no-model", code=1)
        run("-m", TINY, "-p", "fox", says=("tiny-bert", "encoder"))
        run("-m", LLAMA, "-p", "fox", "--logit-bias", "fox=1", says="--logit-bias")
        run("-m", LLAMA, "-p", "fox", "--system", "x", says="--system")


class Perplexity(Case):
    TEXT = " ".join(golden("llama")["texts"]) * 3

    def run_on(self, *args, model=LLAMA):
        return self.run_ok("perplexity", "-m", model, "-f", self.write("text", self.TEXT), *args).stdout.decode()

    def ppl(self, *args, **more):
        self.assertRegex(self.run_on(*args, **more), r"^PPL = [\d.]+ \+/- [\d.]+ \(\d+ tokens predicted\)\n")
        return float(self.run_on(*args, **more).split()[2])

    def test_figures(self):
        one = self.ppl("--ctx", 64)
        self.assertTrue(math.isfinite(one) and one > 1)
        self.assertEqual(self.ppl("--ctx", 64, "-t", 2), one)
        self.assertAlmostEqual(self.ppl("--ctx", 64, model=converted("f32")) / one, 1, places=2)

    def test_reference(self):
        same = self.run_on("--ctx", 64, "--reference", LLAMA)
        self.assertIn("ratio = 1.00000", same)
        self.assertRegex(same, r"KL divergence = -?0.000000, largest .*; the same likeliest token: 100.00 %")
        lines = self.run_on("--ctx", 64, "--reference", LLAMA, model=converted("q4_0")).splitlines()
        self.assertEqual(len(lines), 3)
        self.assertGreater(float(lines[2].split()[3].rstrip(",")), 0)

    def test_refused(self):
        text = self.write("text", self.TEXT)
        run = lambda *args, code=1, says: self.run_failing(code, "perplexity", *args, says=says)
        run("-m", LLAMA, says="--file", code=2)
        run("-m", LLAMA, "-f", self.path("no-text"), "--ctx", 64, says="no-text")
        run("-m", LLAMA, "-f", text, says=("context", "256"), code=2)  # 512 by default
        run("-m", LLAMA, "-f", text, "--ctx", 7, says="window")
        run("-m", LLAMA, "-f", self.write("short", "fox"), "--ctx", 64, says=("window", "64"))
        run("-m", TINY, "-f", text, "--ctx", 64, says="encoder", code=2)
        run("-m", LLAMA, "-f", text, "--ctx", 64, "--reference", os.path.join(MODELS, "phi3"), says="vocabulary")


if __name__ == "__main__":
    unittest.main()

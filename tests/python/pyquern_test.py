"""The installed wheel: what it gives equals what the program gives, to the bit, and what it refuses. Run by scripts/test-wheel."""
import asyncio
import ctypes
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path[:0] = [os.path.join(os.environ["QUERN_TEST_DIR"], folder) for folder in ("cli", "server", "hub")]
import models  # noqa: E402
from hub import HubCase, Repo, folder_files  # noqa: E402
from program import GOLDEN, QUERN, TINY  # noqa: E402

import numpy as np  # noqa: E402
import pyquern  # noqa: E402
from pyquern import _library as lib  # noqa: E402

TEXTS = ["the quick fox", "a lazy user, über 中文 text", "", "fox " * 40, "the quick fox"]
GUARD = 120  # seconds: against hanging alone


def program(*args, texts):
    out = subprocess.run([QUERN, *args, "-f", "-", "--jsonl"], input="".join(json.dumps({"text": t}) + "\n" for t in texts),
                         capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = pyquern.Model(models.embedder())

    def test_equal_to_the_program(self):
        expected = np.array(program("embed", "-m", self.model.path, texts=TEXTS), np.float32)
        vectors = self.model.encode(TEXTS)
        self.assertEqual(vectors.dtype, np.float32)
        np.testing.assert_array_equal(vectors, expected)
        np.testing.assert_array_equal(self.model.encode(TEXTS[1]), expected[1])  # a str: one row
        np.testing.assert_array_equal(self.model.encode(tuple(reversed(TEXTS))), expected[::-1])
        self.assertEqual(self.model.encode([]).shape, (0, self.model.get_sentence_embedding_dimension()))

    def test_near_the_reference(self):
        reference = pyquern.Model(TINY)  # the folder, f32
        np.testing.assert_allclose(reference.encode(GOLDEN["texts"]), np.array(GOLDEN["vectors"]), atol=1e-4)

    def test_many_texts_in_slices(self):
        texts = [f"fox number {i % 700} jumps" for i in range(3000)]
        vectors = self.model.encode(texts)
        np.testing.assert_array_equal(vectors[:700], vectors[700:1400])
        np.testing.assert_array_equal(vectors[2999], self.model.encode(texts[2999]))

    def test_out(self):
        room = np.zeros((2, 64), np.float32)
        self.assertIs(self.model.encode(TEXTS[:2], out=room), room)
        np.testing.assert_array_equal(room, self.model.encode(TEXTS[:2]))
        for bad in (np.zeros((2, 63), np.float32), np.zeros((2, 64)), np.zeros((64, 2), np.float32).T, [0], np.zeros((3, 64), np.float32)):
            with self.assertRaisesRegex(ValueError, r"out: expected a contiguous float32 array of shape \(2, 64\)"):
                self.model.encode(TEXTS[:2], out=bad)
        room.flags.writeable = False
        with self.assertRaisesRegex(ValueError, "cannot be written"):
            self.model.encode(TEXTS[:2], out=room)

    def test_precisions(self):
        x = self.model.encode(TEXTS)
        for precision, dtype, width in (("float16", np.float16, 64), ("int8", np.int8, 64), ("uint8", np.uint8, 64), ("binary", np.int8, 8), ("ubinary", np.uint8, 8)):
            y = self.model.encode(TEXTS, precision=precision)
            self.assertEqual((y.dtype, y.shape), (dtype, (len(TEXTS), width)))
        np.testing.assert_array_equal(self.model.encode(TEXTS, precision="ubinary"), np.packbits(x > 0, axis=1))
        back = pyquern.quantize_embeddings(x, "uint8") * (x.max(0) - x.min(0)) / 255 + x.min(0)
        np.testing.assert_allclose(back, x, atol=float((x.max(0) - x.min(0)).max()) / 255)
        with self.assertRaisesRegex(ValueError, "expected one of float32"):
            self.model.encode(TEXTS, precision="int3")

    def test_dimensions_prompts_and_states(self):
        whole = self.model.encode("fox")
        cut = self.model.encode("fox", truncate_dim=16)
        np.testing.assert_allclose(cut, whole[:16] / np.linalg.norm(whole[:16]), atol=1e-6)
        np.testing.assert_array_equal(self.model.encode("fox", prompt="quick "), self.model.encode("quick fox"))
        name, prompt = next(iter(self.model.prompts.items()))
        np.testing.assert_array_equal(self.model.encode("fox", prompt_name=name), self.model.encode(prompt + "fox", prompt=""))
        states = self.model.encode(["fox", "the quick fox"], output_value="token_embeddings")
        self.assertEqual([len(s) for s in states], [len(self.model.tokenize(t)) for t in ("fox", "the quick fox")])
        with self.assertRaisesRegex(pyquern.BadArgument, "no prompt is called"):
            self.model.encode("fox", prompt_name="nobody's")

    def test_similarity(self):
        a = self.model.encode(TEXTS[:3])
        unit = a / np.linalg.norm(a, axis=1, keepdims=True)
        np.testing.assert_allclose(self.model.similarity(a, a), unit @ unit.T, atol=1e-6)
        with self.assertRaisesRegex(ValueError, "cannot be compared"):
            self.model.similarity(a, a[:, :8])

    def test_tokens(self):
        text = "fox über 中文"
        for token in self.model.tokens(text):
            self.assertTrue(token.special or text[token.begin:token.end])
        self.assertEqual(self.model.tokenize(text), [token.id for token in self.model.tokens(text)])
        long = "é 中文 \U0001f600 fox " * 2000
        parts = self.model.tokens(long)
        self.assertEqual(self.model.tokenize(long), [token.id for token in parts])
        for token in parts[1:40] + parts[-40:-1]:
            self.assertTrue(token.begin < token.end <= len(long), token)
        self.assertEqual([long[t.begin:t.end] for t in parts if t.end > len(long) - 5 and not t.special][-1], "fox")
        self.assertEqual(self.model.tokenize(text), program("tokenize", "-m", self.model.path, texts=[text])[0])
        self.assertEqual(self.model.decode(self.model.tokenize("the quick fox")), "the quick fox")

    def test_what_is_no_text(self):
        for bad, error, words in ((["a", 3], TypeError, "text 1: expected a str, found int"), (["a", None], TypeError, "text 1"),
                                  (["a", b"b"], TypeError, "found bytes"), (b"a", TypeError, "decode it first"), (7, TypeError, "found int"),
                                  (["a", "\ud800"], ValueError, "text 1: character 0 is half of a surrogate pair")):
            with self.assertRaisesRegex(error, words):
                self.model.encode(bad)

    def test_too_long(self):
        model = pyquern.Model(models.embedder(), long_texts="error")
        with self.assertRaisesRegex(pyquern.BadArgument, "300"):  # the text's own number, not that in its slice
            model.encode(["fox"] * 300 + ["fox " * 1000])
        with self.assertRaisesRegex(ValueError, "long_texts: expected one of error, truncate"):
            pyquern.Model(models.embedder(), long_texts="drop")

    def test_threads_share_it(self):
        expected, found = self.model.encode(TEXTS), [None] * 4
        def work(i):
            for _ in range(5):
                found[i] = self.model.encode(TEXTS)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(GUARD)
        for rows in found:
            np.testing.assert_array_equal(rows, expected)

    def test_pickle(self):
        again = pickle.loads(pickle.dumps(self.model))
        np.testing.assert_array_equal(again.encode(TEXTS), self.model.encode(TEXTS))
        restore, (cls, path, fingerprint, settings) = self.model.__reduce__()
        with self.assertRaisesRegex(ValueError, "is not the one that was pickled"):
            restore(cls, models.m3(), fingerprint, settings)

    def test_closed(self):
        with pyquern.Model(models.embedder()) as model:
            model.encode("fox")
        model.close()
        for use in (lambda: model.encode("fox"), lambda: model.labels, lambda: model.tokenize("fox"), lambda: model.fingerprint):
            with self.assertRaisesRegex(ValueError, "is closed"):
                use()

    def test_a_fork_is_noticed(self):
        self.model.encode("fox")

        def child(to):
            try:
                self.model.encode("fox")
                to.send("it ran")
            except RuntimeError as e:
                to.send(str(e))
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=child, args=(there,))
        process.start()
        self.assertTrue(here.poll(GUARD))
        self.assertIn("before the process was forked", here.recv())
        process.join(GUARD)
        self.assertEqual(process.exitcode, 0)
        self.model.encode("fox")

    def test_interrupt(self):
        texts = ["the quick fox jumps over the lazy user " * 8] * 200000
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            self.model.encode(texts)
        timer.join()
        self.model.encode("fox")  # the lock is free

    def test_not_a_model(self):
        with self.assertRaises(pyquern.NotFound):
            pyquern.Model("no/such/model.q8")
        with self.assertRaisesRegex(pyquern.QuernError, "pyquern_test.py: no GGUF file"):
            pyquern.Model(__file__)


class Others(unittest.TestCase):
    def test_rerank(self):
        with pyquern.CrossEncoder(models.reranker()) as model:
            documents = ["a fox", "the lazy user", "quick quick"]
            scores = model.predict([("fox", d) for d in documents])
            ranked = model.rank("fox", documents, return_documents=True)
            self.assertEqual([r["corpus_id"] for r in ranked], sorted(range(3), key=lambda i: -scores[i]))
            self.assertEqual([r["text"] for r in ranked], [documents[r["corpus_id"]] for r in ranked])
            self.assertEqual(model.rank("fox", documents, top_k=1), [{k: ranked[0][k] for k in ("corpus_id", "score")}])
            self.assertEqual(model.rank("fox", []), [])
            self.assertEqual(float(model.predict(("fox", "a fox"))), float(scores[0]))
            out = subprocess.run([QUERN, "rerank", "-m", model.path, "-q", "fox", "-f", "-", "--json"], input="\n".join(documents), capture_output=True, text=True, check=True).stdout
            expected = {r["index"]: r["score"] for r in json.loads(out)}
            for i, score in enumerate(scores):
                self.assertAlmostEqual(float(score), expected[i], places=6)
            with self.assertRaisesRegex(TypeError, "sentences 1: expected a pair"):
                model.predict([("a", "b"), ("c",)])

    def test_rerankers_that_are_language_models(self):
        folder = os.path.join(os.path.dirname(models.MODELS), "rerankers", "qwen3_logit_score")
        with open(os.path.join(folder, "golden.json"), encoding="utf-8") as f:
            entries = [e for e in json.load(f) if not e["max_length"]]
        with pyquern.CrossEncoder(folder) as model:
            self.assertEqual(model.default_prompt_name, "same")
            for told in {e["instruction"] for e in entries}:
                some = [e for e in entries if e["instruction"] == told]
                scores = model.predict([(e["query"], e["document"]) for e in some], prompt=told)
                np.testing.assert_allclose(scores, [e["score"] for e in some], atol=1e-4)
            pair = [("quick fox", "a user")]
            self.assertEqual(model.predict(pair), model.predict(pair, prompt_name="same"))
            self.assertNotEqual(model.predict(pair), model.predict(pair, prompt_name="web"))
            self.assertEqual(model.rank("quick fox", ["a user"], prompt_name="web")[0]["score"], float(model.predict(pair, prompt_name="web")[0]))

    def test_classify_zero_shot(self):
        with open(os.path.join(os.path.dirname(models.MODELS), "zero_shot.json"), encoding="utf-8") as f:
            cases = [c for c in json.load(f) if c["model"] == "deberta" and c["names"][0] == "entailment" and "hypothesis_template" not in c]
        with pyquern.Model(models.inference()) as model:
            for c in cases:
                found = model.classify_zero_shot(c["text"], c["labels"], multi_label=c.get("multi_label", False))
                by_label = {r["label"]: r["score"] for r in found}
                np.testing.assert_allclose([by_label[label] for label in c["labels"]], c["scores"], atol=1e-4)
            self.assertEqual(model.classify_zero_shot(["a fox"], "fox, lazy users")[0], model.classify_zero_shot("a fox", ["fox", "lazy users"]))
            with self.assertRaisesRegex(pyquern.QuernError, "where the label goes"):
                model.classify_zero_shot("a", ["b"], hypothesis="none")

    def test_classify_and_tag(self):
        with pyquern.Model(models.classifier()) as model:
            self.assertEqual(model.labels, models.LABELS)
            found = model.classify(["the quick fox", "a user"])
            self.assertEqual({f["label"] for f in found[0]}, set(models.LABELS))
            self.assertEqual(found[1], model.classify("a user"))
            self.assertEqual([f["score"] for f in found[0]], sorted((f["score"] for f in found[0]), reverse=True))
        with pyquern.Model(models.tagger()) as model:
            text = "über the quick fox"
            for part in model.tag(text, grouped=False):
                self.assertEqual(part["word"], text[part["start"]:part["end"]])
                self.assertTrue(part["word"])

    def test_sparse_and_multi_vector(self):
        with pyquern.Model(models.m3()) as model:
            sparse, many = model.encode_sparse(["the fox", "user"]), model.encode_multi_vector("the fox")
            self.assertTrue(all(w > 0 for row in sparse for w in row.values()))
            np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, atol=1e-5)

    def test_late_interaction(self):
        golden = models.late_golden("pylate")
        with pyquern.Model(models.late()) as model:
            queries = model.encode_multi_vector(golden["queries"], input_type="query")
            documents = model.encode_multi_vector(golden["documents"], input_type="document")
            for found, expected in zip(queries + documents, golden["of_queries"] + golden["of_documents"], strict=True):
                np.testing.assert_allclose(found, expected, atol=2e-6)
            np.testing.assert_allclose(model.similarity(queries, documents), golden["scores"], atol=1e-5)
            np.testing.assert_allclose(model.predict([(golden["queries"][0], d) for d in golden["documents"]]), golden["scores"][0], atol=1e-5)
            best = model.rank(golden["queries"][0], golden["documents"])[0]
            self.assertEqual(best["corpus_id"], int(np.argmax(golden["scores"][0])))
            self.assertLess(len(model.encode_multi_vector(golden["documents"][0], input_type="document", pool_factor=3)), len(documents[0]))
            with self.assertRaisesRegex(pyquern.BadArgument, "pool_factor"):
                model.encode_multi_vector("a", pool_factor=0.5)

    def test_a_model_without_it(self):
        with pyquern.Model(models.embedder()) as model:
            for call in (lambda: model.predict([("a", "b")]), lambda: model.classify("a"), lambda: model.tag("a"), lambda: model.encode_sparse("a")):
                with self.assertRaises(pyquern.BadArgument):
                    call()
        with self.assertRaisesRegex(pyquern.Unsupported, "makes no text"):
            pyquern.Generator(models.embedder())

    def test_convert(self):
        path = os.path.join(os.path.dirname(models.embedder()), "by-python.q8")
        pyquern.convert(TINY, path)
        with open(path, "rb") as a, open(models.embedder(), "rb") as b:
            self.assertEqual(a.read(), b.read())
        with self.assertRaises(pyquern.NotFound):
            pyquern.convert("no/such/folder", path)

    def test_convert_with_adapters(self):
        golden = os.path.join(os.environ["QUERN_TEST_DIR"], "golden")
        base, lora = os.path.join(golden, "models", "bert"), os.path.join(golden, "adapters", "bert")
        folder = os.path.dirname(models.embedder())
        vectors = []
        for adapters in ((), [lora], [(lora, 0.5), (lora, 0.5)]):
            path = os.path.join(folder, f"adapters-{len(adapters)}.f32")
            pyquern.convert(base, path, adapters=adapters)
            with pyquern.Model(path) as model:
                vectors.append(model.encode("the quick fox"))
        np.testing.assert_allclose(vectors[2], vectors[1], atol=1e-5)
        self.assertGreater(float(np.abs(vectors[1] - vectors[0]).max()), 1e-2)
        with self.assertRaisesRegex(pyquern.QuernError, "adapter_config.json"):
            pyquern.convert(base, path, adapters=[base])
        with self.assertWarnsRegex(UserWarning, "base_model_name_or_path"):
            pyquern.convert(os.path.join(golden, "models", "bert", "..", "bert", "."), path, adapters=[lora])

    def test_adapters_beside_a_model(self):
        golden = os.path.join(os.environ["QUERN_TEST_DIR"], "golden")
        base, lora = os.path.join(golden, "models", "bert"), os.path.join(golden, "adapters", "bert")
        merged = os.path.join(os.path.dirname(models.embedder()), "merged.f32")
        pyquern.convert(base, merged, adapters=[lora])
        with pyquern.Model(base) as plain, pyquern.Model(base, adapter=lora) as model, pyquern.Model(merged) as same:
            np.testing.assert_allclose(model.encode(TEXTS), same.encode(TEXTS), atol=1e-5)
            self.assertGreater(float(np.abs(model.encode(TEXTS) - plain.encode(TEXTS)).max()), 1e-2)
            self.assertNotEqual(model.fingerprint, plain.fingerprint)
            with pickle.loads(pickle.dumps(model)) as again:
                np.testing.assert_array_equal(again.encode(TEXTS), model.encode(TEXTS))
        with self.assertRaisesRegex(pyquern.NotFound, "adapter_config.json"):
            pyquern.Model(base, adapter=base)
        llama, poet = os.path.join(golden, "models", "llama"), os.path.join(golden, "adapters", "llama")
        with pyquern.Generator(llama) as plain, pyquern.Generator(llama, adapter=poet) as model:
            texts = [g.generate("the quick fox", max_tokens=12, temperature=0) for g in (plain, model)]
            self.assertNotEqual(*texts)
        with pyquern.Model(models.classifier()) as plain, self.assertWarnsRegex(UserWarning, "base_model_name_or_path"):
            with pyquern.Model(models.classifier(), adapter=lora) as model:
                self.assertNotEqual(model.classify("the quick fox"), plain.classify("the quick fox"))


class Text(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = pyquern.Generator(models.generator())

    def test_generate(self):
        text = self.model.generate("the quick fox", max_tokens=12, seed=7)
        self.assertEqual(text, "".join(self.model.stream("the quick fox", max_tokens=12, seed=7)))
        out = subprocess.run([QUERN, "generate", "-m", self.model.path, "-p", "the quick fox", "-n", "12", "--seed", "7", "--no-chat"], capture_output=True, check=True).stdout
        self.assertEqual("the quick fox" + text, out.decode("utf-8", "replace").removesuffix("\n"))

    def test_chat_and_schema(self):
        answer = self.model.chat("fox", max_tokens=8, temperature=0)
        self.assertEqual(answer, self.model.chat([{"role": "user", "content": "fox"}], max_tokens=8, temperature=0))
        schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["n"], "additionalProperties": False}
        self.assertIn(self.model.chat("fox", json_schema=schema, seed=1)["n"], range(100))
        with self.assertRaisesRegex(ValueError, "cut off before its JSON was whole"):
            self.model.chat("fox", json_schema=schema, max_tokens=1, seed=1)

    def test_async(self):
        async def read():
            return [part async for part in self.model.achat_stream("fox", max_tokens=8, temperature=0)]
        self.assertEqual("".join(asyncio.run(read())), self.model.chat("fox", max_tokens=8, temperature=0))

    def test_left_unread(self):
        parts = self.model.stream("fox", max_tokens=100, seed=1)
        next(parts)
        with self.assertRaisesRegex(RuntimeError, "another answer of this generator is being read"):
            self.model.generate("fox", max_tokens=2)
        parts.close()
        self.model.generate("fox", max_tokens=2)

    def test_refused(self):
        with self.assertRaisesRegex(TypeError, "unknown option 'warmth'"):
            self.model.generate("fox", warmth=2)
        with self.assertRaises(pyquern.BadArgument):
            self.model.generate("fox", temperature=-1.0)
        with self.assertRaises(pyquern.QuernError):
            self.model.generate("fox", grammar="root ::= (")
        self.model.generate("fox", max_tokens=2)  # nothing is left behind


class Names(HubCase):
    def setUp(self):
        super().setUp()
        self.hub.repos["org/tiny"] = Repo(folder_files(TINY))
        before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
        os.environ.update(self.env)

    def test_a_name_is_downloaded_once(self):
        with self.assertRaisesRegex(pyquern.NotFound, "org/tiny"):
            pyquern.Model("org/tiny", offline=True)
        with pyquern.Model("org/tiny") as model, pyquern.Model(models.embedder()) as expected:
            np.testing.assert_array_equal(model.encode(TEXTS), expected.encode(TEXTS))  # converted to q8
            self.assertEqual(pickle.loads(pickle.dumps(model)).path, model.path)
        self.hub.stop()
        with pyquern.Model("org/tiny", offline=True) as model:
            self.assertEqual(model.encode("fox").shape, (64,))
        self.assertEqual([m["name"] for m in pyquern.cached_models()], ["org/tiny"])

    def test_types_and_what_is_missing(self):
        with pyquern.Model("org/tiny", type="q4") as model:
            self.assertEqual(model.info["type"], "q4")
        with self.assertRaisesRegex(pyquern.QuernError, "org/nobody"):
            pyquern.Model("org/nobody")
        with self.assertRaisesRegex(pyquern.BadArgument, "q3"):
            pyquern.Model("org/tiny", type="q3")
        self.assertIn("minilm", [m["name"] for m in pyquern.known_models()])


class Itself(unittest.TestCase):
    def test_structures_are_those_of_the_library(self):
        for name in ("embed", "classify", "tokenize", "detokenize", "generator", "generation", "convert", "hub"):
            options = lib.get(name + "_options_default")
            self.assertEqual(options.size, ctypes.sizeof(options), name)
        self.assertEqual(pyquern.__version__, lib.get("version").decode())

    def test_importing_is_quick_and_imports_little(self):
        code = "import sys, numpy; before = set(sys.modules); import pyquern; print(*sorted(set(sys.modules) - before))"
        names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        self.assertFalse({n.split(".")[0] for n in names} & {"torch", "huggingface_hub", "tqdm", "asyncio"}, names)

    def test_it_is_installed(self):
        self.assertIn("site-packages", pyquern.__file__)
        self.assertTrue(os.path.exists(os.path.join(os.path.dirname(pyquern.__file__), "py.typed")))

    def test_the_program_came_along(self):
        own = os.path.join(os.path.dirname(sys.executable), "quern")
        for words in ([own], [sys.executable, "-m", "pyquern"]):
            done = subprocess.run([*words, "--version"], capture_output=True, text=True)
            self.assertEqual((done.stdout, done.stderr), (f"quern {pyquern.__version__}\n", ""))
        path = models.embedder()
        out = subprocess.run([own, "embed", "-m", path, "-p", TEXTS[0]], capture_output=True, text=True, check=True).stdout
        np.testing.assert_array_equal(np.array(json.loads(out), np.float32), pyquern.Model(path).encode(TEXTS[0]))
        self.assertEqual(subprocess.run([own, "nothing"], capture_output=True).returncode, 2)  # its own exit code

    def test_running_the_program_imports_no_numpy(self):
        code = "import sys, pyquern_program; print(*sys.modules)"
        names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        self.assertFalse({"numpy", "pyquern", "ctypes"} & set(names), names)


if __name__ == "__main__":
    unittest.main()

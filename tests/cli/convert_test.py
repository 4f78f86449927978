"""quern convert: every type, names, and what a failure leaves behind."""
import json
import os
import shutil
import subprocess
import time
import unittest

import fixtures
from program import GOLDEN, QUERN, TINY, TYPES, Case, json_rows, model

# Measured on the fixture by tests/golden/tiny_bert_test.cpp, worst text.
PANELS = ("q8", "q8_fine", "q4", "q4_m", "q5")  # quern's own
LIMITS = {"f32": 0.999999, "f16": 0.999999, "bf16": 0.9998, "q8": 0.9993, "q8_fine": 0.9995, "q4": 0.972, "q4_m": 0.975, "q5": 0.99, "q8_0": 0.9992, "q4_0": 0.935, "q4_1": 0.88,
          "q5_0": 0.96, "q5_1": 0.975}


class Convert(Case):
    def test_every_type_embeds_near_the_reference(self):
        texts = [t for t in GOLDEN["texts"] if "\n" not in t]
        expected = [v for t, v in zip(GOLDEN["texts"], GOLDEN["vectors"]) if "\n" not in t]
        for kind in TYPES:
            with self.subTest(kind):
                out = self.path("model.gguf")
                done = self.run_ok("convert", TINY, "-o", out, "--type", kind)
                self.assertRegex(done.stderr.decode(), r"^\S+model\.gguf: \d+\.\d MB, \d+\.\d s\n$")
                self.assertEqual(done.stdout, b"")
                rows = self.run_ok("embed", "-m", out, "-f", "-", stdin="\n".join(texts) + "\n").stdout
                self.assertClose(json_rows(rows), expected, LIMITS[kind])

    def test_every_type_is_in_the_documentation(self):
        with open(os.path.join(os.environ["QUERN_TEST_DIR"], "..", "docs", "quantization.md"), encoding="utf-8") as f:
            rows = [line.split("|")[1] for line in f if line.startswith("| ")]
        named = {name.strip() for row in rows for name in row.split(",")}
        for kind in TYPES:
            self.assertIn(kind, named)

    def test_type_from_the_name(self):
        sizes = {kind: os.path.getsize(model(kind)) for kind in TYPES}
        self.assertGreater(sizes["f32"], sizes["f16"])
        self.assertGreater(sizes["f16"], sizes["q8"])
        self.assertGreater(sizes["q8"], sizes["q4"])
        self.run_ok("convert", TINY, "-o", self.path("plain"))
        info = self.run_ok("inspect", self.path("plain")).stdout.decode()
        self.assertRegex(info, r"(?m)^type +q8$")

    def test_same_bytes_every_time(self):
        for name in ("a.q8", "b.q8"):
            self.run_ok("convert", TINY, "-o", self.path(name))
        with open(self.path("a.q8"), "rb") as a, open(self.path("b.q8"), "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_replaces_an_older_file(self):
        out = self.write("old.q8", "not a model")
        self.run_ok("convert", TINY, "-o", out)
        self.run_ok("inspect", out)
        self.assertEqual(os.listdir(self.dir), ["old.q8"])

    def test_quiet(self):
        self.assertEqual(self.run_ok("convert", TINY, "-o", self.path("m.q8"), "--quiet").stderr, b"")

    def test_calibration_and_self_test(self):
        texts = self.write("texts.txt", "the quick fox\ncosine similarity\n")
        self.run_ok("convert", TINY, "-o", self.path("m.q4"), "--calibration", texts, "--self-test", "a lazy user")
        self.run_failing(1, "convert", TINY, "-o", self.path("n.q4"), "--calibration", self.path("none"), says="none")
        with open(self.path("m.q4"), "rb") as f:
            self.assertIn(b"a lazy user", f.read())

    def test_adapters(self):
        base, lora = (os.path.join(os.environ["QUERN_TEST_DIR"], "golden", *parts) for parts in (("models", "bert"), ("adapters", "bert")))
        vectors = {}
        for name, options in (("none", ()), ("whole", ("--adapter", lora)), ("half", ("--adapter", lora + "=0.5")),
                              ("halves", ("--adapter", lora + "=0.5", "--adapter", lora + "=5e-1")),
                              ("undone", ("--adapter", lora, "--adapter", lora + "=-1"))):
            out = self.path(name + ".f32")
            notes = self.run_ok("convert", base, "-o", out, *options).stderr.decode()
            self.assertEqual(notes.count("'base_model_name_or_path'"), 0, notes)  # tiny/bert, which ends like the folder
            vectors[name] = json_rows(self.run_ok("embed", "-m", out, "-p", "the quick fox").stdout)
        self.assertClose(vectors["halves"], vectors["whole"], 0.99999)
        self.assertClose(vectors["undone"], vectors["none"], 0.99999)
        for other in ("whole", "half"):
            with self.assertRaises(AssertionError):
                self.assertClose(vectors[other], vectors["none"], 0.9999)
        self.assertRegex(self.run_ok("inspect", self.path("whole.f32")).stdout.decode(), r"(?m)adapter +bert")
        other = self.path("other")
        shutil.copytree(base, other)
        noted = self.run_ok("convert", other, "-o", self.path("noted.q8"), "--adapter", lora).stderr.decode()
        self.assertRegex(noted, r"(?m)^note: .*adapter_config.json: 'base_model_name_or_path' is tiny/bert, .*shapes fit$")
        strange = self.path("strange=1")  # a folder's name may look like a weight's
        shutil.copytree(lora, strange)
        self.run_ok("convert", base, "-o", self.path("a.f32"), "--adapter", strange)
        self.run_ok("convert", base, "-o", self.path("b.f32"), "--adapter", strange + "=0.5")
        for name, same in (("a", "whole"), ("b", "half")):
            found = json_rows(self.run_ok("embed", "-m", self.path(name + ".f32"), "-p", "the quick fox").stdout)
            self.assertClose(found, vectors[same], 0.9999999)
        self.run_failing(1, "convert", base, "-o", self.path("m.q8"), "--adapter", self.path("no=x"), says="no=x: no such folder")

    def test_adapters_that_do_not_fit(self):
        base, lora = (os.path.join(os.environ["QUERN_TEST_DIR"], "golden", *parts) for parts in (("models", "bert"), ("adapters", "llama")))
        os.mkdir(self.path("work"))
        out = self.path("work/m.q8")
        self.run_failing(1, "convert", base, "-o", out, "--adapter", lora, says=("adapter_model.safetensors", "has no layer"))
        self.run_failing(1, "convert", base, "-o", out, "--adapter", self.path("none"), says=("none", "adapter_config.json"))
        self.run_failing(1, "convert", model(), "-o", out, "--adapter", lora.replace("llama", "bert"), says=("tiny.q8", "folder"))
        self.assertEqual(os.listdir(self.path("work")), [])

    def test_wrong_use(self):
        self.run_failing(2, "convert", TINY, "-o", self.path("m"), "--type", "q3", says="q3")
        self.run_failing(2, "convert", TINY)
        self.run_failing(2, "convert", "-o", self.path("m"))
        self.run_failing(2, "convert", TINY, "-o", self.path("m"), "-t", "0")
        self.assertEqual(os.listdir(self.dir), [])

    def test_failures_leave_nothing(self):
        os.mkdir(self.path("work"))
        out = self.path("work/m.q8")
        self.run_failing(1, "convert", self.path("none"), "-o", out, says="none")
        self.run_failing(1, "convert", model(), "-o", out, says=("tiny.q8", "folder"))
        broken = self.path("broken")
        shutil.copytree(TINY, broken)
        with open(os.path.join(broken, "model.safetensors"), "r+b") as f:
            f.truncate(200000)
        self.run_failing(1, "convert", broken, "-o", out, says="model.safetensors")
        self.assertEqual(os.listdir(self.path("work")), [])
        self.run_failing(1, "convert", TINY, "-o", self.path("no/such/m.q8"), says="no/such/m.q8")
        self.run_failing(1, "convert", TINY, "-o", self.path("work"), says="work")

    def test_full_disk(self):
        self.run_failing(1, "convert", TINY, "-o", "/dev/full", says="/dev/full")

    def test_killed(self):
        """At whatever moment it is killed, what stands under the name is a whole model or nothing."""
        out = self.path("m.q4")
        for i in range(12):
            process = subprocess.Popen([QUERN, "convert", TINY, "-o", out, "--quiet"])
            time.sleep(0.003 * i)
            process.kill()
            process.wait()
            if os.path.exists(out):
                self.run_ok("inspect", out)
                os.remove(out)

    def test_decoders(self):
        """Every type of a decoder goes on with a text, the exact ones as the folder does; row types have llama.cpp's keys."""
        folder = fixtures.tiny_llama(self.path("llama"))
        text = ("generate", "--no-chat", "--temp", "0", "-n", 12, "--ignore-eos", "-p", "The quick", "-m")
        expected = self.run_ok(*text, folder).stdout
        sizes = {}
        for kind in TYPES:
            with self.subTest(kind):
                out = self.path("llama." + kind)
                self.run_ok("convert", folder, "-o", out)
                sizes[kind] = os.path.getsize(out)
                found = self.run_ok(*text, out).stdout
                if kind in ("f32", "f16"):
                    self.assertEqual(found, expected)
                with open(out, "rb") as f:
                    data = f.read()
                self.assertEqual(b"tokenizer.ggml.merges" in data, kind not in PANELS)
                self.assertFalse(b"\0output.weight" in data)  # the head is the table
                self.assertFalse(b"pooling_type" in data)
        self.assertGreater(sizes["q8"], sizes["q4"])
        for kind in ("q8", "q8_fine"):  # decoders' codes are the finest there are
            self.assertEqual(json.loads(self.run_ok("inspect", "--json", self.path("llama." + kind)).stdout)["type"], "q8_fine")

    def test_an_unknown_level_is_refused(self):
        with open(model("q8_fine"), "rb") as f:
            data = f.read()
        later = self.path("later.q8")
        with open(later, "wb") as f:
            f.write(data.replace(b"q8_fine", b"q8_best"))
        self.assertNotEqual(data.count(b"q8_fine"), 0)
        self.run_failing(1, "embed", "-m", later, "-p", "a",
                         says=f'{later}: quern.level "q8_best" is no level of q8; this version cannot read it')

    def test_levels(self):
        """Of one size and type; each has vectors and a fingerprint of its own."""
        facts = {kind: json.loads(self.run_ok("inspect", "--json", model(kind)).stdout) for kind in ("q8", "q8_fine")}
        self.assertEqual({kind: facts[kind]["type"] for kind in facts}, {"q8": "q8", "q8_fine": "q8_fine"})
        self.assertNotEqual(facts["q8"]["fingerprint"], facts["q8_fine"]["fingerprint"])
        self.assertAlmostEqual(os.path.getsize(model("q8")), os.path.getsize(model("q8_fine")), delta=100)

    def test_alignment(self):
        """Files of row types are llama.cpp's too, whose tools take 32 for granted; panels are read where they lie."""
        for kind in TYPES:
            with self.subTest(kind):
                keys = json.loads(self.run_ok("inspect", "--json", model(kind)).stdout)["file"]["keys"]
                found = [key["value"] for key in keys if key["name"] == "general.alignment"]
                self.assertEqual(found, ["64"] if kind in PANELS else [])


if __name__ == "__main__":
    unittest.main()

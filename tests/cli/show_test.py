"""quern tokenize and quern inspect."""
import json
import unittest

from program import GOLDEN, TINY, TYPES, Case, model


class Tokenize(Case):
    def ids(self, *args, **more):
        done = self.run_ok("tokenize", "-m", model(), *args, **more)
        self.assertEqual(done.stderr, b"")
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def test_reference(self):
        self.assertEqual(self.ids(*(a for t in GOLDEN["texts"] for a in ("-p", t))), GOLDEN["ids"])

    def test_flags(self):
        text = "the quick fox jumps"
        whole = self.ids("-p", text)[0]
        self.assertEqual(len(whole), 6)
        self.assertEqual(self.ids("-p", text, "--no-special"), [whole[1:-1]])
        self.assertEqual(self.ids("-p", text, "--max-length", 4), [whole[:3] + whole[-1:]])
        self.assertEqual(self.ids("-p", text, "--no-special", "--max-length", 2), [whole[1:3]])
        self.assertEqual(len(self.ids("-p", "a " * 200)[0]), 32)
        self.assertEqual(len(self.ids("-p", "a " * 200, "--no-truncate")[0]), 202)
        self.run_failing(2, "tokenize", "-m", model(), "-p", "x", "--no-truncate", "--max-length", 3)

    def test_inputs(self):
        lines = self.ids("-f", "-", stdin="fox\n\nthe\n")
        self.assertEqual([len(l) for l in lines], [3, 2, 3])
        source = self.write("t.jsonl", '{"body": "fox"}\n')
        self.assertEqual(self.ids("-f", source, "--field", "body"), lines[:1])
        self.assertEqual(self.ids("-f", "-", "--jsonl", "--field", "body", stdin='{"body": "fox"}\n'), lines[:1])

    def test_decode(self):
        ids = self.ids("-p", "the quick fox")[0]
        def decode(*args, **more):
            return self.run_ok("tokenize", "-m", model(), "--decode", *args, **more).stdout.decode()
        self.assertEqual(decode("-p", str(ids)), "[CLS] the quick fox [SEP]\n")
        self.assertEqual(decode("-p", str(ids), "--no-special"), "the quick fox\n")
        self.assertEqual(decode("-f", "-", "--no-special", stdin=f"{ids}\n\n{ids[1]} {ids[2]}\n"),
                         "the quick fox\n\nthe quick\n")
        self.run_failing(2, "tokenize", "-m", model(), "--decode", "-p", "3 x", says="--decode")
        self.run_failing(2, "tokenize", "-m", model(), "--decode", "-p", "99999999999")

    def test_the_folder_gives_the_same(self):
        done = self.run_ok("tokenize", "-m", TINY, "-p", "the quick fox")
        self.assertEqual([json.loads(done.stdout)], self.ids("-p", "the quick fox"))


class Inspect(Case):
    def test_json(self):
        for kind in TYPES:
            with self.subTest(kind):
                facts = json.loads(self.run_ok("inspect", "--json", model(kind)).stdout)
                self.assertEqual(facts["type"], kind)
                self.assertEqual(facts["format"], "gguf")
                for key, value in (("architecture", "bert"), ("width", 64), ("layers", 3), ("vocabulary", 633),
                                   ("positions", 64), ("max_length", 32), ("similarity", "cosine"),
                                   ("prompts", {"query": "query: ", "document": ""})):
                    self.assertEqual(facts[key], value)
                self.assertRegex(facts["fingerprint"], "^[0-9a-f]{32}$")
                self.assertGreater(len(facts["file"]["tensors"]), 30)
                self.assertGreater(len(facts["file"]["keys"]), 20)

    def test_fingerprints_differ_by_type(self):
        prints = {json.loads(self.run_ok("inspect", "--json", model(k)).stdout)["fingerprint"] for k in TYPES}
        self.assertEqual(len(prints), len(TYPES))

    def test_report(self):
        for path in (model(), TINY):
            text = self.run_ok("inspect", path).stdout.decode()
            for part in ("architecture     bert", "max_length       32", "Pooling", "decided by", "more (--all)"):
                self.assertIn(part, text)
            everything = self.run_ok("inspect", "--all", path).stdout.decode()
            self.assertNotIn("(--all)", everything)
            self.assertGreater(everything.count("\n"), text.count("\n") + 10)


if __name__ == "__main__":
    unittest.main()

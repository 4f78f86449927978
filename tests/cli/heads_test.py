"""Reranking, classification, sparse weights, token vectors: quern rerank, classify, and embed's other outputs."""
import json
import math
import os
import signal
import struct
import subprocess
import time
import unittest

from fixtures import MODELS, edit_json, golden, late_folder, late_golden, rows_of, variant
from program import QUERN, TINY, Case, cosine, json_rows, model, read_npy

DOCUMENTS = ["the lazy user compared embeddings", "quick fox", "", "sentences of cosine similarity", "what costs 50 cents?"]


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def near(case, found, expected, limit=1e-4):
    case.assertEqual(len(found), len(expected))
    for a, b in zip(found, expected):
        case.assertLess(abs(a - b) / max(1, abs(b)), limit)


class ManyTexts(Case):
    """Outputs that are written to a file, and go on."""
    def setUp(self):
        super().setUp()
        self.model = variant(self.path("m"), "bert", "BertForSequenceClassification", ["NEGATIVE", "NEUTRAL", "POSITIVE"])
        self.source = self.write("t.jsonl", "".join(json.dumps({"text": f"number {i} fox", "key": i}) + "\n" for i in range(9000)))

    def classify(self, out, *more):
        return ["classify", "-m", self.model, "-f", self.source, "-o", self.path(out), "--journal-every", "0", *more]

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def test_labels_to_a_file(self):
        self.run_ok(*self.classify("plain.jsonl"))
        plain = self.run_ok("classify", "-m", self.model, "-f", self.source, "--json").stdout
        self.assertEqual(self.read("plain.jsonl"), plain)
        self.run_ok(*self.classify("kept.jsonl", "--id", "key", "--top-n", "1"))
        for i, (line, labels) in enumerate(zip(self.read("kept.jsonl").splitlines(), plain.splitlines())):
            self.assertEqual(json.loads(line), {"id": i, "labels": json.loads(labels)[:1]})

    def test_labels_go_on(self):
        self.run_ok(*self.classify("whole.jsonl", "--id", "key"))
        for how in (signal.SIGKILL, signal.SIGINT):
            with subprocess.Popen([QUERN, *self.classify("v.jsonl", "--id", "key")], stderr=subprocess.DEVNULL) as process:
                while process.poll() is None and not (os.path.exists(self.path("v.jsonl.journal")) and self.read("v.jsonl.journal").count(b"\n") > 2):
                    time.sleep(0.002)
                process.send_signal(how)
            self.assertNotEqual(process.returncode, 0)
            self.run_failing(2, *self.classify("v.jsonl", "--id", "key"), "--resume", "--raw", says=("--raw", "another run"))
            self.assertIn(b"by an earlier run", self.run_ok(*self.classify("v.jsonl", "--id", "key"), "--resume").stderr)
            self.assertEqual(self.read("v.jsonl"), self.read("whole.jsonl"))
            self.assertEqual([f for f in os.listdir(self.dir) if f.startswith("v.")], ["v.jsonl"])

    def test_wrong_uses(self):
        for flags in (("--resume",), ("--id", "key")):
            self.run_failing(2, "classify", "-m", self.model, "-f", self.source, *flags, says="-o")
        self.run_failing(2, *self.classify("v.npy"), says=".jsonl")

    def test_the_best_of_many(self):
        reranker = variant(self.path("r"), "bert", "BertForSequenceClassification", ["RELEVANT"])
        command = ("rerank", "-m", reranker, "-q", "quick fox", "-f", self.source, "--json")
        all_of_them = json.loads(self.run_ok(*command).stdout)
        self.assertEqual(len(all_of_them), 9000)
        for n in (1, 7, 3000, 9000, 10000):
            self.assertEqual(json.loads(self.run_ok(*command, "--top-n", n).stdout), all_of_them[:n])


class Rerank(Case):
    def setUp(self):
        super().setUp()
        self.model = variant(self.path("reranker"), "bert", "BertForSequenceClassification", ["RELEVANT"])
        self.texts = self.write("t.txt", "\n".join(DOCUMENTS))

    def rerank(self, *more, **options):
        done = self.run_ok("rerank", "-m", self.model, "-q", "quick fox", "-f", self.texts, "--json", *more, **options)
        return json.loads(done.stdout)

    def test_scores_are_the_reference_of_pairs(self):
        reference = golden("bert")
        pairs = [i for i, t in enumerate(reference["texts"]) if isinstance(t, list)]
        self.assertGreaterEqual(len(pairs), 2)
        for i in pairs:
            query, text = reference["texts"][i]
            done = self.run_ok("rerank", "-m", self.model, "-q", query, "-p", text, "--json", "--raw")
            near(self, [json.loads(done.stdout)[0]["score"]], reference["sequence"][i][:1])

    def test_order_and_activation(self):
        ranked, raw = self.rerank(), self.rerank("--raw")
        self.assertEqual(sorted(r["index"] for r in ranked), list(range(5)))
        for r, logit in zip(ranked, raw):
            self.assertEqual(list(r), ["index", "score", "text"])
            self.assertEqual(r["text"], DOCUMENTS[r["index"]])
            self.assertEqual(logit["index"], r["index"])
            self.assertAlmostEqual(r["score"], 1 / (1 + math.exp(-logit["score"])), places=5)
        scores = [r["score"] for r in raw]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertEqual(len(set(scores)), 5)
        self.assertEqual(self.rerank("--top-n", "2"), ranked[:2])
        self.assertEqual(self.rerank("--top-n", "9"), ranked)
        # A text's score is its own: alone, and whatever the number of threads.
        for r in raw:
            alone = self.run_ok("rerank", "-m", self.model, "-q", "quick fox", "-p", r["text"], "--json", "--raw")
            self.assertEqual(json.loads(alone.stdout)[0]["score"], r["score"])
        self.assertEqual(self.rerank("--raw", "-t", "3"), raw)

    def test_what_is_put_before_the_query(self):
        plain = self.rerank("--raw")
        self.assertNotEqual(self.rerank("--raw", "--instruction", "find: "), plain)
        done = self.run_ok("rerank", "-m", self.model, "-q", "find: quick fox", "-f", self.texts, "--json", "--raw")
        self.assertEqual(self.rerank("--raw", "--instruction", "find: "), json.loads(done.stdout))

    def test_language_models_are_told(self):
        folder = os.path.join(os.path.dirname(MODELS), "rerankers", "qwen3_logit_score")
        with open(os.path.join(folder, "golden.json"), encoding="utf-8") as f:
            entries = [e for e in json.load(f) if not e["max_length"]]
        command = ("rerank", "-m", folder, "--json")
        for e in entries:
            told = ("--instruction", e["instruction"]) if e["instruction"] else ()
            done = self.run_ok(*command, "-q", e["query"], "-p", e["document"], *told)
            near(self, [json.loads(done.stdout)[0]["score"]], [e["score"]])
        pair = ("-q", "quick fox", "-p", "the lazy user", "--raw")
        default, web, same = (self.run_ok(*command, *pair, *more).stdout for more in ((), ("--prompt-name", "web"), ("--prompt-name", "same")))
        self.assertEqual(default, same)
        self.assertNotEqual(default, web)
        self.run_failing(1, *command, *pair, "--prompt-name", "none", says='no prompt is called "none"')

    def test_equal_scores_keep_the_texts_order(self):
        done = self.run_ok("rerank", "-m", self.model, "-q", "fox", "-f", "-", "--json", stdin="same\nsame\nsame")
        self.assertEqual([r["index"] for r in json.loads(done.stdout)], [0, 1, 2])

    def test_table_and_summary(self):
        done = self.run_ok("rerank", "-m", self.model, "-q", "quick fox", "-f", self.texts, "--top-n", "3")
        lines = done.stdout.decode().splitlines()
        self.assertEqual(lines[0].split(), ["score", "index", "text"])
        self.assertEqual([int(line.split()[1]) for line in lines[1:]], [r["index"] for r in self.rerank()[:3]])
        self.assertRegex(done.stderr.decode(), r"^5 texts, \d+ tokens, 0 truncated")
        quiet = self.run_ok("rerank", "-m", self.model, "-q", "fox", "-p", "x", "--quiet")
        self.assertEqual(quiet.stderr, b"")

    def test_long_pairs(self):
        args = ("rerank", "-m", self.model, "-q", "quick fox", "-p", "ok", "-p", "word " * 500)
        self.assertIn(b" 1 truncated", self.run_ok(*args).stderr)
        self.run_failing(1, *args, "--no-truncate", says=("text 2", "tokens"))
        self.assertIn(b" 2 truncated", self.run_ok(*args, "--max-length", "4").stderr)

    def test_identity_leaves_logits(self):
        for key in ({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}},
                    {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}):
            with self.subTest(str(key)):
                raw = self.rerank("--raw")
                edit_json(self.model, "config.json", lambda c: c.update(key))
                self.assertEqual(self.rerank(), raw)
                edit_json(self.model, "config.json", lambda c: [c.pop(k) for k in key])

    def test_converted(self):
        expected = {r["index"]: r["score"] for r in self.rerank("--raw")}
        for kind, limit in (("f32", 1e-5), ("q8", 0.2)):
            path = self.path("r." + kind)
            self.run_ok("convert", self.model, "-o", path, "--quiet")
            found = self.run_ok("rerank", "-m", path, "-q", "quick fox", "-f", self.texts, "--json", "--raw").stdout
            for r in json.loads(found):
                self.assertLess(abs(r["score"] - expected[r["index"]]), limit)

    def test_wrong_uses(self):
        self.run_failing(2, "embed", "-m", self.model, "-p", "x", says=("makes no vectors", "rerank"))
        self.run_failing(1, "embed", "-m", self.model, "-p", "x", "--sparse", says=("sparse", "rerank"))
        self.run_failing(1, "rerank", "-m", model(), "-q", "q", "-p", "x", says=("scores of pairs", "embed"))
        self.run_failing(1, "classify", "-m", model(), "-p", "x", says=("label scores", "embed"))
        many = variant(self.path("three"), "bert", "BertForSequenceClassification")
        self.run_failing(1, "rerank", "-m", many, "-q", "q", "-p", "x", says=("scores of pairs", "classify"))
        self.run_failing(2, "rerank", "-m", self.model, "-q", "q", says="nothing to rerank")


class ZeroShot(Case):
    """Labels of one's own, beside transformers' pipeline."""
    def setUp(self):
        super().setUp()
        with open(os.path.join(os.path.dirname(MODELS), "zero_shot.json"), encoding="utf-8") as f:
            self.cases = [c for c in json.load(f) if c["model"] == "deberta" and c["names"][0] == "entailment"]
        self.model = variant(self.path("nli"), "deberta", "DebertaV2ForSequenceClassification", self.cases[0]["names"])

    def classify(self, *args):
        return json.loads(self.run_ok("classify", "-m", self.model, "--json", *args).stdout)

    def test_scores_are_the_pipelines(self):
        for c in self.cases:
            more = [*(["--multi-label"] if c.get("multi_label") else []),
                    *(["--hypothesis", c["hypothesis_template"]] if "hypothesis_template" in c else [])]
            found = self.classify("-p", c["text"], "--labels", ",".join(c["labels"]), *more)
            self.assertEqual([r["score"] for r in found], sorted((r["score"] for r in found), reverse=True))
            by_label = {r["label"]: r["score"] for r in found}
            near(self, [by_label[label] for label in c["labels"]], c["scores"])

    def test_refused(self):
        for more, says in ((("--raw",), "--raw"), (("--pairs",), "--pairs"), (("--hypothesis", "no place"), "{} where the label goes")):
            self.run_failing(1 if "--hypothesis" in more else 2, "classify", "-m", self.model, "-p", "a", "--labels", "b,c", *more, says=says)
        other = variant(self.path("other"), "bert", "BertForSequenceClassification", Classify.LABELS)
        self.run_failing(1, "classify", "-m", other, "-p", "a", "--labels", "b,c", says='begins with "entail"')


class Classify(Case):
    LABELS = ["calm", "odd \"name\"", "zealous"]

    def setUp(self):
        super().setUp()
        self.model = variant(self.path("classifier"), "bert", "BertForSequenceClassification", self.LABELS)

    def classify(self, *args):
        done = self.run_ok("classify", "-m", self.model, "--json", *args)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def test_scores_are_the_reference(self):
        reference = golden("bert")
        for i, text in enumerate(reference["texts"]):
            pair = isinstance(text, list)
            args = ("-p", "\t".join(text), "--pairs") if pair else ("-p", text)
            with self.subTest(str(text)):
                raw = {r["label"]: r["score"] for r in self.classify(*args, "--raw")[0]}
                near(self, [raw[name] for name in self.LABELS], reference["sequence"][i])
                shares = self.classify(*args)[0]
                self.assertAlmostEqual(sum(r["score"] for r in shares), 1, places=5)
                self.assertEqual([r["score"] for r in shares], sorted((r["score"] for r in shares), reverse=True))
                exps = {name: math.exp(x) for name, x in raw.items()}
                for r in shares:
                    self.assertAlmostEqual(r["score"], exps[r["label"]] / sum(exps.values()), places=5)

    def test_sigmoid_of_several(self):
        edit_json(self.model, "config.json", lambda c: c.update(problem_type="multi_label_classification"))
        raw = {r["label"]: r["score"] for r in self.classify("-p", "quick fox", "--raw")[0]}
        for r in self.classify("-p", "quick fox")[0]:
            self.assertAlmostEqual(r["score"], 1 / (1 + math.exp(-raw[r["label"]])), places=5)

    def test_table_and_top_n(self):
        best = [row[0]["label"] for row in self.classify("-p", "quick fox", "-p", "50 cents")]
        lines = self.run_ok("classify", "-m", self.model, "-p", "quick fox", "-p", "50 cents").stdout.decode().splitlines()
        self.assertEqual(lines[0].split(), ["text", "score", "label"])
        self.assertEqual([line.split(None, 2)[2] for line in lines[1:]], best)
        self.assertEqual([line.split()[0] for line in lines[1:]], ["0", "1"])
        self.assertEqual([len(row) for row in self.classify("-p", "fox", "--top-n", "2")], [2])
        two = self.run_ok("classify", "-m", self.model, "-p", "fox", "--top-n", "2").stdout.decode().splitlines()
        self.assertEqual(len(two), 3)

    def test_pairs_need_a_tab(self):
        self.run_failing(2, "classify", "-m", self.model, "--json", "-p", "a\tb", "-p", "no tab", "--pairs",
                         says=("text 2", "tab"))
        self.assertNotEqual(self.classify("-p", "a\tb", "--pairs"), self.classify("-p", "b\ta", "--pairs"))

    def test_inspect_lists_labels(self):
        described = json.loads(self.run_ok("inspect", self.model, "--json").stdout)
        self.assertEqual(described["pipeline"]["classifier"]["labels"], self.LABELS)


class Spans(Case):
    def setUp(self):
        super().setUp()
        self.model = variant(self.path("tagger"), "bert", "BertForTokenClassification", ["O", "B-PER", "I-PER"])
        self.texts = [t for t in golden("bert")["texts"] if isinstance(t, str)]
        self.file = self.write("t.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in self.texts))

    def classify(self, *args):
        done = self.run_ok("classify", "-m", self.model, "-f", self.file, "--json", *args)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def test_byte_offsets(self):
        for more in ((), ("--each-token",)):
            rows = self.classify(*more)
            self.assertEqual(len(rows), len(self.texts))
            self.assertTrue(any(rows))
            for text, spans in zip(self.texts, rows):
                end = 0
                for s in spans:
                    self.assertEqual(list(s), ["label", "score", "begin", "end", "text"])
                    part = text.encode()[s["begin"]:s["end"]]
                    self.assertEqual(part.decode(), s["text"])  # whole characters
                    self.assertGreaterEqual(s["begin"], end)
                    end = s["end"]
                    self.assertTrue(0 <= s["score"] <= 1)

    def test_each_token_has_its_label(self):
        reference = golden("bert")
        names = ["O", "B-PER", "I-PER"]
        for i, (ids, spans) in enumerate(zip(reference["ids"], self.classify("--each-token"))):
            rows = rows_of(reference["tokens"][i], 3)[1:-1]  # without [CLS] and [SEP]
            self.assertEqual(len(spans), len(ids) - 2)
            for row, s in zip(rows, spans):
                exps = [math.exp(x) for x in row]
                self.assertEqual(s["label"], names[row.index(max(row))])
                self.assertAlmostEqual(s["score"], max(exps) / sum(exps), places=4)

    def test_groups(self):
        tokens, groups = self.classify("--each-token"), self.classify()
        for each, spans in zip(tokens, groups):
            self.assertTrue(all(s["label"] == "PER" for s in spans))
            covered = [t for t in each if t["label"] != "O"]
            self.assertLessEqual(sum(t["label"] == "B-PER" for t in each), len(spans))
            for t in covered:
                self.assertTrue(any(s["begin"] <= t["begin"] and t["end"] <= s["end"] for s in spans))

    def test_table_and_wrong_uses(self):
        lines = self.run_ok("classify", "-m", self.model, "-f", self.file).stdout.decode().splitlines()
        self.assertEqual(lines[0].split(), ["text", "score", "begin", "end", "label", "part"])
        self.assertEqual(len(lines) - 1, sum(len(s) for s in self.classify()))
        self.run_failing(2, "classify", "-m", self.model, "-p", "a\tb", "--pairs", says=("--pairs", "single texts"))
        self.run_failing(1, "rerank", "-m", self.model, "-q", "q", "-p", "x", says=("scores of pairs", "scores of tokens"))


class Encode(Case):
    """bge-m3's outputs, from a folder like its own."""

    def setUp(self):
        super().setUp()
        self.model = os.path.join(os.environ["QUERN_TEST_DIR"], "golden", "models", "xlm-roberta")
        self.golden = golden("xlm-roberta")
        self.texts = [t for t in self.golden["texts"] if isinstance(t, str)]
        self.file = self.write("t.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in self.texts))

    def lines(self, *args):
        done = self.run_ok("embed", "-m", self.model, "-f", self.file, "--quiet", *args)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def test_sparse(self):
        rows = self.lines("--sparse")
        self.assertEqual(len(rows), len(self.texts))
        with open(os.path.join(self.model, "tokenizer.json"), encoding="utf-8") as f:
            special = {t["id"] for t in json.load(f)["added_tokens"]}
        for i, row in enumerate(rows):
            expected = {}
            for token, weight in zip(self.golden["ids"][i], self.golden["sparse"][i]):
                if weight > 0 and token not in special:
                    expected[token] = max(weight, expected.get(token, 0))
            found = dict(zip(row["indices"], row["values"]))
            self.assertEqual(len(found), len(row["indices"]))
            self.assertEqual(row["values"], sorted(row["values"], reverse=True))
            self.assertEqual({t for t, w in found.items() if w > 1e-4}, {t for t, w in expected.items() if w > 1e-4})
            for token, weight in expected.items():
                self.assertAlmostEqual(found.get(token, 0), weight, places=4)

    def test_multi_vector(self):
        rows = self.lines("--multi-vector")
        for i, row in enumerate(rows):
            self.assertEqual(len(row), len(self.golden["ids"][i]) - 1)
            for vector, expected in zip(row, rows_of(self.golden["multi"][i], 8)):
                self.assertAlmostEqual(sum(x * x for x in vector), 1, places=5)
                near(self, vector, expected)

    def test_both_are_one_object(self):
        both, sparse, multi = self.lines("--sparse", "--multi-vector"), self.lines("--sparse"), self.lines("--multi-vector")
        self.assertEqual(both, [{"sparse": s, "multi_vector": m} for s, m in zip(sparse, multi)])
        out = self.path("o.jsonl")
        self.assertEqual(self.lines("--sparse", "-o", out), [])
        with open(out, encoding="utf-8") as f:
            self.assertEqual([json.loads(line) for line in f], sparse)

    def test_splade_of_a_converted_model(self):
        folder = variant(self.path("splade"), "bert", "BertForMaskedLM")
        prefix = "sentence_transformers.sparse_encoder.models."
        os.mkdir(os.path.join(folder, "1_SpladePooling"))
        for name, value in (("modules.json", [
                {"idx": 0, "name": "0", "path": "", "type": prefix + "MLMTransformer"},
                {"idx": 1, "name": "1", "path": "1_SpladePooling", "type": prefix + "SpladePooling"}]),
                            ("1_SpladePooling/config.json", {"pooling_strategy": "max", "activation_function": "relu"})):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                json.dump(value, f)
        path = self.path("splade.f32")
        self.run_ok("convert", folder, "-o", path, "--quiet")
        reference = golden("bert")
        for source in (folder, path):
            for i, text in enumerate(reference["texts"]):
                if isinstance(text, list):
                    continue
                done = self.run_ok("embed", "-m", source, "-p", text, "--sparse", "--quiet")
                row = json.loads(done.stdout)
                found = [0.0] * len(reference["masked"][i])
                for token, weight in zip(row["indices"], row["values"]):
                    found[token] = weight
                near(self, found, reference["masked"][i])
        self.run_failing(2, "embed", "-m", path, "-p", "x", says=("makes no vectors", "--sparse"))

    def test_wrong_uses(self):
        for flags in (("--sparse",), ("--multi-vector",), ("--long", "chunks")):
            self.run_failing(2, "embed", "-m", self.model, "-p", "x", *flags, "-o", self.path("o.npy"), says="jsonl")
            self.assertFalse(os.path.exists(self.path("o.npy")))
            self.run_failing(2, "embed", "-m", self.model, "-p", "x", *flags, "--format", "csv", says="jsonl")
        self.run_failing(1, "embed", "-m", model(), "-p", "x", "--multi-vector", says=("vectors of tokens", "embed"))


class LongTexts(Case):
    LONG = " ".join(f"the lazy user {i} compared embeddings" for i in range(60))

    def lines(self, *args):
        done = self.run_ok("embed", "-m", model(), "--quiet", *args)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def test_chunks_and_their_mean(self):
        rows = self.lines("-p", "fox", "-p", self.LONG, "--long", "chunks")
        self.assertEqual(len(rows[0]), 1)
        self.assertGreater(len(rows[1]), 2)
        plain = self.embed("-p", "fox", "-p", self.LONG)
        self.assertEqual([f32(x) for x in rows[0][0]], plain[0])
        self.assertEqual([f32(x) for x in rows[1][0]], plain[1])  # the first piece is what truncation leaves
        mean = self.embed("-p", "fox", "-p", self.LONG, "--long", "chunk-mean")
        self.assertEqual(mean[0], plain[0])
        self.assertAlmostEqual(sum(x * x for x in mean[1]), 1, places=5)
        total = [sum(column) for column in zip(*rows[1])]  # weighted alike but for the last piece
        self.assertGreater(cosine(mean[1], total), 0.98)
        done = self.run_ok("embed", "-m", model(), "-p", "fox", "-p", self.LONG, "--long", "chunk-mean")
        self.assertIn(b" 0 truncated, 1 in pieces", done.stderr)

    def test_overlap(self):
        plain = len(self.lines("-p", self.LONG, "--long", "chunks")[0])
        shared = self.lines("-p", self.LONG, "--long", "chunks", "--overlap", "20")[0]
        self.assertGreater(len(shared), plain)
        self.assertEqual(shared[0], self.lines("-p", self.LONG, "--long", "chunks")[0][0])
        self.run_failing(1, "embed", "-m", model(), "-p", "fox", "--long", "chunks", "--overlap", "100000",
                         says="overlap")

    def test_error(self):
        for flags in (("--long", "error"), ("--no-truncate",)):
            self.run_failing(1, "embed", "-m", model(), "-p", "fox", "-p", self.LONG, "--quiet", *flags, says="text 2")
        self.run_failing(2, "embed", "-m", model(), "-p", "fox", "--long", "somehow", says="--long")
        self.run_failing(2, "embed", "-m", model(), "-p", "fox", "--long", "error", "--truncate", says="--long")


class Prompts(Case):
    def test_named(self):
        query = self.embed("-p", "fox", "--prompt", "query: ")
        self.assertEqual(self.embed("-p", "fox", "--prompt-name", "query"), query)
        self.assertEqual(self.embed("-p", "fox", "--input-type", "query"), query)
        self.assertEqual(self.embed("-p", "fox", "--input-type", "document"), self.embed("-p", "fox", "--prompt", ""))
        self.assertNotEqual(query, self.embed("-p", "fox"))

    def test_wrong_uses(self):
        text = self.run_failing(2, "embed", "-m", model(), "-p", "x", "--prompt-name", "nonsense",
                                says=("nonsense", "query", "document"))
        self.assertIn(os.path.basename(model()), text)
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--input-type", "passage", says="--input-type")
        self.run_failing(2, "embed", "-m", model(), "-p", "x", "--prompt", "a", "--prompt-name", "query",
                         says="--prompt")

    def test_dimensions_note(self):
        note = b"note: nothing says that this model was trained for shorter vectors"
        self.assertIn(note, self.run_ok("embed", "-m", TINY, "-p", "x", "--dimensions", "8").stderr)
        self.assertNotIn(note, self.run_ok("embed", "-m", TINY, "-p", "x").stderr)
        self.assertNotIn(note, self.run_ok("embed", "-m", TINY, "-p", "x", "--dimensions", "8", "--quiet").stderr)


class LateInteraction(Case):
    def setUp(self):
        super().setUp()
        self.model = late_folder(self.path("late"), "pylate")
        self.golden = late_golden("pylate")

    def vectors(self, kind, texts, *more, model=None):
        path = self.write("t.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in texts))
        lines = self.run_ok("embed", "-m", model or self.model, "-f", path, "--multi-vector", "--input-type", kind, *more).stdout
        return [json.loads(line) for line in lines.splitlines()]

    def test_vectors(self):
        for kind, texts, expected in (("query", "queries", "of_queries"), ("document", "documents", "of_documents")):
            for found, rows in zip(self.vectors(kind, self.golden[texts]), self.golden[expected], strict=True):
                self.assertEqual(len(found), len(rows))
                for a, b in zip(found, rows):
                    near(self, a, b, 1e-5)

    def test_rerank(self):
        path = self.write("d.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in self.golden["documents"]))
        for query, scores in zip(self.golden["queries"], self.golden["scores"]):
            found = json.loads(self.run_ok("rerank", "-m", self.model, "-q", query, "-f", path, "--json").stdout)
            near(self, [r["score"] for r in sorted(found, key=lambda r: r["index"])], scores, 1e-5)

    def test_pooling(self):
        whole = self.vectors("document", self.golden["documents"])
        pooled = self.vectors("document", self.golden["documents"], "--pool-factor", "2")
        for a, b in zip(whole, pooled):
            self.assertEqual(len(b), 1 + (len(a) - 1) // 2)
        self.assertEqual(self.vectors("query", self.golden["queries"], "--pool-factor", "2"), self.vectors("query", self.golden["queries"]))
        self.run_failing(2, "embed", "-m", self.model, "-pa", "--multi-vector", "--pool-factor", "0.5", says="--pool-factor")
        self.run_failing(2, "embed", "-m", self.model, "-pa", "--pool-factor", "2", says="--multi-vector")

    def test_converted(self):
        self.run_ok("convert", self.model, "-o", self.path("late.f32"), "--type", "f32")
        self.assertEqual(self.vectors("query", self.golden["queries"], model=self.path("late.f32")), self.vectors("query", self.golden["queries"]))
        about = json.loads(self.run_ok("inspect", self.path("late.f32"), "--json").stdout)
        self.assertEqual(about["similarity"], "maxsim")

    def test_no_vectors_of_texts(self):
        self.run_failing(2, "embed", "-m", self.model, "-pa", says=("makes no vectors", "one vector per token", "rerank"))

if __name__ == "__main__":
    unittest.main()

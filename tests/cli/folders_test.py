"""Folders and files as people have them: damaged weights, pointers in place of files, pipes, marks, other precisions."""
import json
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest

from program import QUERN, TINY, Case, has_open, model


def rewritten(path, change, dtype=None):
    """Rewrites a safetensors file: change(name, dtype, bytes) -> (dtype, bytes)."""
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    head, body = json.loads(data[8:8 + size]), data[8 + size:]
    out, at, parts = {}, 0, []
    for name, t in head.items():
        if name == "__metadata__":
            out[name] = t
            continue
        kind, raw = change(name, t["dtype"], body[t["data_offsets"][0]:t["data_offsets"][1]])
        out[name] = {"dtype": kind, "shape": t["shape"], "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        parts.append(raw)
    text = json.dumps(out).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def floats(dtype, raw):
    if dtype == "F32":
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    assert dtype == "F16", dtype
    return list(struct.unpack(f"<{len(raw) // 2}e", raw))


class Folders(Case):
    def copy(self, name="folder"):
        folder = self.path(name)
        shutil.copytree(TINY, folder)
        return folder

    def test_weights_that_are_no_numbers(self):
        for value, says in ((float("nan"), "NaN"), (float("inf"), "infinity")):
            for what in ("word_embeddings.weight", "query.weight", "key.bias", "LayerNorm.weight"):
                folder = self.copy(f"{says}-{what}")

                def damage(name, dtype, raw):
                    values = floats(dtype, raw)
                    if name.endswith(what):
                        values[len(values) // 2] = value
                    return "F32", struct.pack(f"<{len(values)}f", *values)

                rewritten(os.path.join(folder, "model.safetensors"), damage)
                for kind in ("q8", "f32"):
                    with self.subTest(f"{what} {says} {kind}"):
                        output = self.path("out." + kind)
                        self.run_failing(1, "convert", folder, "-o", output, says=(what, says))
                        self.assertFalse(os.path.exists(output))
        self.run_failing(1, "embed", "-m", self.path("NaN-query.weight"), "-p", "the quick fox", says="text 1")

    def test_doubles(self):
        folder = self.copy()
        rewritten(os.path.join(folder, "model.safetensors"),
                  lambda name, dtype, raw: ("F64", struct.pack(f"<{len(floats(dtype, raw))}d", *floats(dtype, raw))))
        args = ("-p", "the quick fox", "-p", "a lazy dog")
        self.assertEqual(*[self.run_ok("embed", "-m", source, "--quiet", *args).stdout for source in (folder, TINY)])
        self.run_ok("convert", folder, "-o", self.path("a.q8"), "--quiet")

    def test_a_pointer_in_place_of_a_file(self):
        pointer = ("version https://git-lfs.github.com/spec/v1\n"
                   "oid sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db\nsize 90868376\n")
        for name in ("model.safetensors", "tokenizer.json"):
            folder = self.copy("lfs-" + name)
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(pointer)
            self.run_failing(1, "embed", "-m", folder, "-p", "x", says=(name, "Git LFS"))
        self.run_failing(1, "inspect", self.write("model.gguf", pointer), says="Git LFS")

    def test_a_pipe_in_place_of_a_file(self):
        for name in ("tokenizer.json", "config.json", "modules.json", "model.safetensors"):
            folder = self.copy("pipe-" + name)
            path = os.path.join(folder, name)
            if os.path.exists(path):
                os.unlink(path)
            os.mkfifo(path)
            with self.subTest(name):
                done = self.run_failing(1, "embed", "-m", folder, "-p", "x", says=name)

    def test_an_activation_where_it_is_saved_today(self):
        for stated, expected in (("torch.nn.modules.linear.Identity", "none"),
                                 ("torch.nn.modules.activation.Sigmoid", "sigmoid")):
            folder = self.copy(stated)
            with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
                config = json.load(f)
            config["architectures"] = ["BertForSequenceClassification"]
            config["id2label"] = {"0": "LABEL_0"}
            config["sentence_transformers"] = {"activation_fn": "torch.nn.modules.activation.Sigmoid"
                                               if expected == "none" else "torch.nn.modules.linear.Identity"}
            with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
                json.dump(config, f)
            os.unlink(os.path.join(folder, "modules.json"))
            with open(os.path.join(folder, "config_sentence_transformers.json"), "w", encoding="utf-8") as f:
                json.dump({"model_type": "CrossEncoder", "activation_fn": stated}, f)
            n, width = 64, config["hidden_size"]
            rewritten(os.path.join(folder, "model.safetensors"), lambda name, dtype, raw: (dtype, raw))
            self.add_head(folder, width)
            done = self.run_ok("inspect", folder)
            line = next(l for l in done.stdout.decode().splitlines() if l.strip().startswith("activation "))
            self.assertEqual(line.split()[1], expected)
            self.assertIn("config_sentence_transformers.json", line)

    def add_head(self, folder, width):
        path = os.path.join(folder, "model.safetensors")
        with open(path, "rb") as f:
            data = f.read()
        size = struct.unpack("<Q", data[:8])[0]
        head, body = json.loads(data[8:8 + size]), data[8 + size:]
        for name, shape in (("pooler.dense.weight", [width, width]), ("pooler.dense.bias", [width]),
                            ("classifier.weight", [1, width]), ("classifier.bias", [1])):
            if name in head or "bert." + name in head:
                continue
            count = 1
            for extent in shape:
                count *= extent
            head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + 4 * count]}
            body += struct.pack(f"<{count}f", *([0.01] * count))
        text = json.dumps(head).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text + body)


class Texts(Case):
    def test_byte_order_marks(self):
        source = self.write("texts.txt", b"\xef\xbb\xbfthe quick fox\nlazy\n")
        self.assertEqual(self.embed("-f", source), self.embed("-p", "the quick fox", "-p", "lazy"))
        source = self.write("texts.jsonl", b'\xef\xbb\xbf{"text": "the quick fox"}\n')
        self.assertEqual(self.embed("-f", source), self.embed("-p", "the quick fox"))
        for mark in (b"\xff\xfe", b"\xfe\xff"):
            source = self.write("utf16.txt", mark + "fox\n".encode("utf-16-le"))
            self.run_failing(1, "embed", "-m", model(), "-f", source, says=("UTF-16", source))

    def test_blank_lines_of_json_lines(self):
        source = self.write("texts.jsonl", '\n{"text": "the quick fox"}\n\n  \t\r\n{"text": "lazy"}\n\n')
        self.assertEqual(self.embed("-f", source), self.embed("-p", "the quick fox", "-p", "lazy"))


class Ends(Case):
    def test_nothing_stays_behind(self):
        """However a run ends: no temporary file, and the output as it was."""
        for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
            output = self.path(f"out-{sent.name}.npy")
            with subprocess.Popen([QUERN, "embed", "-m", model(), "-f", "-", "-o", output], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                process.stdin.write(b"the quick fox\n" * 5000)
                process.stdin.flush()
                deadline = time.monotonic() + 60  # until it has opened its output
                while not has_open(process, self.dir) and time.monotonic() < deadline:
                    time.sleep(0.01)
                process.send_signal(sent)
                process.communicate()
            self.assertNotEqual(process.returncode, 0)
            self.assertEqual(os.listdir(self.dir), [], sent.name)

    def test_a_model_that_becomes_shorter(self):
        path = self.path("shrinking.q8")
        shutil.copyfile(model(), path)
        with subprocess.Popen([QUERN, "embed", "-m", path, "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdin.write(b"fox\n" * 3000)
            process.stdin.flush()
            process.stdout.readline()  # it runs
            os.truncate(path, 4096)
            out, err = process.communicate(b"lazy\n" * 3000)
        if process.returncode == 0:
            self.skipTest("its pages were in memory still")
        self.assertEqual(process.returncode, 1, err)
        self.assertIn(b"became shorter", err)


if __name__ == "__main__":
    unittest.main()

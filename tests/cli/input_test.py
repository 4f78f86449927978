"""quern embed and tokenize: texts from files, stdin and JSON lines, of any bytes."""
import json
import os
import subprocess
import unittest

from program import QUERN, Case, json_rows, model


class Lines(Case):
    def test_sources_agree(self):
        expected = self.embed("-p", "the quick fox", "-p", "lazy")
        source = self.write("texts.txt", "the quick fox\nlazy\n")
        self.assertEqual(self.embed("-f", source), expected)
        self.assertEqual(self.embed("-f", "-", stdin="the quick fox\nlazy\n"), expected)
        self.assertEqual(self.embed("-p", "the quick fox", "-f", "-", stdin="lazy\n"), expected)

    def test_line_ends(self):
        expected = self.embed("-p", "a", "-p", "", "-p", "b")
        for text in ("a\n\nb\n", "a\n\nb", "a\r\n\r\nb\r\n", "a\r\n\r\nb"):
            with self.subTest(repr(text)):
                self.assertEqual(self.embed("-f", "-", stdin=text), expected)
        self.assertEqual(len(self.embed("-f", "-", stdin="\n\n\n")), 3)
        self.assertEqual(len(self.embed("-f", "-", stdin="")), 0)
        self.assertEqual(len(self.embed("-f", "-", stdin="a")), 1)

    def test_invalid_utf8(self):
        done = self.run_ok("embed", "-m", model(), "-f", "-", stdin=b"fine\n\xff\xfe\nna\xc3\n")
        self.assertIn(b", 2 with invalid UTF-8 (read as U+FFFD), ", done.stderr)
        self.assertEqual(json_rows(done.stdout), self.embed("-f", "-", stdin="fine\n\ufffd\ufffd\nna\ufffd\n"))

    def test_long_line(self):
        long = b"the quick fox " * (10_000_000 // 14) + b"\n"
        rows = self.embed("-f", "-", stdin=b"a\n" + long + b"b\n")
        self.assertEqual(rows[0::2], self.embed("-p", "a", "-p", "b"))
        self.assertEqual(rows[1:2], self.embed("-p", "the quick fox " * 20))
        self.assertEqual(len(self.embed("-f", "-", stdin=b"x" * 10_000_000)), 1)

    def test_a_pipe(self):
        reader, writer = os.pipe()
        with subprocess.Popen([QUERN, "embed", "-m", model(), "-f", f"/dev/fd/{reader}"], pass_fds=[reader],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            os.close(reader)
            with os.fdopen(writer, "wb") as f:
                f.write(b"a\nb\n" * 2000)
            out, err = process.communicate()
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(out.count(b"\n"), 4000)


class JsonLines(Case):
    def test_fields(self):
        lines = [{"id": 1, "text": "the quick fox", "body": "lazy"}, {"body": "caf\u00e9\nline", "text": ""}]
        source = self.write("texts.jsonl", "".join(json.dumps(l) + "\n" for l in lines))
        self.assertEqual(self.embed("-f", source), self.embed("-p", "the quick fox", "-p", ""))
        self.assertEqual(self.embed("-f", source, "--field", "body"), self.embed("-p", "lazy", "-p", "caf\u00e9\nline"))

    def test_jsonl_flag(self):
        line = json.dumps({"text": "fox"}) + "\n"
        self.assertEqual(self.embed("-f", self.write("texts.txt", line), "--jsonl"), self.embed("-p", "fox"))
        self.assertEqual(self.embed("-f", "-", "--jsonl", stdin=line), self.embed("-p", "fox"))

    def test_broken_lines_name_the_line(self):
        for text, says in (('{"text": "a"}\n{"text": 1}\n', ("line 2", "text", "string", "number")),
                           ('{"text": "a"}\nfox\n', ("line 2", "object")),
                           ('{"text": "a"}\n{"other": "a"}\n', ("line 2", '"text"', "--field")),
                           ('{"text": "\\ud800"}\n', ("line 1",)),
                           ('[1]\n', ("line 1", "object")),
                           ('{"text": "a"} {"text": "b"}\n', ("line 1",)),
                           (b'{"text": "\xff"}\n', ("line 1",))):
            with self.subTest(repr(text)):
                source = self.write("texts.jsonl", text)
                self.run_failing(1, "embed", "-m", model(), "-f", source, "-o", self.path("v.npy"),
                                 says=("texts.jsonl", *says))
                self.assertEqual(os.listdir(self.dir), ["texts.jsonl"])


if __name__ == "__main__":
    unittest.main()

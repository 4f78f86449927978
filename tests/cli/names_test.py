"""What quern does about names: commands and flags that are not there, help, completions, outputs and their types."""
import os
import shutil
import subprocess
import unittest

from program import QUERN, TINY, Case, model, quern


class Asking(Case):
    def test_words_for_help(self):
        self.assertEqual(self.run_ok("help").stdout, self.run_ok("--help").stdout)
        self.assertEqual(self.run_ok("help", "embed").stdout, self.run_ok("embed", "--help").stdout)
        self.assertEqual(self.run_ok("version").stdout, self.run_ok("--version").stdout)

    def test_every_command_has_examples_and_no_noise(self):
        listed = self.run_ok("help").stdout.decode()
        for command in ("embed", "rerank", "classify", "generate", "chat", "serve", "verify", "perplexity", "tokenize",
                        "pull", "models", "convert", "inspect", "bench", "completion"):
            text = self.run_ok("help", command).stdout.decode()
            self.assertIn(f"quern {command} ", text.split("Examples:")[1])
            self.assertIn(f"quern {command} ", listed.split("Examples:")[1])
            for noise in (" in [", ":INT", ":FLOAT", "..."):
                self.assertNotIn(noise, text, command)

    def test_misspelt(self):
        for args, says in ((["embd"], "embed"), (["generat", "-m", "x"], "generate"), (["frobnicate"], "frobnicate"),
                           (["--vrsion"], "--version"), ([], "embed"),
                           (["embed", "-m", model(), "-p", "x", "--normlize"], "--normalize"),
                           (["embed", "-m", model(), "--txt=x"], "--text"),
                           (["convert", TINY, "--outptu", "x"], "--output"),
                           (["embed", "-m", model(), "-p", "x", "stray"], "stray"),
                           (["models", "--knwn"], "--known"), (["models", "frob"], "frob"),
                           (["models", "rm", "--x", "y"], "models rm"), (["models", "rm"], "names")):
            with self.subTest(args):
                self.run_failing(2, *args, says=says)

    def test_completions(self):
        for shell in ("bash", "zsh"):
            script = self.run_ok("completion", shell).stdout
            self.assertIn(b"--pooling", script)
        script = self.run_ok("completion", "bash").stdout.decode()
        asked = script + "\nCOMP_WORDS=(quern embed --pooli); COMP_CWORD=2; _quern; echo ${COMPREPLY[@]}\n" \
            "COMP_WORDS=(quern conv); COMP_CWORD=1; _quern; echo ${COMPREPLY[@]}\n"
        self.assertEqual(subprocess.run(["bash", "-c", asked], capture_output=True).stdout, b"--pooling\nconvert\n")
        self.assertIn(b"complete -c quern", self.run_ok("completion", "fish").stdout)
        self.run_failing(2, "completion", "tcsh", says="tcsh")

    def test_output_that_takes_nothing(self):
        for args in (["--help"], ["embed", "--help"], ["--version"], ["version"], ["completion", "bash"],
                     ["inspect", model()], ["embed", "-m", model(), "-p", "x"], ["tokenize", "-m", model(), "-p", "x"],
                     ["bench", "-m", model(), "-p", "4", "-b", "1", "-r", "1"]):
            with self.subTest(args), open("/dev/full", "wb") as full:
                done = quern(*args, stdout=full)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b"cannot write", done.stderr)


class Outputs(Case):
    def type_of(self, path):
        lines = self.run_ok("inspect", path).stdout.decode().splitlines()
        return next(line.split()[1] for line in lines if line.startswith("type "))

    def test_a_type_in_the_name(self):
        for name, kind in (("x.q4", "q4"), ("x.Q8_0.gguf", "q8_0"), ("tiny-bert-Q4_0.gguf", "q4_0"),
                           ("x.f16.gguf", "f16"), ("x.gguf", "q8"), ("bge-small-en-v1.5", "q8")):
            with self.subTest(name):
                path = self.path(name)
                self.run_ok("convert", TINY, "-o", path, "--quiet")
                self.assertEqual(self.type_of(path), kind)

    def test_a_type_in_the_name_that_is_not_written(self):
        for name in ("x.q6", "x.Q4_K_M.gguf", "tiny-IQ4_XS.gguf", "x.int8", "x.fp16", "x.mxfp4"):
            with self.subTest(name):
                self.run_failing(1, "convert", TINY, "-o", self.path(name), says=(name, "--type"))
                self.assertFalse(os.path.exists(self.path(name)))
        self.run_failing(1, "convert", TINY, "-o", self.path("model.bin"), says=("model.bin", ".gguf"))
        path = self.path("x.int8")
        self.run_ok("convert", TINY, "-o", path, "--type", "q8", "--quiet")
        self.assertEqual(self.type_of(path), "q8")

    def test_not_onto_the_source(self):
        folder = self.path("folder")
        shutil.copytree(TINY, folder)
        os.symlink(os.path.join(folder, "model.safetensors"), self.path("link"))
        for output in (os.path.join(folder, "model.safetensors"), self.path("link"),
                       os.path.join(folder, "config.json"), os.path.join(folder, "tokenizer.json")):
            with open(output, "rb") as f:
                before = f.read()
            self.run_failing(1, "convert", folder, "-o", output, says="write to another")
            with open(output, "rb") as f:
                self.assertEqual(f.read(), before)
        inside = os.path.join(folder, "tiny.q8")
        for _ in range(2):  # a file of quern's there may be replaced
            self.run_ok("convert", folder, "-o", inside, "--quiet")


if __name__ == "__main__":
    unittest.main()

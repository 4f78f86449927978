"""--device and --gpu-layers: the same rows from an emulated CUDA device, what inspect says, and devices that cannot be had."""
import json
import os
import unittest

from program import Case, TINY, model, quern

EMULATED = os.environ.get("QUERN_EMULATED_CUDA_LIBRARY", "")
TEXTS = ("embed", "-p", "one", "-p", "two words", "--quiet")


class Device(Case):
    def test_no_plugin(self):
        env = {"QUERN_CUDA_LIBRARY": "/nowhere/libquern-cuda.so"}
        done = quern(*TEXTS, "-m", model(), "--device", "cuda", env=env)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/nowhere/libquern-cuda.so, which QUERN_CUDA_LIBRARY names, is not there", done.stderr)
        on_cpu = self.run_ok(*TEXTS, "-m", model()).stdout
        done = quern(*TEXTS, "-m", model(), "--device", "auto", env=env)
        self.assertEqual((done.returncode, done.stdout), (0, on_cpu))
        said = json.loads(quern("inspect", model(), "--json", "--device", "auto", env=env).stdout)["device"]
        self.assertEqual(said["name"], "cpu")
        self.assertIn("is not there", said["why"])

    def test_wrong_words(self):
        for args, part in ((("--device", "gpu"), "expected cpu, auto, cuda or cuda:<index>"),
                           (("--device", "cuda", "--gpu-layers", "many"), "expected a number, all or auto")):
            with self.subTest(args):
                done = quern(*TEXTS, "-m", model(), *args)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(part, done.stderr.decode())

    @unittest.skipUnless(EMULATED, "this build has no emulated device")
    def test_the_same_rows_and_what_inspect_says(self):
        env = {"QUERN_CUDA_LIBRARY": EMULATED}
        on_cpu = self.run_ok(*TEXTS, "-m", model()).stdout
        for args in (("--device", "cuda"), ("--device", "auto"), ("--device", "cuda:0", "--gpu-layers", "2")):
            with self.subTest(args):
                done = quern(*TEXTS, "-m", model(), *args, env=env)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertEqual(done.stdout, on_cpu)
        done = quern(*TEXTS, "-m", model(), env={**env, "QUERN_DEVICE": "cuda", "QUERN_GPU_LAYERS": "1"})
        self.assertEqual(done.stdout, on_cpu)
        said = json.loads(quern("inspect", model(), "--json", "--device", "cuda", env=env).stdout)["device"]
        self.assertEqual((said["name"], said["layers"], said["embeddings"]), ("cuda:0 (emulated)", 3, True))
        self.assertGreater(said["bytes"], 0)
        text = quern("inspect", model(), "--device", "cuda", "--gpu-layers", "2", env=env).stdout.decode()
        self.assertRegex(text, r"device +cuda:0 \(emulated\), 2 layers, [\d.]+ MB \(of 3 layers, the last 2\)")

    @unittest.skipUnless(EMULATED, "this build has no emulated device")
    def test_what_generates_is_refused(self):
        llama = os.path.join(os.path.dirname(TINY), "models", "llama")
        env = {"QUERN_CUDA_LIBRARY": EMULATED}
        done = quern("generate", "-m", llama, "-p", "x", "-n", "2", "--device", "cuda", env=env)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"decoders run on the CPU alone yet", done.stderr)
        done = quern("generate", "-m", llama, "-p", "x", "-n", "2", "--device", "auto", env=env)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()

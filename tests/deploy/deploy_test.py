"""deploy/ by the validators of what reads it, and against the program: its flags, its metrics. Run in the clients' environment
(scripts/test-clients), which has kubernetes-validate and PyYAML."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import kubernetes_validate
import yaml

sys.path[:0] = [os.path.join(os.environ["QUERN_TEST_DIR"], folder) for folder in ("cli", "server", "hub")]
import models  # noqa: E402
from hub import Hub, Repo, folder_files  # noqa: E402
from program import QUERN, TINY  # noqa: E402
from server import Server  # noqa: E402

DEPLOY = os.path.join(os.path.dirname(os.environ["QUERN_TEST_DIR"]), "deploy")
PULL = subprocess.run([QUERN, "pull", "--help"], capture_output=True)
HELP = subprocess.run([QUERN, "serve", "--help"], capture_output=True, text=True, check=True).stdout


def text(name):
    with open(os.path.join(DEPLOY, name), encoding="utf-8") as f:
        return f.read()


def documents(name):
    return [d for d in yaml.safe_load_all(text(name)) if d]


class Deploy(unittest.TestCase):
    def flags_of(self, words):
        for word in words:
            if str(word).startswith("-"):
                self.assertRegex(HELP, re.escape(str(word)) + r"\b")

    def test_kubernetes(self):
        for name in ("kubernetes.yaml", "kubernetes-models.yaml", "kubernetes-scaling.yaml", "kubernetes-bulk.yaml"):
            for document in documents(name):
                with self.subTest(name=name, kind=document["kind"]):
                    if document["kind"] == "ServiceMonitor":  # not Kubernetes' own
                        self.assertEqual(document["spec"]["endpoints"][0]["path"], "/metrics")
                        continue
                    kubernetes_validate.validate(document, "1.33", strict=True)
        self.assertRaises(kubernetes_validate.ValidationError, kubernetes_validate.validate,
                          {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"port": 1}}, "1.33", strict=True)
        containers = [c for d in documents("kubernetes.yaml") if d["kind"] == "Deployment" for c in d["spec"]["template"]["spec"]["containers"]]
        self.assertEqual(len(containers), 1)
        self.flags_of(containers[0]["args"])

    def test_kubernetes_names_fit(self):
        parts = {(d["kind"], d["metadata"]["name"]): d for name in ("kubernetes.yaml", "kubernetes-models.yaml", "kubernetes-scaling.yaml") for d in documents(name)}
        labels = parts["Deployment", "quern"]["spec"]["template"]["metadata"]["labels"]
        for kind in ("Service", "PodDisruptionBudget", "ServiceMonitor"):
            selector = parts[kind, "quern"]["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            self.assertEqual({k: labels.get(k) for k in selector}, selector, kind)
        volumes = parts["Deployment", "quern"]["spec"]["template"]["spec"]["volumes"]
        claims = {v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v}
        self.assertEqual(claims, {name for kind, name in parts if kind == "PersistentVolumeClaim"})
        self.assertEqual(claims, {v["persistentVolumeClaim"]["claimName"]
                                  for v in parts["Job", "quern-models"]["spec"]["template"]["spec"]["volumes"]})
        ports = {p["name"] for c in parts["Deployment", "quern"]["spec"]["template"]["spec"]["containers"] for p in c["ports"]}
        self.assertIn(parts["Service", "quern"]["spec"]["ports"][0]["targetPort"], ports)

    @unittest.skipUnless(PULL.returncode == 0, "a build without the network")
    def test_pods_serve_what_the_job_pulled(self):
        """Both by the commands and variables of their manifests, /models being a folder here; the pods write nothing there."""
        with tempfile.TemporaryDirectory() as volume:
            container = {kind: [c for d in documents(name) if d["kind"] == kind for c in d["spec"]["template"]["spec"]["containers"]][0]
                         for kind, name in (("Job", "kubernetes-models.yaml"), ("Deployment", "kubernetes.yaml"))}

            def env(kind):
                own = {e["name"]: e["value"].replace("/models", volume) for e in container[kind]["env"] if "value" in e}
                return {"HOME": "/nonexistent", "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "QUERN_API_KEY": "k", **own}

            def files():
                return {os.path.join(at, name): os.stat(os.path.join(at, name)).st_mtime_ns
                        for at, _, names in os.walk(volume) for name in names}

            hub = Hub({"sentence-transformers/all-MiniLM-L6-v2": Repo(folder_files(TINY))})
            self.addCleanup(hub.stop)
            subprocess.run([QUERN, *container["Job"]["command"][1:]], check=True, capture_output=True,
                           env={**os.environ, **env("Job"), "HF_ENDPOINT": hub.url})
            asked, before = len(hub.log), files()
            self.assertTrue(before)
            server = Server(args=container["Deployment"]["args"], env={**env("Deployment"), "HF_ENDPOINT": hub.url}, key="k")
            self.addCleanup(server.stop)
            self.assertEqual(server.post("/v1/embeddings", {"model": "minilm", "input": "a text"}).status, 200)
            self.assertEqual((len(hub.log), files()), (asked, before))

    def test_parts_of_a_job_are_the_whole(self):
        """The command of the indexed Job for each index, one of them ended and begun anew, with /models and /texts being folders here."""
        job = documents("kubernetes-bulk.yaml")[0]
        container = job["spec"]["template"]["spec"]["containers"][0]
        env = {e["name"]: e["value"] for e in container["env"]}
        parts = int(env["PARTS"])
        self.assertEqual((job["spec"]["completions"], job["spec"]["completionMode"]), (parts, "Indexed"))
        claims = {v["persistentVolumeClaim"]["claimName"] for v in job["spec"]["template"]["spec"]["volumes"]}
        self.assertIn([d["metadata"]["name"] for d in documents("kubernetes-models.yaml") if d["kind"] == "PersistentVolumeClaim"][0], claims)
        with tempfile.TemporaryDirectory() as volume:
            for folder in ("texts/in", "texts/out", "bin"):
                os.makedirs(os.path.join(volume, folder))
            os.symlink(QUERN, os.path.join(volume, "bin", "quern"))
            rows = 5003
            for name, lines in (("a.txt", range(rows // 3)), ("b.txt", range(rows // 3, rows))):
                with open(os.path.join(volume, "texts/in", name), "w") as f:
                    f.writelines(f"fox {i} of the user\n" for i in lines)
            command = [*container["command"], *container["args"]]
            here = [re.sub(r"/(models|texts)(?=/)", volume + r"/\1", word).replace("-m minilm", "-m " + models.embedder()) for word in command]

            def run(index, **more):
                return subprocess.Popen(here, stderr=subprocess.PIPE, env={
                    **os.environ, **env, **more, "JOB_COMPLETION_INDEX": str(index), "PATH": os.path.join(volume, "bin") + os.pathsep + os.environ["PATH"]})

            def vectors(path):
                with open(path, "rb") as f:
                    return f.read()[128:]

            with run(2) as ended:
                time.sleep(0.05)
                ended.terminate()
            for index in range(parts):
                with run(index) as process:
                    self.assertEqual(process.wait(), 0, process.stderr.read())
            out = os.path.join(volume, "texts/out")
            self.assertEqual(sorted(os.listdir(out)), [f"part-{i}.npy" for i in range(parts)])
            whole = os.path.join(volume, "whole.npy")
            subprocess.run([QUERN, "embed", "-m", models.embedder(), "-f", os.path.join(volume, "texts/in"), "-o", whole, "--quiet"], check=True)
            self.assertEqual(b"".join(vectors(os.path.join(out, f"part-{i}.npy")) for i in range(parts)), vectors(whole))

    def test_compose(self):
        service = documents("compose.yaml")[0]["services"]["quern"]
        self.flags_of(service["command"])
        for port in service["ports"]:
            self.assertTrue(port.startswith("127.0.0.1:"), port)
        self.assertTrue(os.path.exists(os.path.join(DEPLOY, service["build"]["context"], service["build"]["dockerfile"])))
        if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
            done = subprocess.run(["docker", "compose", "-f", os.path.join(DEPLOY, "compose.yaml"), "config", "-q"],
                                  capture_output=True, text=True, env={**os.environ, "QUERN_API_KEY": "x"})
            self.assertEqual(done.returncode, 0, done.stderr)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd(self):
        with tempfile.TemporaryDirectory() as folder:
            unit = os.path.join(folder, "quern.service")
            with open(unit, "w") as f:
                f.write(text("quern.service").replace("/usr/local/bin/quern", QUERN))
            done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
            self.assertNotIn("quern.service", done.stderr, done.stderr)

    def test_config(self):
        for key in json.loads(text("serve.json")):
            self.assertIn("--" + key, HELP)

    def test_dashboard_and_scaling_ask_for_metrics_that_there_are(self):
        dashboard = json.loads(text("grafana.json"))
        wanted = set(re.findall(r"\b((?:quern|process)_[a-z_]+)", " ".join(t["expr"] for p in dashboard["panels"] for t in p["targets"])))
        wanted |= {m["pods"]["metric"]["name"] for d in documents("kubernetes-scaling.yaml") if d["kind"] == "HorizontalPodAutoscaler" for m in d["spec"]["metrics"]}
        server = Server("words=" + models.embedder(), "talk=" + models.generator())
        try:
            server.post("/v1/completions", {"model": "talk", "prompt": "fox", "max_tokens": 3})
            server.post("/embed", {"model": "words", "inputs": "fox"})
            found = set(re.findall(r"^([a-z_]+)", server.get("/metrics").body.decode(), re.M))
        finally:
            server.stop()
        self.assertGreater(len(wanted), 10)
        self.assertEqual(wanted - found, set())


if __name__ == "__main__":
    unittest.main()

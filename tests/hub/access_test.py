"""Who may have what: the Hub's refusals, the token and where it may go, hosts that cannot be reached or trusted."""
import os
import unittest

from faults import Faults
from hub import CERTIFICATE, Hub, Repo, folder_files
from program import TINY


class Access(Faults):
    def test_refusals_say_what_to_do(self):
        self.fails("pull", "org/none", says=("org/none", "no such repository", "HF_TOKEN"))
        self.fails("pull", "org/none@" + "0" * 40, says=("org/none", "no such repository", "HF_TOKEN"))
        self.assertFalse(os.path.exists(self.cache("models--org--none")))
        self.fails("pull", "org/none", env={"HF_TOKEN": "hf_good"}, says=("org/none", "no such repository"))
        self.fails("pull", "org/tiny", env={"HF_TOKEN": "hf_wrong"}, says=("HF_TOKEN", "expired", "/settings/tokens"))
        self.repo.private = True
        self.fails("pull", "org/tiny", says=("private", "HF_TOKEN"))
        self.fails("pull", "org/tiny", env={"HF_TOKEN": "hf_other"}, says=("private", "HF_TOKEN"))
        self.repo.private, self.repo.gated = False, "manual"
        self.fails("pull", "org/tiny", says=("gated", self.hub.url + "/org/tiny", "HF_TOKEN"))
        self.fails("pull", "org/tiny", env={"HF_TOKEN": "hf_other"}, says=("gated", "account", self.hub.url + "/org/tiny"))
        self.assertNothingWrong()
        self.run_ok("pull", "org/tiny", env={"HF_TOKEN": "hf_good"})

    def test_other_refusals(self):
        for status, code, message, says in ((403, None, "token has no right", ("permission", "token has no right")),
                                            (403, None, "Access to this resource is disabled.", "disabled"),
                                            (401, None, None, "does not take the token"), (404, None, None, "404"),
                                            (400, None, "strange", ("400", "strange")), (410, None, None, "410")):
            self.hub.hook = lambda r, a=(status, code, message): r.refuse(*a) or True
            self.fails("pull", "org/tiny", env={"HF_TOKEN": "hf_good"}, says=says)
        self.hub.hook = lambda r: r.refuse(403) or True
        self.fails("pull", "org/tiny", says=("refuses", "HF_TOKEN"))

    def test_a_cached_model_needs_no_access(self):
        self.run_ok("pull", "org/tiny")
        self.repo.private = True
        for env in ({}, {"HF_TOKEN": "two words"}, {"HF_ENDPOINT": "ftp://x"}, {"HF_ENDPOINT": "http://127.0.0.1:1"}):
            self.run_ok("embed", "-m", "org/tiny", "-p", "x", env=env)
        self.fails("pull", "org/tiny", says="private")
        self.run_ok("embed", "-m", "org/tiny", "-p", "x")

    def test_nobody_there(self):
        for endpoint in ("http://127.0.0.1:1", "http://nowhere.invalid"):
            text = self.fails("embed", "-m", "org/tiny", "-p", "x", env={"HF_ENDPOINT": endpoint}, says="cannot be reached")
            self.assertIn(endpoint, text)
        self.run_ok("models", env={"HF_ENDPOINT": "ftp://x", "HF_TOKEN": "two words"})
        self.fails("pull", "org/tiny", env={"HF_ENDPOINT": "ftp://x"}, says="HF_ENDPOINT")
        self.fails("pull", "org/tiny", env={"HF_ENDPOINT": "http://user@x"}, says="HF_ENDPOINT")
        self.assertEqual(self.hub.log, [])

    def test_the_token_stays_at_the_hub(self):
        """Not for the storage, a mirror that leads away, a page of the list, nor the same host's other port."""
        self.run_ok("pull", "org/tiny", env={"HF_TOKEN": "hf_good"})
        self.assertEqual({r.headers.get("Authorization") for r in self.hub.log if r.where == "storage"}, {None})
        self.forget()
        self.hub.hook = lambda r: r.where == "hub" and (r.reply(307, Location=self.hub.storage + r.raw_path) or True)
        self.fails("pull", "org/tiny", env={"HF_TOKEN": "hf_good"}, says=self.hub.storage)
        self.assertEqual({r.headers.get("Authorization") for r in self.hub.log if r.where == "storage"}, {None})
        self.forget()

        def pages(request):
            if "/tree/" not in request.path:
                return False
            request.json([], Link=f'<{self.hub.storage}/more>; rel="next"')
            return True
        self.hub.hook = pages
        self.fails("pull", "org/tiny", env={"HF_TOKEN": "hf_good"}, says="another host")
        self.assertEqual(self.hub.paths("storage"), [])

    def test_tls(self):
        """A certificate that nobody vouches for is refused; one of SSL_CERT_FILE is trusted. From TLS nothing leads to plain HTTP."""
        hub = Hub({"org/tiny": Repo({p: d for p, d in folder_files(TINY).items()})}, tls=True)
        self.addCleanup(hub.stop)
        env = {"HF_ENDPOINT": hub.url, "SSL_CERT_FILE": "", "CURL_CA_BUNDLE": "", "REQUESTS_CA_BUNDLE": ""}
        self.fails("pull", "org/tiny", env=env, says=("cannot be trusted", "SSL_CERT_FILE"))
        self.assertEqual(hub.log, [])
        env["SSL_CERT_FILE"] = CERTIFICATE
        self.fails("pull", "org/tiny", env=env, says=(hub.storage, "no address that can be trusted"))
        self.assertEqual(hub.paths("storage"), [])
        hub.hook = lambda r: r.path.endswith("model.safetensors") and (r.bytes(self.weights) or True)
        self.run_ok("pull", "org/tiny", env=env)
        self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--offline")


if __name__ == "__main__":
    unittest.main()

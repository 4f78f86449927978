"""What the tests of faults share: a Hub with one tiny model, and what must be left behind."""
import os
import shutil

from hub import HubCase, Repo, folder_files
from program import TINY

GUARD = 600  # seconds: against hanging alone


class Faults(HubCase):
    def setUp(self):
        super().setUp()
        self.repo = self.hub.repos["org/tiny"] = Repo(folder_files(TINY))
        self.weights = self.repo.files["model.safetensors"]

    def forget(self):
        for name in ("hf", "own"):
            shutil.rmtree(self.path(name), ignore_errors=True)
        self.hub.log.clear()

    def assertNothingWrong(self):
        """No ref, no snapshot that is taken for a model, no blob but right ones."""
        self.assertFalse(os.path.exists(self.cache("models--org--tiny", "refs", "main")))
        self.fails("embed", "-m", "org/tiny", "-p", "x", "--offline")
        for blob in self.blobs():
            if not blob.endswith(".incomplete"):
                with open(self.cache("models--org--tiny", "blobs", blob), "rb") as f:
                    data = f.read()
                self.assertIn(data, self.repo.files.values())

    def once(self, answer, where="storage", times=1):
        """The first requests to this port are answered by answer(request)."""
        left = [times]

        def hook(request):
            if request.where != where or left[0] == 0:
                return False
            left[0] -= 1
            answer(request)
            return True
        self.hub.hook = hook

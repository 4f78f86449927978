"""Parquet shards of a dataset on the Hub, by the plug-in: the rows of the files themselves, into Parquet, gone on with."""
import io
import os
import sys
import unittest

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.append(os.path.join(os.environ["QUERN_TEST_DIR"], "hub"))
from program import model, quern  # noqa: E402
from hub import HubCase, Repo  # noqa: E402

ADDRESS = "hf://datasets/org/texts/data/*.parquet"


def shard(i):
    to = io.BytesIO()
    pq.write_table(pa.table({"key": [i * 500 + k for k in range(500)], "body": [f"fox {k} of {i}" for k in range(500)]}), to, row_group_size=200)
    return to.getvalue()


@unittest.skipUnless(quern("pull", "--help").returncode == 0, "a build without the network")
class Parquet(HubCase):
    def setUp(self):
        super().setUp()
        self.env["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        self.files = {f"data/train-{i}.parquet": shard(i) for i in range(4)}
        self.hub.repos["datasets/org/texts"] = Repo(self.files)

    def embed(self, source, out, *more):
        self.run_ok("embed", "-m", model(), "-f", *source, "--field", "body", "--id", "key", "-o", self.path(out), *more)
        return pq.read_table(self.path(out))

    def test_shards(self):
        here = [self.write(path.replace("/", "-"), data) for path, data in self.files.items()]
        expected = self.embed(here, "here.parquet")
        self.assertEqual(expected["id"].to_pylist(), list(range(2000)))
        self.assertEqual(self.embed([ADDRESS], "hub.parquet"), expected)
        parts = [self.embed([ADDRESS], f"part-{i}.parquet", "--shard", f"{i}/3") for i in (1, 2, 3)]
        self.assertEqual(pa.concat_tables(parts).combine_chunks(), expected.combine_chunks())

        def gone(request):
            return request.path.endswith("train-3.parquet") and (request.refuse(403, message="no") or True)
        self.hub.hook = gone
        self.fails("embed", "-m", model(), "-f", ADDRESS, "--field", "body", "--id", "key", "-o", self.path("r.parquet"), "--journal-every", "0",
                   says=("datasets/org/texts", "are done and kept", "--resume"))
        self.hub.hook = None
        self.assertEqual(self.embed([ADDRESS], "r.parquet", "--resume"), expected)

    def test_what_is_wrong_is_named(self):
        self.fails("embed", "-m", model(), "-f", ADDRESS, "-o", self.path("v.npy"),
                   says=('hf://datasets/org/texts/data/train-0.parquet: there is no column "text"', "key, body"))
        self.hub.repos["datasets/org/texts"].move({"data/a.parquet": self.files["data/train-0.parquet"][:-50]})
        self.fails("embed", "-m", model(), "-f", ADDRESS, "--field", "body", "-o", self.path("v.npy"), says="hf://datasets/org/texts/data/a.parquet: ")


if __name__ == "__main__":
    unittest.main()

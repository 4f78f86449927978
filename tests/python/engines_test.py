"""examples/bulk_engines with the engines themselves, each on this machine, beside one `quern embed` over the same Parquet file: the same
keys, and vectors that are equal to the bit. Needs engines.txt and Java; run by scripts/test-wheel."""
import os
import subprocess
import sys
import unittest

sys.path[:0] = [os.path.join(os.environ["QUERN_TEST_DIR"], "cli")]
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from program import Case, model  # noqa: E402

EXAMPLES = os.path.join(os.path.dirname(os.environ["QUERN_TEST_DIR"]), "examples", "bulk_engines")
ROWS = 6000
# Stands before pyquern in the workers, and notes which process loads a model.
COUNTING = """
import os, sys
sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
del sys.modules["pyquern"]
import pyquern

class Counted(pyquern.Model):
    def __init__(self, *arguments, **options):
        with open(os.environ["LOADS"], "a") as f:
            f.write(f"{os.getpid()}\\n")
        super().__init__(*arguments, **options)

pyquern.Model = Counted
"""
WORDS = "the quick fox jumps over the lazy user of foxes and texts".split()


class Engines(Case):
    def setUp(self):
        super().setUp()
        texts = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(1 + i % 9)) for i in range(ROWS)]
        self.source = self.path("articles.parquet")
        table = pa.table({"body": texts, "key": [f"k{i * 7919 % ROWS}" for i in range(ROWS)], "other": list(range(ROWS))})
        pq.write_table(table, self.source, row_group_size=1500)
        self.run_ok("embed", "-m", model(), "-f", self.source, "--field", "body", "--id", "key", "-o", self.path("expected.parquet"), "--quiet")
        self.expected = self.by_key(self.path("expected.parquet"), "id")
        self.assertEqual(len(self.expected), ROWS)

    def by_key(self, path, key):
        table = pq.read_table(path)
        vectors = table["embedding"].combine_chunks()
        values = np.asarray(vectors.flatten()).reshape(len(table), -1)
        self.assertEqual(values.dtype, np.float32)
        return dict(zip(table[key].to_pylist(), values))

    def example(self, script, workers, *more, env=None):
        out = self.path(script)
        os.makedirs(self.path("first"), exist_ok=True)
        self.write("first/pyquern.py", COUNTING)
        counting = {"PYTHONPATH": self.path("first"), "LOADS": self.path("loads")}
        done = subprocess.run([sys.executable, os.path.join(EXAMPLES, script), self.source, out, "--model", model(), "--key", "key", "--column", "body", *more],
                              capture_output=True, text=True, env={**os.environ, **counting, **(env or {})})
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-4000:])
        found = self.by_key(out, "key")
        self.assertEqual(found.keys(), self.expected.keys())
        for key, vector in found.items():
            np.testing.assert_array_equal(vector, self.expected[key], key)
        with open(self.path("loads"), encoding="utf-8") as f:
            loads = f.read().split()
        self.assertEqual(len(set(loads)), len(loads), "a process has loaded its model twice")
        self.assertLessEqual(len(loads), workers)
        return out

    def test_ray(self):
        quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "RAY_AUTH_MODE": "disabled", "HOME": self.dir}
        self.example("ray_embed.py", 2, "--workers", "2", "--cpus", "3", env=quiet)

    def test_spark(self):
        python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        many = "--conf spark.sql.files.openCostInBytes=1000 --conf spark.sql.files.maxPartitionBytes=30000"  # partitions for each worker
        out = self.example("spark_embed.py", 2, env={**python, "PYSPARK_SUBMIT_ARGS": f"--master local[2] {many} pyspark-shell"})
        self.assertGreater(len([f for f in os.listdir(out) if f.endswith(".parquet")]), 2)


if __name__ == "__main__":
    unittest.main()

"""Vectors of Parquet files by Ray Data: a pool of actors, each with the model loaded once. Rows come in any order, so each has its key.

    python3 ray_embed.py articles.parquet vectors/ --model minilm --key id --column body --workers 4 --threads 2
"""
import argparse
import os

import ray

import quern_vectors


class Embed:
    def __init__(self, **options):
        self.options = options
        quern_vectors.model(options["path"], options["threads"])  # a model that does not load ends the job, not each batch

    def __call__(self, batch):
        return quern_vectors.vectors(batch, **self.options)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input")
    parser.add_argument("output", help="a folder of Parquet files")
    parser.add_argument("--model", required=True, help="a path or a name that every worker has")
    parser.add_argument("--key", default="id")
    parser.add_argument("--column", default="text")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of each worker")
    parser.add_argument("--cpus", type=int, help="of this machine, where it is no cluster (default: all)")
    a = parser.parse_args()
    ray.init(num_cpus=a.cpus, runtime_env={"working_dir": os.path.dirname(os.path.abspath(__file__))})
    cpus = int(ray.cluster_resources().get("CPU", 0))
    if a.workers * a.threads >= cpus:  # Ray would wait for ever
        parser.error(f"--workers times --threads: expected less than the {cpus} CPUs there are, since reading and writing take one")
    rows = ray.data.read_parquet(a.input if "://" in a.input else os.path.abspath(a.input)).select_columns([a.key, a.column])
    vectors = rows.map_batches(Embed, batch_format="pyarrow", batch_size=4096, num_cpus=a.threads, compute=ray.data.ActorPoolStrategy(size=a.workers),
                               fn_constructor_kwargs={"key": a.key, "column": a.column, "path": a.model, "threads": a.threads})
    vectors.write_parquet(a.output if "://" in a.output else os.path.abspath(a.output))


if __name__ == "__main__":
    main()

"""Vectors of Parquet files by Spark: mapInArrow, whose Python workers load the model once and are used for one partition after another.

    python3 spark_embed.py articles.parquet vectors/ --model minilm --key id --column body --threads 2
"""
import argparse
import os

from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, FloatType, StructField, StructType


def embed(**options):
    """What Spark's workers run over the record batches of a partition."""
    def run(batches):
        import pyarrow as pa
        import quern_vectors

        for batch in batches:
            key, vectors = quern_vectors.vectors(batch, **options).columns
            lists = vectors.cast(pa.list_(pa.float32()))  # Spark has no lists of a fixed size
            yield from pa.table([key, lists], [options["key"], "embedding"]).to_batches()
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input")
    parser.add_argument("output", help="a folder of Parquet files")
    parser.add_argument("--model", required=True, help="a path or a name that every worker has")
    parser.add_argument("--key", default="id")
    parser.add_argument("--column", default="text")
    parser.add_argument("--threads", type=int, default=1, help="of each worker: its executor's cores divided by its tasks")
    a = parser.parse_args()
    spark = SparkSession.builder.appName("quern").getOrCreate()
    spark.sparkContext.addPyFile(os.path.join(os.path.dirname(os.path.abspath(__file__)), "quern_vectors.py"))
    rows = spark.read.parquet(a.input).select(a.key, a.column)
    schema = StructType([rows.schema[a.key], StructField("embedding", ArrayType(FloatType()))])
    rows.mapInArrow(embed(key=a.key, column=a.column, path=a.model, threads=a.threads), schema).write.mode("errorifexists").parquet(a.output)
    spark.stop()


if __name__ == "__main__":
    main()

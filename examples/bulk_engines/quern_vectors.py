"""What a worker of a data engine does with a batch of rows: its key, and its text's vector, as Arrow has them.

Workers import it (Ray's by the working directory, Spark's by addPyFile), so that a process loads a model once, whatever it is given.
"""
import functools

import numpy as np
import pyarrow as pa


@functools.lru_cache(maxsize=1)
def model(path, threads):
    import pyquern  # where the work is, which may be another machine

    return pyquern.Model(path, threads=threads)


def vectors(batch, key, column, path, threads):
    """A table of `key` and `embedding` for the rows of a pyarrow Table or RecordBatch. A null in `column` is an error."""
    texts = pa.table({column: batch[column]})
    width = model(path, threads).get_embedding_dimension()
    rows = [np.empty((0, width), np.float32), *model(path, threads).encode_stream(texts, column)]
    values = pa.array(np.concatenate(rows).reshape(-1))
    return pa.table({key: batch[key], "embedding": pa.FixedSizeListArray.from_arrays(values, width)})

"""What bulk.py runs, each in a process of its own: bulk_worker.py WHAT ARGUMENT…

texts FILE ROWS                                        makes the input: key, text
export HF_FOLDER FOLDER                                what fastembed takes: FOLDER/f32 and FOLDER/int8
fastembed|fastembed8|st SOURCE OUTPUT MODEL THREADS BATCH
memory SOURCE - MODEL THREADS 0                        prints {"seconds"} of encode() alone
compare REFERENCE OUTPUT…                              prints [[mean, worst cosine], …]
"""
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CHUNK = 10000  # rows that are read, worked on and written at a time


def make_texts(path, rows):
    import pyarrow as pa
    import pyarrow.parquet as pq
    if os.path.exists(path):
        return
    made = subprocess.run([sys.executable, os.path.join(HERE, 'texts.py'), 'distinct', rows], check=True, capture_output=True, text=True)
    texts = made.stdout.removesuffix('\n').split('\n')
    pq.write_table(pa.table({'key': list(range(len(texts))), 'text': texts}), path + '.part')
    os.rename(path + '.part', path)


def export(hf, folder):
    """ONNX as bench/compare makes it for its own peers, with the files beside it that fastembed wants."""
    sys.path.insert(0, os.path.join(HERE, 'compare'))
    from pathlib import Path

    from exports import Exports
    from model import Folder
    exports = Exports(Folder(Path(hf), 256), Path(folder))
    for name, graph in (('f32', exports.onnx_fused), ('int8', exports.onnx_int8)):
        to = os.path.join(folder, name)
        os.makedirs(to, exist_ok=True)
        for file in ('config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'):
            if os.path.exists(os.path.join(hf, file)):
                shutil.copy(os.path.join(hf, file), to)
        if not os.path.exists(os.path.join(to, 'special_tokens_map.json')):
            with open(os.path.join(hf, 'tokenizer_config.json'), encoding='utf8') as f:
                tokens = json.load(f)
            with open(os.path.join(to, 'special_tokens_map.json'), 'w', encoding='utf8') as f:
                json.dump({k: v for k, v in tokens.items() if k.endswith('_token') and isinstance(v, str)}, f)
        shutil.copy(graph(), os.path.join(to, 'model.onnx'))


def fastembed(model, threads, batch):
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType
    with open(os.path.join(model, 'config.json'), encoding='utf8') as f:
        width = json.load(f)['hidden_size']
    TextEmbedding.add_custom_model(model='bench/own', pooling=PoolingType.MEAN, normalization=True, sources=ModelSource(hf='bench/own'), dim=width,
                                   model_file='model.onnx')
    embedder = TextEmbedding('bench/own', specific_model_path=model, threads=threads)
    return lambda texts: embedder.embed(texts, batch_size=batch)


def sentence_transformers(model, threads, batch):
    import torch
    torch.set_num_threads(threads)
    from sentence_transformers import SentenceTransformer
    embedder = SentenceTransformer(model, device='cpu')
    return lambda texts: embedder.encode(texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)


def run_peer(what, source, output, model, threads, batch):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    if what == 'st':
        embed = sentence_transformers(model, threads, batch)
    else:
        embed = fastembed(os.path.join(model, 'int8' if what == 'fastembed8' else 'f32'), threads, batch)
    writer = None
    for rows in pq.ParquetFile(source).iter_batches(CHUNK):
        vectors = np.asarray(list(embed(rows['text'].to_pylist())), np.float32)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
        table = pa.table({'id': rows['key'], 'embedding': column})
        writer = writer or pq.ParquetWriter(output, table.schema)
        writer.write_table(table)
    writer.close()


def run_memory(source, model, threads):
    import pyarrow.parquet as pq
    import pyquern
    texts = pq.read_table(source)['text'].to_pylist()
    embedder = pyquern.Model(model, threads=threads)
    embedder.encode(texts[:100])
    start = time.perf_counter()
    embedder.encode(texts)
    print(json.dumps({'seconds': time.perf_counter() - start}))


def compare(reference, *outputs):
    import numpy as np
    import pyarrow.parquet as pq

    def vectors(path):
        table = pq.read_table(path)
        rows = np.asarray(table['embedding'].combine_chunks().flatten(), np.float32).reshape(len(table), -1)
        rows = rows[np.argsort(np.asarray(table['id']), kind='stable')]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    expected = vectors(reference)
    cosines = [(expected * vectors(path)).sum(1) for path in outputs]
    print(json.dumps([[float(c.mean()), float(c.min())] for c in cosines]))


def main():
    what, arguments = sys.argv[1], sys.argv[2:]
    if what == 'texts':
        make_texts(*arguments)
    elif what == 'export':
        export(*arguments)
    elif what == 'compare':
        compare(*arguments)
    else:
        source, output, model, threads, batch = arguments
        if what == 'memory':
            run_memory(source, model, int(threads))
        else:
            run_peer(what, source, output, model, int(threads), int(batch))


main()

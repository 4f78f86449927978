"""The peers, each in its best known set-up: fused graphs, int8 kernels, texts sorted by tokens in batches."""
from __future__ import annotations

import importlib.metadata
import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from exports import Exports, llama_folder, llama_programs, run
from inputs import copy_of, cut
from model import Folder


@dataclass(frozen=True)
class Setting:
    """What a peer is given: `workers` batches at a time, each on `threads` threads."""
    folder: Folder
    exports: Exports
    threads: int
    workers: int = 1


class Peer:
    """One way of turning texts into vectors of length 1."""
    name = ''
    int8 = False            # one of the int8 peers that quern is set against
    tuned = True            # gets the best of several settings
    single_vectors = True   # latency mode can have vectors to compare
    package = ''            # the distribution whose version is reported
    isa: str | None = None
    batch: int | None = None
    float_weights = False   # its products run at the float rate

    def __init__(self, setting: Setting):
        self.setting = setting
        self.folder = setting.folder

    def version(self) -> str:
        return importlib.metadata.version(self.package)

    def prepare(self, texts: list[str]) -> None:
        """What comes before embed and is not timed."""

    def embed(self, texts: list[str]) -> np.ndarray:
        raise NotImplementedError

    def timed(self, texts: list[str], batch: int | None = None) -> tuple[float, np.ndarray]:
        """Seconds of one pass over all texts, and their vectors."""
        if batch:
            self.batch = batch
        self.prepare(texts)
        start = time.perf_counter()
        vectors = self.embed(texts)
        return time.perf_counter() - start, vectors

    def latencies(self, text: str, tokens: int, seconds: float) -> list[float]:
        """Seconds of single texts, one after the other, for about so long; the first two are not counted."""
        for _ in range(2):
            self.embed([text])
        samples: list[float] = []
        end = time.perf_counter() + seconds
        while len(samples) < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            self.embed([text])
            samples.append(time.perf_counter() - start)
        return samples

    def limit(self, seconds: float) -> float | None:
        """The CPU's int8 multiply-accumulates per second, where a peer can tell."""
        return None


class BatchPeer(Peer):
    """A peer that takes padded batches of token ids: these all get the same tokenizer, order and pooling."""
    batch = 16

    def hidden(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Hidden states of a batch; called from several threads where there are several workers."""
        raise NotImplementedError

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.setting.workers)

    def embed(self, texts: list[str]) -> np.ndarray:
        tokens = self.folder.ids(texts)
        order = sorted(range(len(texts)), key=lambda i: -len(tokens[i]))
        vectors = np.empty((len(texts), self.folder.width), np.float32)

        def one_batch(start: int) -> None:
            rows = order[start:start + self.batch]
            ids, mask = padded([tokens[i] for i in rows])
            vectors[rows] = pooled(self.hidden(ids, mask), mask, self.folder.pooling)

        starts = range(0, len(order), self.batch)
        list((self.pool.map if self.setting.workers > 1 else map)(one_batch, starts))
        return vectors


def padded(tokens: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(t) for t in tokens])
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    ids = np.zeros(mask.shape, np.int64)  # [PAD] is 0
    ids[mask == 1] = np.concatenate(tokens)
    return ids, mask


def pooled(hidden: np.ndarray, mask: np.ndarray, pooling: str) -> np.ndarray:
    if pooling == 'cls':
        vectors = hidden[:, 0]
    else:
        vectors = np.einsum('bsd,bs->bd', hidden, mask.astype(np.float32)) / mask.sum(1, keepdims=True)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Torch(BatchPeer):
    """f32: what the cosines are to."""
    name, package, tuned = 'torch', 'torch', False

    def __init__(self, setting: Setting):
        super().__init__(setting)
        import torch
        from transformers import AutoModel
        torch.set_num_threads(setting.threads)
        self.torch = torch
        self.model = AutoModel.from_pretrained(self.folder.path).eval()

    def hidden(self, ids, mask):
        with self.torch.inference_mode():
            return self.model(input_ids=self.torch.from_numpy(ids), attention_mask=self.torch.from_numpy(mask)).last_hidden_state.numpy()


class OnnxRuntime(BatchPeer):
    """f32, fused graph."""
    name, package = 'ort', 'onnxruntime'

    def graph(self) -> Path:
        return self.setting.exports.onnx_fused()

    def __init__(self, setting: Setting):
        super().__init__(setting)
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = setting.threads
        self.session = onnxruntime.InferenceSession(self.graph(), options, providers=['CPUExecutionProvider'])
        self.types = {i.name: np.int32 if 'int32' in i.type else np.int64 for i in self.session.get_inputs()}

    def hidden(self, ids, mask):
        given = dict(zip(self.folder.inputs, (ids, mask, np.zeros_like(ids))))
        return self.session.run(None, {n: given[n].astype(t, copy=False) for n, t in self.types.items()})[0]


class OnnxRuntimeInt8(OnnxRuntime):
    name, int8 = 'ort8', True

    def graph(self) -> Path:
        return self.setting.exports.onnx_int8()


class OpenVinoInt8(BatchPeer):
    name, package, int8 = 'ov8', 'openvino', True

    def __init__(self, setting: Setting):
        super().__init__(setting)
        import openvino
        self.model = openvino.Core().compile_model(setting.exports.openvino_int8(), 'CPU', {
            'INFERENCE_NUM_THREADS': setting.threads * setting.workers, 'NUM_STREAMS': setting.workers})
        self.inputs = [i.get_any_name() for i in self.model.inputs]
        self.of_thread = threading.local()  # an inference request serves one caller at a time

    def hidden(self, ids, mask):
        given = dict(zip(self.folder.inputs, (ids, mask, np.zeros_like(ids))))
        if not hasattr(self.of_thread, 'request'):
            self.of_thread.request = self.model.create_infer_request()
        return self.of_thread.request.infer({n: given[n] for n in self.inputs}, share_inputs=True)[0]


class CTranslate2Int8(BatchPeer):
    name, package, int8 = 'ct2', 'ctranslate2', True

    def __init__(self, setting: Setting):
        super().__init__(setting)
        import ctranslate2
        self.view = ctranslate2.StorageView.from_array
        self.encoder = ctranslate2.Encoder(str(setting.exports.ctranslate2_int8()), device='cpu', compute_type='int8',
                                           inter_threads=setting.workers, intra_threads=setting.threads)

    def hidden(self, ids, mask):
        out = self.encoder.forward_batch(self.view(ids.astype(np.int32)), self.view(mask.sum(1).astype(np.int32)))
        return np.array(out.last_hidden_state)


class LlamaQ8(Peer):
    """llama.cpp's own programs: llama-embedding, start and load included; for single texts llama-bench, which makes up token
    ids and so neither tokenizes nor pools."""
    name, int8, tuned, single_vectors = 'llama', True, False, False
    repetitions = 5

    def __init__(self, setting: Setting):
        super().__init__(setting)
        self.bin = llama_programs(llama_folder())
        self.model = setting.exports.llama_q8_0()
        self.file = setting.exports.work / 'llama.txt'

    def version(self) -> str:
        told = subprocess.run([self.bin / 'llama-bench', '--version'], capture_output=True, text=True)
        return (told.stdout + told.stderr).strip().splitlines()[0].removeprefix('version: ')

    def prepare(self, texts):
        tokenizer = copy_of(self.folder.tokenizer)  # the program cannot cut texts itself
        self.file.write_text(''.join(cut(tokenizer, text, self.folder.max_length) + '\n' for text in texts), encoding='utf8')

    def embed(self, texts):
        out = run([self.bin / 'llama-embedding', '-m', self.model, '-f', self.file, '--embd-output-format', 'array', '-b', '512',
                   '-ub', '512', '-c', '512', '-t', str(self.setting.threads), '--pooling', self.folder.pooling])
        return np.array(json.loads(out), np.float32)

    def latencies(self, text, tokens, seconds):
        out = run([self.bin / 'llama-bench', '-m', self.model, '-p', str(tokens), '-n', '0', '-embd', '1',
                   '-t', str(self.setting.threads), '-r', str(self.repetitions), '-o', 'json'])
        return [nanoseconds / 1e9 for nanoseconds in json.loads(out)[0]['samples_ns']]


PEERS = {peer.name: peer for peer in (Torch, OnnxRuntime, OnnxRuntimeInt8, OpenVinoInt8, CTranslate2Int8, LlamaQ8)}

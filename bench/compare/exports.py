"""What the peers run, made from the Hugging Face folder once and kept under the folder's key."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from inputs import read_texts
from model import Folder, NotMeasured

CALIBRATION_TEXTS = 100


def run(command: list[str | Path]) -> str:
    """Standard output of a program; its last words when it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ['no message'])[-1]
        raise NotMeasured(f'{Path(command[0]).name} failed: {last[:200]}')
    return done.stdout


def llama_folder() -> Path:
    folder = Path(os.environ.get('PEERS', '')) / 'llama.cpp'
    if 'PEERS' not in os.environ or not (llama_programs(folder) / 'llama-embedding').exists():
        raise NotMeasured('PEERS does not name a folder with llama.cpp built in it (bench/compare/setup)')
    return folder


def llama_programs(folder: Path) -> Path:
    """Where the programs lie that were built for the CPU that is measured."""
    return folder / os.environ.get('LLAMA_BUILD', 'build') / 'bin'


class Exports:
    def __init__(self, folder: Folder, work: Path):
        self.folder = folder
        self.work = work / folder.key
        self.work.mkdir(parents=True, exist_ok=True)

    def kept(self, name: str, make: Callable[[Path], None]) -> Path:
        """A file or folder of that name, made under another and renamed, so that it is never half there."""
        path = self.work / name
        if path.exists():
            return path
        part = self.work / ('part-' + name)
        shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
        print(f'{self.folder.name}: making {name}', file=sys.stderr)
        make(part)
        return part.rename(path)

    def onnx(self) -> Path:
        """ONNX as torch exports it."""
        def make(path: Path) -> None:
            import torch
            from transformers import AutoModel
            model = AutoModel.from_pretrained(self.folder.path, attn_implementation='eager').eval().requires_grad_(False)
            names = self.folder.inputs

            class Hidden(torch.nn.Module):
                def forward(self, *inputs):
                    return model(**dict(zip(names, inputs))).last_hidden_state

            ones = torch.ones(2, 16, dtype=torch.long)
            torch.onnx.export(Hidden(), (ones, ones, ones * 0)[:len(names)], str(path), input_names=names, output_names=['hidden'],
                              opset_version=17, dynamo=False, dynamic_axes={n: {0: 'b', 1: 's'} for n in [*names, 'hidden']})
        return self.kept('f32.onnx', make)

    def onnx_fused(self) -> Path:
        """With attention, GELU and layer norms fused by ONNX Runtime's optimizer."""
        config = self.folder.config
        return self.kept('fused.onnx', lambda path: run([
            sys.executable, '-m', 'onnxruntime.transformers.optimizer', '--input', self.onnx(), '--output', path, '--model_type', 'bert',
            '--num_heads', str(config['num_attention_heads']), '--hidden_size', str(config['hidden_size'])]))

    def onnx_int8(self) -> Path:
        """The fused graph with int8 weights per channel, activations quantized as they come."""
        def make(path: Path) -> None:
            from onnxruntime.quantization import QuantType, quantize_dynamic
            quantize_dynamic(self.onnx_fused(), path, weight_type=QuantType.QInt8, per_channel=True, extra_options={'DefaultTensorType': 1})
        return self.kept('int8.onnx', make)

    def openvino_int8(self) -> Path:
        """Calibrated by NNCF for transformers: int8 weights and activations."""
        def make(path: Path) -> None:
            import nncf
            import openvino

            def sample(text: str) -> dict[str, np.ndarray]:
                ids = np.array(self.folder.ids([text]), np.int64)
                return dict(zip(self.folder.inputs, (ids, np.ones_like(ids), np.zeros_like(ids))))

            texts = read_texts('mixed', CALIBRATION_TEXTS)
            graph = nncf.quantize(openvino.Core().read_model(self.onnx()), nncf.Dataset(texts, sample),
                                  model_type=nncf.ModelType.TRANSFORMER, subset_size=len(texts))
            path.mkdir()
            openvino.save_model(graph, path / 'int8.xml')
        return self.kept('openvino-int8', make) / 'int8.xml'

    def ctranslate2_int8(self) -> Path:
        converter = Path(sys.executable).with_name('ct2-transformers-converter')
        return self.kept('ct2-int8', lambda path: run([converter, '--model', self.folder.path, '--output_dir', path, '--quantization', 'int8']))

    def llama_q8_0(self) -> Path:
        def make(path: Path) -> None:
            plain = path.with_name('f32.gguf')
            try:
                run([sys.executable, llama_folder() / 'convert_hf_to_gguf.py', self.folder.path, '--outtype', 'f32', '--outfile', plain])
                run([llama_programs(llama_folder()) / 'llama-quantize', plain, path, 'q8_0'])
            finally:
                plain.unlink(missing_ok=True)
        return self.kept('q8_0.gguf', make)

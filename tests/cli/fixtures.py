"""Folders for the tests of heads, made from tests/golden/models: another class in config.json, fewer labels, other weights."""
import array
import json
import os
import random
import shutil
import struct

MODELS = os.path.join(os.environ["QUERN_TEST_DIR"], "golden", "models")


def read_safetensors(path):
    """Name → [dtype, shape, bytes]."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    header.pop("__metadata__", None)
    return {name: [t["dtype"], t["shape"], data[slice(*t["data_offsets"])]] for name, t in header.items()}


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def edit_json(folder, name, edit):
    path = os.path.join(folder, name)
    with open(path, encoding="utf-8") as f:
        value = json.load(f)
    edit(value)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)


def edit_weights(folder, edit):
    path = os.path.join(folder, "model.safetensors")
    tensors = read_safetensors(path)
    edit(tensors)
    write_safetensors(path, tensors)


def late_golden(name):
    with open(os.path.join(os.path.dirname(MODELS), "late", name, "golden.json"), encoding="utf-8") as f:
        return json.load(f)


def late_folder(to, name):
    """A model of late interaction: what a library saved, over a tiny model."""
    shutil.copytree(os.path.join(MODELS, late_golden(name)["base"]), to, copy_function=shutil.copyfile)
    shutil.copytree(os.path.join(os.path.dirname(MODELS), "late", name), to, copy_function=shutil.copyfile, dirs_exist_ok=True)
    return to


def variant(to, source, architecture, labels=None, **config):
    """A copy of a fixture as this class; labels: their names, as many rows of the classifier as there are."""
    shutil.copytree(os.path.join(MODELS, source), to, copy_function=shutil.copyfile)

    def settings(value):
        value["architectures"] = [architecture]
        value.update(config)
        if labels:
            value["id2label"] = {str(i): name for i, name in enumerate(labels)}
            value["label2id"] = {name: i for i, name in enumerate(labels)}

    def rows(tensors):
        for name in ("classifier.weight", "classifier.bias"):
            dtype, shape, values = tensors[name]
            row = len(values) // shape[0]
            tensors[name] = [dtype, [len(labels), *shape[1:]], values[:len(labels) * row]]

    edit_json(to, "config.json", settings)
    if labels:
        edit_weights(to, rows)
    return to


def halves(values):
    """Numbers as F16 bytes."""
    return struct.pack(f"<{len(values)}e", *values)


def golden(source):
    with open(os.path.join(MODELS, source, "golden.json"), encoding="utf-8") as f:
        return json.load(f)


def rows_of(flat, width):
    return [list(array.array("f", flat[i:i + width])) for i in range(0, len(flat), width)]


def tiny_llama(to, tokenizer="byte_bpe", layers=2):
    """A random decoder of Llama's kind with one of the golden tokenizers, tied head."""
    os.mkdir(to)
    source = os.path.join(os.path.dirname(MODELS), "tokenizers", f"tiny_{tokenizer}.json")
    shutil.copyfile(source, os.path.join(to, "tokenizer.json"))
    with open(source, encoding="utf-8") as f:
        vocab = len(json.load(f)["model"]["vocab"])
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_hidden_layers": layers,
              "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": vocab,
              "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": True}
    with open(os.path.join(to, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    shapes = {"embed_tokens": (vocab, 64), "norm": (64,)}
    for i in range(layers):
        layer = {"self_attn.q_proj": (64, 64), "self_attn.k_proj": (32, 64), "self_attn.v_proj": (32, 64),
                 "self_attn.o_proj": (64, 64), "mlp.gate_proj": (128, 64), "mlp.up_proj": (128, 64),
                 "mlp.down_proj": (64, 128), "input_layernorm": (64,), "post_attention_layernorm": (64,)}
        shapes.update({f"layers.{i}.{name}": shape for name, shape in layer.items()})
    dice = random.Random(5)
    tensors = {}
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = [dice.gauss(0, 0.2) if len(shape) > 1 else dice.uniform(0.8, 1.2) for _ in range(count)]
        tensors[f"model.{name}.weight"] = ["F16", list(shape), halves(values)]
    write_safetensors(os.path.join(to, "model.safetensors"), tensors)
    return to

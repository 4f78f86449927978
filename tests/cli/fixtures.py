"""Folders for the tests of heads, made from tests/golden/models: another class in config.json, fewer labels, other weights."""
import array
import json
import os
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

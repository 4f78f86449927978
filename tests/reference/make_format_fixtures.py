#!/usr/bin/env python3
"""Writes tests/golden/formats/ with the reference libraries: gguf, safetensors, sentence-transformers.

Run by hand when a format changes (the result is committed); no test runs it. The values are simple formulas, which
the unit tests repeat: element i of a float tensor is i / 4 - 3, of an integer tensor i - 5.
"""
import pathlib
import shutil
import sys

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "formats"


def floats(*shape):
    return (np.arange(int(np.prod(shape)), dtype=np.float32) / 4 - 3).reshape(shape)


def write_gguf(path, alignment):
    w = gguf.GGUFWriter(path, "bert")
    if alignment != 32:
        w.add_custom_alignment(alignment)
    w.add_uint8("test.u8", 200)
    w.add_int8("test.i8", -100)
    w.add_uint16("test.u16", 60000)
    w.add_int16("test.i16", -30000)
    w.add_uint32("test.u32", 4000000000)
    w.add_int32("test.i32", -2000000000)
    w.add_uint64("test.u64", 2**63 + 5)
    w.add_int64("test.i64", -(2**62))
    w.add_float32("test.f32", 0.1)
    w.add_float64("test.f64", 1e-12)
    w.add_bool("test.yes", True)
    w.add_bool("test.no", False)
    w.add_string("test.text", "Grüße, 世界")
    w.add_array("test.strings", ["a", "", "βγ"])
    w.add_array("test.ints", [1, -2, 3])
    w.add_array("test.floats", [0.5, -0.25])
    w.add_tensor("token_embd.weight", floats(3, 5))
    w.add_tensor("half", floats(2, 4).astype(np.float16))
    w.add_tensor("blocks", gguf.quants.quantize(floats(2, 64), gguf.GGMLQuantizationType.Q8_0),
                 raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    w.add_tensor("ids", np.arange(7, dtype=np.int32) - 5)
    w.add_tensor("cube", floats(2, 3, 4))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_safetensors():
    tensors = {
        "f32": torch.from_numpy(floats(3, 5)),
        "f16": torch.from_numpy(floats(2, 4)).half(),
        "bf16": torch.from_numpy(floats(6)).bfloat16(),
        "i64": torch.arange(4) - 5,
        "u8": torch.arange(5, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
    }
    save_file(tensors, OUT / "all.safetensors", metadata={"format": "pt", "note": "Grüße"})
    folder = OUT / "sharded"
    folder.mkdir()
    save_file({"a": torch.from_numpy(floats(4)), "b": torch.from_numpy(floats(2, 2))},
              folder / "model-00001-of-00002.safetensors", metadata={"format": "pt"})
    save_file({"c": torch.from_numpy(floats(3))}, folder / "model-00002-of-00002.safetensors",
              metadata={"format": "pt"})
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    (folder / "model.safetensors.index.json").write_text(
        '{"metadata": {"total_size": 44}, "weight_map": {"a": "%s", "b": "%s", "c": "%s"}}\n' % (one, one, two))


def write_sentence_transformer():
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    base = OUT / "base"
    vocab = {w: i for i, w in enumerate("[PAD] [UNK] [CLS] [SEP] [MASK] a b c".split())}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
                            sep_token="[SEP]", mask_token="[MASK]", model_max_length=24).save_pretrained(base)
    torch.manual_seed(1)
    config = BertConfig(vocab_size=len(vocab), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=16, max_position_embeddings=32)
    BertModel(config, add_pooling_layer=False).save_pretrained(base)
    transformer = Transformer(str(base), max_seq_length=16)
    pooling = Pooling(8, pooling_mode=["cls", "mean"], include_prompt=False)
    dense = Dense(16, 4, bias=False, activation_function=torch.nn.Identity())
    model = SentenceTransformer(modules=[transformer, pooling, dense, Normalize()], device="cpu",
                                prompts={"query": "query: ", "document": ""}, default_prompt_name="query",
                                similarity_fn_name="dot")
    model.save(str(OUT / "sentence"), create_model_card=False)
    shutil.rmtree(base)


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    write_gguf(OUT / "align32_gguf.bin", 32)
    write_gguf(OUT / "align64_gguf.bin", 64)
    write_safetensors()
    write_sentence_transformer()
    sizes = {str(p.relative_to(OUT)): p.stat().st_size for p in sorted(OUT.rglob("*")) if p.is_file()}
    for name, size in sizes.items():
        print(f"{size:7d} {name}", file=sys.stderr)
    print(f"{sum(sizes.values()):7d} bytes in all", file=sys.stderr)

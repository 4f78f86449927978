#!/usr/bin/env python3
"""Writes tests/golden/adapters/NAME/: LoRA adapters as peft saves them, over the random models of tests/golden/models, and
golden.json with what peft computes in f32.

    python tests/reference/make_adapters.py [NAME …]

Needs torch, transformers 5, peft, tokenizers, safetensors. Run by hand when a fixture must change (the results are
committed); no test runs it. Seeds are fixed. golden.json:
  base       the model's folder in tests/golden/models
  merged     false: a pass cannot apply it beside the model, a conversion can
  ids        of the texts that were run
  states     the last hidden states of each (tokens x width), flat
of decoders:
  logits     of each text's last token
of adapters that have a classifier:
  sequence   logits of ForSequenceClassification, one row per text
All are of the adapter beside its base model, as it was trained. merge_and_unload gives the same, but for tied embeddings:
it changes the tied head too.
"""
import json
import pathlib
import shutil
import sys

import peft
import torch
import transformers as tf
from safetensors.torch import load_file, save_file

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
OUT = GOLDEN / "adapters"
TEXTS = [0, 2]  # of the base's golden.json

# apart: quern applies it beside the model as well.
ADAPTERS = {
    "bert": dict(base="bert", apart=True, config=dict(r=4, lora_alpha=8, target_modules=["query", "value"])),
    "bert_all": dict(base="bert", config=dict(
        r=4, lora_alpha=6, target_modules="all-linear", bias="all", use_rslora=True,
        rank_pattern={"attention.self.query": 2, r"encoder\.layer\.[1-9]\..*dense": 6, r"0\.(.*\.)?dense": 3},
        alpha_pattern={r".*\.key": 16, "intermediate.dense": 2})),
    "bert_class": dict(base="bert", task="SEQ_CLS", config=dict(
        r=3, lora_alpha=5, target_modules=["key", "output.dense"], bias="lora_only", modules_to_save=["pooler"])),
    "bert_ffn": dict(base="bert", apart=True, dtype=torch.float16, config=dict(
        r=5, lora_alpha=9, lora_bias=True, target_modules=r".*(intermediate|output)\.dense", exclude_modules=["pooler.dense"])),
    "xlm-roberta": dict(base="xlm-roberta", dtype=torch.float16, config=dict(
        r=3, lora_alpha=4, target_modules=["word_embeddings", "position_embeddings", "query"])),
    "mpnet_dora": dict(base="mpnet", config=dict(
        r=4, lora_alpha=4, use_dora=True, target_modules=["attn.q", "attn.o", "word_embeddings"],
        modules_to_save=["output.LayerNorm"])),
    "modernbert": dict(base="modernbert", apart=True, dtype=torch.bfloat16, config=dict(
        r=4, lora_alpha=7, target_modules=["Wqkv", "Wi", "Wo"])),
    "llama": dict(base="llama", apart=True, dtype=torch.bfloat16, task="CAUSAL_LM", config=dict(
        r=4, lora_alpha=8, use_rslora=True, target_modules="all-linear")),
    "llama_head": dict(base="llama", task="CAUSAL_LM", config=dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "lm_head", "embed_tokens"], modules_to_save=["norm"])),
    "qwen2": dict(base="qwen2", apart=True, task="CAUSAL_LM", config=dict(
        r=4, lora_alpha=8, lora_bias=True, target_modules=["q_proj", "v_proj"])),
    "qwen2_tied": dict(base="qwen2", task="CAUSAL_LM", config=dict(
        r=4, lora_alpha=8, target_modules=["embed_tokens", "down_proj"])),
    "gemma3_dora": dict(base="gemma3", task="CAUSAL_LM", dtype=torch.float16, config=dict(
        r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "o_proj", "gate_proj"],
        modules_to_save=["input_layernorm"])),
    "phi3": dict(base="phi3", apart=True, task="CAUSAL_LM", config=dict(
        r=4, lora_alpha=8, target_modules=["qkv_proj", "gate_up_proj", "o_proj"])),
}
CLASSES = {"SEQ_CLS": tf.AutoModelForSequenceClassification, "CAUSAL_LM": tf.AutoModelForCausalLM}


def shortest(x):
    return [float(str(v)) for v in x.detach().float().numpy().reshape(-1)]


def perturb(model, dtype):
    """What training would have done to all that the adapter trains; as made, B is 0."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not p.requires_grad:
                continue
            spread = 0.2 if ".lora_" in name and "magnitude" not in name else 0.05
            p.copy_((p + torch.randn_like(p) * spread).to(dtype).float())
    return model


def run(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), output_hidden_states=True)


def make(name):
    spec = ADAPTERS[name]
    torch.manual_seed(5)
    base, task, dtype = GOLDEN / "models" / spec["base"], spec.get("task"), spec.get("dtype", torch.float32)
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model = CLASSES.get(task, tf.AutoModel).from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    model = perturb(peft.get_peft_model(model, peft.LoraConfig(task_type=task, **spec["config"])), dtype)
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file({n: t.to(dtype).contiguous() for n, t in tensors.items()}, folder / "adapter_model.safetensors",
              {"format": "pt"})
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "tiny/" + spec["base"]
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
    base_model = CLASSES.get(task, tf.AutoModel).from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    model = peft.PeftModel.from_pretrained(base_model, folder, autocast_adapter_dtype=True).eval()  # what the folder says
    ids = [json.loads((base / "golden.json").read_text())["ids"][i] for i in TEXTS]
    outputs = [run(model, one) for one in ids]
    golden = {"base": spec["base"], "merged": not spec.get("apart", False), "ids": ids,
              "states": [shortest(o.hidden_states[-1][0]) for o in outputs]}
    if task == "CAUSAL_LM":
        golden["logits"] = [shortest(o.logits[0, -1]) for o in outputs]
    if task == "SEQ_CLS":
        golden["sequence"] = [shortest(o.logits[0]) for o in outputs]
    merged = [run(model.merge_and_unload(), one) for one in ids]
    apart = max(float((a.hidden_states[-1] - b.hidden_states[-1]).abs().max()) for a, b in zip(merged, outputs))
    rows = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in golden.items())
    (folder / "golden.json").write_text("{\n" + rows + "\n}\n")
    for p in folder.iterdir():
        p.chmod(0o644)
    print(f"{name}: {sum(p.stat().st_size for p in folder.iterdir())} bytes, {len(tensors)} tensors, merged differs by {apart:.1e}")


def main():
    tf.logging.set_verbosity_error()
    torch.set_num_threads(1)
    for name in sys.argv[1:] or ADAPTERS:
        make(name)


if __name__ == "__main__":
    main()

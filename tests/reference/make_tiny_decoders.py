#!/usr/bin/env python3
"""Writes tests/golden/models/NAME/: for every decoder a random model of some 30 k weights as a Hugging Face folder with
real configuration keys, tensor names and kind of tokenizer, and golden.json with what transformers computes in f32.

    python tests/reference/make_tiny_decoders.py [NAME …]

Needs torch, transformers 5, tokenizers, safetensors. Run by hand when a fixture must change (the results are committed);
no test runs it. Seeds are fixed. Weights are stored as F16, to be small, and the folder is read back as f32 with eager
attention, so that golden.json is of what the folder says. golden.json of a decoder:
  texts, ids      texts and their token ids
  columns         the vocabulary's columns that `logits` has; all of them would be too large
  logits          of every token of every text, (tokens x columns), flat
  largest         the largest |logit| of each text, over the whole vocabulary
  last            all logits of each text's last token
  kept            the same with keys and values rounded to f16 before attention, as quern keeps them
  states          for the text of number `text` (tokens x width) after the embeddings, after each layer and at the end, flat
  greedy          the likeliest tokens that follow each text, with such keys and values
of an embedding model, instead of logits and greedy:
  dense           the vector of each text, as its modules make it
"""
import contextlib
import json
import shutil
import sys

import torch
import transformers as tf
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from make_tiny_models import (CORPUS, OUT, byte_level, randomize, save_tokenizer, shortest, tensors_of, write_golden)

D, F, H, KV, LAYERS, CONTEXT = 32, 48, 4, 2, 2, 256
TEXTS = ["the quick fox", "naïve cafés: 你好 costs 50 cents",
         "the lazy user compared embeddings of sentences by cosine similarity, which is not lazy at all, is it? "
         "Robust embeddings of foxes compare 3 users: the quick fox costs 50 cents, the lazy fox 12,345 and what not.",
         "one two one two one two one two one two one two one two one two one two one two one two one two one two one "
         "two one two one two one two one two one two one two"]
WITH_STATES, N_COLUMNS, N_GREEDY = [1], 24, 24
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
         r"\s+(?!\S)|\s+")


# ---- tokenizers ----

def llama3_tokenizer(specials):
    def finish(t):
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        bos = specials["bos"]
        t.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1",
                                          special_tokens=[(bos, t.token_to_id(bos))])])
    return byte_level(specials, finish, vocab_size=320)


def qwen_tokenizer(specials, ends=False):
    def finish(t):
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(SPLIT.replace("{1,3}", "")), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        t.post_processor = processors.ByteLevel(trim_offsets=False)
        if ends:
            end = specials["end"]
            t.post_processor = processors.Sequence([t.post_processor, processors.TemplateProcessing(
                single=f"$A {end}", pair=f"$A {end} $B:1 {end}:1", special_tokens=[(end, t.token_to_id(end))])])
    return byte_level(specials, finish, normalizers.NFC(), vocab_size=320)


def sentencepiece(specials, gemma=False):
    """BPE as SentencePiece trains it, read by tokenizers: "▁" for spaces, <0xNN> for what has no piece."""
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token=specials["unk"]))
    if gemma:
        t.normalizer = normalizers.Replace(" ", "▁")
        t.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    else:
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                       decoders.Strip(" ", 1, 0)])
    marks = list(specials.values()) + [f"<0x{byte:02X}>" for byte in range(256)]
    corpus = [text for text in CORPUS if "你" not in text]
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=360, special_tokens=marks, show_progress=False,
                                                      max_token_length=8))
    bos = specials["bos"]
    t.post_processor = processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1",
                                                     special_tokens=[(bos, t.token_to_id(bos))])
    made = json.loads(t.to_str())
    made["added_tokens"] = [a for a in made["added_tokens"] if a["content"] in specials.values()]  # bytes are none
    return Tokenizer.from_str(json.dumps(made))


LLAMA3 = {"bos": "<|begin_of_text|>", "eos": "<|end_of_text|>", "eot": "<|eot_id|>"}
LLAMA2 = {"unk": "<unk>", "bos": "<s>", "eos": "</s>"}
QWEN = {"end": "<|endoftext|>", "start": "<|im_start|>", "turn": "<|im_end|>"}
GEMMA = {"pad": "<pad>", "eos": "<eos>", "bos": "<bos>", "unk": "<unk>", "turn": "<end_of_turn>"}
PHI3 = {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "end": "<|endoftext|>", "turn": "<|end|>"}


# ---- architectures ----

def common(t, specials, **more):
    id_of = {name: t.token_to_id(piece) for name, piece in specials.items()}
    settings = dict(vocab_size=t.get_vocab_size(), hidden_size=D, num_hidden_layers=LAYERS, num_attention_heads=H,
                    num_key_value_heads=KV, intermediate_size=F, max_position_embeddings=CONTEXT, initializer_range=0.2,
                    bos_token_id=id_of.get("bos", id_of.get("end")), eos_token_id=id_of.get("eos", id_of.get("turn")),
                    pad_token_id=id_of.get("pad"))
    return {**settings, **more}


def pattern(layers, period):
    return ["full_attention" if (i + 1) % period == 0 else "sliding_attention" for i in range(layers)]


def rope(kind="default", theta=10000.0, **more):
    return {"rope_type": kind, "rope_theta": theta, **more}


def gemma3_config(t, **more):
    # The window with the faster turns, and full attention with slow ones that are stretched.
    return tf.Gemma3TextConfig(**common(t, GEMMA, num_hidden_layers=4, head_dim=10, sliding_window=16,
                                        layer_types=pattern(4, 3), query_pre_attn_scalar=24, rope_parameters={
                                            "full_attention": rope("linear", 1000000.0, factor=8.0),
                                            "sliding_attention": rope(theta=10000.0)}, **more))


ARCHITECTURES = {
    "llama": dict(specials=LLAMA3, tokenizer=llama3_tokenizer, config=lambda t: tf.LlamaConfig(
        **common(t, LLAMA3, rope_parameters=rope("llama3", 500000.0, factor=8.0, low_freq_factor=1.0,
                                                 high_freq_factor=4.0, original_max_position_embeddings=64)))),
    "llama_tied": dict(specials=LLAMA2, tokenizer=sentencepiece, config=lambda t: tf.LlamaConfig(
        **common(t, LLAMA2, tie_word_embeddings=True, num_attention_heads=3, num_key_value_heads=1, hidden_size=36,
                 rope_parameters=rope(theta=100000.0)))),
    "llama_bias": dict(specials=LLAMA2, tokenizer=sentencepiece, config=lambda t: tf.LlamaConfig(
        **common(t, LLAMA2, attention_bias=True, num_hidden_layers=1, rope_parameters=rope(theta=10000.0)))),
    "mistral": dict(specials=LLAMA2, tokenizer=sentencepiece, sharded=True, config=lambda t: tf.MistralConfig(
        **common(t, LLAMA2, sliding_window=20, head_dim=16))),
    "qwen2": dict(specials=QWEN, tokenizer=qwen_tokenizer, config=lambda t: tf.Qwen2Config(
        **common(t, QWEN, tie_word_embeddings=True, rope_parameters=rope(theta=1000000.0)))),
    "qwen3": dict(specials=QWEN, tokenizer=qwen_tokenizer, config=lambda t: tf.Qwen3Config(
        **common(t, QWEN, head_dim=12, rope_parameters=rope(theta=1000000.0)))),
    "gemma": dict(specials=GEMMA, tokenizer=lambda s: sentencepiece(s, True), config=lambda t: tf.GemmaConfig(
        **common(t, GEMMA, head_dim=10, hidden_act="gelu"))),
    "gemma2": dict(specials=GEMMA, tokenizer=lambda s: sentencepiece(s, True), config=lambda t: tf.Gemma2Config(
        **common(t, GEMMA, num_hidden_layers=3, head_dim=16, sliding_window=20, layer_types=pattern(3, 2),
                 query_pre_attn_scalar=20, attn_logit_softcapping=5.0, final_logit_softcapping=3.0))),
    "gemma3": dict(specials=GEMMA, tokenizer=lambda s: sentencepiece(s, True), config=gemma3_config),
    "phi3": dict(specials=PHI3, tokenizer=sentencepiece, config=lambda t: tf.Phi3Config(
        **common(t, PHI3, num_key_value_heads=H, sliding_window=47, original_max_position_embeddings=CONTEXT))),
    "phi3_longrope": dict(specials=PHI3, tokenizer=sentencepiece, config=lambda t: tf.Phi3Config(
        **common(t, PHI3, sliding_window=CONTEXT, original_max_position_embeddings=64, rope_parameters=rope(
            "longrope", short_factor=[1.0, 1.05, 1.1, 1.3], long_factor=[1.1, 1.8, 3.5, 4.0],
            original_max_position_embeddings=64)))),
    "embedding_gemma": dict(specials=GEMMA, tokenizer=lambda s: sentencepiece(s, True), embeds="mean",
                            config=lambda t: gemma3_config(t, use_bidirectional_attention=True)),
    "qwen3_embedding": dict(specials=QWEN, tokenizer=lambda s: qwen_tokenizer(s, True), embeds="lasttoken",
                            config=lambda t: tf.Qwen3Config(**common(t, QWEN, head_dim=8, rope_parameters=rope(
                                theta=1000000.0)))),
}


# ---- what sentence-transformers adds ----

PROMPTS = {"mean": {"query": "task: search result | query: ", "document": "title: none | text: "},
           "lasttoken": {"query": "Instruct: Given a query, find what answers it\nQuery:", "document": ""}}


def add_modules(folder, pooling):
    kinds = ["Transformer", "Pooling"] + (["Dense", "Dense"] if pooling == "mean" else []) + ["Normalize"]
    names = [("" if i == 0 else f"{i}_{kind}") for i, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps([
        {"idx": i, "name": str(i), "path": names[i], "type": "sentence_transformers.models." + kind}
        for i, kind in enumerate(kinds)], indent=1) + "\n")
    dense, width = [], D
    for name, kind in zip(names, kinds):
        if kind == "Transformer":
            continue
        (folder / name).mkdir()
        settings = {}
        if kind == "Pooling":
            settings = {"word_embedding_dimension": D, f"pooling_mode_{pooling}{'_tokens' if pooling == 'mean' else ''}": True}
        if kind == "Dense":
            to = {D: 48, 48: 24}[width]
            layer = torch.nn.Linear(width, to, bias=False)
            settings = {"in_features": width, "out_features": to, "bias": False,
                        "activation_function": "torch.nn.modules.linear.Identity"}
            save_file({"linear.weight": layer.weight.detach().half()}, folder / name / "model.safetensors")
            dense.append(layer.weight.detach().half().float())
            width = to
        (folder / name / "config.json").write_text(json.dumps(settings) + "\n")
    (folder / "config_sentence_transformers.json").write_text(json.dumps(
        {"prompts": PROMPTS[pooling], "default_prompt_name": None, "similarity_fn_name": "cosine"}, indent=1) + "\n")
    return dense


def vectors(hidden, pooling, dense):
    for states in hidden:
        x = states.mean(0) if pooling == "mean" else states[-1]
        for weight in dense:
            x = weight @ x
        yield torch.nn.functional.normalize(x, dim=0)


# ---- a fixture ----

def save_weights(folder, tensors, sharded):
    halves = {name: t.half().contiguous() for name, t in tensors.items()}
    if not sharded:
        return save_file(halves, folder / "model.safetensors", {"format": "pt"})
    names = sorted(halves)
    parts = [names[:len(names) // 2], names[len(names) // 2:]]
    where = {}
    for i, part in enumerate(parts):
        file = f"model-{i + 1:05}-of-{len(parts):05}.safetensors"
        save_file({name: halves[name] for name in part}, folder / file, {"format": "pt"})
        where.update({name: file for name in part})
    total = sum(t.numel() * 2 for t in halves.values())
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"metadata": {"total_size": total}, "weight_map": where}, indent=1) + "\n")


@contextlib.contextmanager
def rounding_keys_and_values(model):
    module = sys.modules[type(model).__module__]
    exact = module.eager_attention_forward
    module.eager_attention_forward = lambda m, q, k, v, *more, **named: exact(
        m, q, k.half().float(), v.half().float(), *more, **named)
    try:
        yield
    finally:
        module.eager_attention_forward = exact


def states_of(outputs):
    return [{"text": i, "layers": [shortest(h[0]) for h in outputs[i].hidden_states]} for i in WITH_STATES]


def golden_of_decoder(folder, ids):
    model = tf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    n = model.config.vocab_size
    columns = sorted(torch.randperm(n)[:N_COLUMNS].tolist())
    golden = {"columns": columns, "logits": [], "largest": [], "last": [], "kept": [], "greedy": []}
    outputs = []
    with torch.no_grad():
        for one in ids:
            outputs.append(model(torch.tensor([one]), output_hidden_states=True, use_cache=False))
            logits = outputs[-1].logits[0]
            golden["logits"].append(shortest(logits[:, columns]))
            golden["largest"].append(float(str(logits.abs().max().item())))
            golden["last"].append(shortest(logits[-1]))
            with rounding_keys_and_values(model):
                golden["kept"].append(shortest(model(torch.tensor([one]), use_cache=False).logits[0, -1]))
                # Step by step over the whole text: what longrope does at a length does not depend on a cache's past.
                text = list(one)
                for _ in range(N_GREEDY):
                    text.append(int(model(torch.tensor([text]), use_cache=False).logits[0, -1].argmax()))
                golden["greedy"].append(text[len(one):])
    return golden, outputs


def golden_of_embedder(folder, ids, pooling):
    dense = add_modules(folder, pooling)
    model = tf.AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        outputs = [model(torch.tensor([one]), output_hidden_states=True) for one in ids]
        hidden = [o.last_hidden_state[0] for o in outputs]
        return {"dense": [shortest(v) for v in vectors(hidden, pooling, dense)]}, outputs


def make(name):
    spec = ARCHITECTURES[name]
    torch.manual_seed(11)
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_tokenizer(spec["tokenizer"](spec["specials"]), spec["specials"], folder, CONTEXT)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = spec["config"](tokenizer)
    pooling = spec.get("embeds")
    model = randomize((tf.AutoModel if pooling else tf.AutoModelForCausalLM).from_config(config))
    tensors, saved = tensors_of(model)
    save_weights(folder, tensors, spec.get("sharded", False))
    saved["dtype"] = "float16"
    (folder / "config.json").write_text(json.dumps(saved, indent=1) + "\n")
    if not pooling:
        ends = [tokenizer.token_to_id(spec["specials"][k]) for k in ("eos", "eot", "end", "turn") if k in spec["specials"]]
        (folder / "generation_config.json").write_text(json.dumps(
            {"bos_token_id": config.bos_token_id, "eos_token_id": ends, "do_sample": False}) + "\n")
    ids = [tokenizer.encode(text).ids for text in TEXTS]
    golden = {"texts": TEXTS, "ids": ids}
    more, outputs = golden_of_embedder(folder, ids, pooling) if pooling else golden_of_decoder(folder, ids)
    golden |= more | {"states": states_of(outputs)}
    write_golden(folder, golden)
    for p in folder.rglob("*"):
        if p.is_file():
            p.chmod(0o644)
    total = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    print(f"{name}: {total} bytes, {[len(i) for i in ids]} tokens, largest {golden.get('largest')}")


def main():
    tf.logging.set_verbosity_error()
    torch.set_num_threads(1)
    for name in sys.argv[1:] or ARCHITECTURES:
        make(name)


if __name__ == "__main__":
    main()

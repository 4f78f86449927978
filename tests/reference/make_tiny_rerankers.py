#!/usr/bin/env python3
"""Writes tests/golden/rerankers/NAME/: language models that rank pairs of texts, as sentence-transformers saves them or as
their makers publish them, random and of some 30 k weights; and golden.json, the scores of sentence-transformers' CrossEncoder,
or of transformers by the published steps.

    python tests/reference/make_tiny_rerankers.py [NAME …]

Needs torch, transformers 5, sentence-transformers 6, tokenizers, safetensors. Run by hand when a fixture must change; no test
runs it. Seeds are fixed; weights are stored as F16 and run as f32. golden.json of a folder is a list of
  instruction   what the model is told; null: nothing by the caller, so that the model's own prompt counts
  query, document
  score, raw    after and before the activation
  ids           the tokens
  max_length    0, or what the pair is cut to
"""
import json
import shutil
import sys

import torch
import transformers as tf
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from tokenizers import Tokenizer

import make_tiny_decoders as decoders
from make_tiny_models import CORPUS, OUT, randomize, save_tokenizer, shortest, tensors_of

GOLDEN = OUT.parent / "rerankers"
CONTEXT, CUT = 512, 40
PAIRS = [("quick fox", "the lazy user compared embeddings"), ("what costs 50 cents?", "sentences of cosine similarity"),
         ("what costs 50 cents?", "naïve cafés: 你好 costs 50 cents"), ("quick fox", ""),
         ("what costs 50 cents?", "Robust embeddings of foxes compare users. " * 4)]
ANSWERS = ["yes", "no", "Yes", "No"]
SYSTEM = ('Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer '
          'can only be "yes" or "no".')
TASK = "Given a web search query, retrieve relevant passages that answer the query"
PREFIX = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"
SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


def content(role, of=".content"):
    return "(messages | selectattr('role', 'eq', '" + role + "') | first)" + of


ROLES = (PREFIX + "<Instruct>: {{ messages | selectattr('role', 'eq', 'system') | map(attribute='content') | first | default('"
         + TASK + "') }}\n<Query>: {{ " + content("query") + " }}\n<Document>: {{ " + content("document") + " }}" + SUFFIX + "\n")
PARTS = ("{% if add_generation_prompt %}<|im_start|>{% endif %}system\n{{ " + content("query", ".content[0].text")
         + " }}<|im_end|>\n<|im_start|>user\n{{ " + content("document", ".content[0].text") + " }}<|im_end|>\nassistant\n")
TURNS = "{% for m in messages %}{% if m.role in ['user', 'assistant'] %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"


def answering(make, specials):
    CORPUS.extend([*ANSWERS, *ANSWERS] * 8)
    try:
        tokenizer = make(specials)
    finally:
        del CORPUS[-16 * len(ANSWERS) // 2:]
    assert all(tokenizer.token_to_id(a) is not None for a in ANSWERS), "an answer is no token"
    return tokenizer


def save_model(folder, make, specials, config, cls, template=None):
    torch.manual_seed(13)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_tokenizer(answering(make, specials), specials, folder, CONTEXT)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"padding_side": "left", **{f"{name}_token": specials[name] for name in ("bos", "eos", "unk") if name in specials}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    if template:
        (folder / "chat_template.jinja").write_text(template)
    model = randomize(cls.from_config(config(Tokenizer.from_file(str(folder / "tokenizer.json")))))
    tensors, saved = tensors_of(model)
    decoders.save_weights(folder, tensors, False)
    saved["dtype"] = "float16"
    (folder / "config.json").write_text(json.dumps(saved, indent=1) + "\n")


def entries(cross, instructions, cut=True):
    """The scores of a CrossEncoder, with the ids that it made; of long pairs cut ones too."""
    found, usual = [], cross.max_length
    for shortened in (False, True)[:1 + cut]:
        limit = max(len(e["ids"]) for e in found) - CUT if shortened else 0
        cross.max_length = limit or usual
        for instruction in instructions:
            for query, document in PAIRS:
                pair = [(query, document)]
                prompt = instruction if instruction is not None else cross.prompts.get(cross.default_prompt_name)
                ids = cross.preprocess(pair, prompt=prompt)["input_ids"][0].tolist()
                found.append({"instruction": instruction, "query": query, "document": document, "max_length": limit, "ids": ids,
                              "score": float(cross.predict(pair, prompt=instruction)[0]),
                              "raw": float(cross.predict(pair, prompt=instruction, activation_fn=torch.nn.Identity())[0])})
    return found


def finish(folder, found):
    for card in folder.rglob("README.md"):
        card.unlink()
    for p in folder.rglob("*"):
        if p.is_file():
            p.chmod(0o644)
    (folder / "golden.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    total = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    print(f"{folder.name}: {total} bytes, scores {[round(e['raw'], 3) for e in found[:5]]}, tokens {[len(e['ids']) for e in found]}")


def logit_score(name, make, specials, config, template, yes, no, activation=None, task="text-generation", **more):
    """Saved by sentence-transformers: modules.json, 1_LogitScore, its settings."""
    plain = GOLDEN / (name + ".plain")
    save_model(plain, make, specials, config, tf.AutoModelForCausalLM, template)
    kwargs = {"dtype": torch.float32, "attn_implementation": "eager"}
    transformer = Transformer(str(plain), transformer_task=task, model_kwargs=kwargs, **more)
    ids = [transformer.tokenizer.convert_tokens_to_ids(a) if a else None for a in (yes, no)]
    cross = CrossEncoder(modules=[transformer, LogitScore(*ids)], device="cpu", activation_fn=activation,
                         prompts={"web": TASK, "same": "Find texts of the same topic"}, default_prompt_name="same")
    folder = GOLDEN / name
    shutil.rmtree(folder, ignore_errors=True)
    cross.save_pretrained(str(folder))
    for weights in folder.glob("model*.safetensors"):
        weights.unlink()
    shutil.copy(plain / "model.safetensors", folder)
    shutil.rmtree(plain)
    cross = CrossEncoder(str(folder), device="cpu", model_kwargs=kwargs)
    finish(folder, entries(cross, [None, "Is it of foxes?"]))


def sequence(name, template):
    folder = GOLDEN / name
    save_model(folder, decoders.qwen_tokenizer, QWEN, lambda t: tf.Qwen3Config(**decoders.common(
        t, QWEN, head_dim=12, num_labels=1, pad_token_id=t.token_to_id("<|endoftext|>"), max_position_embeddings=CONTEXT)),
        tf.AutoModelForSequenceClassification, template)
    cross = CrossEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"})
    finish(folder, entries(cross, [None, "Is it of foxes?"] if template else [None], template is not None))


def scores_of(folder, pairs, yes, no):
    model = tf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        for entry in pairs:
            logits = model(torch.tensor([entry["ids"]])).logits[0, -1]
            entry["raw"] = float(logits[yes] - logits[no]) if no is not None else float(logits[yes])
            entry["score"] = float(torch.sigmoid(torch.tensor(entry["raw"])))
    return pairs


def qwen3_published():
    """The steps of Qwen3-Reranker's card: a folder without modules whose chat template is that of conversations."""
    folder = GOLDEN / "Qwen3-Reranker-tiny"
    save_model(folder, decoders.qwen_tokenizer, QWEN, lambda t: tf.Qwen3Config(**decoders.common(
        t, QWEN, head_dim=12, tie_word_embeddings=True, max_position_embeddings=CONTEXT)), tf.AutoModelForCausalLM, TURNS)
    t = tf.AutoTokenizer.from_pretrained(folder)
    prefix, suffix = (t.encode(part, add_special_tokens=False) for part in (PREFIX, SUFFIX))
    pairs = []
    for shortened in (False, True):
        limit = max(len(e["ids"]) for e in pairs) - CUT if shortened else 0
        for instruction in (None, "Is it of foxes?"):
            for query, document in PAIRS:
                text = f"<Instruct>: {instruction or TASK}\n<Query>: {query}\n<Document>: {document}"
                cut = {"truncation": True, "max_length": limit - len(prefix) - len(suffix)} if limit else {}
                pairs.append({"instruction": instruction, "query": query, "document": document, "max_length": limit,
                              "ids": prefix + t(text, **cut)["input_ids"] + suffix})
    finish(folder, scores_of(folder, pairs, *t.convert_tokens_to_ids(["yes", "no"])))


def gemma_published():
    """The steps of bge-reranker-v2-gemma's card."""
    folder = GOLDEN / "bge-reranker-v2-gemma-tiny"
    save_model(folder, lambda s: decoders.sentencepiece(s, True), GEMMA, lambda t: tf.GemmaConfig(**decoders.common(
        t, GEMMA, head_dim=10, max_position_embeddings=CONTEXT)), tf.AutoModelForCausalLM)
    t = tf.AutoTokenizer.from_pretrained(folder)
    told = ("Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
            "prediction of either 'Yes' or 'No'.")
    ids_of = lambda text: t(text, add_special_tokens=False)["input_ids"]
    pairs = []
    for shortened in (False, True):
        limit = max(len(e["ids"]) for e in pairs) - CUT if shortened else 0
        for query, document in PAIRS:
            head = [t.bos_token_id] + ids_of(f"A: {query}")
            middle, end = ids_of("\n") + ids_of(f"B: {document}"), ids_of("\n") + ids_of(told)
            if limit:
                middle = middle[:limit - len(head) - len(end)]
            pairs.append({"instruction": None, "query": query, "document": document, "max_length": limit, "ids": head + middle + end})
    finish(folder, scores_of(folder, pairs, ids_of("Yes")[0], None))


QWEN, GEMMA = {**decoders.QWEN, "think": "<think>", "thought": "</think>"}, decoders.GEMMA
MAKE = {
    "qwen3_logit_score": lambda: logit_score(
        "qwen3_logit_score", decoders.qwen_tokenizer, QWEN, lambda t: tf.Qwen3Config(**decoders.common(
            t, QWEN, head_dim=12, max_position_embeddings=CONTEXT)), ROLES, "yes", "no"),
    # One token, content in parts, a variable of the template, the logit as it is.
    "qwen2_one_token": lambda: logit_score(
        "qwen2_one_token", decoders.qwen_tokenizer, QWEN, lambda t: tf.Qwen2Config(**decoders.common(
            t, QWEN, tie_word_embeddings=True, max_position_embeddings=CONTEXT)), PARTS, "Yes", None, torch.nn.Identity(),
        processing_kwargs={"chat_template": {"add_generation_prompt": True}}),
    # Capped logits, and pairs that the tokenizer puts together.
    "gemma2_plain": lambda: logit_score(
        "gemma2_plain", lambda s: decoders.sentencepiece(s, True), GEMMA, lambda t: tf.Gemma2Config(**decoders.common(
            t, GEMMA, head_dim=16, sliding_window=20, query_pre_attn_scalar=20, attn_logit_softcapping=5.0,
            final_logit_softcapping=3.0, max_position_embeddings=CONTEXT)), None, "Yes", "No"),
    "qwen3_sequence": lambda: sequence("qwen3_sequence", ROLES),
    "qwen3_sequence_plain": lambda: sequence("qwen3_sequence_plain", None),
    "qwen3_published": qwen3_published,
    "gemma_published": gemma_published,
}


def main():
    tf.logging.set_verbosity_error()
    torch.set_num_threads(1)
    for name in sys.argv[1:] or MAKE:
        MAKE[name]()


if __name__ == "__main__":
    main()

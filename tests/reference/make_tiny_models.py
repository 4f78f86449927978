#!/usr/bin/env python3
"""Writes tests/golden/models/NAME/: for every architecture a random model of some 30 k weights as a Hugging Face folder
with real configuration keys, tensor names and kind of tokenizer, and golden.json with what transformers computes in f32.

    python tests/reference/make_tiny_models.py [NAME … | --spans]

Needs torch, transformers, tokenizers, safetensors. Run by hand when a fixture must change (the results are committed); no
test runs it. Seeds are fixed. Weights are stored as F16, to be small, and run as f32.

One model.safetensors holds the encoder and all heads that the architecture's classes have; a test picks one by writing
"architectures" into config.json. golden.json:
  texts, ids, types   texts or pairs of texts, their token ids and segment types
  states              for the text of number `text` (tokens x width) after the embeddings, after each layer and at the
                      end, flat
  sequence            logits of ForSequenceClassification, one row per text
  tokens              logits of ForTokenClassification, (tokens x labels) a text, flat
  spans               what TokenClassificationPipeline makes of each text (bert, aggregation "simple") under several
                      namings of the labels: begin and end in characters, entity group, score; --spans adds them alone
  masked              log(1 + relu(logits)) of ForMaskedLM, the largest over a text's tokens: what SPLADE gives
  sparse, multi       bge-m3's heads (xlm-roberta): weight of each token, and (tokens - 1 x 8) vectors of length 1
  dense               the vector of a 2_Dense module on the mean (t5), not normalized
"""
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
import transformers as tf
from safetensors.torch import load_file, save_file
from tokenizers import (AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "models"
TEXTS = ["the quick fox", "", "Robust embeddings of sentences!", "naïve cafés: 你好世界 👍🏽 costs 50 cents",
         "the lazy user compared embeddings of sentences by cosine similarity, which is not lazy at all, is it?"]
PAIRS = [("quick fox", "the lazy user compared embeddings"), ("what costs 50 cents?", "sentences of cosine similarity")]
WITH_STATES = [1, 4, 5]
CORPUS = TEXTS * 4 + ["embedding sentence similarity quick user compares lazy foxes cents costs robust which what not all"]
D, F, H, LAYERS, LABELS = 32, 48, 4, 2, 3


def shortest(x):
    return [float(str(v)) for v in np.asarray(x.detach(), dtype=np.float32).reshape(-1)]


# ---- tokenizers, one of each kind ----

def template(cls, sep, pair, types=(0, 1)):
    def make(tokenizer):
        ids = [(t, tokenizer.token_to_id(t)) for t in {cls, sep} if t]
        a, b = f"$A:{types[0]}", f"$B:{types[1]}"
        first = f"{cls}:0 " if cls else ""
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first}{a} {sep}:0", pair=f"{first}{a} " + pair.format(sep=sep, b=b, t=types[1]),
            special_tokens=ids)
    return make


BERT_PAIR, ROBERTA_PAIR, T5_PAIR = "{sep}:0 {b} {sep}:{t}", "{sep}:0 {sep}:0 {b} {sep}:{t}", "{sep}:0 {b} {sep}:{t}"


def wordpiece(specials, finish):
    t = Tokenizer(models.WordPiece(unk_token=specials["unk"]))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=160, special_tokens=list(specials.values()),
                                                            show_progress=False))
    finish(t)
    return t


def byte_level(specials, finish, normalizer=None, vocab_size=340):
    t = Tokenizer(models.BPE())
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=list(specials.values()), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    finish(t)
    return t


def unigram(specials, finish):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(tokenizers_regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(
        vocab_size=160, special_tokens=list(specials.values()), unk_token=specials["unk"], show_progress=False))
    finish(t)
    return t


def tokenizers_regex(pattern):
    from tokenizers import Regex
    return Regex(pattern)


BERT_SPECIALS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA_SPECIALS = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
T5_SPECIALS = {"pad": "<pad>", "sep": "</s>", "unk": "<unk>"}


# ---- architectures ----

def common(tokenizer, **more):
    return dict(vocab_size=tokenizer.get_vocab_size(), hidden_size=D, num_hidden_layers=LAYERS, num_attention_heads=H,
                intermediate_size=F, max_position_embeddings=66, initializer_range=0.2, num_labels=LABELS,
                hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **more)


def id2label():
    return {i: f"LABEL_{i}" for i in range(LABELS)}


ARCHITECTURES = {
    "bert": dict(
        tokenizer=lambda: wordpiece(BERT_SPECIALS, template("[CLS]", "[SEP]", BERT_PAIR)), specials=BERT_SPECIALS,
        config=lambda t: tf.BertConfig(**common(t)), classes=("Bert", "bert")),
    "roberta": dict(
        tokenizer=lambda: byte_level(ROBERTA_SPECIALS, template("<s>", "</s>", ROBERTA_PAIR, (0, 0))),
        specials=ROBERTA_SPECIALS,
        config=lambda t: tf.RobertaConfig(**common(t, type_vocab_size=1, layer_norm_eps=1e-5)),
        classes=("Roberta", "roberta")),
    "xlm-roberta": dict(
        tokenizer=lambda: unigram(ROBERTA_SPECIALS, template("<s>", "</s>", ROBERTA_PAIR, (0, 0))),
        specials=ROBERTA_SPECIALS,
        config=lambda t: tf.XLMRobertaConfig(**common(t, type_vocab_size=1, layer_norm_eps=1e-5)),
        classes=("XLMRoberta", "roberta")),
    "distilbert": dict(
        tokenizer=lambda: wordpiece(BERT_SPECIALS, template("[CLS]", "[SEP]", BERT_PAIR, (0, 0))), specials=BERT_SPECIALS,
        config=lambda t: tf.DistilBertConfig(vocab_size=t.get_vocab_size(), dim=D, n_layers=LAYERS, n_heads=H,
                                             hidden_dim=F, max_position_embeddings=64, initializer_range=0.2,
                                             num_labels=LABELS, dropout=0.0, attention_dropout=0.0,
                                             seq_classif_dropout=0.0, qa_dropout=0.0),
        classes=("DistilBert", "distilbert")),
    "mpnet": dict(
        tokenizer=lambda: wordpiece(ROBERTA_SPECIALS, template("<s>", "</s>", ROBERTA_PAIR, (0, 0))),
        specials=ROBERTA_SPECIALS,
        config=lambda t: tf.MPNetConfig(**common(t, pad_token_id=1)),
        classes=("MPNet", "mpnet")),
    "nomic_bert": dict(
        tokenizer=lambda: wordpiece(BERT_SPECIALS, template("[CLS]", "[SEP]", BERT_PAIR)), specials=BERT_SPECIALS,
        config=lambda t: tf.NomicBertConfig(**common(t)), classes=("NomicBert", "nomic_bert"), heads=()),
    "gte": dict(
        tokenizer=lambda: unigram(ROBERTA_SPECIALS, template("<s>", "</s>", ROBERTA_PAIR, (0, 0))),
        specials=ROBERTA_SPECIALS,
        config=lambda t: tf.GteConfig(**common(t, type_vocab_size=1)), classes=("Gte", "gte")),
    "modernbert": dict(
        tokenizer=lambda: byte_level(BERT_SPECIALS, template("[CLS]", "[SEP]", BERT_PAIR, (0, 0)), normalizers.NFC()),
        specials=BERT_SPECIALS,
        config=lambda t: tf.ModernBertConfig(vocab_size=t.get_vocab_size(), hidden_size=D, num_hidden_layers=4,
                                             num_attention_heads=H, intermediate_size=F, max_position_embeddings=64,
                                             initializer_range=0.2, initializer_cutoff_factor=4.0, local_attention=8,
                                             num_labels=LABELS, classifier_pooling="mean", pad_token_id=0,
                                             bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3),
        classes=("ModernBert", "model")),
    "deberta": dict(
        tokenizer=lambda: unigram(BERT_SPECIALS, template("[CLS]", "[SEP]", BERT_PAIR)), specials=BERT_SPECIALS,
        # Distances from 4 on share places, so that both halves of the log buckets are met.
        config=lambda t: tf.DebertaV2Config(**common(t, type_vocab_size=0, relative_attention=True, position_buckets=8,
                                                     norm_rel_ebd="layer_norm", share_att_key=True,
                                                     pos_att_type="p2c|c2p", position_biased_input=False)),
        classes=("DebertaV2", "deberta")),
    "t5": dict(
        tokenizer=lambda: unigram(T5_SPECIALS, template("", "</s>", T5_PAIR, (0, 0))), specials=T5_SPECIALS,
        config=lambda t: tf.T5Config(vocab_size=t.get_vocab_size(), d_model=D, d_kv=6, d_ff=F, num_layers=LAYERS,
                                     num_heads=H, relative_attention_num_buckets=8, relative_attention_max_distance=16,
                                     feed_forward_proj="gated-gelu", dropout_rate=0.0, initializer_factor=1.0),
        classes=("T5", "encoder"), heads=(), base="T5EncoderModel"),
}
HEADS = ("ForSequenceClassification", "ForTokenClassification", "ForMaskedLM")


def randomize(model):
    """As they are made, norms are (1, 0) and biases 0: a test would not see them. Weights end as F16 has them."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                scale_of_norm = "norm" in name.lower() and name.endswith("weight") or name.endswith("emb_ln.weight")
                p.copy_(torch.randn_like(p) * 0.2 + (1.0 if scale_of_norm else 0.0))
            elif "relative_attention_bias" in name:
                p.copy_(torch.randn_like(p))
            p.copy_(p.half().float())
    return model.eval()


def body_of(model, base):
    return next(m for m in model.modules() if type(m) is type(base))


def encode(tokenizer, text):
    return tokenizer.encode(*text) if isinstance(text, tuple) else tokenizer.encode(text)


def run(model, encoding, config, **more):
    inputs = {"input_ids": torch.tensor([encoding.ids])}
    if getattr(config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = torch.tensor([encoding.type_ids])
    with torch.no_grad():
        return model(**inputs, **more)


def save_tokenizer(tokenizer, specials, folder, max_length=64):
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False, lstrip=s == "<mask>")
                                  for s in specials.values()])
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False,
                                                      separators=(",", ":")))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": max_length}) + "\n")


def tensors_of(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.loads((pathlib.Path(folder) / "config.json").read_text())
        return load_file(pathlib.Path(folder) / "model.safetensors"), config


def add_heads(spec, config, base, encodings, tensors, golden):
    family, _ = spec["classes"]
    for head in spec.get("heads", HEADS):
        model = randomize(getattr(tf, family + head)(config))
        # Heads of the same name are the same weights in all classes.
        model.load_state_dict({k: v for k, v in tensors.items() if k in model.state_dict()}, strict=False)
        body_of(model, base).load_state_dict(base.state_dict(), strict=False)
        if head == "ForMaskedLM":
            model.tie_weights()
        own, _ = tensors_of(model)
        tensors.update(own)
        logits = [run(model, e, config).logits[0] for e in encodings]
        if head == "ForSequenceClassification":
            golden["sequence"] = [shortest(x) for x in logits]
        elif head == "ForTokenClassification":
            golden["tokens"] = [shortest(x) for x in logits]
        else:
            golden["masked"] = [shortest(torch.log1p(torch.relu(x)).max(0).values) for x in logits]


NAMINGS = [["O", "B-PER", "I-PER"], ["B-PER", "I-PER", "O"], ["I-PER", "O", "B-PER"], ["I-LOC", "I-PER", "B-PER"],
           ["LOC", "PER", "O"]]


def add_spans(folder):
    """Into the folder's golden.json; from its files alone, so that it can be run by itself."""
    tokenizer = tf.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"),
                                           **{f"{k}_token": v for k, v in BERT_SPECIALS.items()})
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    golden["spans"] = []
    for names in NAMINGS:
        model = tf.BertForTokenClassification.from_pretrained(folder, id2label=dict(enumerate(names)),
                                                              dtype=torch.float32)
        label = tf.TokenClassificationPipeline(model=model, tokenizer=tokenizer, aggregation_strategy="simple")
        golden["spans"].append({"labels": names, "spans": [
            [[int(s["start"]), int(s["end"]), s["entity_group"], float(str(np.float32(s["score"])))]
             for s in label(text)] if text else [] for text in TEXTS]})
    write_golden(folder, golden)


def write_golden(folder, golden):
    rows = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False, separators=(',', ':'))}"
                      for k, v in golden.items())
    (folder / "golden.json").write_text("{\n" + rows + "\n}\n", encoding="utf-8")


def add_bge_m3(folder, hidden, golden):
    sparse, multi = torch.nn.Linear(D, 1), torch.nn.Linear(D, 8)
    torch.save({k: v.half() for k, v in sparse.state_dict().items()}, folder / "sparse_linear.pt")
    torch.save({k: v.half() for k, v in multi.state_dict().items()}, folder / "colbert_linear.pt")
    for m in (sparse, multi):
        m.load_state_dict({k: v.half().float() for k, v in m.state_dict().items()})
    golden["sparse"] = [shortest(torch.relu(sparse(h))) for h in hidden]
    golden["multi"] = [shortest(torch.nn.functional.normalize(multi(h[1:]), dim=-1)) for h in hidden]


def add_dense(folder, hidden, golden):
    dense = torch.nn.Linear(D, 16, bias=False)
    with torch.no_grad():
        dense.weight.copy_(dense.weight.half().float())
    (folder / "1_Pooling").mkdir()
    (folder / "2_Dense").mkdir()
    module = "sentence_transformers.models."
    (folder / "modules.json").write_text(json.dumps([
        {"idx": 0, "name": "0", "path": "", "type": module + "Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": module + "Pooling"},
        {"idx": 2, "name": "2", "path": "2_Dense", "type": module + "Dense"}], indent=1) + "\n")
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(
        {"word_embedding_dimension": D, "pooling_mode_mean_tokens": True}) + "\n")
    (folder / "2_Dense" / "config.json").write_text(json.dumps(
        {"in_features": D, "out_features": 16, "bias": False,
         "activation_function": "torch.nn.modules.activation.Tanh"}) + "\n")
    save_file({"linear.weight": dense.weight.detach().half()}, folder / "2_Dense" / "model.safetensors")
    golden["dense"] = [shortest(torch.tanh(dense(h.mean(0)))) for h in hidden]


def make(name):
    spec = ARCHITECTURES[name]
    torch.manual_seed(7)
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tokenizer = spec["tokenizer"]()
    save_tokenizer(tokenizer, spec["specials"], folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = spec["config"](tokenizer)
    if name != "t5":
        config.pad_token_id = tokenizer.token_to_id(spec["specials"]["pad"])
    family, _ = spec["classes"]
    base_class = getattr(tf, spec.get("base", family + "Model"))
    try:
        base = base_class(config, add_pooling_layer=False)
    except TypeError:
        base = base_class(config)
    randomize(base)
    inputs = TEXTS + PAIRS
    encodings = [encode(tokenizer, t) for t in inputs]
    outputs = [run(base, e, config, output_hidden_states=True) for e in encodings]
    golden = {"texts": inputs, "ids": [e.ids for e in encodings], "types": [e.type_ids for e in encodings],
              "states": [{"text": i, "layers": [shortest(h[0]) for h in outputs[i].hidden_states] +
                          [shortest(outputs[i].last_hidden_state[0])]} for i in WITH_STATES]}
    tensors, saved = tensors_of(base)
    if spec.get("heads", HEADS):
        tensors = {}
    add_heads(spec, config, base, encodings, tensors, golden)
    hidden = [o.last_hidden_state[0] for o in outputs]
    if name == "xlm-roberta":
        add_bge_m3(folder, hidden, golden)
    if name == "t5":
        add_dense(folder, hidden, golden)
    save_file({k: v.half().contiguous() for k, v in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    saved["dtype"] = "float16"
    saved["id2label"] = {str(i): f"LABEL_{i}" for i in range(LABELS)}
    (folder / "config.json").write_text(json.dumps(saved, indent=1) + "\n")
    write_golden(folder, golden)
    if name == "bert":
        add_spans(folder)
    total = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    print(f"{name}: {total} bytes, {[len(i) for i in golden['ids']]} tokens")
    for p in folder.rglob("*"):
        if p.is_file():
            p.chmod(0o644)


def main():
    tf.logging.set_verbosity_error()
    torch.set_num_threads(1)
    if sys.argv[1:] == ["--spans"]:
        return add_spans(OUT / "bert")
    for name in sys.argv[1:] or ARCHITECTURES:
        make(name)


if __name__ == "__main__":
    main()

"""tests/golden/tokenizer_configs.json: what transformers makes of a tokenizer.json and the files of settings beside it.

    python make_tokenizer_configs.py [tests/golden/tokenizer_configs.json]

Each case: the files of a folder, and the ids of its texts as AutoTokenizer gives them (with special tokens, cut to
`max_length` where there is one). Written with transformers 5.24, tokenizers 0.22.
"""
import json
import os
import sys
import tempfile

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
WORDS = "the quick brown fox jumps over lazy dog Fox New NEW tool call cafe café 中 文 中文 e a b [ ] < > /".split()
TEXTS = ["The Quick fox", "a [NEW] fox", "the [TOOL]call[/TOOL] fox", "Café 中文", "  <extra> a<mask>b [MASK] dog", "<s>the</s>",
         "the quick brown fox jumps over the lazy dog", "new [new] NEW"]
CUT = 6


def word_piece(specials, lowercase=True):
    vocab = {w: i for i, w in enumerate(specials + WORDS + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz"])}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.add_special_tokens(specials)
    first, last = specials[2], specials[3]
    t.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", pair=f"{first} $A {last} $B:1 {last}:1",
                                                     special_tokens=[(first, 2), (last, 3)])
    return t


def byte_pairs():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {w: i for i, w in enumerate(["<unk>", "<s>", "</s>", "<pad>"] + letters + ["th", "the", "Ġthe"])}
    t = Tokenizer(models.BPE(vocab, [("t", "h"), ("th", "e"), ("Ġ", "the")], unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.add_special_tokens(["<unk>", "<s>", "</s>", "<pad>"])
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MPNET = ["<pad>", "[UNK]", "<s>", "</s>", "<mask>"]


def token(content, special=True, **flags):
    return {"content": content, "lstrip": False, "rstrip": False, "single_word": False, "normalized": not special, "special": special, **flags}


def decoder(base, *more):
    """As added_tokens_decoder: those of the file, and more."""
    known = {t["id"]: {k: v for k, v in t.items() if k != "id"} for t in json.loads(base.to_str())["added_tokens"]}
    n = base.get_vocab_size()
    return {**{str(i): t for i, t in known.items()}, **{str(n + i): t for i, t in enumerate(more)}}


def cases():
    bases = {"bert": word_piece(BERT), "cased": word_piece(BERT, lowercase=False), "mpnet": word_piece(MPNET), "bytes": byte_pairs()}
    specials = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    mp_specials = {"pad_token": "<pad>", "unk_token": "[UNK]", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>", "bos_token": "<s>", "eos_token": "</s>"}
    by_specials = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    for base, cls, model_type, named in (("bert", "BertTokenizer", "bert", specials), ("bert", "PreTrainedTokenizerFast", "bert", specials),
                                         ("cased", "BertTokenizer", "bert", specials), ("mpnet", "MPNetTokenizer", "mpnet", mp_specials),
                                         ("bytes", "PreTrainedTokenizerFast", "llama", by_specials)):
        b = bases[base]

        def case(what, config, **files):
            with_class = {"tokenizer_class": cls, **config}
            return {"what": f"{base} {cls}: {what}", "base": base, "model_type": model_type,
                    "files": {"tokenizer_config.json": with_class, **{k + ".json": v for k, v in files.items()}}}
        yield case("alone", {})
        yield case("names", named)
        yield case("decoder", {**named, "added_tokens_decoder": decoder(b)})
        yield case("one more in the decoder", {**named, "added_tokens_decoder": decoder(b, token("[NEW]"))})
        yield case("plain ones in the decoder", {**named, "added_tokens_decoder": decoder(b, token("[NEW]", False), token("[TOOL]", False, lstrip=True), token("[/TOOL]", False))})
        yield case("fewer in the decoder", {**named, "added_tokens_decoder": {k: v for k, v in decoder(b).items() if k not in ("4",)}})
        yield case("additional", {**named, "additional_special_tokens": ["[TOOL]", "[/TOOL]"]})
        yield case("additional, beside a decoder", {**named, "added_tokens_decoder": decoder(b), "additional_special_tokens": ["[TOOL]", "[NEW]"]})
        yield case("other flags in the decoder", {**named, "added_tokens_decoder": {**decoder(b), "4": token(b.id_to_token(4), lstrip=True, rstrip=True)}})
        yield case("tokens as objects", {**named, "mask_token": {"__type": "AddedToken", **token("[NEW]", lstrip=True, normalized=False)}})
        yield case("a known word is special", {**named, "additional_special_tokens": ["fox", "call"]})
        yield case("additional and extra", {**named, "additional_special_tokens": ["[NEW]"], "extra_special_tokens": ["[TOOL]"]})
        yield case("extra", {**named, "extra_special_tokens": ["[TOOL]", "[/TOOL]"]})
        yield case("extra by name", {**named, "extra_special_tokens": {"tool_token": "[TOOL]", "end_token": "[/TOOL]"}})
        yield case("a name of its own", {**named, "mask_token": "<extra>", "tool_token": "[TOOL]"})
        yield case("added_tokens.json", named, added_tokens={"[NEW]": b.get_vocab_size(), "[TOOL]": b.get_vocab_size() + 1})
        yield case("added_tokens.json, special by the map", named, added_tokens={"[NEW]": b.get_vocab_size()}, special_tokens_map={"additional_special_tokens": ["[NEW]"]})
        yield case("special_tokens_map.json", {}, special_tokens_map={**named, "additional_special_tokens": ["[TOOL]"], "mask_token": token("[NEW]", lstrip=True)})
        yield case("truncation side", {**named, "truncation_side": "left"})
        yield case("lower case", {**named, "do_lower_case": True})
        yield case("as it is", {**named, "do_lower_case": False})
        yield case("accents stay", {**named, "strip_accents": False})
        yield case("no Chinese", {**named, "tokenize_chinese_chars": False})
        yield case("a start", {**named, "add_bos_token": True})
        yield case("an end", {**named, "add_eos_token": True, "add_bos_token": False})
        yield case("no start", {**named, "add_bos_token": False})
    for cls, model_type in ((None, "bert"), (None, "nomic_bert"), (None, "distilbert"), (None, "electra"), (None, "modernbert"), (None, "new"),
                            ("DistilBertTokenizerFast", "distilbert"), ("ElectraTokenizerFast", "electra"), ("TokenizersBackend", "bert"), ("BertTokenizerFast", "new")):
        for what, config in (("cased", {"do_lower_case": False}), ("silent", {})):
            config = {**config, "tokenizer_class": cls} if cls else config
            yield {"what": f"{cls} of {model_type}: {what}", "base": "bert" if config.get("do_lower_case") is False else "cased", "model_type": model_type,
                   "files": {"tokenizer_config.json": config}}
    yield {"what": "no tokenizer_config.json", "base": "cased", "model_type": "bert", "files": {}}


def main():
    to = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "golden", "tokenizer_configs.json")
    bases = {"bert": word_piece(BERT), "cased": word_piece(BERT, lowercase=False), "mpnet": word_piece(MPNET), "bytes": byte_pairs()}
    done = []
    for c in cases():
        with tempfile.TemporaryDirectory() as d:
            bases[c["base"]].save(os.path.join(d, "tokenizer.json"))
            for name, content in {**c["files"], "config.json": {"model_type": c["model_type"]}}.items():
                with open(os.path.join(d, name), "w") as f:
                    json.dump(content, f)
            try:
                t = AutoTokenizer.from_pretrained(d)
                c["class"] = type(t).__name__
                c["ids"] = [t(x)["input_ids"] for x in TEXTS]
                c["cut"] = [t(x, truncation=True, max_length=CUT)["input_ids"] for x in TEXTS]
            except Exception as e:  # some files transformers itself does not read
                c["error"] = str(e)[:200]
        done.append(c)
    with open(to, "w") as f:
        json.dump({"texts": TEXTS, "max_length": CUT, "bases": {n: json.loads(b.to_str()) for n, b in bases.items()}, "cases": done}, f, ensure_ascii=False, separators=(",", ":"))


main()

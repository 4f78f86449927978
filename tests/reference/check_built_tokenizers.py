#!/usr/bin/env python3
"""Checks the tokenizers that quern builds where a folder has no tokenizer.json against transformers' own.

RoBERTa's <mask> takes the spaces before it in the models' own files but not in transformers 5: some texts with it differ.

  python check_built_tokenizers.py PATH_OF_tokenizer_lines [--keep FOLDER]

Trains small SentencePiece models and vocabularies into folders of each family, and compares ids over generated texts.
"""
import argparse
import json
import os
import subprocess
import tempfile

import sentencepiece
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import compare_tokenizer as compare
import make_tiny_tokenizers as tiny
import real_vocabularies


def spm(folder, file, kind, **options):
    texts = tiny.texts(21)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=os.path.join(folder, "m"), vocab_size=900, model_type=kind,
        minloglevel=2, hard_vocab_limit=False, **options)
    os.rename(os.path.join(folder, "m.model"), os.path.join(folder, file))
    os.remove(os.path.join(folder, "m.vocab"))


def bpe_files(folder, special):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(tiny.texts(22), trainer)
    tokenizer.model.save(folder)


def word_pieces(folder):
    golden = os.path.join(os.path.dirname(compare.__file__), "../golden/tokenizers/tiny_wordpiece.json")
    with open(golden, encoding="utf-8") as file:
        vocab = json.load(file)["model"]["vocab"]
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as file:
        file.write("".join(p + "\n" for p, _ in sorted(vocab.items(), key=lambda x: x[1])))


ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
FAMILIES = {
    "bert": (transformers.BertTokenizerFast, word_pieces, {}),
    "bert-cased": (transformers.BertTokenizerFast, word_pieces, {"do_lower_case": False, "strip_accents": False}),
    "gpt2": (transformers.GPT2TokenizerFast, lambda d: bpe_files(d, ["<|endoftext|>"]), {}),
    "roberta": (transformers.RobertaTokenizerFast, lambda d: bpe_files(d, ROBERTA), {}),
    "xlm-roberta": (transformers.XLMRobertaTokenizerFast,
                    lambda d: spm(d, "sentencepiece.bpe.model", "unigram", normalization_rule_name="nmt_nfkc"), {}),
    "t5": (transformers.T5TokenizerFast,
           lambda d: spm(d, "spiece.model", "unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1), {}),
    "llama": (transformers.LlamaTokenizerFast,
              lambda d: spm(d, "tokenizer.model", "bpe", byte_fallback=True, split_digits=True,
                            normalization_rule_name="identity", remove_extra_whitespaces=False), {}),
}


class SentencePieceSource(real_vocabularies.Source):
    """The same interface over a SentencePiece model."""

    def __init__(self, path):
        model = sentencepiece.SentencePieceProcessor(model_file=path)
        every = range(model.get_piece_size())
        self.tokens = [model.id_to_piece(i) for i in every]
        self.scores = [model.get_score(i) for i in every]
        self.types = [2 if model.is_unknown(i) else 3 if model.is_control(i) else 1 for i in every]
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.get = {"unknown_token_id": model.unk_id(), "bos_token_id": model.bos_id()}.get


def check(name, program, folder):
    make_class, write, settings = FAMILIES[name]
    os.makedirs(folder, exist_ok=True)
    write(folder)
    kind = name.split("-cased")[0]
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({"model_type": kind}, file)
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
        json.dump(dict(settings, tokenizer_class=make_class.__name__.replace("Fast", "")), file)
    if name == "llama":  # the class of transformers 5 is not what the models' own files say
        source = SentencePieceSource(os.path.join(folder, "tokenizer.model"))
        reference = transformers.PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(json.dumps(real_vocabularies.spm_bpe(source, True))))
    else:
        reference = make_class.from_pretrained(folder)
    generator = compare.Generator(5, [t for t in reference.all_special_tokens if isinstance(t, str)])
    texts = [generator.text(i).replace(b"\n", b" ").decode(errors="replace") for i in range(3000)]
    done = subprocess.run([program, folder], input="".join(t + "\n" for t in texts).encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True)
    different = 0
    for text, line in zip(texts, done.stdout.decode().splitlines()):
        want, got = reference(text)["input_ids"], json.loads(line)
        if want != got:
            different += 1
            if different <= 2:
                print(f"  {text[:80]!r}\n    reference {reference.convert_ids_to_tokens(want)[:30]}\n"
                      f"    quern     {reference.convert_ids_to_tokens(got)[:30]}")
    print(f"{name}: {len(texts) - different} of {len(texts)} texts equal")
    return different == 0


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("program")
    options.add_argument("--keep")
    options.add_argument("--only")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or scratch
        results = [check(name, args.program, os.path.join(root, name)) for name in FAMILIES
                   if args.only in (None, name)]
    raise SystemExit(not all(results))


if __name__ == "__main__":
    main()

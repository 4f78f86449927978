"""The tiny models that the server's tests serve, each made once: paths."""
import functools
import json
import os
import subprocess

import server  # noqa: F401  puts tests/cli on the path
from fixtures import MODELS, edit_json, late_folder, late_golden, tiny_llama, variant  # noqa: F401
from program import QUERN, _shared, model

CHATML = ("{% for m in messages %}{{ '<|im_start|>' ~ m['role'] ~ '\n' ~ m['content'] ~ '<|im_end|>\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
LABELS = ["calm", "odd \"name\"", "zealous"]
END = 0  # the generator's end-of-generation token


def made(make):
    """make(path) writes it; later calls return the same path."""
    @functools.cache
    def once():
        path = os.path.join(_shared, make.__name__)
        make(path)
        return path
    return once


def embedder():
    """64 values, prompts, 32 tokens; tiny.q8."""
    return model("q8")


def m3():
    """bge-m3's outputs: dense, sparse, multi-vector."""
    return os.path.join(MODELS, "xlm-roberta")


@made
def late(path):
    """Late interaction, as PyLate saves it."""
    late_folder(path, "pylate")


@made
def reranker(path):
    variant(path, "bert", "BertForSequenceClassification", ["RELEVANT"])


@made
def classifier(path):
    variant(path, "bert", "BertForSequenceClassification", LABELS)


@made
def inference(path):
    """Natural language inference."""
    variant(path, "deberta", "DebertaV2ForSequenceClassification", ["entailment", "neutral", "contradiction"])


@made
def tagger(path):
    variant(path, "bert", "BertForTokenClassification", ["O", "B-PER", "I-PER"])


@made
def splade(path):
    variant(path, "bert", "BertForMaskedLM")
    prefix = "sentence_transformers.sparse_encoder.models."
    os.mkdir(os.path.join(path, "1_SpladePooling"))
    for name, value in (("modules.json", [
            {"idx": 0, "name": "0", "path": "", "type": prefix + "MLMTransformer"},
            {"idx": 1, "name": "1", "path": "1_SpladePooling", "type": prefix + "SpladePooling"}]),
                        ("1_SpladePooling/config.json", {"pooling_strategy": "max", "activation_function": "relu"})):
        with open(os.path.join(path, name), "w", encoding="utf-8") as f:
            json.dump(value, f)


def decoder(path, layers, **settings):
    """A random one of 900 tokens with room for 8192."""
    tiny_llama(path, layers=layers)
    edit_json(path, "config.json", lambda c: c.update(max_position_embeddings=8192, eos_token_id=END))
    with open(os.path.join(path, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump({"eos_token": "<|endoftext|>", "model_max_length": 8192, **settings}, f)


@made
def generator(path):
    decoder(path, 2, chat_template=CHATML)


@made
def cool_generator(path):
    """With sampling of its own."""
    decoder(path, 2, chat_template=CHATML)
    with open(os.path.join(path, "generation_config.json"), "w", encoding="utf-8") as f:
        json.dump({"temperature": 0.5, "top_k": 7, "top_p": 0.9, "repetition_penalty": 1.2}, f)


@made
def short_generator(path):
    """With room for 512 tokens."""
    decoder(path, 1, chat_template=CHATML)
    edit_json(path, "config.json", lambda c: c.update(max_position_embeddings=512))


@made
def slow_generator(path):
    """Many layers, so that an answer takes a while."""
    decoder(path, 24, chat_template=CHATML)


@made
def slower_generator(path):
    """So that there is time to see it on a page, and to click."""
    decoder(path, 150, chat_template=CHATML)


@made
def plain_generator(path):
    decoder(path, 1)


def lines(texts):
    """As standard input of the program's `-f - --jsonl`."""
    return "".join(json.dumps({"text": t}) + "\n" for t in texts).encode()


def tokens(path, texts, *args):
    return quern_json("tokenize", "-m", path, "-f", "-", "--jsonl", *args, stdin=lines(texts))


def printed(*args, stdin=b""):
    """What the program prints."""
    return subprocess.run([QUERN, *map(str, args)], input=stdin, capture_output=True, check=True).stdout


def quern_json(*args, stdin=b""):
    """The same, a JSON value a line."""
    return [json.loads(line) for line in printed(*args, stdin=stdin).splitlines()]

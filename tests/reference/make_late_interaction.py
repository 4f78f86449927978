#!/usr/bin/env python3
"""Writes tests/golden/late/NAME/: what a folder of late interaction has beside its transformer (settings, modules and their weights),
as PyLate and sentence-transformers save it over the tiny models of make_tiny_models.py; and golden.json, the vectors and scores that
these libraries compute.

    python tests/reference/make_late_interaction.py [NAME …]

Needs torch, transformers, safetensors, scipy; for the names that begin with pylate PyLate 1.6 (which wants sentence-transformers 5.3),
for the others sentence-transformers 6.2. What is not installed is passed over. Run by hand when a fixture must change. Where
sentence-transformers 6.2 is installed, it also reads PyLate's folders, and must find what PyLate found.

golden.json: base (the tiny model that the files lie over), queries, documents, and of each text its vectors, as rows; scores[query][document];
unpooled: documents' rows before token pooling, in models that have it.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import sentence_transformers
import torch
from safetensors.torch import load_file, save_file

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
OUT = GOLDEN / "late"
QUERIES = ["quick fox", "what costs 50 cents? embeddings of robust sentences by users", ""]
DOCUMENTS = ["the lazy user compared embeddings!", "naïve cafés: 你好 costs 50 cents, is it?",
             "the quick fox compared sentences of embeddings, which robust user costs the lazy similarity all 50 cents, is it not?"]
KEPT = ("config_sentence_transformers.json", "modules.json", "sentence_bert_config.json", "artifact.metadata")
SPECIALS = {"mask_token": "[MASK]", "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
FLOATS = {"dtype": torch.float32}
NATIVE = int(sentence_transformers.__version__.split(".")[0]) >= 6


def rounded(rows):
    return [[float(str(v)) for v in row] for row in np.asarray(rows, np.float32)]


def halves(module):
    """Weights that a file of F16 keeps."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(p.half().float())
    return module


def base_folder(base, scratch):
    folder = pathlib.Path(scratch) / "base"
    shutil.copytree(GOLDEN / "models" / base, folder)
    (folder / "golden.json").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 64, **SPECIALS}) + "\n")
    return folder


def keep(name, saved):
    """Of what a library saved, all but the transformer's files, which are as they were."""
    to = OUT / name
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    (to / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 64, **SPECIALS}) + "\n")
    for file in KEPT:
        if (saved / file).exists():
            shutil.copy(saved / file, to / file)
    for folder in sorted(p for p in saved.iterdir() if p.is_dir() and (p / "config.json").exists()):
        shutil.copytree(folder, to / folder.name)
        weights = to / folder.name / "model.safetensors"
        if weights.exists():
            save_file({k: v.half() for k, v in load_file(weights).items()}, weights)


def write(name, base, queries, documents, scores, **more):
    golden = {"base": base, "queries": QUERIES, "documents": DOCUMENTS, "of_queries": [rounded(r) for r in queries],
              "of_documents": [rounded(r) for r in documents], "scores": rounded(scores), **more}
    (OUT / name / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")


def pylate(name, base, **options):
    from pylate import models
    with tempfile.TemporaryDirectory() as scratch:
        folder = base_folder(base, scratch)
        torch.manual_seed(11)
        model = models.ColBERT(str(folder), embedding_size=8, device="cpu", model_kwargs=FLOATS, **options)
        halves(model[1])
        saved = pathlib.Path(scratch) / "saved"
        model.save(str(saved))
        keep(name, saved)
        model = models.ColBERT(str(saved), device="cpu", model_kwargs=FLOATS)
        assert model[1].linear.weight.dtype == torch.float32
        with torch.no_grad():
            queries = model.encode(QUERIES, is_query=True, convert_to_numpy=True)
            documents = model.encode(DOCUMENTS, is_query=False, convert_to_numpy=True)
    scores = [[float((q @ d.T).max(1).sum()) for d in documents] for q in queries]
    write(name, base, queries, documents, scores)


def saved_by_pylate(name, base, **_):
    """sentence-transformers over a folder that PyLate saved."""
    found = encoded(name, base)
    golden = json.loads((OUT / name / "golden.json").read_text())
    for ours, theirs in zip(found[0] + found[1], golden["of_queries"] + golden["of_documents"]):
        assert ours.shape == np.shape(theirs) and np.abs(ours - np.asarray(theirs)).max() < 2e-6, name


def encoded(name, base):
    from sentence_transformers import MultiVectorEncoder
    with tempfile.TemporaryDirectory() as scratch:
        folder = base_folder(base, scratch)
        shutil.copytree(OUT / name, folder, dirs_exist_ok=True)
        model = MultiVectorEncoder(str(folder), device="cpu", model_kwargs=FLOATS)
        return ([np.asarray(v) for v in model.encode_query(QUERIES)], [np.asarray(v) for v in model.encode_document(DOCUMENTS)],
                model)


def native(name, base, modules, prompts, knobs, **options):
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Transformer
    with tempfile.TemporaryDirectory() as scratch:
        folder = base_folder(base, scratch)
        torch.manual_seed(12)
        transformer = Transformer(str(folder), model_kwargs=FLOATS, **knobs)
        model = MultiVectorEncoder(modules=[transformer, *[halves(m) for m in modules()]], prompts=prompts, device="cpu", **options)
        saved = pathlib.Path(scratch) / "saved"
        model.save(str(saved))
        keep(name, saved)
    queries, documents, model = encoded(name, base)
    more = {}
    if len(model) > 1 and type(model[-1]).__name__ == "HierarchicalTokenPooling":
        factor, model[-1].pool_factor = model[-1].pool_factor, 1
        more = {"factor": factor, "unpooled": [rounded(v) for v in model.encode_document(DOCUMENTS)]}
        model[-1].pool_factor = factor
    write(name, base, queries, documents, model.similarity(queries, documents), **more)


def two_dense():
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
    from sentence_transformers.sentence_transformer.modules import Normalize
    over = {"module_input_name": "token_embeddings"}
    return [Dense(32, 12, bias=True, activation_function=torch.nn.GELU(), use_residual=True, **over),
            Dense(12, 12, bias=False, activation_function=None, use_residual=True, **over),
            Dense(12, 8, bias=False, activation_function=torch.nn.Identity(), **over),
            MultiVectorMask(skiplist_words=["!", ",", "?"], skiplist_tasks=["query", "document"]),
            Normalize(module_input_name="token_embeddings")]


def pooled():
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling, MultiVectorMask
    from sentence_transformers.sentence_transformer.modules import Normalize
    over = {"module_input_name": "token_embeddings"}
    return [Dense(32, 8, bias=False, activation_function=torch.nn.Identity(), **over), MultiVectorMask(),
            Normalize(module_input_name="token_embeddings"), HierarchicalTokenPooling(pool_factor=2, num_protected_tokens=1)]


def stanford(name, base, metadata):
    """A checkpoint of Stanford's: the matrix lies among the transformer's tensors."""
    to = OUT / name
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    torch.manual_seed(13)
    tensors = {k: v for k, v in load_file(GOLDEN / "models" / base / "model.safetensors").items() if k.startswith("bert.")}
    save_file({**tensors, "linear.weight": torch.randn(8, 32).half()}, to / "model.safetensors")
    config = json.loads((GOLDEN / "models" / base / "config.json").read_text())
    (to / "config.json").write_text(json.dumps({**config, "architectures": ["HF_ColBERT"]}, indent=1) + "\n")
    (to / "artifact.metadata").write_text(json.dumps(metadata) + "\n")
    (to / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 64, **SPECIALS}) + "\n")
    queries, documents, model = encoded(name, base)
    write(name, base, queries, documents, model.similarity(queries, documents))


PYLATE = {
    "pylate": dict(base="bert", query_prefix="##x", document_prefix="##s", query_length=14, document_length=20),
    "pylate_seen": dict(base="modernbert", query_prefix="[MASK]", document_prefix="[UNK]", query_length=16, document_length=24,
                        attend_to_expansion_tokens=True, skiplist_words=["!", ","], bias=True),
    "pylate_plain": dict(base="bert", query_prefix="", document_prefix="", query_length=10, document_length=12, do_query_expansion=False,
                         skiplist_words=[]),
}
OTHERS = {
    "min_expansion": lambda name: native(name, "modernbert", two_dense, {"query": "quick ", "document": "the "}, dict(
        query_length=40, document_length=24, query_expansion={"strategy": "min", "attend": False, "length": 12})),
    "token_pooling": lambda name: native(name, "bert", pooled, {}, dict(document_length=32), similarity_fn_name="meanmaxsim"),
    "stanford": lambda name: stanford(name, "bert", {"query_maxlen": 12, "doc_maxlen": 18, "query_token_id": "##x", "doc_token_id": "##s",
                                                     "mask_punctuation": True, "attend_to_mask_tokens": False}),
}

for wanted in sys.argv[1:] or [*PYLATE, *OTHERS]:
    if wanted in PYLATE:
        (saved_by_pylate if NATIVE else pylate)(wanted, **PYLATE[wanted])
    elif NATIVE:
        OTHERS[wanted](wanted)

#!/usr/bin/env python3
"""Embedding throughput and fidelity of quern and its peers on the same texts, in interleaved rounds of one run.

  encoders.py --hf models/all-MiniLM-L6-v2 --texts texts.txt [--threads 2] [--rounds 3] [--peers torch,ort,ort8,ov8,ct2,llama]
              --quern './quern embed -m models/minilm.q8 -f {texts} -o {out} -t {threads} --quiet' ...

Needs numpy, tokenizers, torch, transformers, and for each peer its package (onnxruntime, openvino + nncf, ctranslate2); for
llama the folder $PEERS/llama.cpp with build/bin/llama-embedding. What cannot be imported is reported as not measured.
Every time counts text to vector: tokenizing, padding or packing, the model, mean pooling, normalizing. Peers get their best
known set-up: texts sorted by length, batches of 32, fused graphs, int8 kernels. quern's time is the whole process, start and
load included. Prints texts/s and tokens/s (median of the rounds), the ratio to the fastest int8 peer, and the cosine to
torch's float32 vectors (mean and worst).
"""
import argparse, os, statistics, subprocess, sys, tempfile, time
import numpy as np
from tokenizers import Tokenizer

a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
a.add_argument('--hf', required=True); a.add_argument('--texts', required=True)
a.add_argument('--threads', type=int, default=2); a.add_argument('--rounds', type=int, default=3)
a.add_argument('--max-length', type=int, default=256); a.add_argument('--batch', type=int, default=32)
a.add_argument('--peers', default='torch,ort,ort8,ct2,llama'); a.add_argument('--quern', action='append', default=[])
o = a.parse_args()
os.environ['OMP_NUM_THREADS'] = str(o.threads)
texts = open(o.texts, encoding='utf8').read().splitlines()
work = os.environ.get('PEERS', tempfile.gettempdir()) + '/export-' + os.path.basename(o.hf.rstrip('/'))
os.makedirs(work, exist_ok=True)
tok = Tokenizer.from_file(o.hf + '/tokenizer.json'); tok.enable_truncation(o.max_length); tok.enable_padding(pad_id=0, pad_token='[PAD]')
n_tokens = sum(sum(e.attention_mask) for e in tok.encode_batch(texts))

def encode(batch):
    e = tok.encode_batch(batch)
    return np.array([x.ids for x in e], np.int64), np.array([x.attention_mask for x in e], np.int64)

def pool(hidden, mask):
    m = mask[:, :, None].astype(np.float32); v = (hidden * m).sum(1) / m.sum(1)
    return v / np.linalg.norm(v, axis=1, keepdims=True)

def batched(run):
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    def all_texts():
        out = None
        for s in range(0, len(order), o.batch):
            idx = order[s:s + o.batch]; v = run([texts[i] for i in idx])
            if out is None: out = np.zeros((len(texts), v.shape[1]), np.float32)
            out[idx] = v
        return out
    return all_texts

def hf_model():
    from transformers import AutoModel
    return AutoModel.from_pretrained(o.hf, attn_implementation='eager').eval()

def onnx(kind):
    fp32, fused, int8 = (f'{work}/{n}.onnx' for n in ('fp32', 'fused', 'int8'))
    if not os.path.exists(int8):
        import torch; m = hf_model().requires_grad_(False)
        class Wrap(torch.nn.Module):
            def forward(s, input_ids, attention_mask, token_type_ids):
                return m(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state
        x = torch.ones(2, 16, dtype=torch.long); names = ['input_ids', 'attention_mask', 'token_type_ids']
        torch.onnx.export(Wrap(), (x, x, x * 0), fp32, input_names=names, output_names=['h'], opset_version=17, dynamo=False,
                          dynamic_axes={n: {0: 'b', 1: 's'} for n in names + ['h']})
        subprocess.run([sys.executable, '-m', 'onnxruntime.transformers.optimizer', '--input', fp32, '--output', fused, '--model_type', 'bert',
                        '--num_heads', str(m.config.num_attention_heads), '--hidden_size', str(m.config.hidden_size)], check=True, capture_output=True)
        from onnxruntime.quantization import quantize_dynamic, QuantType
        quantize_dynamic(fused, int8, weight_type=QuantType.QInt8, per_channel=True, extra_options={'DefaultTensorType': 1})
    return {'fp32': fp32, 'fused': fused, 'int8': int8}[kind]

def ort(kind):
    import onnxruntime as r
    opt = r.SessionOptions(); opt.intra_op_num_threads = o.threads
    s = r.InferenceSession(onnx(kind), opt, providers=['CPUExecutionProvider'])
    types = {i.name: np.int32 if 'int32' in i.type else np.int64 for i in s.get_inputs()}
    def run(batch):
        i, m = encode(batch); d = {'input_ids': i, 'attention_mask': m, 'token_type_ids': i * 0}
        return pool(s.run(None, {n: d[n].astype(t) for n, t in types.items()})[0], m)
    return batched(run)

def torch_fp32():
    import torch; torch.set_num_threads(o.threads)
    from transformers import AutoModel
    model = AutoModel.from_pretrained(o.hf).eval()
    def run(batch):
        i, m = encode(batch)
        with torch.inference_mode():
            return pool(model(input_ids=torch.from_numpy(i), attention_mask=torch.from_numpy(m)).last_hidden_state.numpy(), m)
    return batched(run)

def openvino_int8():
    import openvino as v; path = work + '/int8.xml'; core = v.Core(); core.set_property('CPU', {'INFERENCE_NUM_THREADS': o.threads})
    if not os.path.exists(path):
        import nncf
        def one(t):
            i = np.array([[k for k, m in zip(e.ids, e.attention_mask) if m] for e in [tok.encode(t)]], np.int64)
            return {'input_ids': i, 'attention_mask': np.ones_like(i), 'token_type_ids': i * 0}
        v.save_model(nncf.quantize(core.read_model(onnx('fp32')), nncf.Dataset(texts[:100], one), model_type=nncf.ModelType.TRANSFORMER, subset_size=100), path)
    c = core.compile_model(path, 'CPU'); names = [i.get_any_name() for i in c.inputs]
    def run(batch):
        i, m = encode(batch); d = {'input_ids': i, 'attention_mask': m, 'token_type_ids': i * 0}
        return pool(next(iter(c({n: d[n] for n in names}).values())), m)
    return batched(run)

def ctranslate2_int8():
    import ctranslate2
    if not os.path.exists(work + '/ct2'):
        subprocess.run(['ct2-transformers-converter', '--model', o.hf, '--output_dir', work + '/ct2', '--quantization', 'int8'], check=True, capture_output=True)
    e = ctranslate2.Encoder(work + '/ct2', device='cpu', compute_type='int8', intra_threads=o.threads)
    def run(batch):
        i, m = encode(batch); h = np.array(e.forward_batch([r[:k].tolist() for r, k in zip(i, m.sum(1))]).last_hidden_state)
        return pool(h, m[:, :h.shape[1]])
    return batched(run)

def llama_q8_0():
    root = os.environ['PEERS'] + '/llama.cpp'; f32, q8 = work + '/f32.gguf', work + '/q8_0.gguf'
    if not os.path.exists(q8):
        subprocess.run([sys.executable, root + '/convert_hf_to_gguf.py', o.hf, '--outtype', 'f32', '--outfile', f32], check=True, capture_output=True)
        subprocess.run([root + '/build/bin/llama-quantize', f32, q8, 'q8_0'], check=True, capture_output=True)
    # It cannot truncate: give it the same text cut where the tokenizer cuts it.
    t2 = Tokenizer.from_file(o.hf + '/tokenizer.json'); t2.no_padding(); t2.enable_truncation(min(o.max_length, 510) - 2)
    cut = work + '/cut.txt'; open(cut, 'w').write('\n'.join(x[:max(k[1] for k in e.offsets)] for x, e in zip(texts, t2.encode_batch(texts))) + '\n')
    import json
    def run():
        r = subprocess.run([root + '/build/bin/llama-embedding', '-m', q8, '-f', cut, '--embd-output-format', 'array', '-b', '512', '-ub', '512', '-c', '512',
                            '-t', str(o.threads), '--pooling', 'mean'], check=True, capture_output=True, text=True)
        return np.array(json.loads(r.stdout), np.float32)
    return run

def quern(command):
    out = work + '/quern.npy'
    def run():
        subprocess.run(command.format(texts=o.texts, out=out, threads=o.threads), shell=True, check=True, stdout=subprocess.DEVNULL)
        return np.load(out)
    return run

makers = {'torch': torch_fp32, 'ort': lambda: ort('fused'), 'ort8': lambda: ort('int8'), 'ov8': openvino_int8, 'ct2': ctranslate2_int8, 'llama': llama_q8_0}
runs = {}
for p in o.peers.split(','):
    try: runs[p] = makers[p]()
    except Exception as e: print(f'{p}: not measured: {type(e).__name__}: {str(e)[:200]}', file=sys.stderr)
for k, c in enumerate(o.quern): runs['quern' + (str(k + 1) if len(o.quern) > 1 else '')] = quern(c)
seconds, vectors = {n: [] for n in runs}, {}
for r in range(o.rounds):
    for n, f in runs.items():
        t = time.perf_counter(); vectors[n] = f(); seconds[n].append(time.perf_counter() - t)
reference = vectors.get('torch')
best = min((statistics.median(seconds[n]) for n in runs if n in ('ort8', 'ov8', 'ct2', 'llama')), default=None)
print(f'{len(texts)} texts, {n_tokens} tokens, {o.threads} threads, {o.rounds} rounds')
for n in runs:
    s = statistics.median(seconds[n]); line = f'{n:8s} {len(texts) / s:9.1f} texts/s {n_tokens / s:10.0f} tokens/s'
    if best: line += f'  x{best / s:5.2f} of the fastest int8 peer'
    if reference is not None and vectors[n].shape == reference.shape:
        c = (vectors[n] * reference).sum(1) / np.linalg.norm(vectors[n], axis=1) / np.linalg.norm(reference, axis=1)
        line += f'  cosine {c.mean():.5f} worst {c.min():.4f}'
    print(line)

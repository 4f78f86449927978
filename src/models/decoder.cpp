#include "models/decoder.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "error.h"
#include "exact_math.h"
#include "models/blocks.h"

namespace quern {

void Decoder::common_config(ConfigMap& map, Activation usual) {
  map.integer("vocab_size", "vocab_size", vocab, 1, 1 << 24, map.gguf_rows("token_embd.weight"));
  map.integer("context_length", "max_position_embeddings", context, 1, 1 << 24);
  map.integer("embedding_length", "hidden_size", D, 1, 1 << 16);
  map.integer("block_count", "num_hidden_layers", n_layers, 1, 1 << 10);
  map.integer("feed_forward_length", "intermediate_size", F, 1, 1 << 18);
  map.integer("attention.head_count", "num_attention_heads", H, 1, 1 << 10);
  map.integer("attention.head_count_kv", "num_key_value_heads", KV, 1, 1 << 10, H);
  map.integer("attention.key_length", "head_dim", d, 1, 1 << 10, std::clamp<int64_t>(D / H, 1, 1 << 10));
  int64_t value_length = d;
  map.integer("attention.value_length", nullptr, value_length, d, d, d);
  map.real("attention.layer_norm_rms_epsilon", "rms_norm_eps", eps, 0, 1, 1e-6);
  map.real("rope.freq_base",
           "rope_theta|rope_parameters.rope_theta|rope_parameters.full_attention.rope_theta|rope_parameters."
           "sliding_attention.rope_theta",
           rope.base, 1, 1e12, 10000);
  if (H % KV != 0)
    throw Error(Status::bad_file, map.source() + ": expected the " + std::to_string(H) +
                                      " heads to be a multiple of the heads of keys, found " + std::to_string(KV));
  map.integer("rope.dimension_count", nullptr, turned, 2, 1 << 10, d);
  if (turned > d || turned % 2 != 0)
    throw Error(Status::bad_file, map.source() + ": expected an even number of rotated values, at most the head's " +
                                      std::to_string(d) + ", found " + std::to_string(turned));
  if (scale == 0) scale = 1 / std::sqrt(static_cast<float>(d));
  both_ways(map);
  map.flag("attention.causal", causal);
  map.activation("hidden_activation", "hidden_activation|hidden_act", act, usual);
  rope_config(map);
}

namespace {

// Llama 3.1: long waves are slowed down by the factor, short ones are left, with a ramp between.
std::vector<float> llama3_divisors(int64_t n, double base, double factor, double low, double high, double original) {
  std::vector<float> divisors;
  for (int64_t i = 0; i < n; ++i) {
    const double wave = 2 * std::numbers::pi * power(base, static_cast<double>(i) / static_cast<double>(n));
    const double ramp = std::clamp((original / wave - low) / (high - low), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1 / ((1 - ramp) / factor + ramp)));
  }
  return divisors;
}

std::vector<float> as_floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

// Embedders made of decoders: their config.json says that tokens see what is behind them too.
void Decoder::both_ways(ConfigMap& map) {
  if (!map.hf_is("is_causal", "false")) return;
  double window = 0;
  if (map.hf_real("sliding_window", window, 0, 1e9) && !map.hf_is("use_sliding_window", "false"))
    throw Error(Status::unsupported,
                map.source() +
                    ": is_causal is false and sliding_window is set; quern runs attention in both directions "
                    "over whole texts, or as Gemma 3's use_bidirectional_attention has it");
  causal = false;
}

void Decoder::rope_config(ConfigMap& map) {
  map.gguf_expect("rope.scaling.type", {"none", "linear", "longrope"});
  map.real("rope.scaling.attn_factor", nullptr, rope_attention, 1e-3, 1e3, 1);
  map.integer(
      "rope.scaling.original_context_length",
      "rope_scaling.original_max_position_embeddings|rope_parameters.original_max_position_embeddings|original_max_"
      "position_embeddings",
      original_context, 1, 1 << 24, context);
  map.real("rope.scaling.factor", nullptr, rope.linear, 1e-3, 1e6, 1);
  if (!map.is_hf()) return;
  const auto is = [&](const char* kind) {
    return map.hf_is(
        "rope_scaling.rope_type|rope_scaling.type|rope_parameters.rope_type|rope_parameters.full_attention.rope_type",
        kind);
  };
  const auto number = [&](const char* keys, double fallback) {
    double value = fallback;
    map.hf_real(keys, value, 1e-6, 1e9);
    return value;
  };
  const double factor = number("rope_scaling.factor|rope_parameters.factor|rope_parameters.full_attention.factor", 1);
  if (is("\"llama3\"")) {
    made_divisors = llama3_divisors(turned / 2, static_cast<double>(rope.base), factor,
                                    number("rope_scaling.low_freq_factor|rope_parameters.low_freq_factor", 1),
                                    number("rope_scaling.high_freq_factor|rope_parameters.high_freq_factor", 4),
                                    static_cast<double>(original_context));
  } else if (is("\"longrope\"") || is("\"su\"")) {
    const size_t n = static_cast<size_t>(turned / 2);
    made_short = as_floats(map.hf_reals("rope_scaling.short_factor|rope_parameters.short_factor", n, 1e-6, 1e6));
    made_long = as_floats(map.hf_reals("rope_scaling.long_factor|rope_parameters.long_factor", n, 1e-6, 1e6));
    if (made_short.size() != n || made_long.size() != n)
      throw Error(Status::bad_file, map.source() + ": rope_scaling: expected short_factor and long_factor of " +
                                        std::to_string(n) + " numbers each");
    const double longer = static_cast<double>(context) / static_cast<double>(original_context);
    if (longer > 1)
      rope_attention = static_cast<float>(
          number("rope_scaling.attention_factor|rope_parameters.attention_factor",
                 std::sqrt(1 + logarithm(longer) / logarithm(static_cast<double>(original_context)))));
  } else if (is("\"linear\"")) {
    rope.linear = static_cast<float>(factor);
  } else {
    map.hf_expect(
        "rope_scaling.rope_type|rope_scaling.type|rope_parameters.rope_type|rope_parameters.full_attention.rope_type",
        "\"default\"");
  }
}

void Decoder::window_config(ConfigMap& map) {
  map.integer("attention.sliding_window", "sliding_window", window, 0, 1 << 24, 0);
  windows(window, n_layers + 1);
}

void Decoder::windows(int64_t tokens, int64_t full) {
  window_of.assign(static_cast<size_t>(n_layers), INT32_MAX);
  for (int64_t i = 0; tokens > 0 && i < n_layers; ++i)
    if ((i + 1) % full != 0) window_of[static_cast<size_t>(i)] = tokens;
}

void Decoder::layer_weights(WeightMap& map, const DecoderLayout& layout) {
  blocks.resize(static_cast<size_t>(n_layers));
  window_of.resize(static_cast<size_t>(n_layers), INT32_MAX);
  const int64_t q = H * d, k = KV * d;
  map.table(token, "token_embd", "embed_tokens", vocab, D);
  map.vector(rope_divisors, "rope_freqs", turned / 2, made_divisors);
  map.vector(rope_short, "rope_factors_short", turned / 2, made_short);
  map.vector(rope_long, "rope_factors_long", turned / 2, made_long);
  const auto norm = [&](Norm& to, const char* gguf, const char* hf, int64_t n) {
    map.norm(to, gguf, hf, n, false).hf_added = layout.norm_added;
  };
  for (int i = 0; i < layers(); ++i) {
    Layer& l = blocks[static_cast<size_t>(i)];
    map.begin_layer(i, "layers.");
    norm(l.attn_norm, "attn_norm", "input_layernorm", D);
    map.linear(l.qkv, "attn_qkv",
               {{"attn_q", "self_attn.q_proj", q, pair_heads_q},
                {"attn_k", "self_attn.k_proj", k, pair_heads_k},
                {"attn_v", "self_attn.v_proj", k}},
               D, layout.qkv_bias, layout.fused ? "self_attn.qkv_proj" : "");
    if (layout.qk_norm) {
      norm(l.q_norm, "attn_q_norm", "self_attn.q_norm", d);
      norm(l.k_norm, "attn_k_norm", "self_attn.k_norm", d);
    }
    map.linear(l.out, "attn_output", "self_attn.o_proj", D, q, layout.out_bias);
    if (layout.post_norms) norm(l.attn_post_norm, "post_attention_norm", "post_attention_layernorm", D);
    norm(l.ffn_norm, "ffn_norm", layout.post_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm", D);
    if (layout.fused)
      map.linear(l.gate_up, "ffn_up", "mlp.gate_up_proj", 2 * F, D, false);
    else
      map.linear(l.gate_up, "ffn_gate_up", {{"ffn_gate", "mlp.gate_proj", F}, {"ffn_up", "mlp.up_proj", F}}, D, false);
    map.linear(l.down, "ffn_down", "mlp.down_proj", D, F, false);
    if (layout.post_norms) norm(l.ffn_post_norm, "post_ffw_norm", "post_feedforward_layernorm", D);
  }
  map.end_layer();
  norm(final_norm, "output_norm", "norm", D);
  if (!causal) return;
  WeightSpec& output = map.linear(predicting, "output", "lm_head|embed_tokens", vocab, D, false);
  output.or_else = "token_embd";
  output.calibrated = false;
}

AttentionReach Decoder::reach(int layer) const {
  const int64_t beside = window_of[static_cast<size_t>(layer)] - 1;
  return {H * d, beside, causal ? 0 : beside};
}

LanguageHead Decoder::language_head() const {
  if (!causal) return {};
  return {.linear = &predicting,
          .softcap = logit_cap,
          .kv = {.type = KvType::f16, .layers = n_layers, .heads = KV, .d = d}};
}

// As transformers' GenericForSequenceClassification and GenericForTokenClassification have it.
HeadLayers Decoder::head(Task task) const {
  const bool sequence = task == Task::sequence_classification;
  if (!sequence && task != Task::token_classification) return Model::head(task);
  return {.out_bias = !sequence, .last = sequence, .hf = {"", "", "score", ""}};
}

// Angles of position 1, divided by `divisors` where there are any.
std::vector<float> Decoder::frequencies(const Rope& by, const float* divisors) const {
  std::vector<float> out = rotary_frequencies(turned / 2, by.base, by.linear);
  for (size_t i = 0; divisors && i < out.size(); ++i) out[i] /= divisors[i];
  return out;
}

void Decoder::prepare(Ops& op, Batch& batch) const {
  if (local_turns) batch.rotary[1] = rotary_of(op, batch, turned, local_rope.base, local_rope.linear);
  const std::vector<float> usual = frequencies(rope, rope_divisors ? rope_divisors : rope_short);
  const std::vector<float> longer = !rope_divisors && rope_long ? frequencies(rope, rope_long) : std::vector<float>();
  // By what a text may come to, and by nothing of the texts beside it.
  const auto of_text = [&](const Sequence& text) -> std::span<const float> {
    return !longer.empty() && std::max(batch.growing_to, text.length) > original_context ? longer : usual;
  };
  batch.rotary[0] = op.rotary(batch.texts, of_text, rope_attention);
}

Tensor Decoder::embed(Ops& op, const Batch& batch) const {
  const Ops::Lookup lookups[] = {{token, batch.ids}};
  const Tensor x = op.lookup(lookups);
  if (embed_scale != 1) op.scale(x, embed_scale);
  return x;
}

Tensor Decoder::attend(Ops& op, const Batch& batch, int i, const Tensor& qkv) const {
  const Layer& l = blocks[static_cast<size_t>(i)];
  const int64_t window = window_of[static_cast<size_t>(i)];
  const Tensor q = qkv.columns(0, H * d), k = qkv.columns(H * d, KV * d), v = qkv.columns((H + KV) * d, KV * d);
  const int heads = static_cast<int>(H), kv_heads = static_cast<int>(KV);
  if (l.q_norm.weight) {
    op.norm_heads(q, heads, l.q_norm, eps);
    op.norm_heads(k, kv_heads, l.k_norm, eps);
  }
  const Rotary& rotary = batch.rotary[local_turns && window < INT32_MAX ? 1 : 0];
  op.rotate(q, rotary, heads, pairs);
  op.rotate(k, rotary, kv_heads, pairs);
  if (batch.cache)
    return op.paged_attention(q, k, v, batch.texts, *batch.cache, i, {heads, kv_heads, scale, window, score_cap});
  return op.attention(q, k, v, batch.texts,
                      {.heads = heads,
                       .kv_heads = kv_heads,
                       .scale = scale,
                       .before = reach(i).before,
                       .after = reach(i).after,
                       .softcap = score_cap});
}

Tensor Decoder::layer(Ops& op, const Batch& batch, int i, const Tensor& x) const {
  const Layer& l = blocks[static_cast<size_t>(i)];
  // Behind a norm of its own, if any, a step's result is added to its input.
  const auto step = [&](const Tensor& in, const Linear& linear, const Norm& post, const Tensor& residual) {
    if (!post.weight) return op.linear(in, linear, Activation::none, &residual);
    const Tensor y = op.rms_norm(op.linear(in, linear), post, eps);
    op.add(y, residual);
    return y;
  };
  const Tensor mixed = attend(op, batch, i, op.linear(op.rms_norm(x, l.attn_norm, eps), l.qkv));
  const Tensor h = step(mixed, l.out, l.attn_post_norm, x);
  const Tensor both = op.linear(op.rms_norm(h, l.ffn_norm, eps), l.gate_up);
  return step(op.gate(both.columns(0, F), both.columns(F, F), act), l.down, l.ffn_post_norm, h);
}

Tensor Decoder::output_norm(Ops& op, const Tensor& x) const {
  return op.rms_norm(x, final_norm, eps);
}

}  // namespace quern

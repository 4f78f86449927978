// The emulated CUDA device: attention in both precisions.
#include "cuda_ops.h"

namespace quern::test {
namespace {

struct Case {
  std::vector<int64_t> lengths;
  int heads, kv_heads;
  int64_t d, before = INT32_MAX, after = INT32_MAX;
  float softcap = 0;
  bool bias = false;
};

void check_attention(const Case& c) {
  std::vector<Sequence> texts;
  int64_t T = 0, longest = 0;
  for (const int64_t length : c.lengths) {
    texts.push_back({.first = T, .length = length});
    T += length, longest = std::max(longest, length);
  }
  const int64_t of_q = c.heads * c.d, of_k = c.kv_heads * c.d;
  const std::vector<float> qkv = some(50, T * (of_q + 2 * of_k)), bias = some(51, c.heads * (2 * longest - 1));
  for (const Precision precision : {Precision::f32, Precision::i16})
    check_alike((precision == Precision::f32 ? "f32, d " : "i16, d ") + std::to_string(c.d) + ", longest " +
                    std::to_string(longest),
                [&](Ops& op) {
                  const Ops::Scope scope(op);
                  const Tensor all = tensor_of(op, qkv, T, of_q + 2 * of_k);
                  AttentionOptions options{.heads = c.heads,
                                           .kv_heads = c.kv_heads,
                                           .scale = 1 / std::sqrt(static_cast<float>(c.d)),
                                           .before = c.before,
                                           .after = c.after,
                                           .softcap = c.softcap};
                  if (c.bias) options.bias = tensor_of(op, bias, c.heads, 2 * longest - 1);
                  return numbers_of(op, op.attention(all.columns(0, of_q), all.columns(of_q, of_k),
                                                     all.columns(of_q + of_k, of_k), texts, options));
                },
                precision);
}

}  // namespace

TEST_CASE("cuda: attention is the host's, for every width of heads") {
  check_attention({{1, 5, 50}, 2, 2, 3});
  check_attention({{33}, 2, 1, 32});
  check_attention({{49, 16}, 1, 1, 64});
  check_attention({{20}, 1, 1, 80});
  check_attention({{70}, 2, 1, 128});
  check_attention({{17}, 1, 1, 200});
}

TEST_CASE("cuda: attention with windows, caps and biases is the host's") {
  check_attention({{100, 3}, 1, 1, 16, 10, 7});
  check_attention({{60}, 1, 1, 16, 60, 0, 20.0f});
  check_attention({{40, 9}, 2, 2, 8, INT32_MAX, INT32_MAX, 0, true});
  check_attention({{70}, 1, 1, 8, 20, 5, 30.0f, true});
}

TEST_CASE("cuda: attention over more keys than one sum of integers has") {
  check_attention({{290}, 1, 1, 16});
  check_attention({{330}, 1, 1, 8, 280, 3});
}

}  // namespace quern::test

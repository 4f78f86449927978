// q8 in groups of 256 along K, for linears of many inputs. Within a group all is as in q8: weights with one scale per
// output, and activations as u8 with a scale and a zero point of their own. A product is that of every group in turn,
// added up in f32; so one large activation costs the rest of its group their digits, and no other group. What follows
// an activation is like that: on SmolLM2 the error of ffn_down is a third of q8's, both of its weights and of its
// activations. Every 64 steps of four k, each sum is converted, scaled and added once more.
//
// Arrays: q8_g256, q8_g256.scale and q8_g256.sum are q8's of group after group; the last group may be smaller.
#pragma once
#include <vector>

#include "quants/q8/q8.h"

namespace quern {

struct Q8_G256 {
  static const TypeInfo info;
  static constexpr int64_t group = 256;

  static constexpr int64_t groups(int64_t K) { return (K + group - 1) / group; }

  // What each group's q8 is multiplied from where an ISA rearranges it.
  using Adopted = std::vector<std::shared_ptr<const void>>;

  // Group g as a q8 matrix.
  static Matrix part(const Matrix& w, int64_t g) noexcept {
    const int64_t outputs = round_up(w.N, 16), first = g * group, rest = w.K - first;
    return {.type = &Q8::info,
            .N = w.N,
            .K = rest < group ? rest : group,
            .arrays = {static_cast<const int8_t*>(w.arrays[0]) + first * outputs,
                       static_cast<const float*>(w.arrays[1]) + g * outputs,
                       static_cast<const int32_t*>(w.arrays[2]) + g * outputs},
            .adopted = w.adopted ? (*static_cast<const Adopted*>(w.adopted))[static_cast<size_t>(g)].get() : nullptr};
  }

  // A prepared row: q8's of every group.
  template <class S>
  static size_t row_bytes(int64_t K) noexcept {
    const int64_t whole = groups(K) - 1;
    return static_cast<size_t>(whole) * Q8::row_bytes<S>(group) + Q8::row_bytes<S>(K - whole * group);
  }

  template <class S>
  static void prepare(const float* x, const float* smooth, int64_t K, void* row) noexcept {
    char* out = static_cast<char*>(row);
    for (int64_t k = 0; k < K; k += group, out += Q8::row_bytes<S>(group))
      Q8::prepare<S>(x + k, smooth ? smooth + k : nullptr, K - k < group ? K - k : group, out);
  }

  // The first group brings the bias, the others add themselves to y, and the last one ends it.
  template <class S>
  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride, void* scratch) noexcept {
    const size_t x_bytes = row_bytes<S>(w.K);
    const char* x = static_cast<const char*>(rows);
    for (int64_t g = 0; g < groups(w.K); ++g, x += Q8::row_bytes<S>(group)) {
      const Q8::Ending one = g == 0 ? Q8::Ending{.rest = {.bias = e.bias}} : Q8::Ending{.rest = {}, .onto = true};
      Q8::product<S>(x, x_bytes, M, part(w, g), n0, N, one, y, stride, scratch);
    }
    if (e.activation != Activation::none || e.residual)
      Elementwise<S>::epilogue(y, M, N, stride, {nullptr, e.activation, e.residual, e.residual_stride});
  }

  template <class S>
  static void accumulate(const void* rows, int64_t M, const Matrix& w, int32_t* acc) noexcept {
    for (int64_t g = 0; g < groups(w.K); ++g)
      Q8::exact_sums<S>(static_cast<const char*>(rows) + static_cast<size_t>(g) * Q8::row_bytes<S>(group),
                        row_bytes<S>(w.K), M, part(w, g), acc + g, groups(w.K));
  }

  template <class S>
  static constexpr TypeKernels kernels() {
    TypeKernels out{row_bytes<S>, prepare<S>, multiply<S>, nullptr, accumulate<S>};
    if constexpr (has_short_sums<S>) {
      out.adopt = [](const Matrix& w) { return adopt_groups(w, S::overflows); };
      out.scratch_bytes = scratch_bytes<S>;
    }
    return out;
  }

  static std::shared_ptr<const void> adopt_groups(const Matrix& w, Overflows overflows);

  template <class S>
  static size_t scratch_bytes(const Matrix& w) noexcept {
    size_t most = 0;
    for (int64_t g = 0; g < groups(w.K); ++g) {
      const size_t bytes = ShortProduct<S>::scratch_bytes(part(w, g));
      if (bytes > most) most = bytes;
    }
    return most;
  }
};

}  // namespace quern

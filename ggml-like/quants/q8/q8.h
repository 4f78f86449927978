// q8: int8 weights with one scale per output, activations quantized to u8 per token with a zero point. The inner loop
// has no scales: y = sx · sw[n] · sum_k (u_k - zero) · q[n][k], exact in int32 for K up to 65,536 (255 · 128 · K <
// 2^31).
//
// Panels of 16 outputs: weights lie as [N/16][K/4][16 outputs][4 k], one 64-byte step for every four k (a zmm, four
// NEON registers); N is padded to 16 and K to 4 with zeros. Arrays: q8 (panels), q8.scale f32[N], q8.sum i32[N] = sum_k
// q.
#pragma once
#include "isa/encode.h"
#include "isa/finish.h"
#include "kernels.h"
#include "quants/q8/short_sums.h"
#include "quants/tiles.h"
#include "quants/type_info.h"

namespace quern {

// Products from weights that an ISA has rearranged (quants/q8/short_sums.h).
template <class S>
struct ShortProduct;
template <class S>
constexpr bool has_short_sums = requires {
  S::overflows;
};

struct Q8 {
  static const TypeInfo info;
  static constexpr int64_t padded(int64_t K) { return round_up(K, 4); }

  // How a product ends: it goes onto what y holds already, or into y.
  struct Ending {
    Epilogue rest;
    bool onto = false;  // then there is no bias in `rest`, and K is 256 at most
    template <class S>
    Ending from_column(int64_t n) const {
      return {quern::from_column<S>(rest, n), onto};
    }
  };

  // A prepared row: this header, then K activations as S::Act8 = u - offset, where the ISA chooses the offset.
  struct Header {
    float scale;
    int32_t shift;  // zero point - offset
    char pad[56];
  };
  static_assert(sizeof(Header) == 64);

  template <class S>
  static size_t row_bytes(int64_t K) noexcept {
    return sizeof(Header) +
           static_cast<size_t>(round_up(padded(K) * static_cast<int64_t>(sizeof(typename S::Act8)), 64));
  }

  template <class S>
  static void prepare(const float* x, const float* smooth, int64_t K, void* row) noexcept {
    Header& head = *static_cast<Header*>(row);
    auto* out = reinterpret_cast<typename S::Act8*>(static_cast<char*>(row) + sizeof(Header));
    float low, high;
    S::range(x, smooth, K, low, high);
    const float scale = (high - low) / 255.0f, inverse = scale > 0 ? 1.0f / scale : 0.0f;
    const int zero = static_cast<int>(__builtin_rintf(-low * inverse));
    const int offset = S::act8_centered ? zero : S::act8_offset;
    head.scale = scale;
    head.shift = zero - offset;
    encode_row<S>(x, smooth, K, inverse, zero, 0, 255, offset, out);
    for (int64_t k = K; k < padded(K); ++k) out[k] = 0;  // meets weights of zero
  }

  // Where the weights of output n begin.
  static const int8_t* weights(const Matrix& w, int64_t n) {
    return static_cast<const int8_t*>(w.arrays[0]) + n / 16 * 16 * padded(w.K) + n % 16 * 4;
  }

  // The integer sums of R rows and V vectors of S::lanes outputs from n on, raw (not yet shifted).
  template <class S, int R, int V>
  static QUERN_INLINE void sums(const char* x, size_t x_bytes, const Matrix& w, int64_t n, typename S::I (&out)[R][V]) {
    if constexpr (S::matrix8)
      matrix_sums<S, R, V>(x, x_bytes, w, n, out);
    else
      dot_sums<S, R, V>(x, x_bytes, w, n, out);
  }

  // By instructions that multiply two rows by two outputs over eight k (i8mm): every four outputs' next two k-quads are
  // zipped into two such pairs of outputs. K may end in the middle of eight: the missing weights are zeros, which meet
  // the padding of the row.
  template <class S, int R, int V>
  static QUERN_INLINE void matrix_sums(const char* x, size_t x_bytes, const Matrix& w, int64_t n,
                                       typename S::I (&out)[R][V]) {
    constexpr int pairs = (R + 1) / 2;
    const auto row = [&](int r) {
      return reinterpret_cast<const typename S::Act8*>(x + (r < R ? r : R - 1) * x_bytes + sizeof(Header));
    };
    typename S::Acc8 acc[pairs][2 * V];
    QUERN_UNROLL for (int r = 0; r < pairs; ++r) {
      QUERN_UNROLL for (int v = 0; v < 2 * V; ++v) acc[r][v] = S::zero8();
    }
    const int64_t Kp = padded(w.K);
    for (int64_t k = 0; k < Kp; k += 8) {
      typename S::W8 values[2 * V];
      QUERN_UNROLL for (int v = 0; v < V; ++v)
          S::zip_w8(weights(w, n + v * S::lanes) + k * 16, k + 4 < Kp, values[2 * v], values[2 * v + 1]);
      QUERN_UNROLL for (int r = 0; r < pairs; ++r) {
        const auto two = S::load_rows8(row(2 * r) + k, row(2 * r + 1) + k);
        QUERN_UNROLL for (int v = 0; v < 2 * V; ++v) acc[r][v] = S::dot8(acc[r][v], two, values[v]);
      }
    }
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int v = 0; v < V; ++v) out[r][v] = S::row_of8(acc[r / 2][2 * v], acc[r / 2][2 * v + 1], r % 2);
    }
  }

  // By instructions that take four k of each output.
  template <class S, int R, int V>
  static QUERN_INLINE void dot_sums(const char* x, size_t x_bytes, const Matrix& w, int64_t n,
                                    typename S::I (&out)[R][V]) {
    constexpr int pieces = S::lanes / S::cols8, P = V * pieces;
    const typename S::Act8* a[R];
    QUERN_UNROLL for (int r = 0; r < R; ++r) a[r] =
        reinterpret_cast<const typename S::Act8*>(x + r * x_bytes + sizeof(Header));
    const int8_t* piece[P];
    QUERN_UNROLL for (int p = 0; p < P; ++p) piece[p] = weights(w, n + p * S::cols8);
    typename S::Acc8 acc[R][P];
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::zero8();
    }
    const int64_t Kp = padded(w.K);
    for (int64_t k = 0; k < Kp; k += 4) {
      typename S::W8 values[P];
      QUERN_UNROLL for (int p = 0; p < P; ++p) values[p] = S::load_w8(piece[p] + k * 16);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const auto four = S::broadcast8(a[r] + k);
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::dot8(acc[r][p], four, values[p]);
      }
    }
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int v = 0; v < V; ++v) out[r][v] = S::sums8(&acc[r][v * pieces]);
    }
  }

  // M rows × V vectors of outputs from n on, of which `valid` are real. y and e begin there.
  template <class S, int V>
  static void columns(const char* x, size_t x_bytes, int64_t M, const Matrix& w, int64_t n, int64_t valid,
                      const Ending& e, float* y, int64_t stride) {
    for_tiles<S::rows8>(M, [&]<int R>(int64_t m) {
      typename S::I acc[R][V];
      sums<S, R, V>(x + m * x_bytes, x_bytes, w, n, acc);
      end_tile<S, R, V>(acc, x + m * x_bytes, x_bytes, w, n, valid, e, m, y, stride);
    });
  }

  // raw - shift · totals, of totals that fit int16 (K up to 256): where a product of pairs of int16 is the cheaper one.
  template <class S>
  static constexpr auto short_totals = [](typename S::I raw, int32_t shift, typename S::I totals) QUERN_INLINED {
    if constexpr (requires { S::cheap_dot16; })
      return S::dot16(raw, totals, S::set1_i32(-shift & 0xffff));
    else
      return S::sub_i32(raw, S::mul_i32(S::set1_i32(shift), totals));
  };

  // Raw sums of a tile of rows x → y.
  template <class S, int R, int V>
  static QUERN_INLINE void end_tile(const typename S::I (&acc)[R][V], const char* x, size_t x_bytes, const Matrix& w,
                                    int64_t n, int64_t valid, const Ending& e, int64_t m, float* y, int64_t stride) {
    const float* scale = static_cast<const float*>(w.arrays[1]) + n;
    const int32_t* sum = static_cast<const int32_t*>(w.arrays[2]) + n;
    typename S::F out[R][V];
    const auto scaled = [&](auto exact, auto before) QUERN_INLINED {
      QUERN_UNROLL for (int v = 0; v < V; ++v) {
        const auto scales = S::load(scale + v * S::lanes);
        const auto totals = S::load_i32(sum + v * S::lanes);
        QUERN_UNROLL for (int r = 0; r < R; ++r) {
          const Header& head = *reinterpret_cast<const Header*>(x + r * x_bytes);
          out[r][v] = S::fma(S::mul(S::to_float(exact(acc[r][v], head.shift, totals)), scales), S::set1(head.scale),
                             before(r, v));
        }
      }
    };
    if (!e.onto) {
      typename S::F bias[V];
      QUERN_UNROLL for (int v = 0; v < V; ++v) bias[v] = bias_of<S>(e.rest, v, valid);
      const auto any = [](auto raw, int32_t shift, auto totals)
                           QUERN_INLINED { return S::sub_i32(raw, S::mul_i32(S::set1_i32(shift), totals)); };
      scaled(any, [&](int, int v) QUERN_INLINED { return bias[v]; });
    } else if (valid < V * S::lanes) {
      scaled(short_totals<S>, [&](int r, int v) QUERN_INLINED {
        return Elementwise<S>::load_some(y + (m + r) * stride, v * S::lanes, valid);
      });
    } else {
      scaled(short_totals<S>, [&](int r, int v) QUERN_INLINED { return S::load(y + (m + r) * stride + v * S::lanes); });
    }
    finish_tile<S>(out, valid, e.rest, m, y, stride);
  }

  template <class S>
  static void from_sums(const int32_t* acc, const void* rows, int64_t M, const Matrix& w, const Epilogue& e, float* y,
                        int64_t stride) noexcept {
    const size_t x_bytes = row_bytes<S>(w.K);
    for (int64_t m = 0; m < M; ++m) {
      for_strips<S, 1>(w.N, [&]<int V>(int64_t n, int64_t valid) {
        const typename S::I tile[1][1] = {{S::load_i32(acc + m * w.N + n)}};
        end_tile<S, 1, 1>(tile, static_cast<const char*>(rows) + m * x_bytes, x_bytes, w, n, valid,
                          {from_column<S>(e, n)}, m, y + n, stride);
      });
    }
  }

  // multiply, of prepared rows that stand x_bytes apart.
  template <class S>
  static void product(const char* rows, size_t x_bytes, int64_t M, const Matrix& w, int64_t n0, int64_t N,
                      const Ending& e, float* y, int64_t stride, void* scratch) noexcept {
    if constexpr (has_short_sums<S>)
      if (w.adopted)
        return ShortProduct<S>::multiply(rows, x_bytes, M, w, n0, N, e, y, stride, static_cast<char*>(scratch));
    for_strips<S, S::vectors8>(N, [&]<int V>(int64_t n, int64_t valid) {
      columns<S, V>(rows, x_bytes, M, w, n0 + n, valid, e.from_column<S>(n), y + n, stride);
    });
  }

  template <class S>
  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride, void* scratch) noexcept {
    product<S>(static_cast<const char*>(rows), row_bytes<S>(w.K), M, w, n0, N, {e}, y, stride, scratch);
  }

  // accumulate, of rows that stand x_bytes apart, to sums that stand `apart` apart.
  template <class S>
  static void exact_sums(const char* rows, size_t x_bytes, int64_t M, const Matrix& w, int32_t* acc,
                         int64_t apart) noexcept {
    for (int64_t m = 0; m < M; ++m) {
      const char* x = rows + static_cast<size_t>(m) * x_bytes;
      for (int64_t n = 0; n < w.N; n += S::lanes) {
        typename S::I out[1][1];
        sums<S, 1, 1>(x, x_bytes, w, n, out);
        alignas(64) int32_t lanes[S::lanes];
        S::store_i32(out[0][0], lanes);
        for (int64_t c = 0; c < S::lanes && n + c < w.N; ++c)
          acc[(m * w.N + n + c) * apart] =
              lanes[c] - reinterpret_cast<const Header*>(x)->shift * static_cast<const int32_t*>(w.arrays[2])[n + c];
      }
    }
  }

  template <class S>
  static void accumulate(const void* rows, int64_t M, const Matrix& w, int32_t* acc) noexcept {
    exact_sums<S>(static_cast<const char*>(rows), row_bytes<S>(w.K), M, w, acc, 1);
  }

  template <class S>
  static constexpr TypeKernels kernels() {
    TypeKernels out{row_bytes<S>, prepare<S>, multiply<S>, from_sums<S>, accumulate<S>};
    if constexpr (has_short_sums<S>) {
      out.adopt = [](const Matrix& w) { return make_short_sums(w, S::overflows); };
      out.scratch_bytes = ShortProduct<S>::scratch_bytes;
    }
    return out;
  }
};

}  // namespace quern

#include "quants/q8/short_product.h"

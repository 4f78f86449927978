// A vocabulary in plain C++ with vectors of N lanes: what every instruction must compute. With one lane it is the
// scalar ISA, the reference of the parity tests; with more lanes and another ISA's tiles, the tests run that ISA's
// templates on any CPU.
#pragma once
#include <cmath>
#include <cstdint>

#include "isa/kernel_table.h"
#include "quants/half.h"

namespace quern {
namespace {

template <int N, class Tiles>
struct Portable : Tiles {
  static constexpr int lanes = N;
  template <class T, int n>
  struct Vector {
    T v[n];
  };
  template <class V, class Fn>
  static V make(const Fn& f) {
    V out;
    for (int i = 0; i < static_cast<int>(sizeof(out.v) / sizeof(out.v[0])); ++i)
      out.v[i] = static_cast<std::remove_reference_t<decltype(out.v[0])>>(f(i));
    return out;
  }

  // floats
  using F = Vector<float, N>;
  static F load(const float* p) {
    return make<F>([&](int i) { return p[i]; });
  }
  static void store(const F& a, float* p) {
    for (int i = 0; i < N; ++i) p[i] = a.v[i];
  }
  static F set1(float x) {
    return make<F>([&](int) { return x; });
  }
  static F zero() { return set1(0); }
  static F add(const F& a, const F& b) {
    return make<F>([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F sub(const F& a, const F& b) {
    return make<F>([&](int i) { return a.v[i] - b.v[i]; });
  }
  static F mul(const F& a, const F& b) {
    return make<F>([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F div(const F& a, const F& b) {
    return make<F>([&](int i) { return a.v[i] / b.v[i]; });
  }
  static F max(const F& a, const F& b) {
    return make<F>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F min(const F& a, const F& b) {
    return make<F>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static float fma1(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static F fma(const F& a, const F& b, const F& c) {
    return make<F>([&](int i) { return fma1(a.v[i], b.v[i], c.v[i]); });
  }
  static float fold(F a) {
    for (int half = N / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) a.v[i] += a.v[i + half];
    return a.v[0];
  }
  static float max_lane(const F& a) {
    float top = a.v[0];
    for (int i = 1; i < N; ++i) top = a.v[i] > top ? a.v[i] : top;
    return top;
  }
  static F load_f16(const uint16_t* p) {
    return make<F>([&](int i) { return f16_to_f32(p[i]); });
  }
  static void store_f16(const F& a, uint16_t* p) {
    for (int i = 0; i < N; ++i) p[i] = f32_to_f16(a.v[i]);
  }
  static F load_bf16(const uint16_t* p) {
    return make<F>([&](int i) { return bf16_to_f32(p[i]); });
  }
  static float f16(uint16_t bits) { return f16_to_f32(bits); }
  static void range(const float* x, const float* smooth, int64_t n, float& low, float& high) {
    low = high = 0;
    for (int64_t i = 0; i < n; ++i) {
      const float v = smooth ? x[i] * smooth[i] : x[i];
      low = v < low ? v : low;
      high = v > high ? v : high;
    }
  }

  // integers
  using I = Vector<int32_t, N>;
  static int32_t wrap(uint32_t v) { return static_cast<int32_t>(v); }
  static uint32_t bits(int32_t v) { return static_cast<uint32_t>(v); }
  static I set1_i32(int32_t x) {
    return make<I>([&](int) { return x; });
  }
  static I broadcast_i32(const int32_t* p) { return set1_i32(*p); }
  static I load_i32(const int32_t* p) {
    return make<I>([&](int i) { return p[i]; });
  }
  static I load_u8(const uint8_t* p) {
    return make<I>([&](int i) { return p[i]; });
  }
  static I load_s8(const int8_t* p) {
    return make<I>([&](int i) { return p[i]; });
  }
  static void store_i32(const I& a, int32_t* p) {
    for (int i = 0; i < N; ++i) p[i] = a.v[i];
  }
  template <class Code>
  static void store_codes(const I& a, Code* p) {
    for (int i = 0; i < N; ++i) p[i] = static_cast<Code>(a.v[i]);
  }
  static I add_i32(const I& a, const I& b) {
    return make<I>([&](int i) { return wrap(bits(a.v[i]) + bits(b.v[i])); });
  }
  static I sub_i32(const I& a, const I& b) {
    return make<I>([&](int i) { return wrap(bits(a.v[i]) - bits(b.v[i])); });
  }
  static I mul_i32(const I& a, const I& b) {
    return make<I>([&](int i) { return wrap(bits(a.v[i]) * bits(b.v[i])); });
  }
  static I min_i32(const I& a, const I& b) {
    return make<I>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static I max_i32(const I& a, const I& b) {
    return make<I>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static int32_t sum_i32(const I& a) {
    uint32_t total = 0;
    for (int i = 0; i < N; ++i) total += bits(a.v[i]);
    return wrap(total);
  }
  static int32_t max_lane_i32(const I& a) {
    int32_t top = a.v[0];
    for (int i = 1; i < N; ++i) top = a.v[i] > top ? a.v[i] : top;
    return top;
  }
  static I shift_left(const I& a, int n) {
    return make<I>([&](int i) { return wrap(bits(a.v[i]) << n); });
  }
  static F to_float(const I& a) {
    return make<F>([&](int i) { return static_cast<float>(a.v[i]); });
  }
  static I round_i32(const F& a) {  // to nearest even; out of range: as x86 does
    return make<I>([&](int i) {
      const float x = a.v[i];
      return x >= -2147483648.0f && x < 2147483648.0f ? static_cast<int32_t>(__builtin_rintf(x)) : INT32_MIN;
    });
  }
  static F from_bits(const I& a) {
    return make<F>([&](int i) { return __builtin_bit_cast(float, a.v[i]); });
  }
  static I pack16(const I& low, const I& high) {
    return make<I>([&](int i) { return wrap(bits(high.v[i]) << 16 | (bits(low.v[i]) & 0xFFFF)); });
  }
  static I dot16(const I& acc, const I& a, const I& b) {
    return make<I>([&](int i) {
      const auto product = [](int32_t x, int32_t y) { return bits(static_cast<int16_t>(x) * static_cast<int16_t>(y)); };
      return wrap(bits(acc.v[i]) + product(a.v[i], b.v[i]) + product(a.v[i] >> 16, b.v[i] >> 16));
    });
  }

  // q8 and q4: lane i takes the products of bytes 4i … 4i + 3
  using Act8 = uint8_t;
  using A8 = Vector<uint8_t, 4>;
  using W8 = Vector<int8_t, 4 * N>;
  using Acc8 = I;
  static A8 broadcast8(const uint8_t* p) {
    return make<A8>([&](int i) { return p[i]; });
  }
  static W8 load_w8(const int8_t* p) {
    return make<W8>([&](int i) { return p[i]; });
  }
  static Acc8 zero8() { return set1_i32(0); }
  template <class A, class W>
  static I dot(I acc, const A& a, const W& w) {
    for (int i = 0; i < 4 * N; ++i) acc.v[i / 4] += a.v[i % 4] * w.v[i];
    return acc;
  }
  static Acc8 dot8(const Acc8& acc, const A8& a, const W8& w) { return dot(acc, a, w); }
  static I sums8(const Acc8* acc) { return *acc; }

  using A4 = Vector<int8_t, 4>;
  using W4 = Vector<uint8_t, 4 * N>;
  using Acc4 = I;
  static constexpr bool wide4 = true;
  static W4 load_codes(const void* p) {
    return make<W4>([&](int i) { return static_cast<const uint8_t*>(p)[i]; });
  }
  template <int from, int bits, int to>
  static W4 field(const W4& x) {
    return make<W4>([&](int i) { return (x.v[i] >> from & ((1 << bits) - 1)) << to; });
  }
  static W4 or_codes(const W4& a, const W4& b) {
    return make<W4>([&](int i) { return a.v[i] | b.v[i]; });
  }
  static W4 look_up(const int8_t* table, const W4& codes) {
    return make<W4>([&](int i) { return static_cast<uint8_t>(table[codes.v[i]]); });
  }
  static A4 broadcast4(const int8_t* p) {
    return make<A4>([&](int i) { return p[i]; });
  }
  static Acc4 zero4() { return set1_i32(0); }
  static Acc4 dot4(const Acc4& acc, const W4& w, const A4& a) { return dot(acc, a, w); }
  static I sums4(const Acc4& acc) { return acc; }

  using ActS = int8_t;
  using AS = A4;
  using WS = W8;
  using AccS = I;
  static constexpr int lift_s = 0;
  static WS signed_codes(const W4& x) {
    return make<WS>([&](int i) { return static_cast<int8_t>(x.v[i]); });
  }
  static AS broadcast_s(const int8_t* p) { return broadcast4(p); }
  static AccS zero_s() { return set1_i32(0); }
  static AccS dot_s(const AccS& acc, const WS& w, const AS& a) { return dot(acc, a, w); }
  static I sums_s(const AccS& acc) { return acc; }

  // The rate of plain code is no limit of the CPU: one multiply-accumulate at a time.
  using L8 = int32_t;
  static constexpr int limit_macs = 1;
  static L8 limit_zero() { return 0; }
  static L8 limit_dot(L8 acc, L8 a, L8 b) {
    const volatile L8 product = a * b;
    return acc + product;
  }
};

bool always() noexcept {
  return true;
}

}  // namespace
}  // namespace quern

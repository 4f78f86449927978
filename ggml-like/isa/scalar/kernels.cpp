// The reference: plain C++ that says exactly what every other ISA must compute, integers bit for bit.
#include <cmath>

#include "isa/kernel_table.h"
#include "isa/tables.h"
#include "quants/half.h"

namespace quern {
namespace {

struct Scalar {
  // floats: one lane
  using F = float;
  static constexpr int lanes = 1;
  static F load(const float* p) { return *p; }
  static void store(F v, float* p) { *p = v; }
  static F zero() { return 0; }
  static F set1(float v) { return v; }
  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F div(F a, F b) { return a / b; }
  static F max(F a, F b) { return a > b ? a : b; }
  static F min(F a, F b) { return a < b ? a : b; }
  static F fma(F a, F b, F c) { return __builtin_fmaf(a, b, c); }
  static float fma1(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static F exp(F a) { return ::expf(a); }
  static F tanh(F a) { return ::tanhf(a); }
  static float sum(F a) { return a; }
  static float max_lane(F a) { return a; }
  static F load_f16(const uint16_t* p) { return f16_to_f32(*p); }
  static F load_bf16(const uint16_t* p) { return bf16_to_f32(*p); }
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
  using I = int32_t;
  static I set1_i32(int32_t v) { return v; }
  static I load_u8(const uint8_t* p) { return *p; }
  static I sub_i32(I a, I b) { return a - b; }
  static I mul_i32(I a, I b) { return a * b; }
  static I min_i32(I a, I b) { return a < b ? a : b; }
  template <class Code>
  static void store_codes(I a, Code* p) {
    *p = static_cast<Code>(a);
  }
  static I max_i32(I a, I b) { return a > b ? a : b; }
  static int32_t max_lane_i32(I a) { return a; }
  static I add_i32(I a, I b) { return a + b; }
  static I pack16(I low, I high) { return shift_left(high, 16) | (low & 0xFFFF); }
  static I shift_left(I a, int bits) { return static_cast<I>(static_cast<uint32_t>(a) << bits); }
  static I round_i32(F a) {  // out of range: as x86 does
    return a >= -2147483648.0f && a < 2147483648.0f ? static_cast<I>(__builtin_rintf(a)) : INT32_MIN;
  }
  static F from_bits(I a) { return __builtin_bit_cast(float, a); }
  static F to_float(I a) { return static_cast<float>(a); }
  static I load_i32(const int32_t* p) { return *p; }
  static void store_i32(I a, int32_t* p) { *p = a; }
  static int32_t sum_i32(I a) { return a; }

  // blocks of 32
  struct I8x32 {
    int8_t v[32];
  };
  static I8x32 load_i8x32(const void* p) {
    I8x32 out;
    __builtin_memcpy(out.v, p, 32);
    return out;
  }
  static I8x32 load_nibbles_minus_8(const void* p) {
    const uint8_t* q = static_cast<const uint8_t*>(p);
    I8x32 out;
    for (int i = 0; i < 16; ++i) {
      out.v[i] = static_cast<int8_t>((q[i] & 15) - 8);
      out.v[i + 16] = static_cast<int8_t>((q[i] >> 4) - 8);
    }
    return out;
  }
  static I dot_i8x32(const I8x32& a, const I8x32& b) {
    I total = 0;
    for (int i = 0; i < 32; ++i) total += a.v[i] * b.v[i];
    return total;
  }

  static I broadcast_i32(const int32_t* p) { return *p; }
  static I dot16(I acc, I a, I b) {  // wraps, as vector registers do
    const auto product = [](I x, I y) {
      return static_cast<uint32_t>(static_cast<int16_t>(x) * static_cast<int16_t>(y));
    };
    return static_cast<I>(static_cast<uint32_t>(acc) + product(a, b) + product(a >> 16, b >> 16));
  }

  // q8: one output at a time
  using Act8 = uint8_t;
  static constexpr bool act8_centered = false;
  static constexpr int act8_offset = 0, cols8 = 1, rows8 = 1, vectors8 = 16;
  using A8 = const uint8_t*;
  using W8 = const int8_t*;
  using Acc8 = int32_t;
  static A8 broadcast8(const uint8_t* p) { return p; }
  static W8 load_w8(const int8_t* p) { return p; }
  static Acc8 zero8() { return 0; }
  static Acc8 dot8(Acc8 acc, A8 a, W8 w) {
    for (int i = 0; i < 4; ++i) acc += a[i] * w[i];
    return acc;
  }
  static I finish8(const Acc8* acc) { return *acc; }

  // q4
  static constexpr int rows4 = 1, pieces4 = 16;
  using A4 = const int8_t*;
  struct W4 {
    uint8_t v[4];
  };
  using Acc4 = int32_t;
  static void load_w4(const uint8_t* p, W4& even, W4& odd) {
    for (int i = 0; i < 4; ++i) {
      even.v[i] = p[i] & 15;
      odd.v[i] = p[i] >> 4;
    }
  }
  static A4 broadcast4(const int8_t* p) { return p; }
  static Acc4 zero4() { return 0; }
  static Acc4 dot4(Acc4 acc, const W4& w, A4 a) {
    for (int i = 0; i < 4; ++i) acc += w.v[i] * a[i];
    return acc;
  }
  static I finish4(Acc4 acc) { return acc; }

  using L8 = int32_t;
  static constexpr int limit_macs = 1;
  static L8 limit_zero() { return 0; }
  static L8 limit_dot(L8 acc, L8 a, L8 b) {
    const volatile L8 product = a * b;
    return acc + product;
  }

  static constexpr int row_tile_rows = 1, row_tile_cols = 1, gemm_rows = 1, gemm_cols = 4;
};

bool always() noexcept {
  return true;
}

}  // namespace

constinit const KernelTable scalar_kernels = make_kernel_table<Scalar>("scalar", always, QuantList{});

}  // namespace quern

// NEON with the dot product extension (Armv8.2: Cortex-A76, Neoverse N1, Apple M1); neon_i8mm builds on it.
#pragma once
#include <arm_neon.h>

#include "isa/floats_xsimd.h"
#include "isa/kernel_table.h"

namespace quern {
namespace {

struct Neon : XsimdFloats<xsimd::neon64> {
  static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  static F div(F a, F b) { return vdivq_f32(a, b); }  // xsimd 8.1's is a reciprocal and Newton steps, not exact
  static float max_lane(F a) { return vmaxvq_f32(a); }
  static F load_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static F load_bf16(const uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
  static float f16(uint16_t bits) { return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits))), 0); }

  using I = int32x4_t;
  static I set1_i32(int32_t v) { return vdupq_n_s32(v); }
  static I load_u8(const uint8_t* p) {
    uint32_t four;
    __builtin_memcpy(&four, p, 4);
    const uint16x8_t wide = vmovl_u8(vcreate_u8(four));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(wide)));
  }
  static I sub_i32(I a, I b) { return vsubq_s32(a, b); }
  static I mul_i32(I a, I b) { return vmulq_s32(a, b); }
  static I min_i32(I a, I b) { return vminq_s32(a, b); }
  static void store_codes(I a, void* p) {
    const int16x4_t words = vmovn_s32(a);
    const int32_t bytes = vget_lane_s32(vreinterpret_s32_s8(vmovn_s16(vcombine_s16(words, words))), 0);
    __builtin_memcpy(p, &bytes, 4);
  }
  static I max_i32(I a, I b) { return vmaxq_s32(a, b); }
  static int32_t max_lane_i32(I a) { return vmaxvq_s32(a); }
  static I add_i32(I a, I b) { return vaddq_s32(a, b); }
  static I pack16(I low, I high) { return vsliq_n_s32(low, high, 16); }
  static I shift_left(I a, int bits) { return vshlq_s32(a, vdupq_n_s32(bits)); }
  static I round_i32(F a) { return vcvtnq_s32_f32(a); }
  static F from_bits(I a) { return vreinterpretq_f32_s32(a); }
  static F to_float(I a) { return vcvtq_f32_s32(a); }
  static I load_i32(const int32_t* p) { return vld1q_s32(p); }
  static void store_i32(I a, int32_t* p) { vst1q_s32(p, a); }
  static int32_t sum_i32(I a) { return vaddvq_s32(a); }

  struct I8x32 {
    int8x16_t low, high;
  };
  static I8x32 load_i8x32(const void* p) {
    const int8_t* q = static_cast<const int8_t*>(p);
    return {vld1q_s8(q), vld1q_s8(q + 16)};
  }
  static I8x32 load_nibbles_minus_8(const void* p) {
    const uint8x16_t q = vld1q_u8(static_cast<const uint8_t*>(p));
    const int8x16_t eight = vdupq_n_s8(8);
    return {vsubq_s8(vreinterpretq_s8_u8(vandq_u8(q, vdupq_n_u8(15))), eight),
            vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(q, 4)), eight)};
  }
  static I dot_i8x32(const I8x32& a, const I8x32& b) {
    return vdotq_s32(vdotq_s32(vdupq_n_s32(0), a.low, b.low), a.high, b.high);
  }

  static I broadcast_i32(const int32_t* p) { return vdupq_n_s32(*p); }
  static I dot16(I acc, I a, I b) {
    acc = vmlal_s16(acc, vmovn_s32(a), vmovn_s32(b));  // the low halves of every pair, then the high ones
    return vmlal_s16(acc, vshrn_n_s32(a, 16), vshrn_n_s32(b, 16));
  }

  // q8: sdot wants both sides signed, so activations are stored as u - 128.
  using Act8 = int8_t;
  static constexpr bool act8_centered = false, matrix8 = false;
  static constexpr int act8_offset = 128, cols8 = 4, rows8 = 4, vectors8 = 4;
  using A8 = int8x16_t;
  using W8 = int8x16_t;
  using Acc8 = int32x4_t;
  static A8 broadcast8(const int8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
  }
  static W8 load_w8(const int8_t* p) { return vld1q_s8(p); }
  static Acc8 zero8() { return vdupq_n_s32(0); }
  static Acc8 dot8(Acc8 acc, A8 a, W8 w) { return vdotq_s32(acc, a, w); }
  static I finish8(const Acc8* acc) { return *acc; }

  // q4
  static constexpr int rows4 = 3, pieces4 = 4;
  using A4 = int8x16_t;
  using W4 = int8x16_t;
  using Acc4 = int32x4_t;
  static void load_w4(const uint8_t* p, W4& even, W4& odd) {
    const uint8x16_t q = vld1q_u8(p);
    even = vreinterpretq_s8_u8(vandq_u8(q, vdupq_n_u8(15)));
    odd = vreinterpretq_s8_u8(vshrq_n_u8(q, 4));
  }
  static A4 broadcast4(const int8_t* p) { return broadcast8(p); }
  static Acc4 zero4() { return vdupq_n_s32(0); }
  static Acc4 dot4(Acc4 acc, W4 w, A4 a) { return vdotq_s32(acc, w, a); }
  static I finish4(Acc4 acc) { return acc; }

  using L8 = int32x4_t;
  static constexpr int limit_macs = 16;
  static L8 limit_zero() { return vdupq_n_s32(0); }
  static L8 limit_dot(L8 acc, L8 a, L8 b) {  // opaque to the compiler, which would see the zeros
    __asm__ volatile("sdot %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(a), "w"(b));
    return acc;
  }

  static constexpr int row_tile_rows = 4, row_tile_cols = 4, gemm_rows = 4, gemm_cols = 4;
};

}  // namespace
}  // namespace quern

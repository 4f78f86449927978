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
  static float fold(F a) {
    const float32x2_t v = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(v, 0) + vget_lane_f32(v, 1);
  }
  static F load_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static void store_f16(F a, uint16_t* p) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a))); }
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
  static I load_s8(const int8_t* p) {
    uint32_t four;
    __builtin_memcpy(&four, p, 4);
    return vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four))));
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

  static I broadcast_i32(const int32_t* p) { return vdupq_n_s32(*p); }
  static I dot16(I acc, I a, I b) {
    acc = vmlal_s16(acc, vmovn_s32(a), vmovn_s32(b));  // the low halves of every pair, then the high ones
    return vmlal_s16(acc, vshrn_n_s32(a, 16), vshrn_n_s32(b, 16));
  }

  // q8: sdot wants both sides signed, so activations are stored as u - 128.
  using Act8 = int8_t;
  static constexpr bool act8_centered = false, matrix8 = false;
  static constexpr int act8_offset = 128, cols8 = 4, rows8 = 6, vectors8 = 4;
  using A8 = int8x8_t;
  using W8 = int8x16_t;
  using Acc8 = int32x4_t;
  static A8 broadcast8(const int8_t* p) {  // to one lane; a copy to all takes a dot's slot
    uint32_t four;
    __builtin_memcpy(&four, p, 4);
    return vcreate_s8(four);
  }
  static W8 load_w8(const int8_t* p) { return vld1q_s8(p); }
  static Acc8 zero8() { return vdupq_n_s32(0); }
  static Acc8 dot8(Acc8 acc, A8 a, W8 w) { return vdotq_lane_s32(acc, w, a, 0); }
  static I sums8(const Acc8* acc) { return *acc; }

  // Small codes: below 128, so that sdot may take them as signed.
  static constexpr int rows4 = 3, pieces4 = 4;
  using A4 = int8x8_t;
  using W4 = int8x16_t;
  using Acc4 = int32x4_t;
  static constexpr bool wide4 = true;
  static W4 load_codes(const void* p) { return vld1q_s8(static_cast<const int8_t*>(p)); }
  template <int from, int bits, int to>
  static W4 field(W4 x) {
    uint8x16_t u = vreinterpretq_u8_s8(x);
    if constexpr (from > to) u = vshrq_n_u8(u, from - to);
    if constexpr (from < to) u = vshlq_n_u8(u, to - from);
    return vreinterpretq_s8_u8(vandq_u8(u, vdupq_n_u8(static_cast<uint8_t>(((1 << bits) - 1) << to))));
  }
  static W4 or_codes(W4 a, W4 b) { return vorrq_s8(a, b); }
  static W4 look_up(const int8_t* table, W4 codes) { return vqtbl1q_s8(vld1q_s8(table), vreinterpretq_u8_s8(codes)); }
  static A4 broadcast4(const int8_t* p) { return broadcast8(p); }
  static Acc4 zero4() { return vdupq_n_s32(0); }
  static Acc4 dot4(Acc4 acc, W4 w, A4 a) { return vdotq_lane_s32(acc, w, a, 0); }
  static I sums4(Acc4 acc) { return acc; }

  // Signed bytes on both sides.
  using ActS = int8_t;
  using AS = int8x8_t;
  using WS = int8x16_t;
  using AccS = int32x4_t;
  static constexpr int lift_s = 0;
  static WS signed_codes(W4 x) { return x; }
  static AS broadcast_s(const int8_t* p) { return broadcast4(p); }
  static AccS zero_s() { return vdupq_n_s32(0); }
  static AccS dot_s(AccS acc, WS w, AS a) { return vdotq_lane_s32(acc, w, a, 0); }
  static I sums_s(AccS acc) { return acc; }

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

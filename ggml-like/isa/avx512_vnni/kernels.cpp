// AVX-512 F/BW/VL/DQ + VNNI (Cascade Lake 2019, Ice Lake, Zen 4).
#include <immintrin.h>

#include "cpu.h"
#include "isa/avx512_vnni/tiles.h"
#include "isa/floats_xsimd.h"
#include "isa/kernel_table.h"
#include "isa/tables.h"
#include "isa/x86_blocks.h"

namespace quern {
namespace {

struct Avx512Vnni : XsimdFloats<xsimd::avx512bw>, X86Blocks, Avx512Tiles {
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }  // xsimd 8.1's multiplies and adds apart
  static float max_lane(F a) { return _mm512_reduce_max_ps(a); }
  static float fold(F a) {
    const __m256 v = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    return fold_lanes(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
  }
  static F load_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void store_f16(F a, uint16_t* p) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
  }
  static F load_bf16(const uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }

  using I = __m512i;
  static I set1_i32(int32_t v) { return _mm512_set1_epi32(v); }
  static I load_u8(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static I load_s8(const int8_t* p) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static I sub_i32(I a, I b) { return _mm512_sub_epi32(a, b); }
  static I mul_i32(I a, I b) { return _mm512_mullo_epi32(a, b); }
  static I min_i32(I a, I b) { return _mm512_min_epi32(a, b); }
  static void store_codes(I a, void* p) { _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a)); }
  static I max_i32(I a, I b) { return _mm512_max_epi32(a, b); }
  static int32_t max_lane_i32(I a) { return _mm512_reduce_max_epi32(a); }
  static I add_i32(I a, I b) { return _mm512_add_epi32(a, b); }
  static I pack16(I low, I high) { return _mm512_mask_blend_epi16(0xAAAAAAAA, low, _mm512_slli_epi32(high, 16)); }
  static I shift_left(I a, int bits) { return _mm512_slli_epi32(a, static_cast<unsigned>(bits)); }
  static I round_i32(F a) { return _mm512_cvtps_epi32(a); }
  static F from_bits(I a) { return _mm512_castsi512_ps(a); }
  static F to_float(I a) { return _mm512_cvtepi32_ps(a); }
  static I load_i32(const int32_t* p) { return _mm512_loadu_si512(p); }
  static void store_i32(I a, int32_t* p) { _mm512_storeu_si512(p, a); }
  static int32_t sum_i32(I a) { return _mm512_reduce_add_epi32(a); }

  static I broadcast_i32(const int32_t* p) { return _mm512_set1_epi32(*p); }
  // The empty asm keeps accumulators in registers: g++ 12 leaves them on the stack otherwise, at half the rate.
  static I pinned(I acc) {
    __asm__("" : "+v"(acc));
    return acc;
  }
  static constexpr bool cheap_dot16 = true;
  static I dot16(I acc, I a, I b) { return pinned(_mm512_dpwssd_epi32(acc, a, b)); }

  // q8: one vpdpbusd takes four k of 16 outputs; u8 × s8 into int32 without saturation.
  using Act8 = uint8_t;
  using A8 = __m512i;
  using W8 = __m512i;
  using Acc8 = __m512i;
  static A8 broadcast8(const uint8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
  }
  static W8 load_w8(const int8_t* p) { return _mm512_loadu_si512(p); }
  static Acc8 zero8() { return _mm512_setzero_si512(); }
  static Acc8 dot8(Acc8 acc, A8 a, W8 w) { return pinned(_mm512_dpbusd_epi32(acc, a, w)); }
  static I sums8(const Acc8* acc) { return *acc; }

  // Small codes: they are the unsigned side, the activations the signed one.
  using A4 = __m512i;
  using W4 = __m512i;
  using Acc4 = __m512i;
  static constexpr bool wide4 = true;
  static W4 load_codes(const void* p) { return _mm512_loadu_si512(p); }
  template <int from, int bits, int to>
  static W4 field(W4 x) {
    if constexpr (from > to) x = _mm512_srli_epi16(x, from - to);
    if constexpr (from < to) x = _mm512_slli_epi16(x, to - from);
    return _mm512_and_si512(x, _mm512_set1_epi8(static_cast<char>(((1 << bits) - 1) << to)));
  }
  static W4 or_codes(W4 a, W4 b) { return _mm512_or_si512(a, b); }
  static W4 look_up(const int8_t* table, W4 codes) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), codes);
  }
  static A4 broadcast4(const int8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
  }
  static Acc4 zero4() { return _mm512_setzero_si512(); }
  static Acc4 dot4(Acc4 acc, W4 w, A4 a) { return _mm512_dpbusd_epi32(acc, w, a); }
  static I sums4(Acc4 acc) { return acc; }

  // Signed bytes on both sides: the weights are lifted by 128 to be the unsigned one.
  using ActS = int8_t;
  using AS = __m512i;
  using WS = __m512i;
  using AccS = __m512i;
  static constexpr int lift_s = 128;
  static WS signed_codes(W4 x) { return _mm512_xor_si512(x, _mm512_set1_epi8(-128)); }
  static AS broadcast_s(const int8_t* p) { return broadcast4(p); }
  static AccS zero_s() { return _mm512_setzero_si512(); }
  static AccS dot_s(AccS acc, WS w, AS a) { return _mm512_dpbusd_epi32(acc, w, a); }
  static I sums_s(AccS acc) { return acc; }

  using L8 = __m512i;
  static constexpr int limit_macs = 64;
  static L8 limit_zero() { return _mm512_setzero_si512(); }
  static L8 limit_dot(L8 acc, L8 a, L8 b) {  // opaque to the compiler, which would see the zeros
    __asm__ volatile("vpdpbusd %1, %2, %0" : "+v"(acc) : "v"(a), "v"(b));
    return acc;
  }
};

}  // namespace

constinit const KernelTable avx512_vnni_kernels =
    make_kernel_table<Avx512Vnni>("avx512_vnni", cpu_has_avx512_vnni, QuantList{});

}  // namespace quern

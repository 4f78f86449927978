// AVX2 + FMA + F16C (Haswell 2013, Zen 2017); avx_vnni builds on it.
#pragma once
#include <immintrin.h>

#include "isa/floats_xsimd.h"
#include "isa/kernel_table.h"
#include "isa/x86_blocks.h"

namespace quern {
namespace {

// Tiles: how many accumulators, and how many outputs one of them holds.
template <class Tiles>
struct Avx2Family : XsimdFloats<xsimd::fma3<xsimd::avx2>>, X86Blocks, Tiles {
  static float max_lane(F a) {
    __m128 v = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    v = _mm_max_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_max_ss(v, _mm_movehdup_ps(v)));
  }
  static float fold(F a) { return fold_lanes(_mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1))); }
  static F load_f16(const uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static void store_f16(F a, uint16_t* p) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
  }
  static F load_bf16(const uint16_t* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }

  using I = __m256i;
  static I set1_i32(int32_t v) { return _mm256_set1_epi32(v); }
  static I load_u8(const uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static I load_s8(const int8_t* p) {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static I sub_i32(I a, I b) { return _mm256_sub_epi32(a, b); }
  static I mul_i32(I a, I b) { return _mm256_mullo_epi32(a, b); }
  static I min_i32(I a, I b) { return _mm256_min_epi32(a, b); }
  static __m128i pack_i16(I a) { return _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1)); }
  static void store_codes(I a, int16_t* p) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), pack_i16(a)); }
  static void store_codes(I a, uint8_t* p) {
    const __m128i words = pack_i16(a);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }
  static void store_codes(I a, int8_t* p) {
    const __m128i words = pack_i16(a);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
  }
  static I max_i32(I a, I b) { return _mm256_max_epi32(a, b); }
  static int32_t max_lane_i32(I a) {
    __m128i v = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    v = _mm_max_epi32(v, _mm_shuffle_epi32(v, 0x4E));
    return _mm_cvtsi128_si32(_mm_max_epi32(v, _mm_shuffle_epi32(v, 0xB1)));
  }
  static I add_i32(I a, I b) { return _mm256_add_epi32(a, b); }
  static I pack16(I low, I high) { return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xAA); }
  static I shift_left(I a, int bits) { return _mm256_slli_epi32(a, bits); }
  static I round_i32(F a) { return _mm256_cvtps_epi32(a); }
  static F from_bits(I a) { return _mm256_castsi256_ps(a); }
  static F to_float(I a) { return _mm256_cvtepi32_ps(a); }
  static I load_i32(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void store_i32(I a, int32_t* p) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }
  static int32_t sum_i32(I a) {
    __m128i v = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32(v, 0xB1)));
  }

  static __m256i widen(__m128i v) { return _mm256_cvtepi8_epi16(v); }

  static I broadcast_i32(const int32_t* p) {  // as a float load: an integer broadcast takes a shuffle slot on Zen 3
    return _mm256_castps_si256(_mm256_broadcast_ss(reinterpret_cast<const float*>(p)));
  }
  // Products of int16 pairs. The empty asm keeps accumulators in registers: g++ 12 leaves them on the stack otherwise,
  // at two thirds of the rate.
  static I pinned(I acc) {
    __asm__("" : "+x"(acc));
    return acc;
  }
  // Added in place: g++ 12 makes trees of sums otherwise, whose products it all keeps first, on the stack.
  static I plus16(I acc, I sums) {
    __asm__("vpaddw %1, %0, %0" : "+x"(acc) : "x"(sums));
    return acc;
  }
  static I plus32(I acc, I sums) {
    __asm__("vpaddd %1, %0, %0" : "+x"(acc) : "x"(sums));
    return acc;
  }
  static constexpr bool cheap_dot16 = true;  // beside a product of int32
  static I dot16(I acc, I a, I b) { return pinned(_mm256_add_epi32(acc, _mm256_madd_epi16(a, b))); }

  using A8 = __m256i;
  using W8 = __m256i;
  using Acc8 = __m256i;
  static Acc8 zero8() { return _mm256_setzero_si256(); }

  // Small codes: unsigned codes × signed activations by maddubs, summed in int16 as long as they fit.
  using A4 = __m256i;
  using W4 = __m256i;
  using Acc4 = __m256i;
  static constexpr bool wide4 = false;
  static W4 load_codes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  template <int from, int bits, int to>
  static W4 field(W4 x) {
    if constexpr (from > to) x = _mm256_srli_epi16(x, from - to);
    if constexpr (from < to) x = _mm256_slli_epi16(x, to - from);
    return _mm256_and_si256(x, _mm256_set1_epi8(static_cast<char>(((1 << bits) - 1) << to)));
  }
  static W4 or_codes(W4 a, W4 b) { return _mm256_or_si256(a, b); }
  static W4 look_up(const int8_t* table, W4 codes) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))),
                               codes);
  }
  static A4 broadcast4(const int8_t* p) {
    return _mm256_castps_si256(_mm256_broadcast_ss(reinterpret_cast<const float*>(p)));
  }
  static Acc4 zero4() { return _mm256_setzero_si256(); }
  static Acc4 first4(W4 w, A4 a) { return _mm256_maddubs_epi16(w, a); }
  static Acc4 dot4(Acc4 acc, W4 w, A4 a) { return plus16(acc, first4(w, a)); }
  static I sums4(Acc4 acc) { return _mm256_madd_epi16(acc, _mm256_set1_epi16(1)); }

  // Signed bytes on both sides: widened to int16, as in q8; of each output k 0 and 1 of four, and 2 and 3.
  using ActS = int16_t;
  struct WS {
    __m256i first, second;
  };
  using AS = WS;
  using AccS = __m256i;
  static constexpr int lift_s = 0;
  static WS signed_codes(W4 x) {
    const __m256i low =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13));
    const __m256i high =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15));
    return {_mm256_srai_epi16(_mm256_shuffle_epi8(x, low), 8), _mm256_srai_epi16(_mm256_shuffle_epi8(x, high), 8)};
  }
  static AS broadcast_s(const int16_t* p) {
    return {broadcast_i32(reinterpret_cast<const int32_t*>(p)), broadcast_i32(reinterpret_cast<const int32_t*>(p) + 1)};
  }
  static AccS first_s(WS w, AS a) {
    return plus32(_mm256_madd_epi16(a.first, w.first), _mm256_madd_epi16(a.second, w.second));
  }
  static AccS dot_s(AccS acc, WS w, AS a) {
    return plus32(plus32(acc, _mm256_madd_epi16(a.first, w.first)), _mm256_madd_epi16(a.second, w.second));
  }
  static I sums_s(AccS acc) { return acc; }

  using L8 = __m256i;
  static constexpr int limit_macs = 32;
  static L8 limit_zero() { return _mm256_setzero_si256(); }
  static L8 limit_dot(L8 acc, L8 a, L8 b) {  // opaque to the compiler, which would see the zeros
    __asm__ volatile("vpmaddubsw %1, %2, %%ymm15\n\tvpmaddwd %1, %%ymm15, %%ymm15\n\tvpaddd %%ymm15, %0, %0"
                     : "+x"(acc)
                     : "x"(a), "x"(b)
                     : "ymm15");
    return acc;
  }
};

}  // namespace
}  // namespace quern

// What the x86 vocabularies share: blocks of 32 bytes and single halves.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace quern {
namespace {

struct X86Blocks {
  static float f16(uint16_t bits) { return _cvtsh_ss(bits); }

  using I8x32 = __m256i;
  static I8x32 load_i8x32(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static I8x32 load_nibbles_minus_8(const void* p) {
    const __m128i q = _mm_loadu_si128(static_cast<const __m128i*>(p)), mask = _mm_set1_epi8(15);
    const __m256i both = _mm256_set_m128i(_mm_and_si128(_mm_srli_epi16(q, 4), mask), _mm_and_si128(q, mask));
    return _mm256_sub_epi8(both, _mm256_set1_epi8(8));
  }
};

}  // namespace
}  // namespace quern

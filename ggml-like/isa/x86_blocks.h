// What the x86 vocabularies share.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace quern {
namespace {

struct X86Blocks {
  static float f16(uint16_t bits) { return _cvtsh_ss(bits); }
  // Four lanes added in halves.
  static float fold_lanes(__m128 v) {
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
  }
};

}  // namespace
}  // namespace quern

// What the x86 vocabularies share.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace quern {
namespace {

struct X86Blocks {
  static float f16(uint16_t bits) { return _cvtsh_ss(bits); }
};

}  // namespace
}  // namespace quern

#include "cpu.h"

#include "cpu_system.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace quern {
namespace {

struct Features {
  bool avx2 = false, avx_vnni = false, avx512_vnni = false, avx512_bf16 = false, neon_dotprod = false,
       neon_i8mm = false;
  Features() noexcept;
};

#if defined(__x86_64__)
// XCR0, the register sets that the operating system saves; 0 without OSXSAVE.
unsigned saved_registers() noexcept {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return 0;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

Features::Features() noexcept {
  unsigned a, b, c, d, b7, c7, a71;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d) || !__get_cpuid(1, &a, &b, &c, &d)) return;
  const unsigned saved = saved_registers();
  avx2 = (saved & 6) == 6 && (b7 >> 5 & 1) && (c >> 12 & 1) && (c >> 29 & 1);
  avx512_vnni = avx2 && (saved & 0xe6) == 0xe6 && (b7 >> 16 & 1) && (b7 >> 17 & 1) && (b7 >> 30 & 1) &&
                (b7 >> 31 & 1) && (c7 >> 11 & 1);
  if (!__get_cpuid_count(7, 1, &a71, &b, &c, &d)) return;
  avx_vnni = avx2 && (a71 >> 4 & 1);
  avx512_bf16 = avx512_vnni && (a71 >> 5 & 1);
}
#elif defined(__aarch64__)
Features::Features() noexcept {
  const ArmFeatures system = arm_features();
  neon_dotprod = system.dotprod;
  neon_i8mm = system.dotprod && system.i8mm;
}
#else
Features::Features() noexcept {}
#endif

const Features& features() noexcept {
  static const Features f;
  return f;
}

}  // namespace

bool cpu_has_avx2() noexcept {
  return features().avx2;
}
bool cpu_has_avx_vnni() noexcept {
  return features().avx_vnni;
}
bool cpu_has_avx512_vnni() noexcept {
  return features().avx512_vnni;
}
bool cpu_has_avx512_bf16() noexcept {
  return features().avx512_bf16;
}
bool cpu_has_neon_dotprod() noexcept {
  return features().neon_dotprod;
}
bool cpu_has_neon_i8mm() noexcept {
  return features().neon_i8mm;
}

}  // namespace quern

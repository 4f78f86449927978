// NEON with i8mm (Neoverse V1/N2, Apple M2, Cortex-A710): usmmla multiplies two rows of u8 by two outputs of s8 over
// eight k, twice what usdot does.
#include "cpu.h"
#include "isa/neon/vocabulary.h"
#include "isa/tables.h"

namespace quern {
namespace {

struct NeonI8mm : Neon {
  using Act8 = uint8_t;
  static constexpr bool matrix8 = true;
  static constexpr int act8_offset = 0, rows8 = 8, vectors8 = 2;
  using A8 = uint8x16_t;
  static A8 load_rows8(const uint8_t* first, const uint8_t* second) {
    return vcombine_u8(vld1_u8(first), vld1_u8(second));
  }
  // p: four k of four outputs, and the next four k of the same if there are any.
  static void zip_w8(const int8_t* p, bool whole, W8& low, W8& high) {
    const int32x4_t a = vreinterpretq_s32_s8(vld1q_s8(p));
    const int32x4_t b = whole ? vreinterpretq_s32_s8(vld1q_s8(p + 64)) : vdupq_n_s32(0);
    low = vreinterpretq_s8_s32(vzip1q_s32(a, b));
    high = vreinterpretq_s8_s32(vzip2q_s32(a, b));
  }
  static Acc8 dot8(Acc8 acc, A8 a, W8 w) { return vusmmlaq_s32(acc, a, w); }
  // Row 0 or 1 of two accumulators of two rows × two outputs.
  static I row_of8(Acc8 a, Acc8 b, int row) {
    const int64x2_t x = vreinterpretq_s64_s32(a), y = vreinterpretq_s64_s32(b);
    return vreinterpretq_s32_s64(row == 0 ? vzip1q_s64(x, y) : vzip2q_s64(x, y));
  }

  static constexpr int limit_macs = 32;
  static L8 limit_dot(L8 acc, L8 a, L8 b) {  // opaque to the compiler, which would see the zeros
    __asm__ volatile("usmmla %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(a), "w"(b));
    return acc;
  }
};

}  // namespace

constinit const KernelTable neon_i8mm_kernels =
    make_kernel_table<NeonI8mm>("neon_i8mm", cpu_has_neon_i8mm, QuantList{});

}  // namespace quern

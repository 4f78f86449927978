// NEON with i8mm (Neoverse V1/N2, Apple M2, Cortex-A710): usdot multiplies u8 activations by s8 weights directly.
#include "cpu.h"
#include "isa/neon/vocabulary.h"
#include "isa/tables.h"

namespace quern {
namespace {

struct NeonI8mm : Neon {
  using Act8 = uint8_t;
  static constexpr int act8_offset = 0;
  using A8 = uint8x16_t;
  static A8 broadcast8(const uint8_t* p) {
    uint32_t four;
    __builtin_memcpy(&four, p, 4);
    return vreinterpretq_u8_u32(vdupq_n_u32(four));
  }
  static Acc8 dot8(Acc8 acc, A8 a, W8 w) { return vusdotq_s32(acc, a, w); }
};

}  // namespace

constinit const KernelTable neon_i8mm_kernels =
    make_kernel_table<NeonI8mm>("neon_i8mm", cpu_has_neon_i8mm, QuantList{});

}  // namespace quern

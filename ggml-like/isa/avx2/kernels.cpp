// AVX2 with FMA and F16C.
#include "cpu.h"
#include "isa/avx2/vocabulary.h"
#include "isa/tables.h"

namespace quern {

constinit const KernelTable avx2_kernels = make_kernel_table<Avx2>("avx2", cpu_has_avx2, QuantList{});

}  // namespace quern

// The ISA tables' names; dispatch.cpp lists those that are built here, best first.
#pragma once
#include "kernels.h"

namespace quern {

extern const KernelTable scalar_kernels, avx2_kernels, avx_vnni_kernels, avx512_vnni_kernels, neon_kernels,
    neon_i8mm_kernels;

}  // namespace quern

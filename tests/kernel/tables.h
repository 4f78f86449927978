// The kernel tables that the parity tests run: those of the library that this CPU runs, and those that only tests have.
#pragma once
#include <vector>

#include "dispatch.h"

namespace quern {

#if defined(QUERN_TEST_EMULATED)
extern const KernelTable emulated_avx512_kernels, emulated_avx_vnni_kernels;
#endif
#if defined(QUERN_TEST_AVX_VNNI)  // the AVX-VNNI code compiled as AVX-512VL, which encodes the same instructions anew
extern const KernelTable avx_vnni_as_avx512_kernels;
#endif

inline std::vector<const KernelTable*> tested_kernels() {
  std::vector<const KernelTable*> tables(built_kernels().begin(), built_kernels().end());
#if defined(QUERN_TEST_EMULATED)
  tables.push_back(&emulated_avx512_kernels);
  tables.push_back(&emulated_avx_vnni_kernels);
#endif
#if defined(QUERN_TEST_AVX_VNNI)
  tables.push_back(&avx_vnni_as_avx512_kernels);
#endif
  std::erase_if(tables, [](const KernelTable* t) { return !t->runs_here(); });  // main() reports the library's
  return tables;
}

}  // namespace quern

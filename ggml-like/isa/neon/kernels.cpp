// NEON with dot products.
#include "cpu.h"
#include "isa/neon/vocabulary.h"
#include "isa/tables.h"

namespace quern {

constinit const KernelTable neon_kernels = make_kernel_table<Neon>("neon", cpu_has_neon_dotprod, QuantList{});

}  // namespace quern

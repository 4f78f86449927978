// The AVX-512 and AVX-VNNI templates over emulated vectors of 64 and 32 bytes: run on every CPU, so that no tile ships
// unexecuted.
#include "isa/avx512_vnni/tiles.h"
#include "isa/avx_vnni/tiles.h"
#include "isa/portable.h"
#include "tables.h"

namespace quern {

constinit const KernelTable emulated_avx512_kernels =
    make_kernel_table<Portable<16, Avx512Tiles>>("avx512_vnni emulated", always, QuantList{});
constinit const KernelTable emulated_avx_vnni_kernels =
    make_kernel_table<Portable<8, AvxVnniTiles>>("avx_vnni emulated", always, QuantList{});

}  // namespace quern

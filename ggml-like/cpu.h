// What the CPU and the operating system let this process use. cpu_has_* are true only when the registers are saved by
// the operating system too. Cheap after the first call, thread-safe.
#pragma once
#include <cstdint>
#include <string>

namespace quern {

bool cpu_has_avx2() noexcept;         // AVX2, FMA, F16C
bool cpu_has_avx_vnni() noexcept;     // and AVX-VNNI
bool cpu_has_avx512_vnni() noexcept;  // AVX-512 F, BW, VL, DQ, VNNI
bool cpu_has_avx512_bf16() noexcept;
bool cpu_has_neon_dotprod() noexcept;
bool cpu_has_neon_i8mm() noexcept;

std::string cpu_name();

// CPUs that this process may run on: its affinity mask, cut to the cgroup's quota (cpu.max rounded up). At least 1.
int usable_cpus();

uint64_t physical_memory();  // bytes; 0: not known

}  // namespace quern

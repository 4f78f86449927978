// What Windows says of the machine.
#include <windows.h>

#include <algorithm>

#include "cpu.h"
#include "cpu_system.h"

namespace quern {
namespace {

// CPUs of this process's affinity mask in its group; of all groups where it has CPUs of several, as from Windows 11 on.
int allowed_cpus() {
  USHORT groups[64], n = 64;
  if (GetProcessGroupAffinity(GetCurrentProcess(), &n, groups) && n > 1)
    return static_cast<int>(GetActiveProcessorCount(ALL_PROCESSOR_GROUPS));
  DWORD_PTR own = 0, all = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &all) || own == 0) return 1;
  return __builtin_popcountll(own);
}

// Of the job that this process runs in: a hundredth of a percent of all CPUs each; 0: no cap.
int capped_cpus() {
  JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate{};
  constexpr DWORD kHardCap = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
  if (!QueryInformationJobObject(nullptr, JobObjectCpuRateControlInformation, &rate, sizeof rate, nullptr)) return 0;
  if ((rate.ControlFlags & kHardCap) != kHardCap) return 0;
  const auto all = static_cast<double>(GetActiveProcessorCount(ALL_PROCESSOR_GROUPS));
  return std::max(1, static_cast<int>(all * rate.CpuRate / 10000 + 0.999));
}

}  // namespace

ArmFeatures arm_features() noexcept {
  return {false, false};
}

std::string cpu_name() {
  char name[256] = "";
  DWORD size = sizeof name;
  const LSTATUS got = RegGetValueA(HKEY_LOCAL_MACHINE, "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0",
                                   "ProcessorNameString", RRF_RT_REG_SZ, nullptr, name, &size);
  return got == ERROR_SUCCESS && *name ? name : "unknown CPU";
}

uint64_t physical_memory() {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? status.ullTotalPhys : 0;
}

int usable_cpus() {
  static const int cpus = [] {
    const int allowed = allowed_cpus(), capped = capped_cpus();
    return std::max(1, capped > 0 ? std::min(allowed, capped) : allowed);
  }();
  return cpus;
}

}  // namespace quern

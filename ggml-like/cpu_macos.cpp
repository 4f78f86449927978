// What macOS says of the machine. It has neither affinity masks nor control groups.
#include <sys/sysctl.h>
#include <unistd.h>

#include <algorithm>

#include "cpu.h"
#include "cpu_system.h"

namespace quern {
namespace {

bool has(const char* feature) noexcept {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(feature, &value, &size, nullptr, 0) == 0 && value != 0;
}

}  // namespace

ArmFeatures arm_features() noexcept {
  return {has("hw.optional.arm.FEAT_DotProd"), has("hw.optional.arm.FEAT_I8MM")};
}

std::string cpu_name() {
  char name[256] = {};
  size_t size = sizeof name - 1;
  return sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) == 0 ? name : "unknown CPU";
}

uint64_t physical_memory() {
  uint64_t bytes = 0;
  size_t size = sizeof bytes;
  return sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0 ? bytes : 0;
}

int usable_cpus() {
  static const int cpus = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  return cpus;
}

}  // namespace quern

// What Linux says of the machine: /proc, control groups, the auxiliary vector.
#include <sched.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cpu.h"
#include "cpu_system.h"

namespace quern {
namespace {

// The first 4 KiB of a file of /proc or /sys; empty when it is not there.
std::string read_small(const std::string& path) {
  std::string text(4096, '\0');
  std::FILE* file = std::fopen(path.c_str(), "r");
  text.resize(file ? std::fread(text.data(), 1, text.size(), file) : 0);
  if (file) std::fclose(file);
  return text;
}

int whole_cpus(double quota, double period) {
  return quota > 0 && period > 0 ? std::max(1, static_cast<int>((quota + period - 1) / period)) : 0;
}

// The CPUs that the cgroup's quota amounts to, rounded up; 0 when there is none. Reads cgroup v2, then v1.
int quota_cpus() {
  const std::string groups = read_small("/proc/self/cgroup");
  const size_t at = groups.rfind("0::", 0) == 0 ? 0 : groups.find("\n0::");
  std::string group;
  if (at != std::string::npos) {
    const size_t begin = groups.find("0::", at) + 3;
    group = groups.substr(begin, groups.find('\n', begin) - begin);
  }
  int cpus = 0;
  for (;;) {  // a parent's quota binds too: walk up to the root
    double quota = 0, period = 0;
    if (std::sscanf(read_small("/sys/fs/cgroup" + group + "/cpu.max").c_str(), "%lf %lf", &quota, &period) == 2) {
      const int here = whole_cpus(quota, period);
      if (here > 0) cpus = cpus == 0 ? here : std::min(cpus, here);
    }
    if (group.empty() || group == "/") break;
    group.erase(group.rfind('/'));
  }
  if (cpus > 0) return cpus;
  const std::string v1 = "/sys/fs/cgroup/cpu/cpu.cfs_";
  return whole_cpus(std::atof(read_small(v1 + "quota_us").c_str()), std::atof(read_small(v1 + "period_us").c_str()));
}

}  // namespace

ArmFeatures arm_features() noexcept {
  return {(getauxval(AT_HWCAP) >> 20 & 1) != 0, (getauxval(AT_HWCAP2) >> 13 & 1) != 0};
}

std::string cpu_name() {
  const std::string info = read_small("/proc/cpuinfo");
  const size_t name = info.find("model name");
  if (name != std::string::npos) {
    const size_t begin = info.find(": ", name);
    if (begin != std::string::npos) return info.substr(begin + 2, info.find('\n', begin) - begin - 2);
  }
  return "unknown CPU";
}

uint64_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && bytes > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(bytes) : 0;
}

int usable_cpus() {
  static const int cpus = [] {
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    const int quota = quota_cpus();
    if (quota > 0) n = std::min(n, quota);
    return std::max(n, 1);
  }();
  return cpus;
}

}  // namespace quern

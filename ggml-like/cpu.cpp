#include "cpu.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace quern {
namespace {

struct Features {
  bool avx2 = false, avx_vnni = false, avx512_vnni = false, avx512_bf16 = false, neon_dotprod = false,
       neon_i8mm = false;
  Features() noexcept;
};

#if defined(__x86_64__)
// XCR0, the register sets that the operating system saves; 0 without OSXSAVE.
unsigned saved_registers() noexcept {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return 0;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

Features::Features() noexcept {
  unsigned a, b, c, d, b7, c7, a71;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d) || !__get_cpuid(1, &a, &b, &c, &d)) return;
  const unsigned saved = saved_registers();
  avx2 = (saved & 6) == 6 && (b7 >> 5 & 1) && (c >> 12 & 1) && (c >> 29 & 1);
  avx512_vnni = avx2 && (saved & 0xe6) == 0xe6 && (b7 >> 16 & 1) && (b7 >> 17 & 1) && (b7 >> 30 & 1) &&
                (b7 >> 31 & 1) && (c7 >> 11 & 1);
  if (!__get_cpuid_count(7, 1, &a71, &b, &c, &d)) return;
  avx_vnni = avx2 && (a71 >> 4 & 1);
  avx512_bf16 = avx512_vnni && (a71 >> 5 & 1);
}
#elif defined(__aarch64__)
Features::Features() noexcept {
  neon_dotprod = getauxval(AT_HWCAP) >> 20 & 1;
  neon_i8mm = neon_dotprod && (getauxval(AT_HWCAP2) >> 13 & 1);
}
#else
Features::Features() noexcept {}
#endif

const Features& features() noexcept {
  static const Features f;
  return f;
}

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

bool cpu_has_avx2() noexcept {
  return features().avx2;
}
bool cpu_has_avx_vnni() noexcept {
  return features().avx_vnni;
}
bool cpu_has_avx512_vnni() noexcept {
  return features().avx512_vnni;
}
bool cpu_has_avx512_bf16() noexcept {
  return features().avx512_bf16;
}
bool cpu_has_neon_dotprod() noexcept {
  return features().neon_dotprod;
}
bool cpu_has_neon_i8mm() noexcept {
  return features().neon_i8mm;
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

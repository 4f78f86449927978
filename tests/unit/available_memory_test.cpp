// What the machine and its control groups leave, from files as Linux writes them.
#include "io/available_memory.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "format_bytes.h"

namespace quern::test {
namespace {

constexpr uint64_t mib = 1 << 20;

// A root with these files.
class Root {
 public:
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = folder() + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::string folder() const { return scratch_.path(); }
  uint64_t available() const { return available_memory(folder()); }

 private:
  ScratchFolder scratch_;
};

}  // namespace

TEST_CASE("available memory: the machine's") {
  const Root root;
  CHECK(root.available() == 0);
  root.write("/proc/meminfo", "MemTotal:       24732284 kB\nMemFree:        20525460 kB\nMemAvailable:   2048 kB\n");
  CHECK(root.available() == 2 * mib);
  CHECK(available_memory() > 0);
}

TEST_CASE("available memory: version 2 of control groups, each of which binds") {
  const Root root;
  root.write("/proc/meminfo", "MemAvailable:   102400 kB\n");
  root.write("/proc/self/cgroup", "0::/a/b\n");
  CHECK(root.available() == 100 * mib);
  const auto group = [&](const std::string& path, const std::string& most, uint64_t used, uint64_t cache) {
    root.write("/sys/fs/cgroup" + path + "/memory.max", most + "\n");
    root.write("/sys/fs/cgroup" + path + "/memory.current", std::to_string(used) + "\n");
    root.write("/sys/fs/cgroup" + path + "/memory.stat", "anon 5\ninactive_file " + std::to_string(cache) + "\n");
  };
  group("/a/b", "max", 5 * mib, 0);
  CHECK(root.available() == 100 * mib);
  group("/a", std::to_string(50 * mib), 30 * mib, 10 * mib);
  CHECK(root.available() == 30 * mib);
  group("/a/b", std::to_string(20 * mib), 30 * mib, 15 * mib);
  CHECK(root.available() == 5 * mib);
  group("/a/b", std::to_string(20 * mib), 30 * mib, 0);
  CHECK(root.available() == 1);  // none, which is not "not known"
  // In a container the group is the root.
  root.write("/proc/self/cgroup", "0::/\n");
  group("", std::to_string(10 * mib), 4 * mib, 0);
  CHECK(root.available() == 6 * mib);
}

TEST_CASE("available memory: version 1 of control groups") {
  const Root root;
  root.write("/proc/meminfo", "MemAvailable:   102400 kB\n");
  root.write("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/job\n0::/\n");
  const std::string group = "/sys/fs/cgroup/memory/job";
  root.write(group + "/memory.limit_in_bytes", "9223372036854771712\n");
  root.write(group + "/memory.usage_in_bytes", "1000\n");
  CHECK(root.available() == 100 * mib);
  root.write(group + "/memory.limit_in_bytes", std::to_string(8 * mib));
  root.write(group + "/memory.usage_in_bytes", std::to_string(7 * mib));
  root.write(group + "/memory.stat", "inactive_file 1\ntotal_inactive_file " + std::to_string(2 * mib) + "\n");
  CHECK(root.available() == 3 * mib);
}

}  // namespace quern::test

// See available_memory.h.
#include "io/available_memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "os/memory.h"

namespace quern {
namespace {

constexpr size_t kMost = size_t{1} << 16;           // of a file's bytes
constexpr uint64_t kUnlimited = uint64_t{1} << 60;  // v1 says "no limit" by a number about as large as there is

std::string text_of(const std::string& path) {
  std::string text(kMost, '\0');
  std::FILE* file = std::fopen(path.c_str(), "r");
  text.resize(file ? std::fread(text.data(), 1, text.size(), file) : 0);
  if (file) std::fclose(file);
  return text;
}

std::optional<uint64_t> number(const std::string& text) {
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;  // "max" too
  return std::strtoull(text.c_str(), nullptr, 10);
}

// The number behind a name at a line's beginning.
std::optional<uint64_t> field(const std::string& text, const std::string& name) {
  for (size_t line = 0; line < text.size();) {
    const size_t end = std::min(text.find('\n', line), text.size());
    if (text.compare(line, name.size(), name) == 0) {
      const size_t digits = text.find_first_not_of(" \t", line + name.size());
      return digits < end ? number(text.substr(digits, end - digits)) : std::nullopt;
    }
    line = end + 1;
  }
  return std::nullopt;
}

// The path of the process in a hierarchy: a line "N:controllers:path" of /proc/self/cgroup.
std::optional<std::string> group_of(const std::string& groups, const std::string& controller) {
  for (size_t line = 0; line < groups.size();) {
    const size_t end = std::min(groups.find('\n', line), groups.size());
    const size_t first = groups.find(':', line), second = groups.find(':', first + 1);
    if (first < end && second < end) {
      const std::string names = "," + groups.substr(first + 1, second - first - 1) + ",";
      const bool found = controller.empty() ? names == ",," : names.find("," + controller + ",") != std::string::npos;
      if (found) return groups.substr(second + 1, end - second - 1);
    }
    line = end + 1;
  }
  return std::nullopt;
}

// What a hierarchy's groups, from the process's up to the root, leave: each binds. A container may show its own group
// as the root.
uint64_t left_in(const std::string& top, std::string group, const char* limit, const char* usage, const char* cache) {
  uint64_t least = kUnlimited;
  for (;;) {
    const std::string folder = top + group + '/';
    const auto most = number(text_of(folder + limit)), used = number(text_of(folder + usage));
    if (most && used && *most < kUnlimited) {
      const uint64_t droppable = field(text_of(folder + "memory.stat"), cache).value_or(0);
      const uint64_t taken = *used - std::min(*used, droppable);
      least = std::min(least, *most - std::min(*most, taken));
    }
    if (group.empty() || group == "/") return least;
    group.erase(group.rfind('/'));
  }
}

}  // namespace

uint64_t available_memory(const std::string& root) {
  const auto machine = field(text_of(root + "/proc/meminfo"), "MemAvailable:");
  uint64_t least = machine ? *machine << 10 : kUnlimited;
  if (const uint64_t told = os::free_memory(); told > 0) least = std::min(least, told);
  const std::string groups = text_of(root + "/proc/self/cgroup"), top = root + "/sys/fs/cgroup";
  if (const auto group = group_of(groups, ""))
    least = std::min(least, left_in(top, *group, "memory.max", "memory.current", "inactive_file "));
  if (const auto group = group_of(groups, "memory"))
    least = std::min(least, left_in(top + "/memory", *group, "memory.limit_in_bytes", "memory.usage_in_bytes",
                                    "total_inactive_file "));
  return least == kUnlimited ? 0 : std::max<uint64_t>(least, 1);
}

}  // namespace quern

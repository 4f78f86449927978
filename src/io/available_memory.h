// What memory this process may still take.
#pragma once
#include <cstdint>
#include <string>

namespace quern {

// Bytes: of the machine (MemAvailable) and of the control groups that the process is in, the least; pages of files that
// the system can drop count as free. 0: not known. root: what goes before /proc and /sys, for tests.
uint64_t available_memory(const std::string& root = {});

}  // namespace quern

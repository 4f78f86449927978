// Sizes of memory in messages.
#pragma once
#include <cstdint>
#include <string>

namespace quern {

// Rounded up: "12 MiB".
inline std::string mebibytes(uint64_t bytes) {
  return std::to_string((bytes + (uint64_t{1} << 20) - 1) >> 20) + " MiB";
}

}  // namespace quern

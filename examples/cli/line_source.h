// Whole lines of a source.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "byte_source.h"

namespace cli {

class LineSource {
 public:
  LineSource(ByteSource& source, size_t limit) : source_(source), limit_(limit) {}

  bool next(std::string& line);  // false at the end. Throws Failure for a line of more than `limit` bytes
  std::string where() const { return source_.name() + ": line " + std::to_string(count_); }

 private:
  ByteSource& source_;
  const size_t limit_;
  std::string_view rest_;
  uint64_t count_ = 0;
};

// "expected at most 64 MiB"
std::string too_long(size_t limit);

}  // namespace cli

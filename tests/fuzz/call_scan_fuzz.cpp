// A byte (strict or not) and a text that may begin with a call: what is known of it must not depend on how it came.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "chat/call_scan.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  CallScan whole((data[0] & 1) != 0), parts((data[0] & 1) != 0);
  whole.go(text);
  for (size_t n = 1; n <= text.size(); ++n) parts.go(text.substr(0, n));
  if (whole.at != parts.at || whole.wrong != parts.wrong || whole.done != parts.done || whole.name != parts.name ||
      whole.known != parts.known || whole.arguments_begin != parts.arguments_begin ||
      whole.arguments_end != parts.arguments_end) {
    std::abort();
  }
  if (whole.at > text.size() || whole.arguments_begin > text.size() || whole.arguments_end > text.size()) std::abort();
  if (whole.arguments_end != 0 && whole.arguments_end < whole.arguments_begin) std::abort();
  CallScan::unquoted(text);
  return 0;
}

// 'v' and arguments as functiongemma spells them, or 's' and a schema: only Error may be thrown; what is read is JSON
// that can be written, and a schema's grammar is one.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "chat/gemma_values.h"
#include "error.h"
#include "sampling/grammar.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] == 's') {
      std::string rules;
      const std::string body = gemma_arguments(text, "r", "\"<escape>\"", rules);
      Grammar::from_gbnf("root ::= " + body + "\n" + rules);
      return 0;
    }
    nlohmann::ordered_json out;
    const size_t n = read_gemma_object(text, out);
    if (n > text.size()) std::abort();
    if (n == 0) return 0;
    if (!out.is_object()) std::abort();
    const std::string dumped = out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    if (nlohmann::ordered_json::parse(dumped, nullptr, false).is_discarded()) std::abort();
    // What was enough stays so, whatever follows.
    nlohmann::ordered_json again;
    if (read_gemma_object(text.substr(0, n), again) != n) std::abort();
  } catch (const Error&) {
  }
  return 0;
}

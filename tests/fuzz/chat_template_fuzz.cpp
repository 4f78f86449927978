// A template, a NUL byte and its context as JSON: only Error may be thrown, and a rendering's parts must be valid and
// apart.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "chat/chat_template.h"
#include "error.h"
#include "tokenizers/utf8.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t nul = std::min(input.find('\0'), input.size());
  ChatLimits limits;
  limits.steps = 100'000;
  limits.output_bytes = 1 << 20;
  limits.memory_bytes = 16 << 20;
  auto context = nlohmann::ordered_json::parse(input.substr(std::min(nul + 1, size)), nullptr, false);
  if (!context.is_object()) context = {{"messages", {{{"role", "user"}, {"content", "Hi <b>"}}}}, {"tools", nullptr}};
  try {
    const ChatTemplate chat(input.substr(0, nul), "fuzz", limits);
    const std::vector<RenderedPart> parts = chat.render(context, {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].text.empty() || (i > 0 && parts[i].from_user == parts[i - 1].from_user)) std::abort();
    }
    const std::string text = join_parts(parts);
    if (text.size() > limits.output_bytes || find_invalid_utf8(text) != text.size()) std::abort();
  } catch (const Error&) {
  }
  return 0;
}

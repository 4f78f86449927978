// libFuzzer target: a byte 'g' or 's', a grammar in GBNF or a JSON schema, a byte 0xFF, and bytes that choose tokens.
// Anything but an Error is a bug, and so is a mask that differs from what is accepted.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "sampling/grammar_state.h"

namespace {

constexpr const char* texts[] = {"a",   "b",   "\"",   "{",    "}",    "[",    "]",
                                 ":",   ",",   "0",    "1",    "12",   "\n",   " ",
                                 "{\"", "\":", "true", "null", "\xC3", "\xA9", "\xE4\xB8\xAD",
                                 "(",   ")",   "-",    ".",    "\\",   "ab",   "\\u",
                                 "5",   "e",   "",     ""};
constexpr int32_t n_tokens = static_cast<int32_t>(std::size(texts)), end_id = n_tokens - 1;

void follow(quern::GrammarState& state, std::string_view choices) {
  for (const char choice : choices.substr(0, 24)) {
    std::vector<float> logits(static_cast<size_t>(n_tokens), 0);
    state.mask(logits);
    std::vector<int32_t> allowed;
    for (int32_t id = 0; id < n_tokens; ++id) {
      if (state.allows(id) != (logits[static_cast<size_t>(id)] == 0)) std::abort();
      if (state.allows(id)) allowed.push_back(id);
    }
    if (state.complete() && !state.allows(end_id)) std::abort();
    if (allowed.empty()) return;  // these tokens cannot spell what comes
    state.accept(allowed[static_cast<uint8_t>(choice) % allowed.size()]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto trie = std::make_shared<const quern::TokenTrie>(
      static_cast<size_t>(n_tokens), [](int32_t id) { return std::string(texts[id]); }, std::vector<int32_t>{end_id});
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const size_t separator = input.find('\xFF');
  const std::string_view text = input.substr(1, separator == std::string_view::npos ? separator : separator - 1);
  const std::string_view choices = separator == std::string_view::npos ? "" : input.substr(separator + 1);
  try {
    const auto grammar = input[0] == 'g' ? quern::Grammar::from_gbnf(text) : quern::Grammar::from_json_schema(text);
    quern::GrammarState state(grammar, trie);
    follow(state, choices);
  } catch (const quern::Error&) {
  }
  return 0;
}

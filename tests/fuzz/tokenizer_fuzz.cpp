// libFuzzer target: a tokenizer.json, a byte 0xFF, and a text. Anything but an Error is a bug, and so is a fast path
// that differs from the general one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "error.h"
#include "tokenizers/padding.h"
#include "tokenizers/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t separator = input.find('\xFF');  // no JSON that parses holds this byte
  const std::string_view file = input.substr(0, separator);
  const std::string_view text = separator == std::string_view::npos ? "" : input.substr(separator + 1);
  try {
    const auto fast = quern::Tokenizer::parse(file, "fuzz");
    const auto general = quern::Tokenizer::parse(file, "fuzz", false);
    quern::EncodeOptions options;
    options.want_offsets = true;
    quern::Encoding a, b;
    fast->encode(text, options, a);
    general->encode(text, options, b);
    if (a.ids != b.ids || a.offsets != b.offsets || a.type_ids.size() != a.ids.size()) std::abort();
    for (const int32_t id : a.ids) {
      if (id < 0 || static_cast<size_t>(id) >= fast->vocab_size()) std::abort();
    }
    for (const quern::Span& s : a.offsets) {
      if (s.begin > s.end || s.end > text.size()) std::abort();
    }
    options.max_length = 5;
    fast->encode_pair(text, text.substr(text.size() / 2), options, a);
    if (a.ids.size() > options.max_length) std::abort();
    options = fast->file_truncation().value_or(options);
    options.max_length = options.max_length % 64;
    std::vector<quern::Encoding> windows = fast->encode_pair_windows(text, text, options);
    for (const quern::Encoding& window : windows) {
      if (options.max_length > 0 && window.ids.size() > options.max_length) std::abort();
    }
    quern::Padding padding = fast->file_padding().value_or(quern::Padding{});
    padding.length %= 64;
    padding.multiple_of %= 64;
    quern::pad(windows, padding);
    for (const quern::Encoding& window : windows) {
      if (window.ids.size() < padding.length || window.attention_mask.size() != window.ids.size()) std::abort();
    }
  } catch (const quern::Error&) {
  }
  return 0;
}

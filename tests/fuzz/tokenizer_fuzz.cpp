// libFuzzer target: a tokenizer.json, a byte 0xFF, and a text. Anything but an Error is a bug, and so is a fast path
// that differs from the general one, tables in place that differ from the JSON, or a decoder that gives other than
// UTF-8.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "tokenizers/padding.h"
#include "tokenizers/table.h"
#include "tokenizers/tokenizer.h"
#include "tokenizers/utf8.h"

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
    std::map<std::string, std::vector<std::byte>, std::less<>> saved;
    general->save([&](std::string_view name, std::span<const std::byte> bytes) {
      saved[std::string(name)].assign(bytes.begin(), bytes.end());
    });
    const quern::TableSource tables = {"fuzz", "", [&](std::string_view name) {
                                         return std::optional<std::span<const std::byte>>(saved.find(name)->second);
                                       }};
    const auto in_place = quern::Tokenizer::parse(quern::Tokenizer::outline(file, "fuzz"), "fuzz", true, &tables);
    in_place->encode(text, options, b);
    if (a.ids != b.ids || a.offsets != b.offsets) std::abort();
    const std::string decoded = fast->decode(a.ids, false);
    if (quern::find_invalid_utf8(decoded) != decoded.size()) std::abort();
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

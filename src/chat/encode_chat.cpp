// See encode_chat.h.
#include "chat/encode_chat.h"

#include "error.h"

namespace quern {

std::vector<Span> join_for_encoding(std::span<const RenderedPart> parts, std::string& text) {
  constexpr size_t max_text = size_t{1} << 30;  // as Tokenizer::encode has it
  std::vector<Span> plain;
  text.clear();
  for (const RenderedPart& part : parts) {
    if (part.text.size() > max_text - text.size())
      throw Error(Status::bad_argument, "a rendered chat should be at most 1 GiB, but is larger");
    const uint32_t begin = static_cast<uint32_t>(text.size());
    text += part.text;
    if (part.from_user) plain.push_back({begin, static_cast<uint32_t>(text.size())});
  }
  return plain;
}

void encode_chat(const Tokenizer& tokenizer, std::span<const RenderedPart> parts, std::vector<int32_t>& ids) {
  std::string text;
  const std::vector<Span> plain = join_for_encoding(parts, text);
  EncodeOptions options;
  options.add_special = false;
  options.plain = plain;
  Encoding encoding;
  tokenizer.encode(text, options, encoding);
  ids = std::move(encoding.ids);
}

}  // namespace quern

// A precompiled charsmap of SentencePiece: a double-array trie from UTF-8 strings to their replacements. The bytes are
// a trust boundary: every index is checked where it is used.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json_field.h"

namespace quern {

class Charsmap {
 public:
  // bytes: u32 size of the trie, the trie's u32 units, NUL-terminated strings. field is what messages name.
  Charsmap(std::string_view bytes, const JsonField& field);

  // The replacement of the shortest key that text starts with. It may be empty.
  std::optional<std::string_view> find(std::string_view text) const;

 private:
  std::vector<uint32_t> units_;
  std::string strings_;
};

// Throws Error if field's text is not base64 with padding.
std::string decode_base64(std::string_view text, const JsonField& field);

}  // namespace quern

// The text between two stages: characters that remember which bytes of the original they came from.
#pragma once
#include <cstdint>
#include <vector>

#include "tokenizer.h"

namespace quern {

struct Char {
  char32_t code;
  uint32_t begin, end;  // bytes of the original text
};
using Chars = std::vector<Char>;

// One character of a rewritten text. change = 0: it stands for the next old character; above 0: it was put in and
// shares the bytes of the old character before; -n: it stands for the next one, and n more vanish after it.
struct Rewritten {
  char32_t code;
  int32_t change;
};

// What the stages may make of a text of n characters, in characters: 18 times as long is NFKD's most, and ByteLevel may
// follow it.
constexpr size_t max_chars(size_t n) {
  return n * 64 + (size_t{1} << 16);
}
// Throws Error bad_argument if n_chars is above most.
void check_growth(size_t n_chars, size_t most);

struct Token {
  int32_t id;
  uint32_t begin, end;  // bytes of the original text
};

}  // namespace quern

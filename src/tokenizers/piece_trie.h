// A double-array trie over the bytes of all pieces: finds every piece that starts at a place in a text in one walk.
// (Aoe 1989; the exclusive-or form of Yata's darts-clone: a child's place is its parent's base ^ byte.)
#pragma once
#include <cstdint>
#include <string_view>

#include "table.h"
#include "vocabulary.h"

namespace quern {

class PieceTrie {
 public:
  void build(const Vocabulary& vocab);  // empty pieces are left out
  // In place, as saved; checks every base and id.
  void view(const Vocabulary& vocab, const TableSource& tables);
  void save(const TableSink& sink) const { sink("trie", units_.bytes()); }

  // Calls found(size, id) for each piece that text starts with, the shortest first.
  template <class F>
  void prefixes(std::string_view text, F&& found) const {
    uint64_t unit = units_[0];
    for (size_t i = 0; i < text.size(); ++i) {
      const uint8_t byte = static_cast<uint8_t>(text[i]);
      unit = units_[base(unit) ^ byte];
      if (label(unit) != byte) return;
      if (id(unit) >= 0) found(i + 1, id(unit));
    }
  }

 private:
  // A unit: the base of its children in the upper half; id + 1 of the piece that ends here, or 0, in 23 bits; and
  // the byte that leads here in 9. Bases are different in each unit with children and 0 in the others.
  static constexpr uint32_t no_label = 256;
  static uint64_t pack(uint32_t base, int32_t id, uint32_t label) {
    return uint64_t{base} << 32 | uint64_t{static_cast<uint32_t>(id + 1)} << 9 | label;
  }
  static uint32_t base(uint64_t unit) { return static_cast<uint32_t>(unit >> 32); }
  static int32_t id(uint64_t unit) { return static_cast<int32_t>(unit >> 9 & 0x7FFFFF) - 1; }
  static uint32_t label(uint64_t unit) { return static_cast<uint32_t>(unit & 511); }

  PackedTable<uint64_t> units_;  // whole blocks of 256, so that no base ^ byte leaves them
};

}  // namespace quern

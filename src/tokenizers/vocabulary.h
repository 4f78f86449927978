// Pieces and their ids, and the hash tables that find them. Immutable once finished.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "table.h"

namespace quern {

// A polynomial over the bytes, modulo 2^64, so that the hash of any part of a word follows from those of its
// prefixes: hash(w[a, b)) = hash(w[0, b)) - hash(w[0, a)) * base^(b - a).
struct PieceHash {
  static constexpr uint64_t base = 0x9E3779B97F4A7C15;
  static uint64_t append(uint64_t hash, char byte) noexcept { return hash * base + static_cast<uint8_t>(byte) + 1; }
  static uint64_t of(std::string_view s) noexcept {
    uint64_t hash = 0;
    for (const char c : s) hash = append(hash, c);
    return hash;
  }
};

class Vocabulary;

// An open-addressing table of those pieces that start with a prefix, keyed by what follows it.
class PieceTable {
 public:
  void build(const Vocabulary& vocab, std::string_view prefix);
  // In place, as save() wrote it for the same vocabulary and prefix.
  void view(const Vocabulary& vocab, std::string_view prefix, const TableSource& tables, std::string_view name);
  void save(const TableSink& sink, std::string_view name) const { sink(name, slots_.bytes()); }

  size_t longest() const { return longest_; }  // bytes after the prefix
  // The id of the piece prefix + s, where hash is that of s[0, size); -1 when absent.
  int32_t find(const Vocabulary& vocab, const char* s, size_t size, uint64_t hash) const noexcept;

 private:
  struct Slot {
    uint32_t tag;
    int32_t id;  // -1: free
  };
  static uint64_t mix(uint64_t hash) noexcept { return (hash ^ hash >> 32) * 0xD6E8FEB86659FD93; }
  PackedTable<Slot> slots_;  // a power of two, at most half full
  int shift_ = 63;
  size_t prefix_size_ = 0, longest_ = 0;
};

class Vocabulary {
 public:
  static constexpr size_t max_pieces = (size_t{1} << 23) - 2;

  // Collects one piece; ids may come in any order. Nothing is checked before build().
  void add(std::string_view piece, int64_t id);
  // Orders the pieces by id. Returns "", or what is wrong: ids must be 0 … n-1, each once, and no piece twice.
  std::string build();

  // The same in place, finished. Checks what lookups rely on: bounds, UTF-8, a free slot; not that pieces are found.
  static Vocabulary view(const TableSource& tables);
  void save(const TableSink& sink) const;

  size_t size() const { return n_; }
  std::string_view piece(int32_t id) const noexcept {
    const size_t i = static_cast<size_t>(id);
    const uint32_t begin = i == 0 ? 0 : ends_[i - 1];
    return {text_ + begin, ends_[i] - begin};
  }
  // -1 when absent.
  int32_t find(std::string_view piece) const noexcept {
    return table_.find(*this, piece.data(), piece.size(), PieceHash::of(piece));
  }
  const PieceTable& table() const { return table_; }

 private:
  struct Entry {
    uint32_t begin, size;  // in own_bytes_, which a tokenizer.json of at most 512 MB fills
    int64_t id;
  };
  std::vector<Entry> entries_;  // until finished
  std::string bytes_;           // likewise
  PackedTable<char> own_;
  const char* text_ = nullptr;  // of all pieces, by id
  PackedTable<uint32_t> ends_;  // of each piece in text_
  size_t n_ = 0;
  PieceTable table_;
};

inline int32_t PieceTable::find(const Vocabulary& vocab, const char* s, size_t size, uint64_t hash) const noexcept {
  const uint64_t mixed = mix(hash);
  const uint32_t tag = static_cast<uint32_t>(mixed);
  for (size_t i = mixed >> shift_;; i = (i + 1) & (slots_.size() - 1)) {
    const Slot slot = slots_[i];
    if (slot.id < 0) return -1;
    if (slot.tag != tag) continue;
    const std::string_view piece = vocab.piece(slot.id);
    if (piece.size() - prefix_size_ == size && std::memcmp(piece.data() + prefix_size_, s, size) == 0) return slot.id;
  }
}

}  // namespace quern

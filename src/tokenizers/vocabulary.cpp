// A vocabulary and its hash tables. See vocabulary.h.
#include "vocabulary.h"

#include <bit>

#include "utf8.h"

namespace quern {

void PieceTable::build(const Vocabulary& vocab, std::string_view prefix) {
  const auto belongs = [prefix](std::string_view piece) { return piece.starts_with(prefix); };
  prefix_size_ = prefix.size();
  longest_ = 0;
  size_t n = 0;
  const int32_t n_pieces = static_cast<int32_t>(vocab.size());
  for (int32_t id = 0; id < n_pieces; ++id) n += belongs(vocab.piece(id));
  shift_ = 63;
  while ((uint64_t{1} << (64 - shift_)) < 2 * n + 2) --shift_;
  std::vector<Slot> slots(size_t{1} << (64 - shift_), Slot{0, -1});
  for (int32_t id = 0; id < n_pieces; ++id) {
    if (!belongs(vocab.piece(id))) continue;
    const std::string_view rest = vocab.piece(id).substr(prefix.size());
    const uint64_t mixed = mix(PieceHash::of(rest));
    size_t i = mixed >> shift_;
    while (slots[i].id >= 0) i = (i + 1) & (slots.size() - 1);
    slots[i] = {static_cast<uint32_t>(mixed), id};
    longest_ = std::max(longest_, rest.size());
  }
  slots_ = PackedTable<Slot>(std::move(slots));
}

void PieceTable::view(const Vocabulary& vocab, std::string_view prefix, const TableSource& tables,
                      std::string_view name) {
  prefix_size_ = prefix.size();
  slots_ = tables.get<Slot>(name);
  const size_t n = slots_.size();
  if (n < 2 || !std::has_single_bit(n)) {
    tables.fail(name, "should have a power of two of slots, but has " + std::to_string(n));
  }
  shift_ = 64 - std::countr_zero(n);
  const int32_t n_pieces = static_cast<int32_t>(vocab.size());
  size_t n_used = 0, n_wanted = 0;
  int32_t largest = -1;
  for (size_t i = 0; i < n; ++i) {
    n_used += slots_[i].id >= 0;
    largest = std::max(largest, slots_[i].id);
  }
  if (largest >= n_pieces) {
    tables.fail(name, "names the piece " + std::to_string(largest) + " of " + std::to_string(n_pieces));
  }
  longest_ = 0;
  for (int32_t id = 0; id < n_pieces; ++id) {
    const std::string_view piece = vocab.piece(id);
    if (!piece.starts_with(prefix)) continue;
    ++n_wanted;
    longest_ = std::max(longest_, piece.size() - prefix_size_);
  }
  if (n_used != n_wanted || n_used == n) {  // without a free slot a search for what is absent would not end
    tables.fail(name, "holds " + std::to_string(n_used) + " pieces in " + std::to_string(n) + " slots, expected " +
                          std::to_string(n_wanted) + " and a free slot");
  }
}

void Vocabulary::add(std::string_view piece, int64_t id) {
  entries_.push_back({static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(piece.size()), id});
  bytes_ += piece;
}

std::string Vocabulary::build() {
  n_ = entries_.size();
  if (n_ > max_pieces) return "has more than " + std::to_string(max_pieces) + " pieces";
  const std::string bound = " is not one of 0 … " + std::to_string(n_) + " - 1 (" + std::to_string(n_) + " pieces)";
  std::vector<uint32_t> by_id(n_, UINT32_MAX), ends(n_);
  for (size_t i = 0; i < n_; ++i) {
    const int64_t id = entries_[i].id;
    if (id < 0 || static_cast<uint64_t>(id) >= n_) return "id " + std::to_string(id) + bound;
    uint32_t& place = by_id[static_cast<size_t>(id)];
    if (place != UINT32_MAX) return "id " + std::to_string(id) + " is given to two pieces";
    place = static_cast<uint32_t>(i);
  }
  std::vector<char> text;
  text.reserve(bytes_.size());
  for (size_t id = 0; id < n_; ++id) {
    const Entry& e = entries_[by_id[id]];
    text.insert(text.end(), bytes_.data() + e.begin, bytes_.data() + e.begin + e.size);
    ends[id] = static_cast<uint32_t>(text.size());
  }
  entries_ = {};
  bytes_ = {};
  own_ = PackedTable<char>(std::move(text));
  text_ = reinterpret_cast<const char*>(own_.bytes().data());
  ends_ = PackedTable<uint32_t>(std::move(ends));
  table_.build(*this, "");
  for (size_t id = 0; id < n_; ++id) {
    const std::string_view p = piece(static_cast<int32_t>(id));
    if (find(p) != static_cast<int32_t>(id)) return "has the piece \"" + std::string(p) + "\" twice";
  }
  return "";
}

Vocabulary Vocabulary::view(const TableSource& tables) {
  Vocabulary v;
  v.own_ = tables.get<char>("pieces");
  v.text_ = reinterpret_cast<const char*>(v.own_.bytes().data());
  v.ends_ = tables.get<uint32_t>("piece_ends");
  v.n_ = v.ends_.size();
  if (v.n_ > max_pieces) tables.fail("piece_ends", "has more than " + std::to_string(max_pieces) + " entries");
  const std::string_view text(v.text_, v.own_.size());
  if (find_invalid_utf8(text) != text.size()) tables.fail("pieces", "is not valid UTF-8");
  uint32_t before = 0;
  for (size_t i = 0; i < v.n_; ++i) {
    const uint32_t end = v.ends_[i];
    const bool inside = end < text.size() && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80;
    if (end < before || end > text.size() || inside) {
      tables.fail("piece_ends", "has " + std::to_string(end) + " at " + std::to_string(i) +
                                    ": expected the end of a character, not before the end of the last piece");
    }
    before = end;
  }
  v.table_.view(v, "", tables, "piece_slots");
  return v;
}

void Vocabulary::save(const TableSink& sink) const {
  sink("pieces", own_.bytes());
  sink("piece_ends", ends_.bytes());
  table_.save(sink, "piece_slots");
}

}  // namespace quern

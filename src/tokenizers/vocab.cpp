// Vocabulary and its hash tables. See vocab.h.
#include "vocab.h"

namespace quern {

void PieceTable::build(const Vocab& vocab, std::string_view prefix) {
  const auto belongs = [prefix](std::string_view piece) { return piece.substr(0, prefix.size()) == prefix; };
  prefix_size_ = prefix.size();
  longest_ = 0;
  size_t n = 0;
  const int32_t n_pieces = static_cast<int32_t>(vocab.size());
  for (int32_t id = 0; id < n_pieces; ++id) n += belongs(vocab.piece(id));
  shift_ = 63;
  while ((uint64_t{1} << (64 - shift_)) < 2 * n + 2) --shift_;
  slots_.assign(size_t{1} << (64 - shift_), Slot{0, -1});
  for (int32_t id = 0; id < n_pieces; ++id) {
    if (!belongs(vocab.piece(id))) continue;
    const std::string_view rest = vocab.piece(id).substr(prefix.size());
    const uint64_t mixed = mix(PieceHash::of(rest));
    size_t i = mixed >> shift_;
    while (slots_[i].id >= 0) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = {static_cast<uint32_t>(mixed), id};
    longest_ = rest.size() > longest_ ? rest.size() : longest_;
  }
}

void Vocab::add(std::string_view piece, int64_t id) {
  entries_.push_back({static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(piece.size())});
  ids_.push_back(id);
  bytes_ += piece;
}

std::string Vocab::finish() {
  const size_t n = entries_.size();
  const std::string bound = " is not one of 0 … " + std::to_string(n) + " - 1 (" + std::to_string(n) + " pieces)";
  std::vector<Entry> by_id(n);
  std::vector<bool> seen(n);
  for (size_t i = 0; i < n; ++i) {
    if (ids_[i] < 0 || static_cast<uint64_t>(ids_[i]) >= n) return "id " + std::to_string(ids_[i]) + bound;
    const size_t id = static_cast<size_t>(ids_[i]);
    if (seen[id]) return "id " + std::to_string(id) + " is given to two pieces";
    seen[id] = true;
    by_id[id] = entries_[i];
  }
  entries_ = std::move(by_id);
  ids_ = {};
  table_.build(*this, "");
  for (size_t id = 0; id < n; ++id) {
    const std::string_view p = piece(static_cast<int32_t>(id));
    if (find(p) != static_cast<int32_t>(id)) return "has the piece \"" + std::string(p) + "\" twice";
  }
  return "";
}

}  // namespace quern

// Building and checking the double array. See piece_trie.h.
#include "piece_trie.h"

#include <algorithm>
#include <numeric>

namespace quern {
namespace {

// Where units are still free. Places that long stayed free are given up, so that a search is short.
class Places {
 public:
  // A base, not 0 and of no other node, at which all labels are free. They are taken.
  uint32_t take(const std::vector<uint8_t>& labels) {
    constexpr size_t max_tries = 256;
    size_t tries = 0;
    for (size_t at = first_;; ++at) {
      if (at >= used_.size()) grow();
      if (used_[at]) continue;
      if (++tries == max_tries) first_ = std::max(first_, at > 4096 ? at - 4096 : 0);
      const size_t base = at ^ labels[0];
      if (base == 0 || is_base_[base]) continue;
      if (std::any_of(labels.begin(), labels.end(), [&](uint8_t label) { return used_[base ^ label]; })) continue;
      for (const uint8_t label : labels) used_[base ^ label] = true;
      is_base_[base] = true;
      while (first_ < used_.size() && used_[first_]) ++first_;
      return static_cast<uint32_t>(base);
    }
  }
  size_t size() const { return used_.size(); }
  void grow() {
    used_.resize(used_.size() + 256);
    is_base_.resize(used_.size());
    used_[0] = true;  // the root
  }

 private:
  std::vector<bool> used_, is_base_;
  size_t first_ = 1;
};

}  // namespace

void PieceTrie::build(const Vocab& vocab) {
  std::vector<int32_t> order(vocab.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return vocab.piece(a) < vocab.piece(b); });
  const auto first =
      std::partition_point(order.begin(), order.end(), [&](int32_t i) { return vocab.piece(i).empty(); });
  struct Node {
    size_t begin, end, depth;  // pieces order[begin, end) share depth bytes
    uint32_t place, label;
  };
  Places places;
  places.grow();
  std::vector<uint64_t> units;
  std::vector<Node> open = {{static_cast<size_t>(first - order.begin()), order.size(), 0, 0, no_label}};
  std::vector<Node> children;
  std::vector<uint8_t> labels;
  while (!open.empty()) {
    const Node node = open.back();
    open.pop_back();
    size_t i = node.begin;
    int32_t id = -1;
    if (i < node.end && vocab.piece(order[i]).size() == node.depth) id = order[i++];
    labels.clear();
    children.clear();
    while (i < node.end) {
      const uint8_t byte = static_cast<uint8_t>(vocab.piece(order[i])[node.depth]);
      const size_t begin = i;
      while (i < node.end && static_cast<uint8_t>(vocab.piece(order[i])[node.depth]) == byte) ++i;
      labels.push_back(byte);
      children.push_back({begin, i, node.depth + 1, 0, byte});
    }
    const uint32_t base = labels.empty() ? 0 : places.take(labels);
    if (units.size() < places.size()) units.resize(places.size(), pack(0, -1, no_label));
    units[node.place] = pack(base, id, node.label);
    for (Node& child : children) {
      child.place = base ^ child.label;
      open.push_back(child);
    }
  }
  units_ = PackedTable<uint64_t>(std::move(units));
}

void PieceTrie::view(const Vocab& vocab, const TableSource& tables) {
  units_ = tables.get<uint64_t>("trie");
  const size_t n = units_.size();
  if (n == 0 || n % 256 != 0) {
    tables.fail("trie", "should have a multiple of 256 entries, but has " + std::to_string(n));
  }
  for (size_t i = 0; i < n; ++i) {
    const uint64_t unit = units_[i];
    if (base(unit) >= n || id(unit) >= static_cast<int32_t>(vocab.size())) {
      tables.fail("trie", "entry " + std::to_string(i) + " points beyond the trie or the vocabulary");
    }
  }
}

}  // namespace quern

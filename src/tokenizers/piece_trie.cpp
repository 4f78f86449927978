// Building and checking the double array. See piece_trie.h.
#include "piece_trie.h"

#include <algorithm>
#include <numeric>

namespace quern {
namespace {

// The places that are free, in a doubly linked list through 0, the root's. A search looks at few of them and leaves
// those at the front behind that are hard to use, so that building takes time in proportion to the trie.
class Places {
 public:
  Places() { grow(); }
  size_t size() const { return links_.size(); }

  // A base, not 0 and of no other node, at which all labels are free. They are taken.
  uint32_t take(const std::vector<uint8_t>& labels) {
    constexpr int max_tries = 48, left_behind = 4;
    uint32_t front = links_[0].next, back = links_[0].previous;
    for (int i = 0; i < max_tries && front != 0; ++i, front = links_[front].next)
      if (fits(front ^ labels[0], labels)) return occupy(front ^ labels[0], labels);
    for (int i = 0; i < left_behind && links_[0].next != 0 && front != 0; ++i) unlink(links_[0].next);
    for (int i = 0; i < max_tries && back != 0; ++i, back = links_[back].previous)
      if (fits(back ^ labels[0], labels)) return occupy(back ^ labels[0], labels);
    const uint32_t block = static_cast<uint32_t>(links_.size());
    grow();
    return occupy(block, labels);
  }

 private:
  struct Link {
    uint32_t previous, next;
    bool used, is_base;
  };
  bool fits(uint32_t base, const std::vector<uint8_t>& labels) const {
    if (base == 0 || links_[base].is_base) return false;
    return std::none_of(labels.begin(), labels.end(), [&](uint8_t label) { return links_[base ^ label].used; });
  }
  uint32_t occupy(uint32_t base, const std::vector<uint8_t>& labels) {
    for (const uint8_t label : labels) {
      links_[base ^ label].used = true;
      unlink(base ^ label);
    }
    links_[base].is_base = true;
    return base;
  }
  void unlink(uint32_t i) {  // harmless for what is not in the list any more
    links_[links_[i].previous].next = links_[i].next;
    links_[links_[i].next].previous = links_[i].previous;
    links_[i].previous = links_[i].next = i;
  }
  void grow() {
    const uint32_t begin = static_cast<uint32_t>(links_.size()), end = begin + 256;
    links_.resize(end);
    if (begin == 0) links_[0] = {0, 0, true, true};
    for (uint32_t i = std::max(begin, 1u); i < end; ++i) {
      const uint32_t last = links_[0].previous;
      links_[i] = {last, 0, false, false};
      links_[last].next = i;
      links_[0].previous = i;
    }
  }
  std::vector<Link> links_;
};

}  // namespace

void PieceTrie::build(const Vocabulary& vocab) {
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

void PieceTrie::view(const Vocabulary& vocab, const TableSource& tables) {
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

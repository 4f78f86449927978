// See text_alphabet.h.
#include "text_alphabet.h"

#include <algorithm>
#include <map>
#include <set>

#include "tokenizers/utf8.h"

namespace quern {
namespace {

using Node = GrammarRules::Node;
using Sets = std::set<CodeSet, LessByRanges>;

constexpr size_t max_sets = 2048;

// Every set of characters below a node, once each.
void collect_sets(const GrammarRules& rules, Node node, std::set<Node>& seen, Sets& out) {
  if (!seen.insert(node).second) return;
  const RuleNode& n = rules[node];
  if (n.kind == RuleNode::Kind::chars) out.insert(n.set);
  if (n.kind == RuleNode::Kind::literal)
    for (const char32_t c : decode_utf8(n.bytes)) out.insert(CodeSet({{c, c}}));
  for (const Node part : n.nodes) collect_sets(rules, part, seen, out);
}

}  // namespace

bool LessByRanges::operator()(const CodeSet& a, const CodeSet& b) const {
  return std::lexicographical_compare(
      a.ranges().begin(), a.ranges().end(), b.ranges().begin(), b.ranges().end(),
      [](const auto& x, const auto& y) { return std::pair(x.first, x.last) < std::pair(y.first, y.last); });
}

std::optional<TextAlphabet> TextAlphabet::of(const GrammarRules& rules, const std::vector<Node>& nodes,
                                             GrammarWork& work, std::u32string_view characters) {
  Sets sets;
  std::set<Node> seen;
  for (const Node node : nodes) collect_sets(rules, node, seen, sets);
  for (const char32_t c : characters) sets.insert(CodeSet({{c, c}}));
  if (sets.size() > max_sets) return std::nullopt;
  std::map<char32_t, std::vector<uint32_t>> edges;  // where sets begin and end
  edges[0];
  uint32_t n_sets = 0;
  for (const CodeSet& set : sets) {
    for (const auto& range : set.ranges()) {
      edges[range.first].push_back(n_sets);
      edges[range.last + 1].push_back(n_sets);
    }
    ++n_sets;
  }
  work.spend(uint64_t{edges.size()} * (sets.size() + 1));
  std::vector<bool> inside(sets.size());
  std::map<std::vector<bool>, std::vector<unicode::Range>> letters;
  for (auto at = edges.begin(); at != edges.end() && at->first <= CodeSet::last_code; ++at) {
    for (const uint32_t set : at->second) inside[set] = !inside[set];
    const auto after = std::next(at);
    letters[inside].push_back({at->first, after == edges.end() ? CodeSet::last_code : after->first - 1});
    if (letters.size() > max_letters) return std::nullopt;
  }
  TextAlphabet out(work);
  for (auto& [key, ranges] : letters) {
    for (const auto& range : ranges) out.starts_.emplace_back(range.first, static_cast<uint32_t>(out.letters_.size()));
    out.letters_.emplace_back(std::move(ranges));
  }
  std::sort(out.starts_.begin(), out.starts_.end());
  return out;
}

uint32_t TextAlphabet::letter_of(char32_t c) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), c,
                                      [](char32_t x, const auto& start) { return x < start.first; });
  return after[-1].second;  // the first one starts at 0
}

std::vector<uint32_t> TextAlphabet::letters_in(const CodeSet& set) const {
  spend(letters_.size());
  std::vector<uint32_t> out;
  for (uint32_t i = 0; i < letters_.size(); ++i)
    if (set.contains(letters_[i].ranges()[0].first)) out.push_back(i);
  return out;
}

}  // namespace quern

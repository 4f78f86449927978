// See text_rules.h. One pattern is written down as it stands; several things at once go through automata.
#include "text_rules.h"

#include <algorithm>

#include "error.h"
#include "string_format.h"
#include "text_automaton.h"
#include "tokenizers/utf8.h"

namespace quern {
namespace {

using Node = GrammarRules::Node;

const std::string pattern_name = "grammar: the schema's pattern";

// How many characters the texts of a node have, at least and at most.
struct Lengths {
  uint64_t min, max;
};
constexpr uint64_t no_end = uint64_t{1} << 62;

Lengths lengths_of(const GrammarRules& rules, Node id) {
  const RuleNode& node = rules[id];
  using Kind = RuleNode::Kind;
  if (node.kind == Kind::literal) return {decode_utf8(node.bytes).size(), decode_utf8(node.bytes).size()};
  if (node.kind == Kind::chars) return {1, 1};
  Lengths all = {node.kind == Kind::choice ? no_end : 0, 0};
  for (const Node part : node.nodes) {
    const Lengths one = lengths_of(rules, part);
    if (node.kind == Kind::choice) {
      all = {std::min(all.min, one.min), std::max(all.max, one.max)};
    } else if (node.kind == Kind::repeat) {
      const auto times = [](uint64_t n, uint64_t count) { return n == 0 ? 0 : std::min(no_end / n, count) * n; };
      all = {times(one.min, node.min),
             node.max == GrammarRules::unlimited && one.max > 0 ? no_end : times(one.max, node.max)};
    } else {
      all = {std::min(all.min + one.min, no_end), std::min(all.max + one.max, no_end)};
    }
  }
  return all;
}

// The same texts inside a JSON string.
Node as_json(JsonRules& json, GrammarRules& out, const GrammarRules& rules, Node id) {
  const RuleNode& node = rules[id];
  using Kind = RuleNode::Kind;
  if (node.kind == Kind::chars) return json.characters(node.set);
  if (node.kind == Kind::literal) {
    std::vector<Node> all = {out.empty()};
    for (const char32_t c : decode_utf8(node.bytes)) all.push_back(json.characters(CodeSet({{c, c}})));
    return out.sequence(std::move(all));
  }
  std::vector<Node> parts;
  for (const Node part : node.nodes) parts.push_back(as_json(json, out, rules, part));
  if (node.kind == Kind::repeat) return out.repeat(parts[0], node.min, node.max);
  return node.kind == Kind::choice ? out.choice(std::move(parts)) : out.sequence(std::move(parts));
}

[[noreturn]] void fail_size(const TextLimits& limits, bool has_patterns) {
  std::string what;
  const auto add = [&](bool given, const std::string& name) {
    if (given) what += (what.empty() ? "" : ", ") + name;
  };
  add(has_patterns || !limits.patterns.empty() || !limits.not_patterns.empty(), "\"pattern\"");
  add(!limits.format.empty(), "\"format\"");
  add(!limits.excluded.empty(), "\"not\"");
  add(limits.min > 0, "\"minLength\": " + std::to_string(limits.min));
  add(limits.max != GrammarRules::unlimited, "\"maxLength\": " + std::to_string(limits.max));
  throw Error(Status::unsupported, "grammar: the schema has " + what +
                                       " for one string, which together take more than " +
                                       std::to_string(TextAutomaton::max_states) +
                                       " states and are not supported; a shorter maxLength or a simpler pattern is");
}

// Whether a format leaves nothing: then one of its shorter rows may not.
bool matches_nothing(const GrammarRules& rules, Node node) {
  return rules[node].kind == RuleNode::Kind::chars && rules[node].set.empty();
}

// What is made when it is first asked for.
template <class T, class Make>
const T& once(std::optional<T>& kept, const Make& make) {
  if (!kept) kept.emplace(make());
  return *kept;
}

TextLimits without_exceptions(TextLimits limits) {
  limits.excluded.clear();
  return limits;
}

}  // namespace

// Each part is made an automaton, and that its opposite, when it is first needed.
class TextParts {
 public:
  // Reads them: limits, patterns that are asked for apart, and a format's pattern if there is one.
  TextParts(const TextLimits& limits, const std::vector<std::string>& patterns, const std::string* format,
            GrammarWork& work)
      : work_(work) {
    for (const std::string& pattern : limits.patterns) add(read(pattern, false), Role::must);
    for (const std::string& pattern : limits.not_patterns) add(read(pattern, false), Role::must_not);
    for (const std::string& pattern : patterns) add(read(pattern, false), Role::may);
    std::vector<Node> texts;
    for (const std::string& text : limits.excluded) texts.push_back(rules_.literal(text));
    if (!texts.empty()) add(rules_.choice(std::move(texts)), Role::must_not);
    if (format) add(read(*format, true), Role::must);
    any_.node = rules_.repeat(rules_.chars(~CodeSet()), 0, GrammarRules::unlimited);
  }

  // What matches all of it, with the patterns of the bits of `matched`; nothing if it is too large.
  std::optional<TextAutomaton> automaton(uint32_t matched) {
    std::vector<Part*> yes, no;
    divide(matched, yes, no);
    std::optional<TextAutomaton> all;
    const auto add = [&](const std::optional<TextAutomaton>& one) {
      all = !all || !one ? one : all->intersected(*one);
      return all.has_value();
    };
    for (Part* part : yes)
      if (!add(made(*part))) return std::nullopt;
    for (Part* part : no)
      if (!add(opposite(*part))) return std::nullopt;
    return all;
  }

  // Whether a text matches all of it; nothing if it is too large.
  std::optional<bool> matches(std::string_view utf8) {
    const auto& whole = once(whole_, [&] { return automaton(0); });
    return whole ? std::optional(whole->matches(utf8)) : std::nullopt;
  }

  // The texts of so many characters, inside a JSON string; nothing if it is too large.
  std::optional<Node> write(uint32_t matched, uint32_t min, uint32_t max, JsonRules& json, GrammarRules& rules) {
    std::vector<Part*> yes, no;
    divide(matched, yes, no);
    if (yes.size() == 1 && no.empty()) {
      const Lengths natural = lengths_of(rules_, yes[0]->node);
      const uint64_t most = max == GrammarRules::unlimited ? no_end : max;
      if (natural.max < min || natural.min > most) return rules.chars({});
      if (natural.min >= min && natural.max <= most) return as_json(json, rules, rules_, yes[0]->node);
    }
    const auto all = automaton(matched);
    if (!all) return std::nullopt;
    return all->write(rules, min, max, [&](const CodeSet& set) { return json.characters(set); });
  }

 private:
  enum class Role : uint8_t { must, must_not, may };
  using Made = std::optional<TextAutomaton>;  // nothing: it is too large
  struct Part {
    Node node = 0;
    Role role = Role::must;
    std::optional<Made> automaton = {}, opposite = {};
  };

  Node read(const std::string& pattern, bool whole) {
    return read_pattern(rules_, pattern, pattern_name, whole, work_);
  }
  void add(Node node, Role role) { parts_.push_back({node, role}); }

  void divide(uint32_t matched, std::vector<Part*>& yes, std::vector<Part*>& no) {
    for (Part& part : parts_) {
      const bool is_yes = part.role == Role::must || (part.role == Role::may && (matched & 1) != 0);
      if (part.role == Role::may) matched >>= 1;
      (is_yes ? yes : no).push_back(&part);
    }
    if (yes.empty()) yes.push_back(&any_);
  }

  const std::optional<TextAlphabet>& alphabet() {
    return once(alphabet_, [&] {
      std::vector<Node> nodes;
      for (const Part& part : parts_) nodes.push_back(part.node);
      return TextAlphabet::of(rules_, nodes, work_);
    });
  }
  const Made& made(Part& part) {
    return once(part.automaton,
                [&] { return alphabet() ? TextAutomaton::of(rules_, part.node, *alphabet()) : Made(); });
  }
  const Made& opposite(Part& part) {
    return once(part.opposite, [&] { return made(part) ? Made(made(part)->complement()) : Made(); });
  }

  GrammarWork& work_;
  GrammarRules rules_;
  std::vector<Part> parts_;
  Part any_;  // where nothing must be
  std::optional<std::optional<TextAlphabet>> alphabet_;
  std::optional<Made> whole_;  // of matches()
};

TextStrings::TextStrings(TextLimits limits, std::vector<std::string> patterns, GrammarWork& work)
    : limits_(std::move(limits)),
      patterns_(std::move(patterns)),
      formats_(format_patterns(limits_.format)),
      ways_(std::max<size_t>(formats_.size(), 1)),
      work_(work) {}

TextStrings::~TextStrings() = default;

Node TextStrings::matching(uint32_t matched, JsonRules& json, GrammarRules& rules) {
  if (limits_.min > limits_.max) return json.nothing();
  if (limits_.patterns.empty() && limits_.not_patterns.empty() && limits_.excluded.empty() && formats_.empty() &&
      patterns_.empty()) {
    return json.string(limits_.min, limits_.max);
  }
  std::optional<Node> inside;
  for (size_t i = 0; i < ways_.size(); ++i) {
    if (!ways_[i])
      ways_[i] = std::make_unique<TextParts>(limits_, patterns_, formats_.empty() ? nullptr : &formats_[i], work_);
    const auto one = ways_[i]->write(matched, limits_.min, limits_.max, json, rules);
    if (one && (!inside || matches_nothing(rules, *inside))) inside = one;
    if (inside && !matches_nothing(rules, *inside)) break;
  }
  if (!inside) fail_size(limits_, !patterns_.empty());
  return json.string_of(*inside);
}

TextTest::TextTest(TextLimits limits, GrammarWork& work)
    : limits_(std::move(limits)),
      formats_(format_patterns(limits_.format)),
      excluded_(limits_.excluded.begin(), limits_.excluded.end()),
      work_(work) {}

TextTest::~TextTest() = default;

bool TextTest::fits(std::string_view utf8) {
  const size_t length = decode_utf8(utf8).size();
  if (length < limits_.min || length > limits_.max || excluded_.contains(utf8)) return false;
  if (limits_.patterns.empty() && limits_.not_patterns.empty() && formats_.empty()) return true;
  if (!parts_) {
    parts_ = std::make_unique<TextParts>(without_exceptions(limits_), std::vector<std::string>(),
                                         formats_.empty() ? nullptr : &formats_[0], work_);
  }
  const std::optional<bool> fits = parts_->matches(utf8);
  if (!fits) fail_size(limits_, false);
  return *fits;
}

}  // namespace quern

// See grammar_matcher.h.
#include "grammar_matcher.h"

#include <algorithm>
#include <optional>

namespace quern {
namespace {

constexpr size_t many_configs = 1 << 13, max_configs = 1 << 16;
constexpr size_t many_parses = 1 << 18, max_all_parses = 1 << 22;
constexpr size_t max_visits = 8 * GrammarMatcher::max_parses;

uint64_t pair_key(uint32_t a, uint32_t b) {
  return uint64_t{a} << 32 | b;
}

}  // namespace

GrammarMatcher::GrammarMatcher(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)), automaton_(&grammar_->automaton()), n_classes_(automaton_->class_byte.size()) {
  clear();
  visit({automaton_->start, 0});
  start_ = close();
}

void GrammarMatcher::clear() {
  stacks_.assign(1, {0, 0, 0, 0});
  stack_ids_.clear();
  parses_.clear();
  configs_.assign(1, {0, 0, false, dead});
  config_ids_.clear();
  steps_.assign(n_classes_, dead);
}

void GrammarMatcher::visit(Parse parse) {
  if (!visited_.insert(pair_key(parse.state, parse.stack)).second) return;
  if (visited_.size() > max_visits) {
    fail_grammar("a text can be read in more than " + std::to_string(max_parses) + " ways at once");
  }
  work_.push_back(parse);
}

uint32_t GrammarMatcher::push(uint32_t state, uint32_t below, uint32_t count) {
  const auto [found, is_new] = stack_ids_.try_emplace({state, below, count}, 0);
  if (is_new) {
    found->second = static_cast<uint32_t>(stacks_.size());
    stacks_.push_back({state, below, stacks_[below].depth + 1, count});
  }
  return found->second;
}

void GrammarMatcher::visit_call(const GrammarAutomaton::Call& call, uint32_t stack) {
  if (call.counter != GrammarAutomaton::once) {
    visit_counted(call.counter, stack, 0);
  } else if (call.return_to == GrammarAutomaton::tail) {
    visit({call.start, stack});
  } else if (stacks_[stack].depth < max_stack) {
    visit({call.start, push(call.return_to, stack, 0)});
  }
}

// Behind `done` of a counter's times: one more, what follows them, or either. Without a most, counting ends at the
// least.
void GrammarMatcher::visit_counted(uint32_t counter, uint32_t below, uint32_t done) {
  const GrammarAutomaton::Counter& c = automaton_->counters[counter];
  if (done >= c.min) visit({c.return_to, below});
  const bool endless = c.max == GrammarRules::unlimited;
  if ((!endless && done >= c.max) || stacks_[below].depth >= max_stack) return;
  visit({c.start, push(counter, below, endless ? std::min(done + 1, std::max(c.min, 1u)) : done + 1)});
}

GrammarMatcher::Config GrammarMatcher::close() {
  bool accepts = false;
  readers_.clear();
  while (!work_.empty()) {
    const Parse parse = work_.back();
    work_.pop_back();
    const GrammarAutomaton::State& state = automaton_->states[parse.state];
    if (!state.bytes.empty()) readers_.push_back(parse);
    for (const uint32_t to : state.free) visit({to, parse.stack});
    for (const GrammarAutomaton::Call& call : state.calls) visit_call(call, parse.stack);
    if (!state.final) continue;
    const Stack top = stacks_[parse.stack];
    if (parse.stack == 0) {
      accepts = true;
    } else if (top.count > 0) {
      visit_counted(top.state, top.below, top.count);
    } else {
      visit({top.state, top.below});
    }
  }
  visited_.clear();
  if (readers_.size() > max_parses) {
    fail_grammar("a text can be read in more than " + std::to_string(max_parses) + " ways at once");
  }
  return intern(accepts);
}

GrammarMatcher::Config GrammarMatcher::intern(bool accepts) {
  if (readers_.empty() && !accepts) return dead;
  std::sort(readers_.begin(), readers_.end());
  uint64_t hash = accepts;
  for (const Parse& p : readers_) {
    hash = (hash ^ pair_key(p.state, p.stack)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  const auto [begin, end] = config_ids_.equal_range(hash);
  for (auto i = begin; i != end; ++i) {
    const ConfigData& data = configs_[i->second];
    if (data.accepts == accepts && data.n_parses == readers_.size() &&
        std::equal(readers_.begin(), readers_.end(), parses_.begin() + data.first_parse)) {
      return i->second;
    }
  }
  if (configs_.size() >= max_configs || parses_.size() + readers_.size() > max_all_parses) {
    fail_grammar("takes more than " + std::to_string(max_configs) + " states to follow at once");
  }
  const Config config = static_cast<Config>(configs_.size());
  configs_.push_back({static_cast<uint32_t>(parses_.size()), static_cast<uint32_t>(readers_.size()), accepts, unknown});
  parses_.insert(parses_.end(), readers_.begin(), readers_.end());
  steps_.resize(steps_.size() + n_classes_, unknown);
  config_ids_.emplace(hash, config);
  return config;
}

GrammarMatcher::Config GrammarMatcher::step(Config config, uint32_t byte_class) {
  const uint8_t byte = automaton_->class_byte[byte_class];
  const ConfigData data = configs_[config];
  work_.clear();
  visited_.clear();  // an Error may have left some
  for (uint32_t i = 0; i < data.n_parses; ++i) {
    const Parse parse = parses_[data.first_parse + i];
    for (const GrammarAutomaton::ByteEdge& edge : automaton_->states[parse.state].bytes)
      if (edge.first <= byte && byte <= edge.last) visit({edge.to, parse.stack});
  }
  const Config to = work_.empty() ? dead : close();
  steps_[size_t{config} * n_classes_ + byte_class] = to;
  return to;
}

GrammarMatcher::Config GrammarMatcher::after_plain(Config config) {
  if (configs_[config].after_plain != unknown) return configs_[config].after_plain;
  // Plain characters as sequences of ranges of bytes.
  static constexpr struct {
    int n;
    uint8_t first[4], last[4];
  } forms[] = {{1, {0x20}, {0x21}},
               {1, {0x23}, {0x5B}},
               {1, {0x5D}, {0x7E}},
               {2, {0xC2, 0x80}, {0xDF, 0xBF}},
               {3, {0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}},
               {3, {0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}},
               {3, {0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}},
               {3, {0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}},
               {4, {0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}},
               {4, {0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}},
               {4, {0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}}};
  std::optional<Config> common;
  bool same = true;
  std::vector<Config> now, then;
  for (const auto& form : forms) {
    now.assign(1, config);
    for (int i = 0; i < form.n && same; ++i) {
      then.clear();
      for (const Config from : now) {
        uint32_t byte_class = UINT32_MAX;  // one byte of each class will do
        for (uint32_t byte = form.first[i]; byte <= form.last[i]; ++byte) {
          if (automaton_->byte_class[byte] == byte_class) continue;
          byte_class = automaton_->byte_class[byte];
          then.push_back(next(from, static_cast<uint8_t>(byte)));
        }
      }
      std::sort(then.begin(), then.end());
      then.erase(std::unique(then.begin(), then.end()), then.end());
      now.swap(then);
    }
    same = same && now.size() == 1 && common.value_or(now[0]) == now[0];
    common = now[0];
    if (!same) break;
  }
  return configs_[config].after_plain = same ? *common : mixed;
}

GrammarMatcher::Config GrammarMatcher::trim(Config keep) {
  if (configs_.size() < many_configs && parses_.size() < many_parses && stacks_.size() < many_parses) return keep;
  const ConfigData data = configs_[keep];
  std::vector<Parse> parses(parses_.begin() + data.first_parse, parses_.begin() + data.first_parse + data.n_parses);
  const std::vector<Stack> stacks = std::move(stacks_);
  clear();
  ++trimmed_;
  std::unordered_map<uint32_t, uint32_t> moved = {{0, 0}};
  std::vector<uint32_t> path;
  for (Parse& parse : parses) {
    for (uint32_t at = parse.stack; !moved.contains(at); at = stacks[at].below) path.push_back(at);
    for (; !path.empty(); path.pop_back())
      moved[path.back()] = push(stacks[path.back()].state, moved[stacks[path.back()].below], stacks[path.back()].count);
    parse.stack = moved[parse.stack];
  }
  readers_ = std::move(parses);
  const bool accepts = data.accepts;
  const Config kept = intern(accepts);
  start_ = dead;  // forgotten; no caller goes back to it
  return kept;
}

}  // namespace quern

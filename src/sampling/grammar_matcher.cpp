// See grammar_matcher.h.
#include "grammar_matcher.h"

#include <algorithm>

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
  stacks_.assign(1, {0, 0, 0});
  stack_ids_.clear();
  parses_.clear();
  configs_.assign(1, {0, 0, false, 0});
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

uint32_t GrammarMatcher::push(uint32_t state, uint32_t below) {
  const auto [found, is_new] = stack_ids_.try_emplace(pair_key(state, below), 0);
  if (is_new) {
    found->second = static_cast<uint32_t>(stacks_.size());
    stacks_.push_back({state, below, stacks_[below].depth + 1});
  }
  return found->second;
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
    for (const GrammarAutomaton::Call& call : state.calls) {
      if (call.return_to == GrammarAutomaton::tail) {
        visit({call.start, parse.stack});
      } else if (stacks_[parse.stack].depth < max_stack) {
        visit({call.start, push(call.return_to, parse.stack)});
      }
    }
    if (!state.final) continue;
    if (parse.stack == 0) {
      accepts = true;
    } else {
      visit({stacks_[parse.stack].state, stacks_[parse.stack].below});
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
  configs_.push_back({static_cast<uint32_t>(parses_.size()), static_cast<uint32_t>(readers_.size()), accepts, -1});
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

bool GrammarMatcher::absorbs_character(Config from, Config config, int n_left) {
  if (n_left == 0) return from == config;
  if (config == dead) return false;
  for (int byte = 0x80; byte < 0xC0; ++byte) {  // the narrower second bytes are absorbs_plain()'s business
    if (!absorbs_character(from, next(config, static_cast<uint8_t>(byte)), n_left - 1)) return false;
  }
  return true;
}

bool GrammarMatcher::absorbs_plain(Config config) {
  if (configs_[config].absorbs >= 0) return configs_[config].absorbs;
  const auto all = [&](int first, int last, auto&& holds) {
    for (int byte = first; byte <= last; ++byte)
      if (!holds(static_cast<uint8_t>(byte))) return false;
    return true;
  };
  const auto ascii = [&](uint8_t byte) { return byte == '"' || byte == '\\' || next(config, byte) == config; };
  // Leads, which second bytes they take, and how many bytes follow these.
  static constexpr struct {
    uint8_t lead_first, lead_last, first, last, n_after;
  } forms[] = {{0xC2, 0xDF, 0x80, 0xBF, 0}, {0xE0, 0xE0, 0xA0, 0xBF, 1}, {0xE1, 0xEC, 0x80, 0xBF, 1},
               {0xED, 0xED, 0x80, 0x9F, 1}, {0xEE, 0xEF, 0x80, 0xBF, 1}, {0xF0, 0xF0, 0x90, 0xBF, 2},
               {0xF1, 0xF3, 0x80, 0xBF, 2}, {0xF4, 0xF4, 0x80, 0x8F, 2}};
  const auto form = [&](const auto& f) {
    return all(f.lead_first, f.lead_last, [&](uint8_t lead) {
      return all(f.first, f.last, [&](uint8_t second) {
        const Config after_lead = next(config, lead);
        return after_lead != dead && absorbs_character(config, next(after_lead, second), f.n_after);
      });
    });
  };
  const bool absorbs = all(0x20, 0x7E, ascii) && std::all_of(std::begin(forms), std::end(forms), form);
  configs_[config].absorbs = absorbs;
  return absorbs;
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
      moved[path.back()] = push(stacks[path.back()].state, moved[stacks[path.back()].below]);
    parse.stack = moved[parse.stack];
  }
  readers_ = std::move(parses);
  const bool accepts = data.accepts;
  const Config kept = intern(accepts);
  start_ = dead;  // forgotten; no caller goes back to it
  return kept;
}

}  // namespace quern

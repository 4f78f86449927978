// See sampler.h.
#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "error.h"
#include "exact_math.h"
#include "random.h"

namespace quern {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

struct Peak {
  float value;   // -inf if there is none
  bool numbers;  // whether there is neither NaN nor +inf
};

// Eight maxima side by side, for the processor to work on at once.
Peak peak_of(std::span<const float> logits) {
  constexpr size_t n_lanes = 8;
  float most[n_lanes];
  std::fill_n(most, n_lanes, -infinity);
  bool numbers = true;
  size_t i = 0;
  for (; i + n_lanes <= logits.size(); i += n_lanes) {
    for (size_t lane = 0; lane < n_lanes; ++lane) {
      const float x = logits[i + lane];
      numbers &= x < infinity;
      most[lane] = x > most[lane] ? x : most[lane];
    }
  }
  for (; i < logits.size(); ++i) {
    numbers &= logits[i] < infinity;
    most[0] = logits[i] > most[0] ? logits[i] : most[0];
  }
  return {*std::max_element(most, most + n_lanes), numbers};
}

[[noreturn]] void fail_logits(const char* why) {
  throw Error(Status::internal, std::string("the model's logits are not usable: ") + why);
}

void check_logits(std::span<const float> logits) {
  const Peak peak = peak_of(logits);
  if (!peak.numbers) fail_logits("they are not numbers");
  if (peak.value == -infinity) fail_logits("no token is possible");
}

}  // namespace

int32_t likeliest(std::span<const float> logits) {
  constexpr size_t block = 1024;
  float best = -infinity;
  size_t best_block = 0;
  bool numbers = true;
  for (size_t begin = 0; begin < logits.size(); begin += block) {
    const Peak peak = peak_of(logits.subspan(begin, std::min(block, logits.size() - begin)));
    numbers &= peak.numbers;
    if (peak.value > best) best = peak.value, best_block = begin;
  }
  if (!numbers) fail_logits("they are not numbers");
  if (best == -infinity) fail_logits("no token is possible");
  const auto found = std::find(logits.begin() + static_cast<ptrdiff_t>(best_block), logits.end(), best);
  return static_cast<int32_t>(found - logits.begin());
}

Sampler::Sampler(const SamplingOptions& options, size_t n_vocab, std::unique_ptr<GrammarState> grammar)
    : options_(options), n_vocab_(n_vocab), grammar_(std::move(grammar)), penalties_(options) {
  check(options, n_vocab);
}

// The logits with bias and penalties, in a copy of its own.
std::span<float> Sampler::changed(std::span<const float> logits) {
  logits_.assign(logits.begin(), logits.end());
  for (const auto& [id, bias] : options_.logit_bias) logits_[static_cast<size_t>(id)] += bias;
  penalties_.apply(logits_);
  // Options may be large enough to overflow.
  for (float& logit : logits_) logit = std::min(logit, std::numeric_limits<float>::max());
  return logits_;
}

Sampler::Choice Sampler::choose(std::span<const float> logits) {
  if (logits.size() != n_vocab_) {
    throw Error(Status::internal,
                "there are " + std::to_string(logits.size()) + " logits, expected " + std::to_string(n_vocab_));
  }
  Choice choice{-1, std::numeric_limits<float>::quiet_NaN(), {}};
  const bool greedy = options_.temperature == 0 || options_.top_k == 1;
  choice.id = greedy ? choose_greedily(logits) : draw(logits);
  if (options_.logprobs != SamplingOptions::no_logprobs) add_logprobs(logits, choice);
  return choice;
}

int32_t Sampler::choose_greedily(std::span<const float> logits) {
  std::span<const float> used = logits;
  if (!options_.logit_bias.empty() || penalties_.any()) {
    check_logits(logits);  // a bias of -inf can hide what is wrong
    used = changed(logits);
  }
  const int32_t best = likeliest(used);
  if (!grammar_ || grammar_->allows(best)) return best;  // the highest of all that is allowed as well
  if (used.data() != logits_.data()) logits_.assign(logits.begin(), logits.end());
  grammar_->mask(logits_);
  if (peak_of(logits_).value == -infinity) fail_grammar("no token can come next");
  return likeliest(logits_);
}

int32_t Sampler::draw(std::span<const float> logits) {
  check_logits(logits);
  std::span<const float> used = logits;
  if (grammar_ || !options_.logit_bias.empty() || penalties_.any()) used = changed(logits);
  if (grammar_) grammar_->mask(logits_);
  const size_t k = options_.top_k == 0 ? n_vocab_ : static_cast<size_t>(options_.top_k);
  select_likeliest(used, k, candidates_);
  if (candidates_.empty()) {
    if (grammar_) fail_grammar("no token can come next");
    fail_logits("no token is possible");
  }
  if (k < n_vocab_) std::sort(candidates_.begin(), candidates_.end(), likelier);
  weigh(candidates_, options_.temperature);
  truncate(candidates_, options_);
  double total = 0;
  for (const Candidate& c : candidates_) total += c.weight;
  double left = uniform(options_.seed, n_accepted_) * total;
  for (const Candidate& c : candidates_) {
    left -= c.weight;
    if (left < 0) return c.id;
  }
  // Rounding can leave a little: the last one that can be chosen.
  const auto last = std::find_if(candidates_.rbegin(), candidates_.rend(), [](const auto& c) { return c.weight > 0; });
  return last->id;
}

void Sampler::add_logprobs(std::span<const float> logits, Choice& choice) {
  const float most = peak_of(logits).value;
  double sum = 0;
  for (const float logit : logits) sum += exponential(double{logit} - most);
  const double log_sum = logarithm(sum);
  const auto logprob = [&](float logit) { return static_cast<float>(double{logit} - most - log_sum); };
  choice.logprob = logprob(logits[static_cast<size_t>(choice.id)]);
  if (options_.logprobs == 0) return;
  select_likeliest(logits, static_cast<size_t>(options_.logprobs), candidates_);
  std::sort(candidates_.begin(), candidates_.end(), likelier);
  for (const Candidate& c : candidates_) choice.top.emplace_back(c.id, logprob(c.logit));
}

void Sampler::accept(int32_t id) {
  if (grammar_) grammar_->accept(id);
  penalties_.add_generated(id);
  ++n_accepted_;
}

void Sampler::accept_prompt(std::span<const int32_t> ids) {
  for (const int32_t id : ids) penalties_.add_prompt(id);
}

}  // namespace quern

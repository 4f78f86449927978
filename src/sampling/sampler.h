// Chooses the tokens of one sequence from the model's logits.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "candidates.h"
#include "grammar_state.h"
#include "penalties.h"
#include "sampling_options.h"

namespace quern {

// Belongs to one sequence; not for use by several threads at once. What it chooses depends on the options, the logits
// and the tokens accepted so far, and on nothing else.
class Sampler {
 public:
  struct Choice {
    int32_t id;
    // Of the model's own distribution: log_softmax of the logits as they came. NaN unless asked for.
    float logprob;
    std::vector<std::pair<int32_t, float>>
        top;  // the likeliest tokens there, as many as asked for, the likeliest first
  };

  // grammar: null for none. Throws Error bad_argument that names the option.
  Sampler(const SamplingOptions& options, size_t n_vocab, std::unique_ptr<GrammarState> grammar = nullptr);

  // The next token. In this order: logit_bias; repetition, then frequency and presence penalties; the grammar; then,
  // unless the temperature is 0, temperature, top_k, top_p, min_p, typical_p. Changes nothing: asked again, it answers
  // the same. logits: n_vocab of them; -inf is a token that cannot come. Throws Error internal if one is NaN or +inf,
  // or none is above -inf; bad_argument if the grammar lets no token through or cannot be followed. The Sampler stays
  // usable.
  Choice choose(std::span<const float> logits);

  // The token that the sequence goes on with, chosen or not. Throws Error bad_argument if the grammar forbids it.
  void accept(int32_t id);
  // Tokens of the prompt, for the repetition penalty; the grammar does not see them.
  void accept_prompt(std::span<const int32_t> ids);

  // Whether the grammar lets nothing more follow.
  bool finished() const { return grammar_ && grammar_->finished(); }
  GrammarState* grammar() { return grammar_.get(); }
  size_t n_accepted() const { return n_accepted_; }

 private:
  std::span<float> changed(std::span<const float> logits);
  int32_t choose_greedily(std::span<const float> logits);
  int32_t draw(std::span<const float> logits);
  void add_logprobs(std::span<const float> logits, Choice& choice);

  SamplingOptions options_;
  size_t n_vocab_, n_accepted_ = 0;
  std::unique_ptr<GrammarState> grammar_;
  Penalties penalties_;
  std::vector<float> logits_;  // a copy, where something changes them
  std::vector<Candidate> candidates_;
};

// The highest logit's place; the first of equal ones. One pass without memory. Throws Error internal as choose().
int32_t likeliest(std::span<const float> logits);

}  // namespace quern

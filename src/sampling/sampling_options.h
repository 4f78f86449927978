// How the next token is chosen. The defaults sample from the model's own distribution, as OpenAI's, vLLM's and Hugging
// Face's do.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace quern {

struct SamplingOptions {
  static constexpr int no_logprobs = -1, max_logprobs = 20;
  static constexpr int whole_history = -1;

  float temperature = 1;  // 0 … 100; 0: always the likeliest token, the first of equal ones
  int top_k = 0;          // so many of the likeliest tokens stay; 0: all
  float top_p = 1;      // 0 … 1: the likeliest tokens stay that together reach this probability, at least one; 1: all
  float min_p = 0;      // 0 … 1: tokens stay that are at least so probable, relative to the likeliest; 0: all
  float typical_p = 1;  // above 0 … 1: tokens nearest to the expected surprise stay (Meister et al., 2022); 1: all

  // Divides positive logits, multiplies negative ones, of tokens among the last penalty_last_n of the prompt and what
  // was generated (Keskar et al., 2019). Above 0; 1: none.
  float repetition_penalty = 1;
  int penalty_last_n = whole_history;  // 0: none, so no repetition_penalty
  // Taken from the logits of generated tokens, the prompt's not counted: once for each time, and once. -2 … 2, as
  // OpenAI's.
  float frequency_penalty = 0, presence_penalty = 0;

  // Added to logits first; an id may come twice. Finite, or -inf to ban a token.
  std::vector<std::pair<int32_t, float>> logit_bias;
  uint64_t seed = 0;
  // -1: Choice::logprob is not computed; 0: it is; 1 … 20: and so many of the likeliest tokens are listed.
  int logprobs = no_logprobs;
};

// Throws Error bad_argument that names the field. n_vocab: how many logits there are.
void check(const SamplingOptions& options, size_t n_vocab);

}  // namespace quern

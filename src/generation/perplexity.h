// How well a decoder predicts a text: perplexity as llama.cpp's tool measures it, and how far it is from another.
#pragma once
#include <cstdint>
#include <functional>
#include <span>

#include "generation/generator.h"

namespace quern {

struct Perplexity {
  uint64_t tokens = 0;    // that were predicted
  double perplexity = 0;  // exp of the mean of -log p
  double error = 0;       // standard error of it
  // With a reference: how far its distribution is from the model's.
  double kl_mean = 0, kl_max = 0;  // Kullback-Leibler divergence from the reference's, nats
  double same_top = 0;             // share of tokens where both hold the same one for the likeliest
  double reference_perplexity = 0;
};

// The token that a tokenizer puts before texts (BOS); -1: none.
int32_t first_token(const Tokenizer& tokenizer);

// The text in windows of `window` tokens that do not overlap, the rest left out; of each, the second half's tokens are
// predicted. Where the model's tokenizer begins texts with a token (BOS), it takes the place of each window's first.
// progress: (windows done, of how many, perplexity so far); false stops. reference: a generator over a model with the
// same vocabulary, or null. Throws Error{bad_argument}: window below 8 or above the context, a text shorter than a
// window, vocabularies that differ.
Perplexity measure_perplexity(Generator& generator, std::span<const int32_t> text, int64_t window, int32_t bos,
                              Generator* reference, const std::function<bool(size_t, size_t, double)>& progress);

}  // namespace quern

// Unigram: of all ways to cut a text into pieces the one whose scores, logarithms of probabilities, have the greatest
// sum. (Kudo 2018, https://arxiv.org/abs/1804.10959.)
#pragma once
#include "model.h"

namespace quern {

std::unique_ptr<const TokenModel> make_unigram(const JsonField& field, TokenizerDocument& document);

}  // namespace quern

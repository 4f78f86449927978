// BPE: a word's characters, of which the pair that was learned first is merged, again and again, until no pair of
// neighbours can merge. (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909.)
#pragma once
#include "model.h"

namespace quern {

std::unique_ptr<const TokenModel> make_bpe(const JsonField& field, TokenizerDocument& document);

}  // namespace quern

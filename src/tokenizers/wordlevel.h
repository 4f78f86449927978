// WordLevel: a word is a piece, or unknown.
#pragma once
#include "model.h"

namespace quern {

std::unique_ptr<const TokenModel> make_wordlevel(const JsonField& field, TokenizerDocument& document);

}  // namespace quern

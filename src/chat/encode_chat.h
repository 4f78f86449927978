// A rendered chat to token ids.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "chat/chat_template.h"
#include "tokenizers/tokenizer.h"

namespace quern {

// The text of the parts, into `text`, and which of its bytes hold no special tokens. Throws Error{bad_argument} for
// more than a tokenizer takes.
std::vector<Span> join_for_encoding(std::span<const RenderedPart> parts, std::string& text);

// The ids of the parts' whole text, as a tokenizer makes them of one text (so that words may run over parts), without
// what its post-processor adds: the template has written that. Special tokens are recognized only where they lie wholly
// in the template's own text. Replaces ids. Throws what Tokenizer::encode throws.
void encode_chat(const Tokenizer& tokenizer, std::span<const RenderedPart> parts, std::vector<int32_t>& ids);

}  // namespace quern

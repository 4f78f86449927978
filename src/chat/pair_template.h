// Two texts as one, by a template that has the roles query and document: how language models rank texts.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat_template.h"
#include "heads/pipeline.h"
#include "tokenizers/tokenizer.h"

namespace quern {

// instruction: of the role system; empty: there is no such message. Throws what ChatTemplate::render throws.
std::vector<RenderedPart> render_pair(const ChatTemplate& chat, const PairTemplate& format,
                                      std::string_view instruction, std::string_view query, std::string_view document);

// Whether what a template writes depends on both texts: those of conversations leave out roles that they do not know.
bool carries_pairs(const ChatTemplate& chat, const PairTemplate& format);

// The tokens of a rendered pair, at most max_length of them, 0: all. What the template wrote behind the texts is kept
// then, for what reads the last token, and the end of the text before it is cut.
void encode_rendered_pair(const Tokenizer& tokenizer, const std::vector<RenderedPart>& parts, size_t max_length,
                          Encoding& out);

}  // namespace quern

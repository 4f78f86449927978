// How a model wants chats written: its templates and the special tokens that these name. Plain data;
// template_cache.h keeps what was parsed.
#pragma once
#include <map>
#include <string>

#include "chat/chat_template.h"

namespace quern {

class GgufReader;
class GgufWriter;
class Tokenizer;

// Special tokens: GGUF's key, after "tokenizer.ggml.", and transformers' name of the variable.
constexpr struct SpecialTokenName {
  const char *key, *variable;
} special_token_names[] = {{"bos_token_id", "bos_token"},       {"eos_token_id", "eos_token"},
                           {"unknown_token_id", "unk_token"},   {"padding_token_id", "pad_token"},
                           {"seperator_token_id", "sep_token"}, {"cls_token_id", "cls_token"},
                           {"mask_token_id", "mask_token"}};

constexpr size_t max_chat_templates = 32;

struct ChatFormat {
  std::string source;                        // the template that is used by default; empty: the model has none
  std::map<std::string, std::string> named;  // others by name: "tool_use", "rag"
  TrustedStrings specials;                   // variables of templates: "bos_token" -> "<s>"
  friend bool operator==(const ChatFormat&, const ChatFormat&) = default;
};

// Whether a template can have this name: letters, digits, _ - and ., at most 64 of them.
bool is_template_name(std::string_view name);

// A model file's: tokenizer.chat_template, tokenizer.chat_template.NAME, and quern.chat.special_tokens, or, in files of
// llama.cpp's, the tokens that tokenizer.ggml.bos_token_id and so on number. Throws Error bad_file.
ChatFormat chat_format_of(const GgufReader& file, const Tokenizer& tokenizer);
void write_chat_format(GgufWriter& file, const ChatFormat& format);

}  // namespace quern

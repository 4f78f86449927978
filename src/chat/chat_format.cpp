// Chat formats in model files. See chat_format.h.
#include "chat/chat_format.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "error.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "io/json.h"
#include "tokenizers/tokenizer.h"

namespace quern {
namespace {

constexpr std::string_view template_key = "tokenizer.chat_template";
constexpr const char* specials_key = "quern.chat.special_tokens";
constexpr const char* names_key = "tokenizer.chat_templates";

void read_specials(const GgufReader& file, const Tokenizer& tokenizer, TrustedStrings& specials) {
  if (file.has(specials_key)) {
    const std::string name = file.name() + ": " + specials_key;
    const nlohmann::json json = parse_json(file.get_string(specials_key), name);
    if (!json.is_object()) throw Error(Status::bad_file, name + ": no JSON object");
    for (const auto& [variable, text] : json.items()) {
      if (!text.is_string()) throw Error(Status::bad_file, name + ": '" + printable(variable) + "' is not a string");
      specials[variable] = text.get<std::string>();
    }
    return;
  }
  for (const auto& [name, variable] : special_token_names) {
    const std::string key = "tokenizer.ggml." + std::string(name);
    if (!file.has(key)) continue;
    const uint64_t id = file.get_uint(key);
    if (id < tokenizer.vocab_size()) specials[variable] = tokenizer.piece(static_cast<int32_t>(id));
  }
}

}  // namespace

bool is_template_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), fits);
}

ChatFormat chat_format_of(const GgufReader& file, const Tokenizer& tokenizer) {
  ChatFormat format;
  format.source = file.get_string_or(template_key, "");
  for (const GgufKey& key : file.keys()) {
    if (!key.name.starts_with(template_key) || key.name.size() <= template_key.size() + 1 ||
        key.name[template_key.size()] != '.')
      continue;
    const std::string_view name = key.name.substr(template_key.size() + 1);
    if (!is_template_name(name))
      throw Error(Status::bad_file, file.name() + ": " + printable(key.name) + " names no template");
    if (format.named.size() >= max_chat_templates)
      throw Error(Status::bad_file,
                  file.name() + ": has more than " + std::to_string(max_chat_templates) + " chat templates");
    format.named.emplace(name, file.get_string(key.name));
  }
  if (!format.source.empty() || !format.named.empty()) read_specials(file, tokenizer, format.specials);
  return format;
}

void write_chat_format(GgufWriter& file, const ChatFormat& format) {
  if (format.source.empty() && format.named.empty()) return;
  if (!format.source.empty()) file.set_string(template_key, format.source);
  std::vector<std::string> names;
  for (const auto& [name, source] : format.named) {
    names.push_back(name);
    file.set_string(std::string(template_key) + "." + name, source);
  }
  if (!names.empty()) file.set_strings(names_key, std::span<const std::string>(names));
  file.set_string(specials_key, nlohmann::json(format.specials).dump());
}

}  // namespace quern

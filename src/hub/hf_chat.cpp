// See hf_chat.h.
#include "hub/hf_chat.h"

#include "hub/hf_json.h"

namespace quern {
namespace {

constexpr size_t max_template_bytes = 1 << 20;
constexpr size_t max_special_bytes = 1024;

// A token's text: a string, or an object with its content; null: neither.
const std::string* token_text(const nlohmann::json& value) {
  const nlohmann::json* text = &value;
  if (value.is_object()) {
    const auto content = value.find("content");
    text = content == value.end() ? nullptr : &*content;
  }
  return text && text->is_string() ? text->get_ptr<const std::string*>() : nullptr;
}

void read_specials(const JsonFile& file, TrustedStrings& specials) {
  for (const auto& [key, value] : file.value().items()) {
    const std::string* text = key.ends_with("_token") ? token_text(value) : nullptr;
    if (!text) continue;
    if (text->size() > max_special_bytes || key.size() > 64) file.wrong("*_token", "a token of at most 1024 bytes");
    specials.emplace(key, *text);
  }
}

void check_size(const JsonFile& file, const std::string& source) {
  if (source.size() > max_template_bytes) file.wrong("chat_template", "at most 1 MiB long");
}

// [{"name": "default", "template": …}, …]
void read_list(const JsonFile& file, const nlohmann::json& list, ChatFormat& chat) {
  for (const nlohmann::json& entry : list) {
    const bool fits = entry.is_object() && entry.contains("name") && entry["name"].is_string() &&
                      entry.contains("template") && entry["template"].is_string();
    if (!fits) file.wrong("chat_template", "a list of objects with a name and a template");
    const std::string name = entry["name"].get<std::string>(), source = entry["template"].get<std::string>();
    check_size(file, source);
    if (!is_template_name(name)) file.wrong("chat_template", "a list of templates with plain names");
    if (chat.named.size() >= max_chat_templates) file.wrong("chat_template", "a list of at most 32 templates");
    (name == "default" ? chat.source : chat.named[name]) = source;
  }
}

// From a file's "chat_template"; whether there is one.
bool read_template(const JsonFile& file, ChatFormat& chat) {
  const nlohmann::json* found = file.find("chat_template");
  if (!found) return false;
  if (found->is_array()) {
    read_list(file, *found, chat);
    return true;
  }
  if (!found->is_string()) file.wrong("chat_template", "a string or a list");
  chat.source = found->get<std::string>();
  check_size(file, chat.source);
  return !chat.source.empty();
}

}  // namespace

void read_chat(const HfFolder::ReadFile& read, HfFolder& folder) {
  const auto path = [&](const char* file) { return join_path(folder.transformer_folder, file); };
  const auto config = read_json(folder.dir, read, path("tokenizer_config.json"));
  ChatFormat& chat = folder.chat;
  std::string source;
  if (config && read_template(*config, chat)) source = "tokenizer_config.json";
  if (auto text = read(path("chat_template.jinja"), max_template_bytes)) {
    chat.source = std::move(*text);
    source = "chat_template.jinja";
  }
  if (source.empty()) {
    const auto file = read_json(folder.dir, read, path("chat_template.json"));
    if (file && read_template(*file, chat)) source = "chat_template.json";
  }
  for (const char* name : {"tool_use", "rag"})
    if (auto text =
            read(path((std::string("additional_chat_templates/") + name + ".jinja").c_str()), max_template_bytes))
      chat.named[name] = std::move(*text);
  if (config) read_specials(*config, chat.specials);
  if (const auto map = read_json(folder.dir, read, path("special_tokens_map.json"))) read_specials(*map, chat.specials);
  if (chat.source.empty() && chat.named.empty()) return;
  std::string names = chat.source.empty() ? "" : "default";
  for (const auto& [name, text] : chat.named) names += (names.empty() ? "" : ", ") + name;
  folder.decisions.push_back({"chat_template", names, source.empty() ? "additional_chat_templates" : source});
}

}  // namespace quern

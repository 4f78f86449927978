// See tokenizer_settings.h. The order of things is that of transformers 5 (PreTrainedTokenizerBase._from_pretrained,
// TokenizersBackend.__init__); tests/reference/make_tokenizer_configs.py asks it.
#include "hub/tokenizer_settings.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "hub/hf_json.h"
#include "hub/tokenizer_family.h"
#include "hub/tokenizer_head.h"

namespace quern {
namespace {

using Json = nlohmann::json;

constexpr const char *kConfig = "tokenizer_config.json", *kMap = "special_tokens_map.json";

// The names of an object's members, and of those of its objects, in the order of the text.
class KeyOrder : public nlohmann::json_sax<Json> {
 public:
  std::vector<std::string> keys;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(size_t) override { return ++depth_ <= 64; }
  bool start_array(size_t) override { return ++depth_ <= 64; }
  bool end_object() override { return --depth_ >= 0; }
  bool end_array() override { return --depth_ >= 0; }
  bool key(std::string& text) override {
    if (depth_ <= 2) keys.push_back(text);
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  int depth_ = 0;
};

struct Files {
  std::optional<JsonFile> config, map, added;
  std::vector<std::string> order;  // of the names in config, then in map
};

constexpr const char* usual_names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};

// A token as files write it: a string, or an object with its content and flags. nullopt where it is none.
std::optional<Json> token_of(const Json& value) {
  if (value.is_string()) return Json{{"content", value}, {"special", true}};
  if (!value.is_object() || !value.contains("content") || !value["content"].is_string()) return std::nullopt;
  Json token = Json::object();
  for (const char* key : {"content", "single_word", "lstrip", "rstrip", "normalized", "special"})
    if (const auto found = value.find(key); found != value.end() && !found->is_null()) token[key] = *found;
  for (const char* key : {"single_word", "lstrip", "rstrip", "normalized", "special"})
    if (token.contains(key) && !token[key].is_boolean()) return std::nullopt;
  return token;
}

bool flag(const Json& token, const char* key, bool absent) {
  const auto found = token.find(key);
  return found == token.end() || !found->is_boolean() ? absent : found->get<bool>();
}

// With all of its flags, so that two can be compared.
Json spelt_out(const Json& token) {
  const bool special = flag(token, "special", false);
  return {{"content", token.at("content")},
          {"single_word", flag(token, "single_word", false)},
          {"lstrip", flag(token, "lstrip", false)},
          {"rstrip", flag(token, "rstrip", false)},
          {"normalized", flag(token, "normalized", !special)},
          {"special", special}};
}

// The tokens that the settings name, in the order in which transformers adds them.
class Named {
 public:
  struct Entry {
    Json token;
    bool listed;  // with flags, which win over those of tokenizer.json; else it has a name alone
  };

  explicit Named(const Files& files) {
    const bool has_decoder = files.config && files.config->find("added_tokens_decoder");
    if (files.config) settings_ = files.config->value();
    if (!has_decoder && files.map) settings_.update(files.map->value());
    if (has_decoder)
      from_decoder(*files.config);
    else if (files.added)
      from_added_tokens(*files.added);
    named_tokens(files.order);
    extra_tokens();
  }
  const std::vector<Entry>& all() const { return all_; }

 private:
  void from_decoder(const JsonFile& file) {
    const Json& list = *file.find("added_tokens_decoder");
    if (!list.is_object()) file.wrong("added_tokens_decoder", "an object");
    std::map<uint64_t, Json> by_id;
    for (auto it = list.begin(); it != list.end(); ++it) {
      const std::string& key = it.key();
      const auto token = token_of(*it);
      const bool is_id = !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
      if (!is_id || !token || !it->is_object())
        file.wrong("added_tokens_decoder", "an object of tokens with a content, by their ids");
      by_id[std::stoul(key)] = *token;
    }
    list_in_order(by_id);
  }
  // {content: id}. Special is what has one of the usual names or stands in the newer of the lists: transformers asks no
  // further here.
  void from_added_tokens(const JsonFile& file) {
    std::set<std::string> special;
    const auto note = [&](const Json& value) {
      if (const auto token = token_of(value)) special.insert(token->at("content").get<std::string>());
    };
    for (const char* key : usual_names)
      if (const auto found = settings_.find(key); found != settings_.end()) note(*found);
    if (const auto list = settings_.find("extra_special_tokens"); list != settings_.end() && list->is_array())
      std::for_each(list->begin(), list->end(), note);
    std::map<uint64_t, Json> by_id;
    for (auto it = file.value().begin(); it != file.value().end(); ++it) {
      if (!it->is_number_unsigned()) file.wrong(it.key().c_str(), "an id");
      const bool is_special = special.contains(it.key());
      by_id[it->get<uint64_t>()] = {{"content", it.key()}, {"special", is_special}, {"normalized", !is_special}};
    }
    list_in_order(by_id);
  }
  void list_in_order(std::map<uint64_t, Json>& by_id) {
    for (auto& [id, token] : by_id) push(std::move(token), true);
  }
  // `*_token` of the usual names, then of the model's own in the order of the file, then of an object of such names.
  void named_tokens(const std::vector<std::string>& order) {
    std::vector<const Json*> found;
    const auto take = [&](const Json& object, const std::string& key) {
      if (const auto value = object.find(key); value != object.end()) found.push_back(&*value);
    };
    for (const char* key : usual_names) take(settings_, key);
    for (const std::string& key : order)
      if (key.ends_with("_token") &&
          std::find(std::begin(usual_names), std::end(usual_names), key) == std::end(usual_names))
        take(settings_, key);
    const auto object = settings_.find("extra_special_tokens");
    if (object != settings_.end() && object->is_object())
      for (const std::string& key : order) take(*object, key);
    for (const Json* value : found)
      if (auto token = token_of(*value)) add(std::move(*token), true);
  }
  void extra_tokens() {
    for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
      const auto list = settings_.find(key);
      if (list == settings_.end() || list->empty()) continue;
      if (list->is_array())
        for (const Json& value : *list)
          if (auto token = token_of(value)) add(std::move(*token), false);
      return;  // the older name counts where the newer one is absent
    }
  }
  // Where a list has it already, its flags count; but a token with a name is special.
  void add(Json token, bool has_name) {
    const auto known = places_.find(token.at("content").get_ref<const std::string&>());
    if (known == places_.end()) {
      token["special"] = true;
      return push(std::move(token), false);
    }
    Json& listed = all_[known->second].token;
    if (!has_name || flag(listed, "special", false)) return;
    listed = spelt_out(listed);
    listed["special"] = true;
  }
  void push(Json token, bool listed) {
    places_.emplace(token.at("content").get<std::string>(), all_.size());
    all_.push_back({std::move(token), listed});
  }

  Json settings_ = Json::object();
  std::vector<Entry> all_;
  std::unordered_map<std::string, size_t> places_;  // of contents in all_; of equal ones the first
};

// The array "added_tokens" with what the settings add; the contents that are new or have other flags.
std::vector<std::string> merge(const Named& named, Json& added) {
  std::vector<std::string> changed;
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < added.size(); ++i)
    if (added[i].is_object() && added[i].contains("content") && added[i]["content"].is_string())
      places.emplace(added[i]["content"].get<std::string>(), i);
  for (const auto& [token, listed] : named.all()) {
    const std::string content = token.at("content");
    if (content.empty()) continue;
    const Json whole = spelt_out(token);
    const auto [place, is_new] = places.emplace(content, added.size());
    if (is_new) {
      added.push_back(whole);
    } else {
      Json& known = added[place->second];
      if (!listed || spelt_out(known) == whole) continue;
      known.update(whole);
    }
    changed.push_back(content);
  }
  return changed;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t most = 8;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), most); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() <= most ? text : text + " and " + std::to_string(names.size() - most) + " more";
}

bool add_tokens(const Files& files, Json& head, HfFolder& folder) {
  Json added = head.value("added_tokens", Json::array());
  if (!added.is_array()) return false;  // the tokenizer says what is wrong with it
  const std::vector<std::string> changed = merge(Named(files), added);
  if (changed.empty()) return false;
  head["added_tokens"] = std::move(added);
  folder.decisions.push_back({"added_tokens", listed(changed), "the files beside tokenizer.json"});
  return true;
}

bool set_side(const Files& files, Json& head, HfFolder& folder) {
  const std::optional<std::string> side = files.config ? files.config->string("truncation_side") : std::nullopt;
  if (side && *side != "left" && *side != "right") files.config->wrong("truncation_side", "left or right");
  Json& truncation = head["truncation"];
  const bool was_left = truncation.is_object() && truncation.contains("direction") && truncation["direction"] == "Left";
  const bool left = side ? *side == "left" : was_left;
  if (left)
    folder.decisions.push_back(
        {"truncation_side", "left", side ? std::string(kConfig) + ": truncation_side" : "tokenizer.json"});
  if (left == was_left) return false;
  // A length that is none: how long a text may be is said elsewhere.
  if (!truncation.is_object())
    truncation = {{"max_length", size_t{1} << 40}, {"strategy", "LongestFirst"}, {"stride", 0}};
  truncation["direction"] = left ? "Left" : "Right";
  return true;
}

bool set_normalizer(const Files& files, const std::string& model, Json& head, HfFolder& folder) {
  if (model != "WordPiece" || !rebuilds_bert(files.config ? &*files.config : nullptr, folder.model_type)) return false;
  const auto flag_of = [&](const char* key, bool absent) {
    return files.config ? files.config->boolean(key).value_or(absent) : absent;
  };
  Json wanted = {{"type", "BertNormalizer"},
                 {"clean_text", true},
                 {"handle_chinese_chars", flag_of("tokenize_chinese_chars", true)},
                 {"strip_accents", nullptr},
                 {"lowercase", flag_of("do_lower_case", true)}};
  if (files.config && files.config->find("strip_accents")) wanted["strip_accents"] = flag_of("strip_accents", true);
  Json& normalizer = head["normalizer"];
  if (normalizer == wanted) return false;
  folder.decisions.push_back({"normalizer", wanted.dump(),
                              std::string(kConfig) + ", as its class has it (tokenizer.json says " +
                                  printable(normalizer.dump(-1, ' ', false, Json::error_handler_t::replace)) + ")"});
  normalizer = std::move(wanted);
  return true;
}

}  // namespace

uint64_t apply_tokenizer_settings(const HfFolder::ReadFile& read, HfFolder& folder) {
  KeyOrder order;
  const auto file = [&](const char* name) {
    const auto reader = [&](const std::string& path, size_t most) {
      auto text = read(path, most);
      if (text) Json::sax_parse(*text, &order);
      return text;
    };
    return read_json(folder.dir, reader, join_path(folder.transformer_folder, name));
  };
  Files files{file(kConfig), file(kMap), file("added_tokens.json"), {}};
  files.order = std::move(order.keys);
  TokenizerHead found = read_tokenizer_head(folder.tokenizer_json);
  const uint64_t cut = found.truncation_length();
  if (!found.readable) return cut;
  Json& head = found.members;
  const bool tokens = add_tokens(files, head, folder);
  const bool side = set_side(files, head, folder);
  const bool normalizer = set_normalizer(files, found.model, head, folder);
  if (!tokens && !side && !normalizer) return cut;
  Json whole = parse_json(folder.tokenizer_json, folder.dir + "/tokenizer.json");
  if (tokens) whole["added_tokens"] = head["added_tokens"];
  if (side) whole["truncation"] = head["truncation"];
  if (normalizer) whole["normalizer"] = head["normalizer"];
  folder.tokenizer_json = whole.dump();
  return cut;
}

}  // namespace quern

// As sentence-transformers 6's MultiVectorEncoder reads them (multi_vector_encoder/model.py).
#include "hub/hf_late.h"

#include <algorithm>
#include <string_view>

#include "heads/vector_modules.h"

namespace quern {
namespace {

using nlohmann::json;

constexpr const char *kSettings = "config_sentence_transformers.json", *kStanford = "artifact.metadata";
constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
constexpr size_t kMostTokens = size_t{1} << 20;
constexpr size_t kUsualQuery = 32;

LateInteraction& late_of(HfFolder& folder) {
  if (!folder.pipeline.multi_vector) folder.pipeline.multi_vector.emplace();
  if (!folder.pipeline.multi_vector->late) folder.pipeline.multi_vector->late.emplace();
  return *folder.pipeline.multi_vector->late;
}

std::vector<std::string> strings_of(const JsonFile& file, const char* key) {
  std::vector<std::string> all;
  const json* list = file.find(key);
  if (!list) return all;
  if (list->is_string()) return {list->get<std::string>()};
  if (!list->is_array() || list->size() > 4096) file.wrong(key, "a list of at most 4096 words");
  for (const json& word : *list) {
    if (!word.is_string()) file.wrong(key, "a list of words");
    all.push_back(word.get<std::string>());
  }
  return all;
}

std::vector<std::string> punctuation() {
  std::vector<std::string> all;
  for (const char c : kPunctuation) all.emplace_back(1, c);
  return all;
}

// Of "query" and "document", those that a list names; documents where there is no list.
void roles_of(const JsonFile& file, const char* key, bool& queries, bool& documents) {
  if (!file.find(key)) return;
  queries = documents = false;
  for (const std::string& task : strings_of(file, key)) {
    if (task != "query" && task != "document") file.wrong(key, "query or document: '" + printable(task) + "'");
    (task == "query" ? queries : documents) = true;
  }
}

void read_mask(const JsonFile& file, HfFolder& folder) {
  LateInteraction& late = late_of(folder);
  late.skipped = strings_of(file, "skiplist_words");
  roles_of(file, "skiplist_tasks", late.skips_queries, late.skips_documents);
  if (const json* only = file.find("keep_only_token_ids"); only && !(only->is_array() && only->empty()))
    throw Error(Status::unsupported, file.name() + ": 'keep_only_token_ids' is for parts of images; quern reads texts");
}

void read_token_pooling(const JsonFile& file, HfFolder& folder) {
  TokenPooling& pooling = late_of(folder).pooling;
  if (const json* factor = file.find("pool_factor")) {
    if (!factor->is_number() || !(factor->get<double>() >= 1) || factor->get<double>() > 1 << 20)
      file.wrong("pool_factor", "a number of 1 or more");
    pooling.factor = factor->get<double>();
  }
  pooling.kept = static_cast<int64_t>(file.count("num_protected_tokens", 0, kMostTokens).value_or(1));
  pooling.normalize = file.boolean("normalize_embeddings").value_or(false);
  roles_of(file, "tasks", pooling.queries, pooling.documents);
  if (pooling.normalize && pooling.factor <= 1) late_of(folder).modules.push_back({"Normalize", "", {}, {}});
}

// A special token that the tokenizer's files name: its text, or "".
std::string named_token(const HfFolder::ReadFile& read, const HfFolder& folder, const char* key) {
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const auto file = read_json(folder.dir, read, join_path(folder.transformer_folder, name));
    const json* value = file ? file->find(key) : nullptr;
    if (value && value->is_object() && value->contains("content")) value = &value->at("content");
    if (value && value->is_string()) return value->get<std::string>();
  }
  return {};
}

void expand_queries(const HfFolder::ReadFile& read, const JsonFile& file, std::string token, size_t length, bool seen,
                    HfFolder& folder) {
  LateInteraction& late = late_of(folder);
  for (const char* key : {"mask_token", "eos_token"})
    if (token.empty()) token = named_token(read, folder, key);
  if (token.empty())
    throw Error(Status::unsupported, file.name() +
                                         ": queries are to be expanded, but the tokenizer names neither a "
                                         "mask_token nor an eos_token to do it with");
  late.expansion = token;
  late.expanded_length = static_cast<int64_t>(length);
  late.expansion_is_seen = seen;
  folder.decisions.push_back({"query_expansion",
                              std::to_string(length) + " tokens by " + token + (seen ? ", which are seen" : ", unseen"),
                              file.name()});
}

// MultiVectorEncoder's own: {"strategy", "attend", "token", "length"}.
void read_expansion(const HfFolder::ReadFile& read, const JsonFile& file, const json& value, HfFolder& folder) {
  if (value.is_null()) return;
  if (!value.is_object()) file.wrong("query_expansion", "an object or null");
  const JsonFile fields(file.name(), value);
  const std::string strategy = fields.string("strategy").value_or("");
  if (strategy != "fixed" && strategy != "min")
    file.wrong("query_expansion", "a strategy that is fixed or min: '" + printable(strategy) + "'");
  const auto length = fields.count("length", 1, kMostTokens);
  if (!length) file.wrong("query_expansion", "an object with a length");
  late_of(folder).cuts_queries = strategy == "fixed";
  expand_queries(read, file, fields.string("token").value_or(""), *length, fields.boolean("attend").value_or(false),
                 folder);
}

// PyLate's flat fields, which older checkpoints have, in the same places as the newer ones.
void read_flat_expansion(const HfFolder::ReadFile& read, const JsonFile& file, HfFolder& folder) {
  LateInteraction& late = late_of(folder);
  if (!file.boolean("do_query_expansion").value_or(true)) return;
  const bool seen =
      file.boolean("attend_to_expansion_tokens").value_or(file.boolean("attend_to_mask_tokens").value_or(false));
  const size_t length = file.count("query_length", 1, kMostTokens).value_or(kUsualQuery);
  late.query_length = 0;
  late.cuts_queries = true;
  expand_queries(read, file, "", length, seen, folder);
}

void read_lengths(const JsonFile& file, HfFolder& folder) {
  LateInteraction& late = late_of(folder);
  if (const auto n = file.count("query_length", 1, kMostTokens)) late.query_length = static_cast<int64_t>(*n);
  if (const auto n = file.count("document_length", 1, kMostTokens)) late.document_length = static_cast<int64_t>(*n);
}

// Such a token was put into texts by its id. As part of a text it is found where it is an added token that no
// normalizer changes.
void add_prefix_token(const std::string& prefix, json& whole) {
  const auto in_vocabulary = [&](const std::string& piece) -> std::optional<int64_t> {
    const json& vocabulary = whole["model"]["vocab"];
    if (vocabulary.is_object()) {
      const auto found = vocabulary.find(piece);
      return found != vocabulary.end() && found->is_number_integer() ? std::optional(found->get<int64_t>())
                                                                     : std::nullopt;
    }
    for (size_t i = 0; i < vocabulary.size(); ++i)
      if (vocabulary[i].is_array() && !vocabulary[i].empty() && vocabulary[i][0] == piece)
        return static_cast<int64_t>(i);
    return std::nullopt;
  };
  const size_t begin = prefix.find_first_not_of(' ');
  if (begin == std::string::npos) return;
  const std::string word = prefix.substr(begin, prefix.find(' ', begin) - begin);
  // A plain word is one token wherever it stands; as an added one it would cut other words.
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c & 0x80) != 0;
  };
  if (std::all_of(word.begin(), word.end(), plain)) return;
  for (const std::string& piece : {prefix, word}) {
    for (json& token : whole["added_tokens"])
      if (token.is_object() && token.contains("content") && token["content"] == piece) {
        token["normalized"] = false;
        token["special"] = true;
        return;
      }
    if (const auto id = in_vocabulary(piece)) {
      whole["added_tokens"].push_back({{"id", *id},
                                       {"content", piece},
                                       {"single_word", false},
                                       {"lstrip", false},
                                       {"rstrip", false},
                                       {"normalized", false},
                                       {"special", true}});
      return;
    }
  }
}

// What stands before texts of older checkpoints: (name of the prompt, text).
void put_prefixes(const std::vector<std::pair<std::string, std::string>>& prefixes, const std::string& source,
                  HfFolder& folder) {
  json whole = parse_json(folder.tokenizer_json, folder.dir + "/tokenizer.json");
  const bool readable = whole.is_object() && whole.contains("model") && whole["model"].is_object() &&
                        (!whole.contains("added_tokens") || whole["added_tokens"].is_array());
  for (const auto& [name, prefix] : prefixes) {
    std::string& prompt = folder.prompts[name];
    prompt = prefix + (prompt.starts_with(prefix) ? prompt.substr(prefix.size()) : prompt);
    if (readable) add_prefix_token(prefix, whole);
    folder.decisions.push_back({"prompt " + name, "\"" + prompt + "\"", source});
  }
  folder.tokenizer_json = whole.dump();
}

bool among_keys(const JsonFile& file, std::initializer_list<const char*> keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const char* key) { return file.value().contains(key); });
}

void settle_stanford(const HfFolder::ReadFile& read, HfFolder& folder) {
  LateInteraction& late = late_of(folder);
  const auto found = read_json(folder.dir, read, kStanford);
  const JsonFile file = found ? *found : JsonFile(folder.dir + "/" + kStanford, json::object());
  const auto marker = [&](const char* key, const char* usual) { return file.string(key).value_or(usual) + " "; };
  put_prefixes({{"query", marker("query_token_id", "[unused0]")}, {"document", marker("doc_token_id", "[unused1]")}},
               kStanford, folder);
  if (const auto n = file.count("doc_maxlen", 1, kMostTokens)) late.document_length = static_cast<int64_t>(*n);
  expand_queries(read, file, "", file.count("query_maxlen", 1, kMostTokens).value_or(kUsualQuery),
                 file.boolean("attend_to_mask_tokens").value_or(false), folder);
  if (file.boolean("mask_punctuation").value_or(true)) late.skipped = punctuation();
  DenseConfig dense;  // whose widths the tensor "linear.weight" says
  dense.bias = false;
  dense.activation = "identity";
  late.modules = {{"Dense", "", {}, dense}, {"Normalize", "", {}, {}}};
}

void settle_sentence_transformers(const HfFolder::ReadFile& read, const JsonFile& file, HfFolder& folder) {
  LateInteraction& late = late_of(folder);
  const bool pylate = file.string("model_type").value_or("") == "ColBERT";
  read_lengths(file, folder);
  if (const json* own = file.value().contains("query_expansion") ? &file.value()["query_expansion"] : nullptr)
    read_expansion(read, file, *own, folder);
  else if (among_keys(file, {"query_length", "document_length", "do_query_expansion", "attend_to_expansion_tokens",
                             "attend_to_mask_tokens", "query_prefix", "document_prefix", "skiplist_words"}))
    read_flat_expansion(read, file, folder);
  std::vector<std::pair<std::string, std::string>> prefixes;
  for (const auto& [key, name] : {std::pair{"query_prefix", "query"}, std::pair{"document_prefix", "document"}})
    if (file.value().contains(key)) prefixes.emplace_back(name, file.string(key).value_or(""));
  if (!prefixes.empty()) put_prefixes(prefixes, file.name(), folder);
  if (!pylate) return;
  late.skipped = file.find("skiplist_words") ? strings_of(file, "skiplist_words") : punctuation();
  late.modules.push_back({"Normalize", "", {}, {}});
}

}  // namespace

bool is_late_interaction(const HfFolder::ReadFile& read, const HfFolder& folder) {
  if (const auto file = read_json(folder.dir, read, kSettings)) {
    const std::string type = file->string("model_type").value_or("");
    if (!type.empty()) return type == "ColBERT" || type == "MultiVectorEncoder";
  }
  const auto config = read_json(folder.dir, read, "config.json");
  const json* list = config ? config->find("architectures") : nullptr;
  return list && list->is_array() && std::find(list->begin(), list->end(), "HF_ColBERT") != list->end();
}

bool add_late_module(const HfFolder::ReadFile& read, const std::string& type, const std::string& path,
                     HfFolder& folder) {
  const std::string name = join_path(path, "config.json");
  const auto file = read_json(folder.dir, read, name);
  const VectorModule* row = find_vector_module(type);
  const bool own = type == "MultiVectorMask" || type == "HierarchicalTokenPooling";
  if (!own && !(row && row->run)) return false;
  if (!file && (own || row->needs_config))
    throw Error(Status::not_found, folder.dir + ": " + name + " is missing, modules.json needs it");
  if (type == "MultiVectorMask") return read_mask(*file, folder), true;
  if (own) return read_token_pooling(*file, folder), true;
  Pipeline::Module module;
  module.type = row->name;
  if (row->declare) module.folder = path;
  const std::string value = row->read(file ? &*file : nullptr, module);
  // Of Dense, those of before module_input_name are over tokens.
  if (file && file->string("module_input_name").value_or("token_embeddings") != "token_embeddings")
    file->wrong("module_input_name", "token_embeddings, as this model has no vectors of texts");
  folder.decisions.push_back({std::string("token ") + row->decision, value, file ? name : "modules.json"});
  late_of(folder).modules.push_back(std::move(module));
  return true;
}

void settle_late(const HfFolder::ReadFile& read, const JsonFile& config, HfFolder& folder) {
  LateInteraction& late = late_of(folder);
  const auto settings = read_json(folder.dir, read, kSettings);
  if (std::find(folder.architectures.begin(), folder.architectures.end(), "HF_ColBERT") != folder.architectures.end() &&
      late.modules.empty())
    settle_stanford(read, folder);
  else if (settings)
    settle_sentence_transformers(read, *settings, folder);
  const auto own = read_json(folder.dir, read, join_path(folder.transformer_folder, "sentence_bert_config.json"));
  if (own) {
    read_lengths(*own, folder);
    if (own->value().contains("query_expansion")) read_expansion(read, *own, own->value()["query_expansion"], folder);
  }
  if (late.expanded_length > 0 && late.query_length > 0 && late.query_length < late.expanded_length)
    (own ? *own : config).wrong("query_length", "at least the length that queries are expanded to");
  late.mean = folder.similarity == "meanmaxsim";
  if (!late.mean) folder.similarity = "maxsim";
  for (const int64_t length : {late.query_length, late.document_length, late.expanded_length})
    if (folder.max_length > 0) folder.max_length = std::max(folder.max_length, static_cast<size_t>(length));
  folder.decisions.push_back({"multi_vector", "a vector for each token, queries and documents apart",
                              settings ? kSettings : "config.json: architectures"});
}

}  // namespace quern

// Reads the folder's JSON files in the order in which they matter and notes each decision.
#include "hub/hf_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "hub/hf_chat.h"
#include "hub/hf_heads.h"
#include "hub/hf_json.h"
#include "hub/hf_late.h"
#include "hub/hf_modules.h"
#include "hub/hf_pairs.h"
#include "hub/hf_static.h"
#include "hub/hf_tokenizer.h"
#include "hub/repo_name.h"
#include "hub/tokenizer_settings.h"
#include "io/mapped_file.h"
#include "os/files.h"

namespace quern {
namespace {

constexpr size_t max_tokens = size_t{1} << 24;  // longer "limits" mean that there is none
constexpr const char* wanted_files =
    "a model folder holds config.json, tokenizer.json (or vocab.txt and the like), and model.safetensors or its shards";

// Families whose positions come from a table of max_position_embeddings rows; the second counts from pad_id + 1.
constexpr std::string_view table_families[] = {"bert", "distilbert", "electra", "deberta-v2"};
constexpr std::string_view roberta_kin[] = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"};

// A token limit; numbers beyond any model (10^30 is the usual one) mean that there is none.
size_t token_limit(const JsonFile& file, const char* key) {
  const nlohmann::json* found = file.find(key);
  if (found == nullptr) return 0;
  if (!found->is_number()) file.wrong(key, "a number");
  const double value = found->get<double>();
  if (value > static_cast<double>(max_tokens)) return 0;
  if (!(value >= 1) || value != static_cast<double>(static_cast<size_t>(value)))
    file.wrong(key, "a whole number above 0");
  return static_cast<size_t>(value);
}

struct Limit {
  size_t tokens = 0;  // 0: unknown
  std::string source;
  bool hard = false;  // the position table ends there
};

Limit position_limit(const JsonFile& config, const std::string& model_type) {
  for (const char* key : {"max_position_embeddings", "n_positions", "max_trained_positions"}) {
    const size_t rows = token_limit(config, key);
    if (rows == 0) continue;
    const std::string source = std::string("config.json: ") + key;
    if (!among(roberta_kin, model_type)) return {rows, source, among(table_families, model_type)};
    const size_t skipped = config.count("pad_token_id", 0, max_tokens).value_or(1) + 1;
    if (rows <= skipped) config.wrong(key, "above pad_token_id + 1");
    return {rows - skipped, source + " less pad_token_id + 1", true};
  }
  return {};
}

std::optional<JsonFile> sentence_bert_config(const HfFolder::ReadFile& read, const HfFolder& folder) {
  for (const char* kind : {"bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"}) {
    const std::string path = join_path(folder.transformer_folder, std::string("sentence_") + kind + "_config.json");
    if (std::optional<JsonFile> file = read_json(folder.dir, read, path)) return file;
  }
  return std::nullopt;
}

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// truncation: what tokenizer.json says.
void read_lengths(const HfFolder::ReadFile& read, const JsonFile& config, uint64_t truncation, HfFolder& folder) {
  const Limit positions = position_limit(config, folder.model_type);
  Limit chosen;
  if (const auto file = sentence_bert_config(read, folder)) {
    const std::string name = base_name(file->name());
    chosen = {token_limit(*file, "max_seq_length"), name + ": max_seq_length", false};
    folder.do_lower_case = file->boolean("do_lower_case").value_or(false);
    if (folder.do_lower_case) folder.decisions.push_back({"do_lower_case", "true", name});
  }
  if (chosen.tokens == 0) {
    const auto file = read_json(folder.dir, read, join_path(folder.transformer_folder, "tokenizer_config.json"));
    if (file) chosen = {token_limit(*file, "model_max_length"), "tokenizer_config.json: model_max_length", false};
    const bool fewer = positions.tokens != 0 && positions.tokens < chosen.tokens;
    if (chosen.tokens == 0 || fewer) chosen = positions;
  } else if (positions.hard && positions.tokens < chosen.tokens) {
    const std::string note = " (" + chosen.source + " says " + std::to_string(chosen.tokens) + ")";
    chosen = {positions.tokens, positions.source + note, true};
  }
  folder.max_length = chosen.tokens;
  if (chosen.tokens == 0) {
    folder.decisions.push_back({"max_length", "unknown", "no file of the folder says"});
    return;
  }
  if (truncation != 0 && truncation <= max_tokens && truncation != chosen.tokens) {
    chosen.source += " (tokenizer.json says " + std::to_string(truncation) + ")";
  }
  folder.decisions.push_back({"max_length", std::to_string(chosen.tokens), chosen.source});
}

void read_prompts(const HfFolder::ReadFile& read, HfFolder& folder) {
  const char* path = "config_sentence_transformers.json";
  const std::optional<JsonFile> file = read_json(folder.dir, read, path);
  if (!file) {
    folder.decisions.push_back({"similarity", folder.similarity, std::string("the default: there is no ") + path});
    return;
  }
  if (const nlohmann::json* prompts = file->find("prompts")) {
    folder.prompts = prompts_from_json(prompts->dump(), file->name());
  }
  folder.default_prompt = file->string("default_prompt_name").value_or("");
  if (!folder.default_prompt.empty() && folder.prompts.count(folder.default_prompt) == 0) {
    file->wrong("default_prompt_name", "a name in prompts: '" + printable(folder.default_prompt) + "'");
  }
  const auto similarity = file->string("similarity_fn_name");
  folder.similarity = similarity.value_or("cosine");
  constexpr std::string_view known[] = {"cosine", "dot", "euclidean", "manhattan"};
  constexpr std::string_view of_tokens[] = {"maxsim", "meanmaxsim"};
  if (folder.is_late && !among(of_tokens, folder.similarity)) folder.similarity = "maxsim";  // another model's
  if (!folder.is_late && !among(known, folder.similarity)) {
    file->wrong("similarity_fn_name", "cosine, dot, euclidean or manhattan: '" + printable(folder.similarity) + "'");
  }
  folder.decisions.push_back({"similarity", folder.similarity, similarity ? path : std::string("the default")});
  std::string names;
  for (const auto& [name, text] : folder.prompts) names += (names.empty() ? "" : ", ") + name;
  if (!folder.prompts.empty()) folder.decisions.push_back({"prompts", names, path});
  if (!folder.default_prompt.empty()) folder.decisions.push_back({"default_prompt", folder.default_prompt, path});
}

// .../models--org--name/snapshots/<commit> gives both. Otherwise _name_or_path counts only when it ends like the
// folder: it often names the model that this one was trained from.
void identify(const HfFolder::ReadFile& read, const JsonFile& config, HfFolder& folder) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::weakly_canonical(os::path_of(folder.dir), error);
  const std::string last = os::text_of(path.filename());
  std::string owner = os::text_of(path.parent_path().parent_path().filename());
  if (!error && is_commit(last) && path.parent_path().filename() == "snapshots" && owner.starts_with("models--")) {
    owner = owner.substr(8);
    if (const size_t dashes = owner.find("--"); dashes != std::string::npos) owner.replace(dashes, 2, "/");
    if (is_repo_id(owner)) {
      folder.repo = owner;
      folder.revision = last;
      folder.decisions.push_back({"repo", owner, "the folder's place in the Hub cache"});
      folder.decisions.push_back({"revision", last, "the folder's place in the Hub cache"});
      return;
    }
  }
  const std::string base = config.string("_name_or_path").value_or("");
  if (!error && base.find('/') != std::string::npos && is_repo_id(base) && base_name(base) == last) {
    folder.repo = base;
    folder.decisions.push_back({"repo", base, "config.json: _name_or_path, which ends like the folder"});
  }
  // What a download into a plain folder leaves: commit, etag and time, a line each.
  const auto download = read(".cache/huggingface/download/config.json.metadata", 4096);
  if (!download) return;
  const std::string commit = download->substr(0, download->find('\n'));
  if (!is_commit(commit)) return;
  folder.revision = commit;
  folder.decisions.push_back({"revision", commit, ".cache/huggingface/download/config.json.metadata"});
}

// What generation_config.json says of sampling, field by field.
void read_sampling_defaults(const JsonFile& file, HfFolder& folder) {
  std::string given;
  for (const SamplingField& field : sampling_fields) {
    const nlohmann::json* found = file.find(field.name);
    if (!found || found->is_null()) continue;
    const double value = found->is_number() ? found->get<double>() : NAN;
    if (!set_sampling(folder.sampling, field, value)) file.wrong(field.name, "a number in its range");
    given += (given.empty() ? "" : ", ") + std::string(field.name) + " " + found->dump();
  }
  if (!given.empty()) folder.decisions.push_back({"sampling", given, file.name()});
}

// eos_token_id: a number or a list of them.
void read_end_tokens(const HfFolder::ReadFile& read, const JsonFile& config, HfFolder& folder) {
  std::vector<int32_t> ids;
  const auto take = [&](const JsonFile& file) {
    const nlohmann::json* found = file.find("eos_token_id");
    if (!found || found->is_null()) return;
    const nlohmann::json list = found->is_array() ? *found : nlohmann::json::array({*found});
    if (list.size() > 256) file.wrong("eos_token_id", "at most 256 ids");
    for (const nlohmann::json& id : list) {
      if (!id.is_number_integer() || id < 0 || id > INT32_MAX)
        file.wrong("eos_token_id", "a token id or a list of them");
      ids.push_back(id.get<int32_t>());
    }
    folder.decisions.push_back({"end_tokens", list.dump(), file.name() + ": eos_token_id"});
  };
  if (const auto file = read_json(folder.dir, read, "generation_config.json")) {
    take(*file);
    read_sampling_defaults(*file, folder);
  }
  if (ids.empty()) take(config);
  folder.end_tokens.insert(ids.begin(), ids.end());
}

// No file of settings says whether vectors may be cut; the model card does.
void read_card(const HfFolder::ReadFile& read, HfFolder& folder) {
  const std::optional<std::string> card = read("README.md", max_config_bytes);
  folder.matryoshka = card && (card->find("atryoshka") != std::string::npos);
  if (folder.matryoshka) folder.decisions.push_back({"matryoshka", "true", "README.md names it"});
}

std::string require_file(const HfFolder::ReadFile& read, const HfFolder& folder, const char* file, size_t max_bytes) {
  for (const std::string& path : {join_path(folder.transformer_folder, file), std::string(file)}) {
    if (std::optional<std::string> text = read(path, max_bytes)) return std::move(*text);
  }
  throw Error(Status::not_found, folder.dir + ": " + file + " is missing; " + wanted_files);
}

// How many tokens tokenizer.json would cut to; 0: it does not say.
uint64_t read_tokenizer(const HfFolder::ReadFile& read, HfFolder& folder) {
  for (const std::string& path :
       {join_path(folder.transformer_folder, "tokenizer.json"), std::string("tokenizer.json")}) {
    if (std::optional<std::string> text = read(path, max_tokenizer_bytes)) {
      folder.tokenizer_json = std::move(*text);
      return apply_tokenizer_settings(read, folder);
    }
  }
  std::optional<std::string> built = build_tokenizer_json(read, folder);
  if (!built) throw Error(Status::not_found, folder.dir + ": tokenizer.json is missing; " + wanted_files);
  folder.tokenizer_json = std::move(*built);
  return 0;
}

}  // namespace

HfFolder HfFolder::open(const std::string& dir) {
  if (!is_folder(dir)) {
    const Status status = is_regular_file(dir) ? Status::bad_argument : Status::not_found;
    throw Error(status, dir + ": no such folder; " + wanted_files);
  }
  return read(dir, [&](const std::string& path, size_t max_bytes) -> std::optional<std::string> {
    const std::string file = dir + "/" + path;
    if (!os::exists(file) || is_folder(file)) return std::nullopt;
    return read_model_text(file, max_bytes);
  });
}

HfFolder HfFolder::read(const std::string& dir, const ReadFile& read_file) {
  HfFolder folder;
  folder.dir = dir;
  const bool has_modules = read_modules(read_file, folder);
  if (!read_static_config(read_file, folder))
    folder.config_json = require_file(read_file, folder, "config.json", max_config_bytes);
  const std::string name = join_path(dir, join_path(folder.transformer_folder, "config.json"));
  const JsonFile config(name, parse_json(folder.config_json, name));
  if (!config.value().is_object()) throw Error(Status::bad_file, name + ": no JSON object");
  folder.model_type = config.string("model_type").value_or("");
  if (folder.model_type.empty()) throw Error(Status::bad_file, name + ": 'model_type' is missing");
  if (const nlohmann::json* list = config.find("architectures")) {
    if (!list->is_array()) config.wrong("architectures", "a list of names");
    for (const nlohmann::json& entry : *list) {
      if (!entry.is_string()) config.wrong("architectures", "a list of names");
      folder.architectures.push_back(entry.get<std::string>());
    }
  }
  read_heads(read_file, config, has_modules, folder);
  const uint64_t truncation = read_tokenizer(read_file, folder);
  read_lengths(read_file, config, truncation, folder);
  if (folder.is_static) settle_static(config, has_modules, folder);
  read_prompts(read_file, folder);
  if (folder.is_late) settle_late(read_file, config, folder);
  read_end_tokens(read_file, config, folder);
  read_chat(read_file, folder);
  identify(read_file, config, folder);
  read_card(read_file, folder);
  settle_pairs(read_file, config, folder);
  return folder;
}

std::string HfFolder::weights_dir() const {
  return transformer_folder.empty() ? dir : dir + "/" + transformer_folder;
}

}  // namespace quern

#include "hub/needed_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "ascii.h"
#include "error.h"
#include "hub/hf_json.h"
#include "hub/hf_modules.h"
#include "hub/wildcard.h"
#include "io/json.h"
#include "io/safe_path.h"

namespace quern {
namespace {

constexpr const char* settings_files[] = {"config.json",
                                          "tokenizer_config.json",
                                          "special_tokens_map.json",
                                          "added_tokens.json",
                                          "generation_config.json",
                                          "chat_template.jinja",
                                          "chat_template.json",
                                          "additional_chat_templates/tool_use.jinja",
                                          "additional_chat_templates/rag.jinja",
                                          "sentence_bert_config.json",
                                          "sentence_roberta_config.json",
                                          "sentence_distilbert_config.json",
                                          "sentence_camembert_config.json",
                                          "sentence_albert_config.json",
                                          "sentence_xlm-roberta_config.json",
                                          "sentence_xlnet_config.json",
                                          "config_sentence_transformers.json",
                                          "modules.json",
                                          "README.md",
                                          "sparse_linear.pt",
                                          "colbert_linear.pt",
                                          "artifact.metadata"};
// Where there is no tokenizer.json.
constexpr const char* vocabulary_files[] = {"sentencepiece.bpe.model",
                                            "spiece.model",
                                            "tokenizer.model",
                                            "sentencepiece.model",
                                            "spm.model",
                                            "vocab.txt",
                                            "vocab.json",
                                            "merges.txt"};
constexpr const char* single_file = "model.safetensors";
constexpr const char* index_file = "model.safetensors.index.json";

class Chooser {
 public:
  Chooser(const RepoTree& tree, const RepoName& name,
          const std::function<std::optional<std::string>(const std::string& path)>& read)
      : tree_(tree), name_(name), read_(read) {}

  NeededFiles run() {
    if (!name_.file.empty()) return one_gguf(matching_ggufs());
    const std::vector<std::string> folders = module_folders();
    const std::string& transformer = folders[0];
    if (!has_weights(transformer)) {
      const std::vector<std::string> ggufs = all_ggufs();
      if (!ggufs.empty()) return one_gguf(ggufs);
      refuse_other_weights(transformer);
    }
    for (const std::string& folder : {transformer, std::string()}) {
      for (const char* file : settings_files) add(join_path(folder, file));
      add(join_path(folder, "tokenizer.json"));
    }
    if (chosen_.count(join_path(transformer, "tokenizer.json")) == 0 && chosen_.count("tokenizer.json") == 0)
      for (const char* file : vocabulary_files) add(join_path(transformer, file));
    add_weights(transformer);
    for (size_t i = 1; i < folders.size(); ++i) add_module(folders[i]);
    return {{chosen_.begin(), chosen_.end()}, false, transformer};
  }

 private:
  bool has(const std::string& path) const { return tree_.count(path) != 0; }
  void add(const std::string& path) {
    if (has(path)) chosen_.insert(path);
  }

  std::string in_repo(const std::string& path) const { return name_.text() + ": " + path; }

  // Of the modules in modules.json, the transformer's first; "" alone without one.
  std::vector<std::string> module_folders() const {
    const auto text = has("modules.json") ? read_("modules.json") : std::nullopt;
    if (!text) return {""};
    const std::string file = in_repo("modules.json");
    std::vector<std::string> folders;
    for (const ModuleEntry& module : module_entries({file, parse_json(*text, file)})) folders.push_back(module.path);
    return folders;
  }

  bool has_weights(const std::string& folder) const {
    return has(join_path(folder, single_file)) || has(join_path(folder, index_file));
  }

  // A single file where there is one: repositories that have shards too have the same in them.
  void add_weights(const std::string& folder) {
    const std::string single = join_path(folder, single_file), index = join_path(folder, index_file);
    if (has(single)) return add(single);
    if (!has(index)) return;
    add(index);
    const auto text = read_(index);
    if (!text) return;
    const nlohmann::json json = parse_json(*text, in_repo(index));
    const auto map = json.is_object() ? json.find("weight_map") : json.end();
    if (map == json.end() || !map->is_object() || map->empty())
      throw Error(Status::bad_file, in_repo(index) + ": weight_map is no object of tensor names and files");
    for (const nlohmann::json& file : *map) {
      const std::string shard = file.is_string() ? file.get<std::string>() : std::string();
      if (!is_safe_relative_path(shard) || shard.find('/') != std::string::npos || is_pickle_name(shard))
        throw Error(Status::bad_file,
                    in_repo(index) + ": '" + printable(shard) + "' is no plain name of a safetensors file");
      if (!has(join_path(folder, shard)))
        throw Error(Status::bad_file, in_repo(index) + ": lists " + printable(shard) + ", which the repository lacks");
      add(join_path(folder, shard));
    }
  }

  void add_module(const std::string& folder) {
    if (folder.empty()) return;
    add(join_path(folder, "config.json"));
    if (has_weights(folder)) return add_weights(folder);
    const std::string below = folder + '/';
    for (auto at = tree_.lower_bound(below); at != tree_.end() && at->first.starts_with(below); ++at)
      if (is_pickle_name(at->first)) refuse_pickle_of(at->first);
  }

  [[noreturn]] void refuse_pickle_of(const std::string& path) const {
    throw Error(Status::unsupported,
                name_.text() + ": has these weights only as pickle (" + printable(path) +
                    "), which can run a program when it is opened: quern reads safetensors alone; look for another " +
                    "revision (" + name_.repo +
                    "@refs/pr/N: the Hub's bot proposes safetensors in a pull request) or "
                    "another repository of the model");
  }

  [[noreturn]] void refuse_other_weights(const std::string& transformer) const {
    for (const auto& [path, file] : tree_)
      if (is_pickle_name(path) && (path.find('/') == path.npos || path.starts_with(transformer + '/')) &&
          !path.ends_with("_linear.pt") && path.find("training_args") == path.npos)
        refuse_pickle_of(path);
    if (has("adapter_config.json"))
      throw Error(Status::unsupported, name_.text() +
                                           ": is an adapter, not a model: quern runs the model that it was "
                                           "merged into");
    std::string found;
    for (const auto& [path, file] : tree_)
      if (found.size() < 200) found += (found.empty() ? "" : ", ") + printable(path, 60);
    throw Error(Status::unsupported, name_.text() +
                                         ": has no weights that quern reads: expected model.safetensors, its shards or "
                                         "a GGUF file, found " +
                                         (found.empty() ? "no files" : found));
  }

  std::vector<std::string> all_ggufs() const {
    std::vector<std::string> paths;
    for (const auto& [path, file] : tree_) {
      const std::string base = ascii_lower(path.substr(path.rfind('/') + 1));
      if (base.ends_with(".gguf") && !base.starts_with("mmproj") && base.find("imatrix") == std::string::npos)
        paths.push_back(path);
    }
    return paths;
  }

  // The path as it is, else those whose name ends in it, as "Q4_K_M".
  std::vector<std::string> matching_ggufs() const {
    if (has(name_.file) && ascii_lower(name_.file).ends_with(".gguf")) return {name_.file};
    std::vector<std::string> found;
    const std::string wanted = ascii_lower(name_.file);
    for (const std::string& path : all_ggufs()) {
      const std::string stem = ascii_lower(path.substr(0, path.size() - 5));
      const size_t before = stem.size() - std::min(stem.size(), wanted.size());
      if (stem.ends_with(wanted) && (before == 0 || std::string("-._/").find(stem[before - 1]) != std::string::npos))
        found.push_back(path);
    }
    if (found.empty())
      throw Error(Status::not_found, name_.text() + ": the repository has no GGUF file '" + printable(name_.file) +
                                         "'" + listed(all_ggufs()));
    return found;
  }

  static std::string listed(const std::vector<std::string>& paths) {
    std::string text;
    for (size_t i = 0; i < paths.size() && i < 12; ++i) text += (i == 0 ? "; there are: " : ", ") + printable(paths[i]);
    return text + (paths.size() > 12 ? ", …" : "");
  }

  NeededFiles one_gguf(const std::vector<std::string>& paths) const {
    if (paths.size() > 1)
      throw Error(Status::not_found,
                  name_.text() + ": has several GGUF files: say which one as " + name_.repo + ":FILE" + listed(paths));
    if (matches_wildcard("*-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9].gguf", paths[0]))
      throw Error(Status::unsupported, name_.text() + ": " + printable(paths[0]) +
                                           " is one of several parts, which quern does not read; take a file that is "
                                           "whole" +
                                           listed(all_ggufs()));
    return {paths, true};
  }

  const RepoTree& tree_;
  const RepoName& name_;
  const std::function<std::optional<std::string>(const std::string& path)>& read_;
  std::set<std::string> chosen_;
};

}  // namespace

NeededFiles needed_files(const RepoTree& tree, const RepoName& name,
                         const std::function<std::optional<std::string>(const std::string& path)>& read) {
  return Chooser(tree, name, read).run();
}

bool matches_pattern(const std::string& path, const std::string& pattern) {
  const std::string whole = pattern.ends_with('/') ? pattern + '*' : pattern;
  return matches_wildcard(whole, path);
}

}  // namespace quern

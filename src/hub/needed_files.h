// Which of a repository's files a model needs: settings, tokenizer and weights as safetensors, or one GGUF file.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hub/repo_name.h"
#include "hub/repo_tree.h"

namespace quern {

struct NeededFiles {
  std::vector<std::string> paths;
  bool gguf = false;             // then paths has one
  std::string transformer = {};  // the folder of config.json and the weights; usually ""
};

// read: a file's text by its path in the repository; it is asked for those that say which others are needed
// (modules.json, an index of shards). nullopt where it is not there, which makes the list shorter than it has to be.
// Throws Error: unsupported (weights of other kinds alone: says which), not_found (the file that the name asks for, or
// which of several), bad_file (an index or modules.json that is none).
NeededFiles needed_files(const RepoTree& tree, const RepoName& name,
                         const std::function<std::optional<std::string>(const std::string& path)>& read);

// Python's fnmatch as the Hub's clients use it: "*" goes across "/", "folder/" stands for all below it.
bool matches_pattern(const std::string& path, const std::string& pattern);

}  // namespace quern

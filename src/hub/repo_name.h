// Names of models on the Hub: [org/]name[:file][@revision], and short names of well-known ones.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace quern {

struct RepoName {
  std::string repo;               // "org/name" or "name"
  std::string file;               // of one file of many, a GGUF file's name or what it ends in (Q4_K_M); ""
  std::string revision = "main";  // branch, tag or commit

  std::string text() const;    // as one writes it
  std::string folder() const;  // "models--org--name"
};

bool is_repo_id(std::string_view text) noexcept;   // [namespace/]name, by the Hub's rules
bool is_commit(std::string_view text) noexcept;    // 40 lower-case hex digits
bool is_revision(std::string_view text) noexcept;  // safe as a path below refs/

// A short name of known_models.h stands for its repo. nullopt: spec has not the form of a name. Throws Error
// bad_argument: the revision or the file cannot be one.
std::optional<RepoName> parse_repo_name(const std::string& spec);

}  // namespace quern

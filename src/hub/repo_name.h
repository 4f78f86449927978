// Names of models on the Hub: [org/]name[:file][@revision], and short names of well-known ones. Addresses of files of
// datasets: hf://datasets/org/name[@revision]/path.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace quern {

struct RepoName {
  std::string repo;               // "org/name" or "name"
  std::string file;               // of one file of many, a GGUF file's name or what it ends in (Q4_K_M); ""
  std::string revision = "main";  // branch, tag or commit
  bool dataset = false;           // no model's

  std::string text() const;    // as one writes it
  std::string place() const;   // of its page, below the Hub's address: "org/name", "datasets/org/name"
  std::string folder() const;  // "models--org--name"
};

bool is_repo_id(std::string_view text) noexcept;   // [namespace/]name, by the Hub's rules
bool is_commit(std::string_view text) noexcept;    // 40 lower-case hex digits
bool is_revision(std::string_view text) noexcept;  // safe as a path below refs/

// A short name of known_models.h stands for its repo. nullopt: spec has not the form of a name. Throws Error
// bad_argument: the revision or the file cannot be one.
std::optional<RepoName> parse_repo_name(const std::string& spec);

// Of some files of a dataset.
struct HubAddress {
  RepoName repo;
  std::string path;  // a file, a folder or a pattern; "": all of it
};

bool is_hub_address(std::string_view text) noexcept;  // begins with hf://
// Of what begins so. The revision is without "/" (%2F stands for it), or refs/convert/NAME or refs/pr/N. Throws Error
// bad_argument: says what is expected.
HubAddress parse_hub_address(const std::string& text);

bool is_path_pattern(std::string_view path) noexcept;  // has *, ? or [
// As shells match: *, ? and [a-z] within a folder, ** for any number of folders.
bool matches_path(const std::string& path, const std::string& pattern);

}  // namespace quern

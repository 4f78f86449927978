// Which files a repository has at a commit, as the Hub lists them and as the cache keeps the list (trees/<commit>.json,
// huggingface_hub's form).
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace quern {

struct TreeFile {
  static constexpr uint64_t unknown_size = UINT64_MAX;
  uint64_t size = unknown_size;  // of its bytes, those of a Git LFS file too
  std::string blob_id;           // SHA-1 of Git's object; "" unknown
  std::string sha256;            // of a Git LFS file's bytes; "" for others
  std::string xet_hash;          // kept for huggingface_hub alone

  // What the file is called under blobs/, and what its bytes are checked by; "" when the Hub has not said.
  const std::string& etag() const { return sha256.empty() ? blob_id : sha256; }
};

using RepoTree = std::map<std::string, TreeFile>;  // by path

constexpr size_t max_tree_files = 200000;

// nullopt: there is none, it cannot be read (it may be another user's), or it is no such list.
std::optional<RepoTree> read_tree(const std::string& path);
std::optional<RepoTree> parse_tree(const std::string& text);  // of the list's own text
std::string tree_json(const RepoTree& tree);

// A member of an object of the Hub's; "" and unknown_size where it is not there, or of another type.
std::string text_at(const nlohmann::json& object, const char* key);
uint64_t size_at(const nlohmann::json& object, const char* key);
bool is_digest(std::string_view text, size_t digits) noexcept;  // lower-case hex

}  // namespace quern

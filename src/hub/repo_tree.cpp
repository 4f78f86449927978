#include "hub/repo_tree.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "error.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "io/safe_path.h"

namespace quern {
namespace {

constexpr size_t max_tree_bytes = size_t{64} << 20;

std::optional<TreeFile> entry_of(const nlohmann::json& value) {
  if (!value.is_object()) return std::nullopt;
  TreeFile file{size_at(value, "size"), text_at(value, "blob_id"), text_at(value, "lfs_sha256"),
                text_at(value, "xet_hash")};
  if (file.size == TreeFile::unknown_size) return std::nullopt;
  if (const uint64_t lfs = size_at(value, "lfs_size"); lfs != TreeFile::unknown_size) file.size = lfs;
  if (!file.sha256.empty() && !is_digest(file.sha256, 64)) return std::nullopt;
  if (file.sha256.empty() && !is_digest(file.blob_id, 40)) return std::nullopt;
  return file;
}

}  // namespace

std::string text_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

uint64_t size_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : TreeFile::unknown_size;
}

bool is_digest(std::string_view text, size_t digits) noexcept {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::optional<RepoTree> read_tree(const std::string& path) {
  if (!is_regular_file(path)) return std::nullopt;
  try {
    return parse_tree(read_text_file(path, max_tree_bytes));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<RepoTree> parse_tree(const std::string& text) {
  try {
    const nlohmann::json json = parse_json(text, "trees");
    const auto version = json.is_object() ? json.find("format_version") : json.end();
    if (version == json.end() || *version != 1) return std::nullopt;
    const auto files = json.find("files");
    if (files == json.end() || !files->is_object() || files->size() > max_tree_files) return std::nullopt;
    RepoTree tree;
    for (const auto& [name, value] : files->items()) {
      const std::optional<TreeFile> file = entry_of(value);
      if (!file || !is_safe_relative_path(name)) return std::nullopt;
      tree.emplace(name, *file);
    }
    return tree;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string tree_json(const RepoTree& tree) {
  nlohmann::ordered_json files = nlohmann::ordered_json::object();
  for (const auto& [name, file] : tree) {
    nlohmann::ordered_json& entry = files[name];
    entry = {{"size", file.size}, {"blob_id", file.blob_id}};
    if (!file.sha256.empty()) {
      entry["lfs_sha256"] = file.sha256;
      entry["lfs_size"] = file.size;
    }
    if (!file.xet_hash.empty()) entry["xet_hash"] = file.xet_hash;
  }
  return nlohmann::ordered_json{{"format_version", 1}, {"files", std::move(files)}}.dump(1);
}

}  // namespace quern

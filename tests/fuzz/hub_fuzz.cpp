// What comes from the Hub or lies in its cache: a list of files, modules.json and an index of shards, apart by NUL
// bytes, and a name, an address and a header made of the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "error.h"
#include "hub/needed_files.h"
#include "hub/repo_name.h"
#include "io/safe_path.h"
#include "net/retry.h"
#include "net/url.h"

using namespace quern;

namespace {

std::string part_of(const std::string& text, int index) {
  size_t begin = 0;
  for (int i = 0; i < index && begin != std::string::npos; ++i) {
    begin = text.find('\0', begin);
    if (begin != std::string::npos) ++begin;
  }
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find('\0', begin) - begin);
}

void choose(const RepoTree& tree, const std::string& text, const RepoName& name) {
  try {
    const NeededFiles needed = needed_files(tree, name, [&](const std::string& path) -> std::optional<std::string> {
      return part_of(text, path.ends_with("modules.json") ? 1 : 2);
    });
    for (const std::string& path : needed.paths)
      if (tree.count(path) == 0 || !is_safe_relative_path(path)) std::abort();
  } catch (const Error&) {
  }
}

void read_words(const std::string& text) {
  try {
    if (const auto name = parse_repo_name(text)) {
      if (name->folder().find('/') != std::string::npos || !is_revision(name->revision)) std::abort();
    }
  } catch (const Error&) {
  }
  try {
    const HubAddress address = parse_hub_address("hf://datasets/" + text);
    const bool safe = is_repo_id(address.repo.repo) && is_revision(address.repo.revision) &&
                      (address.path.empty() || is_safe_relative_path(address.path));
    if (!safe) std::abort();
    if (address.path.size() < 40) matches_path(text.substr(0, 40), address.path);
  } catch (const Error&) {
  }
  const std::string url = join_url("https://hub.example/a/b?c", text);
  if (!url.empty() && origin_of(url).empty()) std::abort();
  HttpAnswer answer;
  answer.headers["ratelimit"] = answer.headers["retry-after"] = text;
  if (asked_wait(answer, 0).value_or(0) < 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read_words(part_of(text, 0));
  const std::optional<RepoTree> tree = parse_tree(part_of(text, 0));
  if (!tree) return 0;
  if (parse_tree(tree_json(*tree))->size() != tree->size()) std::abort();  // what is written is read again
  choose(*tree, text, {.repo = "org/name", .file = {}});
  choose(*tree, text, {.repo = "org/name", .file = "Q8_0"});
  return 0;
}

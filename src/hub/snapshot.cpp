// The layout of the Hub cache: models--org--name/{refs/<revision>, snapshots/<commit>/}.
#include "hub/snapshot.h"

#include <stdlib.h>

#include <algorithm>

#include "error.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "io/safe_path.h"

namespace quern {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool is_repo_part(std::string_view part) {
  const auto edge = [](char c) { return c == '-' || c == '.'; };
  return !part.empty() && part.size() <= 96 && std::all_of(part.begin(), part.end(), is_name_character) &&
         !edge(part.front()) && !edge(part.back()) && part.find("--") == part.npos && part.find("..") == part.npos;
}

std::string environment(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// "~", "$NAME" and "${NAME}" as a shell would put them in; unknown names stay as they are.
std::string expand(const std::string& path) {
  std::string out;
  size_t i = 0;
  if (path == "~" || path.starts_with("~/")) {
    out = environment("HOME");
    i = 1;
  }
  while (i < path.size()) {
    if (path[i] != '$') {
      out += path[i++];
      continue;
    }
    const bool braces = i + 1 < path.size() && path[i + 1] == '{';
    const size_t begin = i + (braces ? 2 : 1);
    size_t end = begin;
    while (end < path.size() &&
           (path[end] == '_' || (is_name_character(path[end]) && path[end] != '.' && path[end] != '-'))) {
      ++end;
    }
    const bool complete = end > begin && (!braces || (end < path.size() && path[end] == '}'));
    const size_t next = complete ? end + (braces ? 1 : 0) : i + 1;
    const char* value = complete ? ::getenv(path.substr(begin, end - begin).c_str()) : nullptr;
    out += value != nullptr ? std::string(value) : path.substr(i, next - i);
    i = next;
  }
  return out;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

}  // namespace

bool is_repo_id(std::string_view text) noexcept {
  const size_t slash = text.find('/');
  const std::string_view name = slash == text.npos ? text : text.substr(slash + 1);
  if (slash != text.npos && !is_repo_part(text.substr(0, slash))) return false;
  return is_repo_part(name) && !name.ends_with(".git");
}

bool is_commit(std::string_view text) noexcept {
  return text.size() == 40 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_revision(std::string_view text) noexcept {
  return text.size() <= 255 && is_safe_relative_path(text) && text.find("..") == text.npos;
}

std::string hub_cache_dir() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    const std::string value = environment(name);
    if (!value.empty()) return expand(value);
  }
  if (const std::string home = environment("HF_HOME"); !home.empty()) return expand(home) + "/hub";
  if (const std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty()) return expand(xdg) + "/huggingface/hub";
  if (const std::string home = environment("HOME"); !home.empty()) return home + "/.cache/huggingface/hub";
  return {};
}

std::string resolve_model_path(const std::string& spec) {
  if (spec.empty()) throw Error(Status::bad_argument, "the model's path or name is empty");
  if (is_regular_file(spec) || is_folder(spec)) return spec;
  const size_t at = spec.rfind('@');
  const std::string repo = spec.substr(0, at);
  const std::string revision = at == std::string::npos ? "main" : spec.substr(at + 1);
  if (!is_repo_id(repo)) {
    throw Error(Status::not_found, printable(spec) + ": no such file or folder, and no repo id (org/name[@revision])");
  }
  if (!is_revision(revision)) {
    throw Error(Status::bad_argument, printable(spec) + ": '" + printable(revision) + "' is no branch, tag or commit");
  }
  const std::string cache = hub_cache_dir();
  if (cache.empty()) {
    throw Error(Status::not_found, spec + ": no such file or folder, and no Hub cache: HF_HOME and HOME are not set");
  }
  std::string folder = cache + "/models--" + repo;
  if (const size_t slash = folder.rfind('/'); repo.find('/') != std::string::npos) folder.replace(slash, 1, "--");
  if (!is_folder(folder)) {
    throw Error(Status::not_found, spec + ": no such file or folder, and not in the Hub cache: there is no " + folder);
  }
  std::string commit = revision;
  if (!is_commit(revision)) {
    const std::string ref = folder + "/refs/" + revision;
    if (!is_regular_file(ref)) {
      throw Error(Status::not_found, spec + ": the Hub cache has no such revision: there is no " + ref);
    }
    commit = trimmed(read_text_file(ref, 4096));
    if (!is_commit(commit)) throw Error(Status::bad_file, ref + ": expected a commit of 40 hex digits");
  }
  const std::string snapshot = folder + "/snapshots/" + commit;
  if (!is_folder(snapshot)) {
    throw Error(Status::not_found, spec + ": the Hub cache has no such snapshot: there is no " + snapshot);
  }
  return snapshot;
}

}  // namespace quern

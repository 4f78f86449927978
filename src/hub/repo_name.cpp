#include "hub/repo_name.h"

#include <algorithm>

#include "error.h"
#include "hub/known_models.h"
#include "hub/repo_tree.h"
#include "io/json.h"
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

}  // namespace

std::string RepoName::text() const {
  return place() + (file.empty() ? "" : ':' + file) + (revision == "main" ? "" : '@' + revision);
}

std::string RepoName::place() const {
  return (dataset ? "datasets/" : "") + repo;
}

std::string RepoName::folder() const {
  std::string name = (dataset ? "datasets--" : "models--") + repo;
  if (const size_t slash = name.find('/'); slash != std::string::npos) name.replace(slash, 1, "--");
  return name;
}

bool is_repo_id(std::string_view text) noexcept {
  const size_t slash = text.find('/');
  const std::string_view name = slash == text.npos ? text : text.substr(slash + 1);
  if (slash != text.npos && !is_repo_part(text.substr(0, slash))) return false;
  return is_repo_part(name) && !name.ends_with(".git");
}

bool is_commit(std::string_view text) noexcept {
  return is_digest(text, 40);
}

bool is_revision(std::string_view text) noexcept {
  return text.size() <= 255 && is_safe_relative_path(text) && text.find("..") == text.npos;
}

std::optional<RepoName> parse_repo_name(const std::string& spec) {
  if (spec.find("://") != std::string::npos) return std::nullopt;  // an address
  RepoName name;
  name.repo = spec.substr(0, spec.find_first_of(":@"));
  if (!is_repo_id(name.repo)) return std::nullopt;
  std::string rest = spec.substr(name.repo.size());
  if (const size_t at = rest.rfind('@'); at != std::string::npos) {
    name.revision = rest.substr(at + 1);
    rest.resize(at);
    if (!is_revision(name.revision))
      throw Error(Status::bad_argument,
                  printable(spec) + ": '" + printable(name.revision) + "' is no branch, tag or commit");
  }
  if (!rest.empty()) {
    name.file = rest.substr(1);
    if (!is_safe_relative_path(name.file))
      throw Error(Status::bad_argument,
                  printable(spec) + ": '" + printable(name.file) + "' is no name of a file of the repository");
  }
  if (const KnownModel* known = find_known_model(name.repo)) name.repo = known->repo;
  return name;
}

}  // namespace quern

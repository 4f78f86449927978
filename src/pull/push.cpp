#include "pull/push.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "error.h"
#include "hub/needed_files.h"
#include "io/json.h"
#include "io/safe_path.h"
#include "net/url.h"
#include "os/files.h"
#include "pull/pushed_file.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t max_files = 25000, asked_at_once = 256, sample_bytes = 512;
constexpr uint64_t max_regular_bytes = uint64_t{64} << 20;  // of files that go into the commit itself, all together
constexpr const char* lfs_type = "application/vnd.git-lfs+json";

bool is_left_out(const std::string& path) {
  return path.starts_with('.') || path.find("/.") != std::string::npos;
}

class Pusher {
 public:
  Pusher(const std::string& folder, const RepoName& name, const HubSettings& settings, const PushOptions& options)
      : name_(name), options_(options), hub_(settings, name, options.report) {
    result_.url = hub_.address('/' + name.place());
    find_files(folder);
    if (!hub_.has_token())
      throw Error(Status::unsupported, name.text() +
                                           ": the Hub takes nothing without a token: set HF_TOKEN to one that "
                                           "may write (" +
                                           hub_.address("/settings/tokens") + ")");
  }

  Pushed run() {
    check_card();
    make_repository();
    ask_how();
    std::vector<PushedFile*> changed, large;
    for (PushedFile& file : files_) {
      if (file.ignored || !file.has_changed(hub_)) continue;
      changed.push_back(&file);
      if (file.large) large.push_back(&file);
    }
    for (const PushedFile* file : changed) result_.uploaded += file->size();
    for (size_t i = 0; i < large.size(); i += asked_at_once)
      upload({large.begin() + static_cast<std::ptrdiff_t>(i),
              large.begin() + static_cast<std::ptrdiff_t>(std::min(large.size(), i + asked_at_once))});
    if (!changed.empty()) commit(changed);
    if (!options_.tag.empty()) set_tag();
    return std::move(result_);
  }

 private:
  std::string api(const std::string& what) const { return hub_.address("/api/models/" + name_.repo + '/' + what); }
  std::string branch() const { return encode_path(name_.revision, true); }

  void find_files(const std::string& folder) {
    const auto any = [](const std::vector<std::string>& patterns, const std::string& path) {
      return std::any_of(patterns.begin(), patterns.end(),
                         [&](const std::string& p) { return matches_pattern(path, p); });
    };
    std::map<std::string, std::string> found;  // by its path in the repository
    const fs::path root = os::path_of(folder);
    std::error_code error;
    for (fs::recursive_directory_iterator at(root, error), end; !error && at != end; at.increment(error)) {
      const std::string path = os::text_of(at->path().lexically_relative(root));
      if (is_left_out(path) || !at->is_regular_file(error)) continue;
      if ((!options_.include.empty() && !any(options_.include, path)) || any(options_.exclude, path)) continue;
      if (!is_safe_relative_path(path))
        throw Error(Status::bad_argument, printable(os::text_of(at->path())) + ": the Hub takes no file of this name");
      found[path] = os::text_of(at->path());
      if (found.size() > max_files)
        throw Error(Status::unsupported, folder + ": has more than " + std::to_string(max_files) +
                                             " files, which the Hub takes in one commit; choose some (--include)");
    }
    if (error) throw Error(Status::io, folder + ": " + error.message());
    if (found.empty())
      throw Error(Status::not_found, folder + ": there are no files to push" +
                                         (options_.include.empty() && options_.exclude.empty() ? "" : " that match"));
    for (const auto& [path, where] : found) files_.push_back(PushedFile::on_disk(path, where));
    if (!options_.card.empty() && found.count("README.md") == 0)
      files_.push_back(PushedFile::of_text("README.md", options_.card));
    for (const PushedFile& file : files_) {
      result_.files.push_back(file.path);
      result_.bytes += file.size();
    }
  }

  // What the Hub would refuse at the end is refused before anything is made.
  void check_card() {
    const auto card =
        std::find_if(files_.begin(), files_.end(), [](const PushedFile& f) { return f.path == "README.md"; });
    if (card == files_.end()) return;
    int status = 0;
    const nlohmann::json said = hub_.post({.url = hub_.address("/api/validate-yaml"),
                                           .what = "the model card",
                                           .body = Json{{"content", card->text()}, {"repoType", "model"}}.dump(),
                                           .also = 400},
                                          &status);
    std::string errors;
    for (const auto& one : said.is_object() ? said.value("errors", nlohmann::json::array()) : nlohmann::json::array())
      if (one.is_object()) errors += (errors.empty() ? "" : "; ") + printable(text_at(one, "message"), 300);
    if (status == 400 || !errors.empty())
      throw Error(Status::bad_file, name_.text() +
                                        ": README.md: the Hub does not take the lines between its first two "
                                        "\"---\": " +
                                        (errors.empty() ? "they are no YAML" : errors));
  }

  void make_repository() {
    const size_t slash = name_.repo.find('/');
    Json body = {{"name", name_.repo.substr(slash == std::string::npos ? 0 : slash + 1)}, {"type", "model"}};
    if (slash != std::string::npos) body["organization"] = name_.repo.substr(0, slash);
    body["private"] = options_.is_private;
    hub_.post(
        {.url = hub_.address("/api/repos/create"), .what = "making the repository", .body = body.dump(), .also = 409});
  }

  // Which files go through Git LFS, and which the Hub has as they are.
  void ask_how() {
    for (size_t i = 0; i < files_.size(); i += asked_at_once) {
      const size_t end = std::min(files_.size(), i + asked_at_once);
      Json asked = Json::array();
      for (size_t k = i; k < end; ++k)
        asked.push_back(
            {{"path", files_[k].path}, {"sample", base64(files_[k].head(sample_bytes))}, {"size", files_[k].size()}});
      const nlohmann::json said = hub_.post({.url = api("preupload/" + branch()),
                                             .what = "how its files are kept",
                                             .body = Json{{"files", asked}}.dump()});
      const auto list = said.is_object() ? said.find("files") : said.end();
      std::map<std::string, nlohmann::json> of;
      if (said.is_object() && list != said.end() && list->is_array())
        for (const nlohmann::json& one : *list)
          if (one.is_object()) of[text_at(one, "path")] = one;
      for (size_t k = i; k < end; ++k) take_mode(of, files_[k]);
    }
    uint64_t regular = 0;
    for (const PushedFile& file : files_)
      if (!file.large && !file.ignored) regular += file.size();
    if (regular > max_regular_bytes)
      throw Error(Status::unsupported, name_.text() + ": files that the Hub does not keep in Git LFS have " +
                                           std::to_string(regular >> 20) + " MiB together, expected at most 64");
  }

  void take_mode(const std::map<std::string, nlohmann::json>& of, PushedFile& file) const {
    const auto found = of.find(file.path);
    const std::string mode = found == of.end() ? "" : text_at(found->second, "uploadMode");
    if (mode != "lfs" && mode != "regular")
      throw Error(Status::bad_file, name_.text() + ": expected how " + file.path +
                                        " is kept (lfs or regular), found \"" + printable(mode) + '"');
    file.large = mode == "lfs" && file.size() > 0;
    file.there = text_at(found->second, "oid");
    file.ignored = found->second.value("shouldIgnore", false);
  }

  void upload(const std::vector<PushedFile*>& files) {
    Json objects = Json::array();
    for (const PushedFile* file : files) objects.push_back({{"oid", file->sha256()}, {"size", file->size()}});
    const Json body = {{"operation", "upload"},
                       {"transfers", {"basic", "multipart"}},
                       {"objects", objects},
                       {"hash_algo", "sha256"},
                       {"ref", {{"name", name_.revision}}}};
    const nlohmann::json said = hub_.post({.url = hub_.address('/' + name_.repo + ".git/info/lfs/objects/batch"),
                                           .what = "where its large files go",
                                           .type = lfs_type,
                                           .accept = lfs_type,
                                           .body = body.dump()});
    std::map<std::string, nlohmann::json> of;
    if (said.is_object())
      for (const auto& one : said.value("objects", nlohmann::json::array()))
        if (one.is_object()) of[text_at(one, "oid")] = one;
    for (const PushedFile* file : files) {
      const auto found = of.find(file->sha256());
      if (found == of.end())
        throw Error(Status::bad_file, name_.text() + ": the Hub does not say where " + file->path + " goes");
      upload_one(*file, found->second);
    }
  }

  void upload_one(const PushedFile& file, const nlohmann::json& object) {
    if (const auto error = object.find("error"); error != object.end() && error->is_object())
      throw Error(Status::io, name_.text() + ": " + file.path +
                                  ": the Hub does not take it: " + printable(text_at(*error, "message"), 300));
    const auto actions = object.find("actions");
    if (actions == object.end() || !actions->is_object()) return;  // it has these bytes
    const auto part = [&](const char* name) { return actions->value(name, nlohmann::json::object()); };
    const nlohmann::json to = part("upload"), verify = part("verify");
    send_file(hub_, file, to);
    if (!text_at(verify, "href").empty())
      hub_.post({.url = text_at(verify, "href"),
                 .what = file.path,
                 .type = lfs_type,
                 .accept = lfs_type,
                 .body = Json{{"oid", file.sha256()}, {"size", file.size()}}.dump()});
  }

  void commit(const std::vector<PushedFile*>& files) {
    const std::string message =
        !options_.message.empty() ? options_.message : "Upload " + std::to_string(files.size()) + " files with quern";
    std::string body = Json{{"key", "header"}, {"value", {{"summary", message}, {"description", ""}}}}.dump() + '\n';
    for (const PushedFile* file : files) {
      const Json value =
          file->large ? Json{{"path", file->path}, {"algo", "sha256"}, {"oid", file->sha256()}, {"size", file->size()}}
                      : Json{{"path", file->path}, {"content", base64(file->text())}, {"encoding", "base64"}};
      body += Json{{"key", file->large ? "lfsFile" : "file"}, {"value", value}}.dump() + '\n';
    }
    const nlohmann::json said = hub_.post({.url = api("commit/" + branch()),
                                           .what = "the commit",
                                           .type = "application/x-ndjson",
                                           .body = std::move(body),
                                           .once = true});
    result_.commit = said.is_object() ? text_at(said, "commitOid") : "";
    if (!is_commit(result_.commit))
      throw Error(Status::bad_file, name_.text() +
                                        ": expected the commit (\"commitOid\") that was made, found something "
                                        "else: look at " +
                                        result_.url + " whether it is there");
  }

  void set_tag() {
    const std::string at = result_.commit.empty() ? branch() : result_.commit;
    hub_.post({.url = api("tag/" + at), .what = "the tag " + options_.tag, .body = Json{{"tag", options_.tag}}.dump()});
  }

  const RepoName& name_;
  const PushOptions& options_;
  HubClient hub_;
  std::vector<PushedFile> files_;
  Pushed result_;
};

}  // namespace

Pushed push(const std::string& folder, const RepoName& name, const HubSettings& settings, const PushOptions& options) {
  return Pusher(folder, name, settings, options).run();
}

}  // namespace quern

#include "store/model_store.h"

#include "convert/convert.h"
#include "error.h"
#include "hub/repo_cache.h"
#include "hub/snapshot.h"
#include "io/mapped_file.h"
#include "pull/cache_writer.h"
#include "sources/gguf_layout.h"

namespace quern {
namespace {

constexpr const char* store_advice =
    "; set QUERN_CACHE to a folder that you may write to, or --type source to run the "
    "model's files as they are";

// A missing file's name is not asked for at the Hub: "models/minilm.q8" would be a repository's name too.
bool is_named_like_a_file(const std::string& repo) {
  const size_t dot = repo.rfind('.');
  if (dot == std::string::npos) return false;
  const std::string ending = repo.substr(dot + 1);
  return ending == "gguf" || ending == "safetensors" || ending == "bin" || is_written_type(ending);
}

class Finder {
 public:
  Finder(const ModelRequest& request, RepoName name)
      : request_(request),
        name_(std::move(name)),
        settings_(hub_settings()),
        type_(request.type.empty() ? "q8" : request.type),
        repo_(settings_.cache, name_) {
    if (type_ != source_type && !is_written_type(type_))
      throw Error(Status::bad_argument,
                  "type \"" + type_ + "\" cannot be written (there are: " + written_type_names() + ", source)");
    if (settings_.cache.empty())
      throw Error(Status::not_found,
                  name_.text() + ": no such file or folder, and no Hub cache: HF_HOME and HOME are not set");
    if (request.offline) settings_.offline = true, settings_.offline_source = "--offline";
  }

  ReadyModel run() {
    if (!request_.refresh) {
      known_ = repo_.commit_of(name_.revision);
      if (known_) {
        if (name_.file.empty() && type_ != source_type && is_regular_file(converted(*known_)))
          return {.path = converted(*known_), .commit = *known_};
        found_ = repo_.check(name_, *known_);
        if (found_.complete && (found_.listed || settings_.offline)) return from_snapshot(*known_, found_.needed, 0);
      }
    }
    if (settings_.offline) throw_offline();
    if (!request_.refresh) refuse_unlikely();
    return from_hub();
  }

 private:
  std::string converted(const std::string& commit) const {
    return converted_folder(name_) + '/' + commit + '/' + converted_name(type_);
  }

  // A snapshot that is whole as far as can be seen, but that nothing is known to be the whole of, does where the Hub
  // cannot be asked.
  ReadyModel from_hub() {
    HubSettings settings = settings_;
    if (found_.complete) settings.retries = 0;
    try {
      const Pulled pulled =
          pull(name_, settings, {.refresh = request_.refresh, .include = {}, .exclude = {}, .report = request_.report});
      const std::vector<std::string> files =
          pulled.gguf.empty() ? pulled.files : std::vector{pulled.gguf.substr(pulled.folder.size() + 1)};
      return from_snapshot(pulled.commit, {files, !pulled.gguf.empty()}, pulled.downloaded);
    } catch (const Error& e) {
      if (!found_.complete || e.status == Status::cancelled) throw;
      return from_snapshot(*known_, found_.needed, 0);
    }
  }

  ReadyModel from_snapshot(const std::string& commit, const NeededFiles& needed, uint64_t downloaded) {
    ReadyModel ready{.path = repo_.snapshot(commit), .commit = commit, .downloaded = downloaded};
    if (needed.gguf) ready.path += '/' + needed.paths[0];
    if (needed.gguf || type_ == source_type) return ready;
    const std::string folder = ready.path;
    ready.path = converted(commit);
    if (is_regular_file(ready.path)) return ready;
    make_folders(converted_folder(name_) + '/' + commit, store_advice);
    const auto waiting = [&] {
      return !request_.report ||
             request_.report({PullProgress::Phase::waiting, "another process converts " + name_.text(), 0, 0});
    };
    const FileLock lock(ready.path + ".lock", waiting);
    if (is_regular_file(ready.path)) return ready;
    convert_to(folder, ready.path);
    ready.converted = true;
    return ready;
  }

  void convert_to(const std::string& folder, const std::string& path) const {
    ConvertOptions options;
    options.type = type_;
    options.threads = request_.threads;
    bool cancelled = false;
    options.progress = [&](double done, double total, const char* what) {
      cancelled = request_.report && !request_.report({PullProgress::Phase::converting, what, done, total});
      return !cancelled;
    };
    try {
      convert(folder, path, options);
    } catch (const Error& e) {
      if (cancelled) throw Error(Status::cancelled, "the conversion was cancelled");
      if (e.status == Status::io) throw Error(e.status, e.message + store_advice);
      throw;
    }
  }

  [[noreturn]] void throw_offline() const {
    const std::string why = found_.fault.empty() ? "is not in the Hub cache (" + repo_.folder() + ")"
                                                 : "is not whole in the Hub cache (" + found_.fault + ")";
    throw Error(Status::not_found,
                name_.text() + ": no such file or folder, and the model " + why + ", and " + settings_.offline_source +
                    " keeps quern from asking the Hub; online, quern pull " + name_.text() + " gets it");
  }

  void refuse_unlikely() const {
    if (name_.repo.find('/') == std::string::npos) throw_no_model(request_.name);
    if (name_.file.empty() && is_named_like_a_file(name_.repo))
      throw Error(Status::not_found, request_.name + ": no such file (were it a model of the Hub, quern pull " +
                                         request_.name + " would get it)");
  }

  const ModelRequest& request_;
  RepoName name_;
  HubSettings settings_;
  std::string type_;
  RepoCache repo_;
  std::optional<std::string> known_;  // the commit that the cache has for the revision, unless it is not to be asked
  RepoCache::Completeness found_;     // of it
};

}  // namespace

std::string converted_folder(const RepoName& name) {
  const std::string cache = quern_cache_dir();
  if (cache.empty())
    throw Error(Status::bad_argument, "there is no place for converted models: set QUERN_CACHE or HOME");
  return cache + "/models/" + name.folder();
}

std::string converted_name(const std::string& type) {
  return type + ".v" + std::to_string(kLayoutVersion) + ".gguf";
}

ReadyModel ready_model(const ModelRequest& request) {
  if (request.name.empty()) throw Error(Status::bad_argument, "the model's path or name is empty");
  if (!request.refresh && (is_regular_file(request.name) || is_folder(request.name))) return {.path = request.name};
  const std::optional<RepoName> name = parse_repo_name(request.name);
  if (!name) throw_no_model(request.name);
  return Finder(request, *name).run();
}

}  // namespace quern

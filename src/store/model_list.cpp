#include "store/model_list.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "error.h"
#include "hub/environment.h"
#include "hub/repo_cache.h"
#include "io/json.h"
#include "os/files.h"
#include "pull/cache_writer.h"
#include "sources/gguf_layout.h"
#include "store/model_store.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_entries = size_t{1} << 20;

// Names in a folder; none where it is not there.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end && names.size() < max_entries;
       at.increment(error))
    names.push_back(os::text_of(at->path().filename()));
  std::sort(names.begin(), names.end());
  return names;
}

// f(path) for each file below a folder; links to folders are not followed.
template <class F>
void each_file(const fs::path& folder, const F& f) {
  std::error_code error;
  size_t seen = 0;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end && seen < max_entries;
       at.increment(error), ++seen) {
    std::error_code gone;
    if (at->is_regular_file(gone) || at->is_symlink(gone)) f(at->path());
  }
}

uint64_t size_of(const fs::path& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

// "models--org--name" as org/name; "" where it is none.
std::string repo_of(const std::string& folder) {
  if (!folder.starts_with("models--")) return {};
  std::string repo = folder.substr(8);
  if (const size_t dashes = repo.find("--"); dashes != std::string::npos) repo.replace(dashes, 2, "/");
  return is_repo_id(repo) ? repo : std::string();
}

using ByCommit = std::map<std::pair<std::string, std::string>, StoredModel>;

StoredModel& entry(ByCommit& models, const std::string& repo, const std::string& commit) {
  StoredModel& model = models[{repo, commit}];
  model.name = repo;
  model.commit = commit;
  return model;
}

// f(path, revision, commit) for each ref that holds a commit.
template <class F>
void each_ref(const RepoCache& repo, const F& f) {
  const fs::path root = os::path_of(repo.folder() + "/refs");
  each_file(root, [&](const fs::path& path) {
    const std::string revision = os::text_of(path.lexically_relative(root));
    try {
      const auto commit = is_revision(revision) ? repo.commit_of(revision) : std::nullopt;
      if (commit) f(path, revision, *commit);
    } catch (const Error&) {  // it holds something else
    }
  });
}

void add_snapshots(const std::string& cache, ByCommit& models) {
  for (const std::string& folder : names_in(os::path_of(cache))) {
    const std::string repo = repo_of(folder);
    if (repo.empty()) continue;
    const fs::path root = os::path_of(cache) / folder;
    for (const std::string& commit : names_in(root / "snapshots")) {
      if (!is_commit(commit)) continue;
      StoredModel& model = entry(models, repo, commit);
      model.downloaded = true;
      each_file(root / "snapshots" / commit, [&](const fs::path& file) {
        ++model.files;
        model.bytes += size_of(file);
      });
    }
    each_ref(RepoCache(cache, {.repo = repo, .file = {}}),
             [&](const fs::path&, const std::string& revision, const std::string& commit) {
               const auto found = models.find({repo, commit});
               if (found != models.end()) found->second.revisions.push_back(revision);
             });
  }
}

// Files of this layout; others are of no use to this quern.
void add_converted(const std::string& cache, ByCommit& models) {
  const std::string ending = converted_name("");
  for (const std::string& folder : names_in(os::path_of(cache + "/models"))) {
    const std::string repo = repo_of(folder);
    if (repo.empty()) continue;
    for (const std::string& commit : names_in(os::path_of(cache + "/models/" + folder))) {
      if (!is_commit(commit)) continue;
      const std::string place = cache + "/models/" + folder + '/' + commit;
      for (const std::string& file : names_in(os::path_of(place)))
        if (file.ends_with(ending))
          entry(models, repo, commit)
              .converted.push_back({file.substr(0, file.size() - ending.size()), place + '/' + file,
                                    size_of(os::path_of(place + '/' + file))});
    }
  }
}

class Remover {
 public:
  explicit Remover(const RepoName& name) : name_(name), repo_(hub_cache_dir(), name) {}

  Removed run(bool whole) {
    refuse_in_use();
    const std::string converted = quern_cache_dir().empty() ? "" : converted_folder(name_);
    if (whole) {
      remove(repo_.folder());
      remove(repo_.locks());
      if (!converted.empty()) remove(converted);
    } else {
      remove_commit(converted);
    }
    if (removed_.paths.empty())
      throw Error(Status::not_found, name_.text() + ": is neither in the Hub cache (" + repo_.cache() +
                                         ") nor among quern's converted models; quern models lists what is");
    return removed_;
  }

 private:
  void refuse_in_use() const {
    const std::string locks = repo_.locks();
    for (const std::string& lock : names_in(os::path_of(locks)))
      if (!FileLock::is_free(locks + '/' + lock))
        throw Error(Status::overloaded,
                    name_.text() + ": another process downloads it; wait for its end, then remove it");
  }

  void remove_commit(const std::string& converted) {
    const std::optional<std::string> commit = repo_.commit_of(name_.revision);
    if (!commit) return;
    remove(repo_.snapshot(*commit));
    remove(repo_.tree_path(*commit));
    remove(repo_.folder() + "/.no_exist/" + *commit);
    if (!converted.empty()) remove(converted + '/' + *commit);
    std::vector<fs::path> refs;
    each_ref(repo_, [&](const fs::path& ref, const std::string&, const std::string& of) {
      if (of == *commit) refs.push_back(ref);
    });
    for (const fs::path& ref : refs) remove(ref);
    std::set<std::string> used;
    each_file(os::path_of(repo_.folder() + "/snapshots"), [&](const fs::path& file) {
      std::error_code error;
      used.insert(os::text_of(fs::read_symlink(file, error).filename()));
    });
    for (const std::string& blob : names_in(os::path_of(repo_.folder() + "/blobs")))
      if (used.count(blob) == 0) remove(repo_.blob(blob));
  }

  void remove(const std::string& path) { remove(os::path_of(path)); }
  // What a link leads to stays.
  void remove(const fs::path& path) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(path, error))) return;
    uint64_t bytes = 0;
    if (fs::is_directory(fs::symlink_status(path, error)))
      each_file(path, [&](const fs::path& file) {
        std::error_code gone;
        if (!fs::is_symlink(file, gone)) bytes += size_of(file);
      });
    else if (!fs::is_symlink(fs::symlink_status(path, error)))
      bytes = size_of(path);
    fs::remove_all(path, error);
    if (error) throw Error(Status::io, os::text_of(path) + ": cannot be removed: " + error.message());
    removed_.paths.push_back(os::text_of(path));
    removed_.bytes += bytes;
  }

  const RepoName& name_;
  RepoCache repo_;
  Removed removed_;
};

}  // namespace

std::vector<StoredModel> stored_models() {
  ByCommit models;
  if (const std::string cache = hub_cache_dir(); !cache.empty()) add_snapshots(cache, models);
  if (const std::string cache = quern_cache_dir(); !cache.empty()) add_converted(cache, models);
  std::vector<StoredModel> list;
  for (auto& [key, model] : models) list.push_back(std::move(model));
  return list;
}

Removed remove_model(const std::string& name) {
  const std::optional<RepoName> parsed = parse_repo_name(name);
  if (!parsed || !parsed->file.empty())
    throw Error(Status::bad_argument,
                printable(name) +
                    ": expected a model's name to remove, org/name[@revision] or one that quern models "
                    "--known lists");
  return Remover(*parsed).run(name.find('@') == std::string::npos);
}

}  // namespace quern

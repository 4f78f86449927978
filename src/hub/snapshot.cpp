#include "hub/snapshot.h"

#include "error.h"
#include "hub/repo_cache.h"
#include "io/json.h"
#include "io/mapped_file.h"

namespace quern {

void throw_no_model(const std::string& spec) {
  throw Error(Status::not_found,
              printable(spec, 400) +
                  ": no such file or folder, and no name of a model: org/name[:file][@revision], or one "
                  "that quern models --known lists");
}

std::string resolve_model_path(const std::string& spec) {
  if (spec.empty()) throw Error(Status::bad_argument, "the model's path or name is empty");
  if (is_regular_file(spec) || is_folder(spec)) return spec;
  const std::optional<RepoName> name = parse_repo_name(spec);
  if (!name) throw_no_model(spec);
  const std::string cache = hub_cache_dir();
  if (cache.empty())
    throw Error(Status::not_found, spec + ": no such file or folder, and no Hub cache: HF_HOME and HOME are not set");
  const RepoCache repo(cache, *name);
  const std::string advice = "; quern pull " + name->text() + " gets it";
  if (!is_folder(repo.folder()))
    throw Error(Status::not_found,
                spec + ": no such file or folder, and not in the Hub cache: there is no " + repo.folder() + advice);
  const std::optional<std::string> commit = repo.commit_of(name->revision);
  if (!commit)
    throw Error(Status::not_found,
                spec + ": the Hub cache has no such revision: there is no " + repo.ref_path(name->revision) + advice);
  const RepoCache::Completeness found = repo.check(*name, *commit);
  if (!found.complete)
    throw Error(Status::not_found, spec + ": is not whole in the Hub cache: " + found.fault + advice);
  return repo.snapshot(*commit) + (found.needed.gguf ? '/' + found.needed.paths[0] : "");
}

}  // namespace quern

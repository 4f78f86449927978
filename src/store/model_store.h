// A model's name or path -> a file or folder that loads: from the caches, else from the Hub and converted once. The
// converted files are in quern's own cache, by commit, type and layout of the file.
#pragma once
#include <string>

#include "pull/pull.h"

namespace quern {

struct ModelRequest {
  std::string name;      // a path, or a name (hub/repo_name.h)
  std::string type;      // that it is converted to; "": q8. "source": not converted, the snapshot as it is
  bool offline = false;  // as HF_HUB_OFFLINE
  bool refresh = false;  // whether the revision has moved, even where it is in the cache
  int threads = 0;       // of the conversion; 0: all usable
  PullReport report;
};

struct ReadyModel {
  std::string path;
  std::string commit = {};  // "" of paths
  uint64_t downloaded = 0;  // bytes
  bool converted = false;   // now
};

constexpr const char* source_type = "source";

// Throws Error. Without network where the caches have it.
ReadyModel ready_model(const ModelRequest& request);

// <quern's cache>/models/models--org--name, with <commit>/<type>.v<layout>.gguf. Throws Error where there is no place.
std::string converted_folder(const RepoName& name);
std::string converted_name(const std::string& type);

}  // namespace quern

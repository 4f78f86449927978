// A model's files from the Hub into its cache: all of one commit, complete or not at all.
#pragma once
#include <string>
#include <vector>

#include "hub/environment.h"
#include "hub/repo_name.h"
#include "pull/hub_client.h"

namespace quern {

struct PullOptions {
  bool refresh = false;  // asks where the revision is now, even where the cache knows where it was
  // Patterns of files; both empty: what the model needs (needed_files.h).
  std::vector<std::string> include, exclude;
  PullReport report;
};

struct Pulled {
  std::string commit;
  std::string folder;              // the snapshot's
  std::string gguf;                // path of the GGUF file that the name means, else ""
  std::vector<std::string> files;  // that were asked for
  uint64_t bytes = 0;              // of them
  uint64_t downloaded = 0;         // that were not there before
};

// Throws Error; what came by then is kept for the next try, and no revision points to a snapshot that is not whole.
Pulled pull(const RepoName& name, const HubSettings& settings, const PullOptions& options);

}  // namespace quern

// A folder's files into a repository of the Hub, as one commit.
#pragma once
#include <string>
#include <vector>

#include "hub/environment.h"
#include "hub/repo_name.h"
#include "pull/hub_client.h"

namespace quern {

struct PushOptions {
  bool is_private = false;                    // where the repository is made
  std::string tag;                            // that the commit gets; ""
  std::string message;                        // of the commit; "": one that says how many files
  std::string card;                           // README.md, where the folder has none; ""
  std::vector<std::string> include, exclude;  // patterns; both empty: all files but hidden ones
  PullReport report;
};

struct Pushed {
  std::string commit;  // "": nothing had changed
  std::string url;     // of the repository's page
  std::vector<std::string> files;
  uint64_t bytes = 0, uploaded = 0;  // of the files; of those that the Hub had not
};

// name's revision is the branch. The repository is made where it is missing; files that are there and not in the folder
// stay. Throws Error; the branch changes at the end or not at all.
Pushed push(const std::string& folder, const RepoName& name, const HubSettings& settings, const PushOptions& options);

}  // namespace quern

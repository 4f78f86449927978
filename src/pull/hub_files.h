// Files of a dataset on the Hub, all of one commit, for whoever reads them once: nothing goes into a cache.
#pragma once
#include <string>
#include <vector>

#include "hub/environment.h"
#include "hub/repo_name.h"
#include "pull/hub_client.h"

namespace quern {

class HubFiles {
 public:
  struct File {
    std::string path;
    TreeFile about;  // size and hash are known
  };

  // Asks the Hub for the files that the address means, in the order of their paths. Throws Error: not_found (says which
  // there are), and what HubClient throws.
  HubFiles(const HubAddress& address, const HubSettings& settings, PullReport report);

  const RepoName& name() const { return hub_.name(); }
  const std::string& commit() const { return commit_; }
  bool folder() const { return folder_; }  // the address means a folder, and `files` what lies in it
  const std::vector<File>& files() const { return files_; }

  // Puts files()[i] into a file that is open for reading and writing, in place of what is in it. Throws Error: bad_file
  // where its bytes are not those of the commit, and what HubClient throws.
  void fetch(size_t i, int descriptor);

 private:
  void choose(const RepoTree& tree);
  [[noreturn]] void throw_none(const RepoTree& tree) const;

  const HubAddress address_;
  HubClient hub_;
  std::string commit_;
  bool folder_ = false;
  std::vector<File> files_;
};

}  // namespace quern

// What is in the caches: models by name, revision and type, with their sizes; and taking them out.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace quern {

struct StoredModel {
  struct Converted {
    std::string type, path;
    uint64_t bytes = 0;
  };
  std::string name;  // org/name
  std::string commit;
  std::vector<std::string> revisions;  // that are at this commit as far as the cache knows
  bool downloaded = false;             // there is a snapshot; else a converted file alone
  uint64_t files = 0, bytes = 0;       // of the snapshot
  std::vector<Converted> converted;
};

// By name, then commit. Throws Error io.
std::vector<StoredModel> stored_models();

struct Removed {
  std::vector<std::string> paths;
  uint64_t bytes = 0;
};

// All of a repository, or with "@revision" that commit alone: snapshots, blobs that no other snapshot uses, converted
// files. Throws Error: not_found, bad_argument (no name), overloaded (another process downloads it), io.
Removed remove_model(const std::string& name);

}  // namespace quern

// One file of a repository into the cache: resumed where an earlier try ended, kept only when its hash is right.
#pragma once
#include <string>

#include "hub/repo_cache.h"
#include "pull/cache_writer.h"
#include "pull/hub_client.h"

namespace quern {

// Makes blobs/<etag> of the file, whose size and hash are known. True: it was downloaded, false: it was there. What
// came of it before an error of the network stays for the next try; what is wrong never stays. Throws Error: bad_file
// (says both hashes), io, and what HubClient throws.
bool download_blob(HubClient& hub, const RepoCache& repo, const CacheWriter& writer, const std::string& commit,
                   const std::string& path, const TreeFile& file);

}  // namespace quern

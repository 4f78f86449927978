// A model's name -> a path on this machine. Looks in the local Hub cache only and never uses the network.
#pragma once
#include <string>

#include "hub/environment.h"
#include "hub/repo_name.h"

namespace quern {

// spec is a file, a folder, or a name (repo_name.h): then the result is the snapshot's folder, or its GGUF file.
// A path that exists is returned as it is. Throws Error: bad_argument (empty, an impossible revision), not_found (says
// where it looked and what the snapshot lacks).
std::string resolve_model_path(const std::string& spec);

// What spec is where it is neither a path nor a name.
[[noreturn]] void throw_no_model(const std::string& spec);

}  // namespace quern

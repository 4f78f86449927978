// A model's name -> a path on this machine. Looks in the local Hub cache only and never uses the network.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace quern {

// spec is a file, a folder, or a repo id "org/name" or "name" with "@revision" (branch, tag or commit; default main).
// A path that exists is returned as it is. Throws Error: bad_argument (empty, an impossible revision), not_found (says
// where it looked).
std::string resolve_model_path(const std::string& spec);

// The Hub cache's folder by HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub,
// ~/.cache/huggingface/hub, in this order. Empty when none can be formed.
std::string hub_cache_dir();

bool is_repo_id(std::string_view text) noexcept;   // [namespace/]name, by the Hub's rules
bool is_commit(std::string_view text) noexcept;    // 40 lower-case hex digits
bool is_revision(std::string_view text) noexcept;  // safe as a path below refs/

}  // namespace quern

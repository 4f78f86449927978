// What the environment says of the Hub: the variables of huggingface_hub, with its order and its defaults.
#pragma once
#include <string>

namespace quern {

struct HubSettings {
  std::string cache;  // the Hub cache's folder; empty: none can be formed
  std::string
      endpoint;  // of read_network_settings(): https://huggingface.co or HF_ENDPOINT, without a slash at its end
  std::string token, token_source;  // likewise
  bool offline = false;
  const char* offline_source = "";               // the variable that says so
  bool symlinks = true;                          // else files lie in the snapshots themselves
  long api_seconds = 30, download_seconds = 30;  // without a byte before a request is given up
  int retries = 5;                               // of one request in a row, without a byte more
  std::string user_agent;
};

// All but what a request needs. Throws nothing but out of memory: a start from the caches asks no more.
HubSettings hub_settings();
// Endpoint and token. Throws Error bad_argument: what cannot be one.
void read_network_settings(HubSettings& settings);

// The Hub cache's folder by HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub,
// ~/.cache/huggingface/hub, in this order. Empty when none can be formed.
std::string hub_cache_dir();

// quern's own cache, of converted files: QUERN_CACHE, XDG_CACHE_HOME/quern, ~/.cache/quern. Empty likewise.
std::string quern_cache_dir();

}  // namespace quern

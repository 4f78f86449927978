#include "hub/environment.h"

#include <stdlib.h>

#include <algorithm>

#include "ascii.h"
#include "error.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "os/files.h"
#include "os/process.h"
#include "version.h"

namespace quern {
namespace {

constexpr size_t max_token_bytes = 4096;

std::string variable(const char* name) {
  return os::variable_or_empty(name);
}

bool is_name_part(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// "~", "$NAME" and "${NAME}" as a shell would put them in; unknown names stay as they are.
std::string expand(const std::string& path) {
  std::string out;
  size_t i = 0;
  if (path == "~" || (path.starts_with('~') && os::ends_folder(path[1]))) {
    out = os::home_folder();
    i = 1;
  }
  while (i < path.size()) {
    if (path[i] != '$') {
      out += path[i++];
      continue;
    }
    const bool braces = i + 1 < path.size() && path[i + 1] == '{';
    const size_t begin = i + (braces ? 2 : 1);
    size_t end = begin;
    while (end < path.size() && is_name_part(path[end])) ++end;
    const bool complete = end > begin && (!braces || (end < path.size() && path[end] == '}'));
    const size_t next = complete ? end + (braces ? 1 : 0) : i + 1;
    const auto value = complete ? os::variable(path.substr(begin, end - begin).c_str()) : std::nullopt;
    out += value ? *value : path.substr(i, next - i);
    i = next;
  }
  return out;
}

bool is_true(const char* name) {
  std::string value = variable(name);
  for (char& c : value) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

// A whole number from 1 to most; absent where the variable is not there or is none.
long number_of(const char* name, long most, long absent) {
  const std::string value = variable(name);
  char* end = nullptr;
  const long number = ::strtol(value.c_str(), &end, 10);
  return !value.empty() && *end == '\0' && number >= 1 && number <= most ? number : absent;
}

// huggingface_hub's folder of everything.
std::string hf_home() {
  if (const std::string home = variable("HF_HOME"); !home.empty()) return expand(home);
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return expand(xdg) + "/huggingface";
  if (const std::string home = os::home_folder(); !home.empty()) return home + "/.cache/huggingface";
  return {};
}

void read_token(HubSettings& settings) {
  if (is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return;
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    settings.token = trimmed(variable(name));
    settings.token_source = name;
    if (!settings.token.empty()) break;
  }
  if (settings.token.empty()) {
    std::string path = expand(variable("HF_TOKEN_PATH"));
    if (path.empty() && !hf_home().empty()) path = hf_home() + "/token";
    settings.token_source = path;
    if (path.empty() || !is_regular_file(path) || !os::may_read(path)) return;  // it may be another's
    settings.token = trimmed(read_text_file(path, max_token_bytes));
  }
  const bool plain =
      std::all_of(settings.token.begin(), settings.token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!plain || settings.token.size() > max_token_bytes)
    throw Error(Status::bad_argument, settings.token_source + ": is no token: expected one word of plain characters");
}

void read_endpoint(HubSettings& settings) {
  settings.endpoint = trimmed(variable("HF_ENDPOINT"));
  if (settings.endpoint.empty()) settings.endpoint = "https://huggingface.co";
  while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
  const bool plain = std::all_of(settings.endpoint.begin(), settings.endpoint.end(),
                                 [](char c) { return c > ' ' && c < 0x7f && c != '@' && c != '?' && c != '#'; });
  if (!plain || !(settings.endpoint.starts_with("https://") || settings.endpoint.starts_with("http://")))
    throw Error(Status::bad_argument, "HF_ENDPOINT: expected an address such as https://huggingface.co, found \"" +
                                          printable(settings.endpoint) + '"');
}

}  // namespace

std::string hub_cache_dir() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    const std::string value = variable(name);
    if (!value.empty()) return expand(value);
  }
  const std::string home = hf_home();
  return home.empty() ? home : home + "/hub";
}

std::string quern_cache_dir() {
  if (const std::string own = variable("QUERN_CACHE"); !own.empty()) return expand(own);
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return expand(xdg) + "/quern";
  if (const std::string folder = os::user_cache_folder(); !folder.empty()) return folder + "/quern";
  return {};
}

HubSettings hub_settings() {
  HubSettings settings;
  settings.cache = hub_cache_dir();
  for (const char* name : {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"})
    if (!settings.offline && is_true(name)) settings.offline = true, settings.offline_source = name;
  settings.symlinks = !is_true("HF_HUB_DISABLE_SYMLINKS");
  settings.api_seconds = number_of("HF_HUB_ETAG_TIMEOUT", 86400, settings.api_seconds);
  settings.download_seconds = number_of("HF_HUB_DOWNLOAD_TIMEOUT", 86400, settings.download_seconds);
  settings.retries = static_cast<int>(number_of("QUERN_HUB_RETRIES", 100, settings.retries));
  settings.user_agent = "quern/" QUERN_VERSION_TEXT;
  const std::string origin = variable("HF_HUB_USER_AGENT_ORIGIN");
  const bool plain = std::all_of(origin.begin(), origin.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  const bool quiet = is_true("HF_HUB_DISABLE_TELEMETRY") || is_true("DISABLE_TELEMETRY") || is_true("DO_NOT_TRACK");
  if (plain && !quiet && !origin.empty()) settings.user_agent += "; origin/" + origin.substr(0, 256);
  return settings;
}

void read_network_settings(HubSettings& settings) {
  read_endpoint(settings);
  read_token(settings);
}

}  // namespace quern

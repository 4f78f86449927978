#include "access.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "os/sockets.h"

namespace server {
namespace {

// Takes as long for any guess of a length.
bool same(const std::string& a, const std::string& b) {
  unsigned differ = a.size() != b.size();
  for (size_t i = 0; i < b.size(); ++i)
    differ |= static_cast<unsigned char>(b[i]) ^ static_cast<unsigned char>(a.empty() ? 1 : a[i % a.size()]);
  return differ == 0;
}

void check_key(const Options& options, const httplib::Request& request) {
  if (options.keys.empty()) return;
  std::string given = request.get_header_value("X-Api-Key");
  const std::string authorization = request.get_header_value("Authorization");
  constexpr std::string_view scheme = "bearer ";
  if (given.empty() && lower(authorization.substr(0, scheme.size())) == scheme)
    given = authorization.substr(std::min(authorization.find_first_not_of(' ', scheme.size()), authorization.size()));
  bool known = false;
  for (const std::string& key : options.keys) known |= same(given, key);
  if (!known || given.empty())
    throw Refusal{Reason::unauthorized,
                  given.empty() ? "an API key is needed: Authorization: Bearer KEY" : "wrong API key"};
}

// "name:80" and "[::1]:80" without the port, in lower case.
std::string host_name(const std::string& host) {
  if (host.starts_with('[')) return lower(host.substr(1, host.find(']') - 1));
  return lower(host.substr(0, host.find(':')));
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::any_of(all.begin(), all.end(), [&](const std::string& a) { return lower(a) == one; });
}

// A page whose name was made to point here (DNS rebinding) would send that name. It could not know a key.
void check_host(const Options& options, const httplib::Request& request) {
  if (!options.keys.empty() || contains(options.hosts, "*")) return;
  const std::string name = host_name(request.get_header_value("Host"));
  if (name.empty() || name == "localhost" || name == lower(options.host) || os::is_ip_address(name) ||
      contains(options.hosts, name))
    return;
  throw Refusal{Reason::forbidden, "the Host \"" + name.substr(0, 100) + "\" is not known here: --allow-host adds one"};
}

void check_origin(const Options& options, const httplib::Request& request) {
  const std::string origin = lower(request.get_header_value("Origin"));
  if (origin.empty() || contains(options.cors_origins, "*") || contains(options.cors_origins, origin)) return;
  const std::string host = lower(request.get_header_value("Host"));
  if (origin == "http://" + host || origin == "https://" + host) return;
  throw Refusal{Reason::forbidden, "pages of \"" + origin.substr(0, 100) + "\" may not ask: --cors-origin lets one in"};
}

}  // namespace

void check_key_text(const std::string& key, const std::string& where) {
  const auto sendable = [](unsigned char c) { return c >= 0x20 && c != 0x7F; };
  if (key.empty())
    throw std::invalid_argument(where + ": the key is empty, and would let in anyone: give one, or none");
  if (key.front() == ' ' || key.back() == ' ' || !std::all_of(key.begin(), key.end(), sendable))
    throw std::invalid_argument(where +
                                ": no client could send this key: it has a space at an end, or a control character");
}

void check_access(const Options& options, const httplib::Request& request, bool open) {
  check_host(options, request);
  check_origin(options, request);
  if (!open) check_key(options, request);
}

bool answer_preflight(const Options& options, const httplib::Request& request, httplib::Response& response) {
  if (request.method != "OPTIONS" || !request.has_header("Access-Control-Request-Method")) return false;
  check_host(options, request);
  check_origin(options, request);
  response.status = 204;
  response.set_header("Access-Control-Allow-Methods", "GET, POST");
  response.set_header("Access-Control-Allow-Headers", "authorization, content-type, x-api-key, x-expect-fingerprint");
  response.set_header("Access-Control-Max-Age", "600");
  return true;
}

void allow_origin(const Options& options, const std::string& origin, httplib::Response& response) {
  if (origin.empty() || !(contains(options.cors_origins, "*") || contains(options.cors_origins, lower(origin)))) return;
  response.set_header("Access-Control-Allow-Origin", origin);
  response.set_header("Vary", "Origin");
  response.set_header("Access-Control-Expose-Headers", "x-fingerprint, x-truncated-inputs, x-model");
}

}  // namespace server

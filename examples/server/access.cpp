#include "access.h"

#include <arpa/inet.h>

#include <algorithm>

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
  const std::string bearer = request.get_header_value("Authorization");
  if (given.empty() && bearer.size() > 7 && (bearer.starts_with("Bearer ") || bearer.starts_with("bearer ")))
    given = bearer.substr(7);
  bool known = false;
  for (const std::string& key : options.keys) known |= same(given, key);
  if (!known)
    throw Refusal{Reason::unauthorized,
                  given.empty() ? "an API key is needed: Authorization: Bearer KEY" : "wrong API key"};
}

// "name:80" and "[::1]:80" without the port.
std::string host_name(const std::string& host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

bool is_address(const std::string& name) {
  char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// A page whose name was made to point here (DNS rebinding) would send that name. It could not know a key.
void check_host(const Options& options, const httplib::Request& request) {
  if (request.get_header_value_count("Host") > 1)
    throw Refusal{Reason::malformed, "malformed HTTP request: it has two Host fields"};
  if (!options.keys.empty() || contains(options.hosts, "*")) return;
  const std::string name = host_name(request.get_header_value("Host"));
  if (name.empty() || name == "localhost" || name == options.host || is_address(name) || contains(options.hosts, name))
    return;
  throw Refusal{Reason::forbidden, "the Host \"" + name.substr(0, 100) + "\" is not known here: --allow-host adds one"};
}

void check_origin(const Options& options, const httplib::Request& request) {
  const std::string origin = request.get_header_value("Origin");
  if (origin.empty() || contains(options.cors_origins, "*") || contains(options.cors_origins, origin)) return;
  const std::string host = request.get_header_value("Host");
  if (origin == "http://" + host || origin == "https://" + host) return;
  throw Refusal{Reason::forbidden, "pages of \"" + origin.substr(0, 100) + "\" may not ask: --cors-origin lets one in"};
}

}  // namespace

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
  if (origin.empty() || !(contains(options.cors_origins, "*") || contains(options.cors_origins, origin))) return;
  response.set_header("Access-Control-Allow-Origin", origin);
  response.set_header("Vary", "Origin");
  response.set_header("Access-Control-Expose-Headers", "x-fingerprint, x-truncated-inputs, x-model");
}

}  // namespace server

// One HTTP request at a time over kept connections. Redirects are not followed, nothing is tried again and no answer is
// judged: that is for whoever knows what was asked (pull/hub_client).
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace quern {

// What to do without the libraries that the Hub needs.
inline constexpr const char* kWithoutHub = "give the path of a model that is on this machine";

struct HttpAnswer {
  int status = 0;                              // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case; of several with one name the last
  std::string body;                            // where no one else took it

  // "" when it is not there.
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

enum class HttpProblem {
  none,
  unreachable,  // no connection: name, address, proxy
  untrusted,    // TLS
  cut,          // ended before the body was whole
  stalled,      // too slow for too long
  too_long,     // head or body longer than allowed
  cancelled,
};

enum class HttpMethod { get, head, post, put };

// What is sent: bytes of a request, or of a file, read from any place of it, again where a connection is made anew.
struct HttpBody {
  std::string bytes;
  uint64_t size = 0;                                                    // of what `read` gives
  std::function<size_t(uint64_t at, char* to, size_t most)> read = {};  // in place of bytes; may throw
};

struct HttpRequest {
  std::string url;
  HttpMethod method = HttpMethod::get;
  HttpBody body;                     // of POST and PUT
  std::vector<std::string> headers;  // "Name: value"
  uint64_t max_body = 0;             // bytes
  long stall_seconds = 30;           // slower than stall_rate for as long ends the request
  long stall_rate = 1;               // bytes a second
  // Once status and headers are there; true: the body goes to `take`, else into the answer (and is bounded by 64 KiB
  // for statuses of 300 and more). Both may throw, which ends the request and comes out of send().
  std::function<bool(const HttpAnswer&)> begin;
  std::function<void(const char* data, size_t size)> take;
  std::function<bool()> go_on;  // asked about once a second at least; false cancels
};

struct HttpOutcome {
  HttpAnswer answer;
  HttpProblem problem = HttpProblem::none;
  std::string reason;  // of the problem, in a few words
};

class Http {
 public:
  virtual ~Http() = default;
  virtual HttpOutcome send(const HttpRequest& request) = 0;
};

// Throws Error unsupported, saying why: this build is without libcurl, or libcurl is not on this machine.
std::unique_ptr<Http> open_http(const std::string& user_agent);

}  // namespace quern

// HTTP by libcurl, which is opened at the first request.
#include <curl/curl.h>
#include <stdlib.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <type_traits>

#include "ascii.h"
#include "net/http.h"
#include "os/process.h"
#include "os/signals.h"
#include "shared_library.h"

namespace quern {
namespace {

constexpr size_t max_head_bytes = 64 << 10, max_error_body = 64 << 10;
constexpr long connect_seconds = 10, receive_buffer = 512 << 10;

struct CurlLibrary {
  SharedLibrary library{"curl", "4", "models of the Hub need", "libcurl4", kWithoutHub};
  decltype(curl_global_init)* global_init = library["curl_global_init"];
  decltype(curl_easy_init)* init = library["curl_easy_init"];
  std::add_pointer_t<CURLcode(CURL*, CURLoption, ...)> setopt = library["curl_easy_setopt"];
  std::add_pointer_t<CURLcode(CURL*, CURLINFO, ...)> getinfo = library["curl_easy_getinfo"];
  decltype(curl_easy_perform)* perform = library["curl_easy_perform"];
  decltype(curl_easy_reset)* reset = library["curl_easy_reset"];
  decltype(curl_easy_cleanup)* cleanup = library["curl_easy_cleanup"];
  decltype(curl_slist_append)* append = library["curl_slist_append"];
  decltype(curl_slist_free_all)* free_all = library["curl_slist_free_all"];

  CurlLibrary() {
    if (global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw Error(Status::internal, "libcurl does not start");
  }
};

const CurlLibrary& curl_library() {
  static const CurlLibrary library;  // tried again where it threw
  return library;
}

// What libcurl calls back with, for one request.
struct Exchange {
  const HttpRequest& request;
  HttpOutcome outcome;
  size_t head_bytes = 0;
  uint64_t body_bytes = 0;
  uint64_t sent = 0;
  bool begun = false, taken = false;
  std::exception_ptr thrown;

  void header(const std::string& line) {
    if (line.starts_with("HTTP/")) {  // a first or, after 100 Continue, a further head
      const size_t blank = line.find(' ');
      outcome.answer.status = blank == std::string::npos ? 0 : ::atoi(line.c_str() + blank + 1);
      outcome.answer.headers.clear();
      return;
    }
    const size_t colon = line.find(':');
    if (colon != std::string::npos)
      outcome.answer.headers[ascii_lower(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
  }

  // False ends the request.
  bool body(const char* data, size_t size) {
    if (!begun) {
      begun = true;
      taken = request.begin && request.begin(outcome.answer);
    }
    body_bytes += size;
    const bool refused = !taken && outcome.answer.status >= 300;
    if (body_bytes > (refused ? max_error_body : request.max_body)) {
      outcome.problem = HttpProblem::too_long;
      outcome.reason = "the answer is longer than the " + std::to_string(refused ? max_error_body : request.max_body) +
                       " bytes that it may have";
      return false;
    }
    if (taken)
      request.take(data, size);
    else
      outcome.answer.body.append(data, size);
    return true;
  }
};

// f() as libcurl's callbacks have to be: nothing is thrown through C.
template <class F>
bool kept(Exchange& exchange, const F& f) noexcept {
  try {
    return f();
  } catch (...) {
    exchange.thrown = std::current_exception();
    return false;
  }
}

size_t on_header(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.head_bytes += size;
  const bool fine = kept(exchange, [&] {
    if (exchange.head_bytes > max_head_bytes) {
      exchange.outcome.problem = HttpProblem::too_long;
      exchange.outcome.reason = "the answer's head is longer than 64 KiB";
      return false;
    }
    exchange.header(std::string(data, size));
    return true;
  });
  return fine ? size : 0;
}

size_t on_body(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  return kept(exchange, [&] { return exchange.body(data, size); }) ? size : 0;
}

size_t on_read(char* to, size_t, size_t most, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  size_t n = 0;
  const bool fine = kept(exchange, [&] {
    const uint64_t left = exchange.request.body.size - exchange.sent;
    n = exchange.request.body.read(exchange.sent, to, static_cast<size_t>(std::min<uint64_t>(most, left)));
    exchange.sent += n;
    return true;
  });
  return fine ? n : CURL_READFUNC_ABORT;
}

int on_seek(void* user, curl_off_t offset, int) {
  static_cast<Exchange*>(user)->sent = static_cast<uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& exchange = *static_cast<Exchange*>(user);
  const bool fine = kept(exchange, [&] {
    if (!exchange.request.go_on || exchange.request.go_on()) return true;
    exchange.outcome.problem = HttpProblem::cancelled;
    exchange.outcome.reason = "cancelled";
    return false;
  });
  return fine ? 0 : 1;
}

HttpProblem problem_of(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return HttpProblem::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PROXY:
      return HttpProblem::unreachable;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return HttpProblem::untrusted;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpProblem::stalled;
    default:
      return HttpProblem::cut;
  }
}

// TLS writes to connections that are gone raise SIGPIPE, which would end the process: NoPipeSignal.
class CurlHttp final : public Http {
 public:
  explicit CurlHttp(std::string user_agent)
      : curl_(curl_library()), handle_(curl_.init()), user_agent_(std::move(user_agent)) {
    if (handle_ == nullptr) throw std::bad_alloc();
  }
  CurlHttp(const CurlHttp&) = delete;
  CurlHttp& operator=(const CurlHttp&) = delete;
  ~CurlHttp() override {
    const os::NoPipeSignal held;  // ends what TLS connections are open
    curl_.cleanup(handle_);
  }

  HttpOutcome send(const HttpRequest& request) override {
    Exchange exchange{.request = request, .outcome = {}, .thrown = {}};
    char reason[CURL_ERROR_SIZE] = "";
    curl_.reset(handle_);  // options alone: connections stay
    const std::unique_ptr<curl_slist, decltype(curl_.free_all)> headers(header_list(request), curl_.free_all);
    set(CURLOPT_ERRORBUFFER, static_cast<char*>(reason));
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_USERAGENT, user_agent_.c_str());
    set(CURLOPT_HTTPHEADER, headers.get());
    set_method(exchange);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, connect_seconds);
    set(CURLOPT_LOW_SPEED_LIMIT, request.stall_rate);
    set(CURLOPT_LOW_SPEED_TIME, request.stall_seconds);
    curl_.setopt(handle_, CURLOPT_BUFFERSIZE, receive_buffer);  // refused while the last one is in use: it is as large
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, &exchange);
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, &exchange);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(CURLOPT_XFERINFODATA, &exchange);
    set(CURLOPT_NOPROGRESS, 0L);
    // As other clients of the Hub take them; libcurl's own default is the system's.
    for (const char* name : {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"})
      if (const std::string file = os::variable_or_empty(name); !file.empty()) {
        set(CURLOPT_CAINFO, file.c_str());
        break;
      }
    const CURLcode code = [&] {
      const os::NoPipeSignal held;
      return curl_.perform(handle_);
    }();
    if (exchange.thrown) std::rethrow_exception(exchange.thrown);
    if (exchange.outcome.problem == HttpProblem::none && code != CURLE_OK) {
      exchange.outcome.problem = problem_of(code);
      exchange.outcome.reason = *reason != '\0' ? reason : "libcurl's error " + std::to_string(code);
    }
    if (exchange.outcome.problem == HttpProblem::none && !exchange.begun && request.begin &&
        request.method != HttpMethod::head)
      request.begin(exchange.outcome.answer);  // of an empty body
    return std::move(exchange.outcome);
  }

 private:
  template <class T>
  void set(CURLoption option, T value) {
    if (curl_.setopt(handle_, option, value) != CURLE_OK)
      throw Error(Status::unsupported,
                  "libcurl does not know option " + std::to_string(option) + ": 7.85 or newer is needed");
  }

  void set_method(Exchange& exchange) {
    const HttpRequest& request = exchange.request;
    set(CURLOPT_NOBODY, request.method == HttpMethod::head ? 1L : 0L);
    if (request.method == HttpMethod::get || request.method == HttpMethod::head) return;
    if (request.body.read) {
      set(CURLOPT_UPLOAD, 1L);  // PUT
      set(CURLOPT_READFUNCTION, &on_read);
      set(CURLOPT_READDATA, &exchange);
      set(CURLOPT_SEEKFUNCTION, &on_seek);
      set(CURLOPT_SEEKDATA, &exchange);
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size));
    } else {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.bytes.size()));
      set(CURLOPT_POSTFIELDS, request.body.bytes.data());
    }
    set(CURLOPT_CUSTOMREQUEST, request.method == HttpMethod::put ? "PUT" : "POST");
  }

  curl_slist* header_list(const HttpRequest& request) {
    curl_slist* list = nullptr;
    for (const std::string& header : request.headers) {
      curl_slist* longer = curl_.append(list, header.c_str());
      if (longer == nullptr) {
        curl_.free_all(list);
        throw std::bad_alloc();
      }
      list = longer;
    }
    return list;
  }

  const CurlLibrary& curl_;
  CURL* handle_;
  std::string user_agent_;
};

}  // namespace

std::unique_ptr<Http> open_http(const std::string& user_agent) {
  return std::make_unique<CurlHttp>(user_agent);
}

}  // namespace quern

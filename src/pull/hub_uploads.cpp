// What quern sends the Hub.
#include <nlohmann/json.hpp>

#include "error.h"
#include "io/json.h"
#include "net/url.h"
#include "pull/hub_client.h"

namespace quern {
namespace {

constexpr uint64_t max_answer_bytes = uint64_t{64} << 20;

}  // namespace

nlohmann::json HubClient::post(const HubCall& call, int* status) {
  if (!say({PullProgress::Phase::asking, call.what, 0, 0})) throw_cancelled();
  HttpRequest request;
  request.url = call.url;
  request.method = HttpMethod::post;
  request.body.bytes = call.body;
  request.headers = {"Content-Type: " + call.type, "Accept: " + call.accept, "Expect:"};
  request.max_body = max_answer_bytes;
  request.stall_seconds = std::max(settings_.api_seconds, settings_.download_seconds);
  request.go_on = [&] { return say({PullProgress::Phase::asking, call.what, 0, 0}); };
  const Reply reply = send({.what = call.what, .make = [&] { return request; }, .call = &call});
  if (status != nullptr) *status = reply.outcome.answer.status;
  try {
    return parse_json(reply.outcome.answer.body, call.url);
  } catch (const Error&) {
    return nullptr;  // it has been taken, whatever was said
  }
}

std::string HubClient::put(const std::string& url, const std::vector<std::string>& headers, const HttpBody& body,
                           const std::string& what) {
  if (origin_of(url).empty() || (is_https(settings_.endpoint) && !is_https(url)))
    throw Error(Status::bad_file, name_.text() + ": the Hub wants " + what + " sent to \"" + printable(url, 200) +
                                      "\", which is no address that can be trusted");
  const HubCall call{.url = url, .what = what, .body = {}};
  uint64_t sent = 0;
  HttpRequest request;
  request.url = url;
  request.method = HttpMethod::put;
  request.body = body;
  request.body.read = [&](uint64_t at, char* to, size_t most) {
    const size_t n = body.read(at, to, most);
    sent = at + n;
    return n;
  };
  request.headers = headers;
  request.headers.push_back("Expect:");
  request.max_body = max_answer_bytes;
  request.stall_seconds = settings_.download_seconds;
  request.go_on = [&] {
    return say({PullProgress::Phase::uploading, what, static_cast<double>(sent), static_cast<double>(body.size)});
  };
  const Task task{.what = what, .make = [&] { return request; }, .call = &call, .bare = true};
  return send(task).outcome.answer.header("etag");
}

}  // namespace quern

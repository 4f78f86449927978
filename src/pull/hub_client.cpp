#include "pull/hub_client.h"

#include <time.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "error.h"
#include "io/json.h"
#include "net/retry.h"
#include "net/url.h"
#include "pull/hub_refusal.h"

namespace quern {
namespace {

constexpr int max_redirects = 20;
constexpr uint64_t max_json_bytes = uint64_t{64} << 20;
constexpr long longest_wait = 310;  // seconds: a window of the Hub's limits

double monotonic_seconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::unique_ptr<Http> opened(const HubSettings& settings, const RepoName& name) {
  try {
    return open_http(settings.user_agent);
  } catch (const Error& e) {
    throw Error(e.status, name.text() + (name.dataset ? ": is only on the Hub, and " : ": is not in the caches, and ") +
                              e.message);
  }
}

}  // namespace

HubClient::HubClient(const HubSettings& settings, RepoName name, PullReport report)
    : settings_(settings), name_(std::move(name)), report_(std::move(report)), http_(opened(settings_, name_)) {
  read_network_settings(settings_);
  origin_ = origin_of(settings_.endpoint);
  if (origin_.empty())
    throw Error(Status::bad_argument, "HF_ENDPOINT: \"" + printable(settings_.endpoint) + "\" is no address");
}

void HubClient::throw_cancelled() {
  throw Error(Status::cancelled, "the download was cancelled; what came is kept");
}

HttpRequest HubClient::file_request(const std::string& commit, const std::string& path) const {
  HttpRequest request;
  request.url = settings_.endpoint + '/' + name_.place() + "/resolve/" + commit + '/' + encode_path(path);
  return request;
}

void HubClient::wait(double seconds, const std::string& why) {
  const double end = monotonic_seconds() + seconds;
  for (double left = seconds; left > 0; left = end - monotonic_seconds()) {
    if (!say({PullProgress::Phase::waiting, why, seconds - left, seconds})) throw_cancelled();
    const double step = std::min(left, 0.1);
    timespec pause{0, static_cast<long>(step * 1e9)};
    ::nanosleep(&pause, nullptr);
  }
}

// `RateLimit` comes on answers that succeed too: the next request waits for the window's end.
void HubClient::heed_limit(const HttpAnswer& answer) {
  if (const auto seconds = limit_wait(answer))
    not_before_ = monotonic_seconds() + static_cast<double>(std::min(*seconds, longest_wait));
}

// The token goes to the Hub's own origin alone.
HubClient::Reply HubClient::follow(HttpRequest request, bool bare) {
  const std::vector<std::string> headers = request.headers;
  Reply reply;
  for (int i = 0; i <= max_redirects; ++i) {
    const bool own = origin_of(request.url) == origin_;
    request.headers = headers;
    request.headers.push_back("Accept-Encoding: identity");
    if (own && !bare && !settings_.token.empty()) request.headers.push_back("Authorization: Bearer " + settings_.token);
    if (own && not_before_ > 0) {
      wait(not_before_ - monotonic_seconds(), "the Hub's limit of requests is reached");
      not_before_ = 0;
    }
    reply.url = request.url;
    reply.outcome = http_->send(request);
    if (own) heed_limit(reply.outcome.answer);
    const std::string location = reply.outcome.answer.header("location");
    if (reply.outcome.problem != HttpProblem::none || !is_redirect(reply.outcome.answer.status) || location.empty())
      return reply;
    const std::string next = join_url(request.url, location);
    if (next.empty() || (is_https(request.url) && !is_https(next)))
      throw Error(Status::bad_file, name_.text() + ": " + shown_origin(request.url) + " leads to \"" +
                                        printable(location) + "\", which is no address that can be trusted");
    // What is known from here on is the file itself: HEAD stops at the Hub, whose headers describe it.
    if (request.method == HttpMethod::head && origin_of(next) != origin_) return reply;
    request.url = next;
  }
  throw Error(Status::bad_file, name_.text() + ": " + shown_origin(origin_) +
                                    " leads from one address to another without end (" + std::to_string(max_redirects) +
                                    " followed)");
}

HubClient::Reply HubClient::send(const Task& task) {
  uint64_t furthest = task.position ? task.position() : 0;
  for (int failed = 0;;) {
    Reply reply = follow(task.make(), task.bare);
    HttpOutcome& outcome = reply.outcome;
    if (outcome.problem == HttpProblem::cancelled) throw_cancelled();
    if (outcome.problem == HttpProblem::none && outcome.answer.status < 300 && task.position &&
        task.position() < task.size) {  // nothing said how long it is
      outcome.problem = HttpProblem::cut;
      outcome.reason = std::to_string(task.position()) + " of " + std::to_string(task.size) + " bytes came";
    }
    const bool answered = outcome.problem == HttpProblem::none;
    const int also = task.call != nullptr ? task.call->also : 416;
    if (answered && (outcome.answer.status < 400 || outcome.answer.status == also)) return reply;
    const std::string elsewhere = origin_of(reply.url) == origin_ ? "" : shown_origin(reply.url);
    const bool went_on = task.position && task.position() > furthest;
    if (went_on) failed = 0, furthest = task.position();
    const int tries = outcome.problem == HttpProblem::unreachable ? std::min(2, settings_.retries) : settings_.retries;
    const auto asked = asked_wait(outcome.answer, static_cast<long>(::time(nullptr)));
    // What refuses on another host is an address that has run out, and is made anew.
    bool again = worth_retrying(outcome) || (answered && !elsewhere.empty());
    if (task.call != nullptr && task.call->once)
      again = outcome.problem == HttpProblem::unreachable || outcome.answer.status == 429;
    if (!again || ++failed > tries || (asked && *asked > longest_wait))
      throw answered ? hub_refusal(outcome.answer, name_, settings_, task.what, elsewhere, task.call != nullptr)
                     : net_failure(outcome, name_, reply.url, task.what);
    if (went_on && outcome.problem == HttpProblem::cut) continue;
    not_before_ = 0;
    wait(asked && answered ? static_cast<double>(*asked) : backoff(failed),
         answered ? "the Hub answers " + std::to_string(outcome.answer.status) : "the connection failed");
  }
}

nlohmann::json HubClient::get_json(const std::string& url, const std::string& what, std::string* links) {
  const auto go_on = [&] { return say({PullProgress::Phase::asking, what, 0, 0}); };
  if (!go_on()) throw_cancelled();
  HttpRequest request;
  request.url = url;
  request.max_body = max_json_bytes;
  request.stall_seconds = settings_.api_seconds;
  request.go_on = go_on;
  const Reply reply = send({.what = what, .make = [&] { return request; }});
  if (links != nullptr) *links = reply.outcome.answer.header("link");
  const std::string type = reply.outcome.answer.header("content-type");
  try {
    return parse_json(reply.outcome.answer.body, url);
  } catch (const Error&) {
    throw Error(Status::bad_file, name_.text() + ": expected JSON from " + printable(url, 200) + ", found " +
                                      (type.empty() ? "something else" : printable(type, 60)) +
                                      ": is a proxy or a login page in between, or HF_ENDPOINT no Hub?");
  }
}

}  // namespace quern

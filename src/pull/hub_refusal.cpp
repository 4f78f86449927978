#include "pull/hub_refusal.h"

#include <time.h>

#include <optional>

#include "io/json.h"
#include "net/retry.h"
#include "net/url.h"

namespace quern {
namespace {

// What the Hub says itself, for the end of a sentence.
std::string own_words(const HttpAnswer& answer) {
  const std::string message = answer.header("x-error-message");
  return message.empty() ? std::string() : " (the Hub says: " + printable(message, 200) + ")";
}

Error no_access(const HttpAnswer& answer, const RepoName& name, const HubSettings& settings) {
  const std::string page = settings.endpoint + '/' + name.place(), code = answer.header("x-error-code");
  const std::string message = answer.header("x-error-message");
  const bool has_token = !settings.token.empty();
  const std::string repo = name.text() + ": ";
  if (message.find("Invalid credentials") != std::string::npos || (has_token && answer.status == 401 && code.empty()))
    return {Status::unsupported, repo + "the Hub does not take the token of " + settings.token_source +
                                     ": it is wrong or has expired; make another at " + settings.endpoint +
                                     "/settings/tokens"};
  if (message.find("is disabled") != std::string::npos)
    return {Status::unsupported, repo + "the Hub has disabled access to this repository"};
  if (code == "GatedRepo" && !has_token)
    return {Status::unsupported, repo + "is gated: ask for access at " + page +
                                     ", then set HF_TOKEN to a token of your account (" + settings.endpoint +
                                     "/settings/tokens)"};
  if (code == "GatedRepo")
    return {Status::unsupported, repo + "is gated, and the account of the token of " + settings.token_source +
                                     " has no access: ask for it at " + page};
  if (answer.status == 403)
    return {Status::unsupported,
            repo +
                (has_token ? "the token of " + settings.token_source + " may not read it: give it that permission" +
                                 " at " + settings.endpoint + "/settings/tokens"
                           : "the Hub refuses access: set HF_TOKEN to a token that may read it") +
                own_words(answer)};
  return {Status::not_found,
          repo + "the Hub has no such repository, or it is private: check the name" +
              (has_token ? ", and whether the account of the token of " + settings.token_source + " may read it"
                         : ", and set HF_TOKEN if it is yours")};
}

// Of what would change a repository; where it says nothing of its own, it is as of what reads.
std::optional<Error> no_right(const HttpAnswer& answer, const RepoName& name, const HubSettings& settings,
                              const std::string& what) {
  const std::string repo = name.text() + ": ";
  if (answer.status == 401 && settings.token.empty())
    return Error{Status::unsupported,
                 repo + "the Hub takes nothing without a token: set HF_TOKEN to one that may write (" +
                     settings.endpoint + "/settings/tokens)"};
  if (answer.status == 403)
    return Error{Status::unsupported, repo + what + ": the token of " + settings.token_source +
                                          " may not write there: give it that permission at " + settings.endpoint +
                                          "/settings/tokens" + own_words(answer)};
  if (answer.status == 400 || answer.status == 409 || answer.status == 412 || answer.status == 413 ||
      answer.status == 422)
    return Error{Status::io, repo + what + ": the Hub does not take it (" + std::to_string(answer.status) + ")" +
                                 (own_words(answer).empty() ? ": " + printable(answer.body, 300) : own_words(answer))};
  return std::nullopt;
}

}  // namespace

Error hub_refusal(const HttpAnswer& answer, const RepoName& name, const HubSettings& settings, const std::string& what,
                  const std::string& elsewhere, bool writes) {
  const std::string code = answer.header("x-error-code"), repo = name.text() + ": ";
  const std::string status = std::to_string(answer.status);
  if (!elsewhere.empty())
    return {Status::io,
            repo + what + ": " + elsewhere + ", to which the Hub leads, answers " + status + "; try again later"};
  if (const auto refused = writes ? no_right(answer, name, settings, what) : std::nullopt) return *refused;
  if (answer.status == 401 || answer.status == 403 || code == "RepoNotFound" || code == "GatedRepo")
    return no_access(answer, name, settings);
  if (code == "RevisionNotFound")
    return {Status::not_found, repo + "the repository has no revision '" + name.revision +
                                   "': expected a branch, a tag or a commit of " + settings.endpoint + '/' +
                                   name.place() + "/tree/main"};
  if (code == "EntryNotFound") return {Status::not_found, repo + "the repository has no " + what};
  if (answer.status == 404 || answer.status == 410)
    return {Status::not_found, repo + what + ": " + settings.endpoint + " answers " + status +
                                   ": no such repository, or no such revision"};
  if (answer.status == 429) {
    const auto seconds = asked_wait(answer, static_cast<long>(::time(nullptr)));
    return {Status::io, repo + "the Hub's limit of requests is reached: try again" +
                            (seconds ? " in " + std::to_string(*seconds) + " s" : " in a few minutes") +
                            (settings.token.empty() ? "; with HF_TOKEN set it is higher" : "")};
  }
  if (answer.status >= 500)
    return {Status::io, repo + what + ": " + settings.endpoint + " answers " + status +
                            " again and again: it has trouble of its own; try later"};
  return {Status::io, repo + what + ": " + settings.endpoint + " answers " + status + own_words(answer)};
}

Error net_failure(const HttpOutcome& outcome, const RepoName& name, const std::string& url, const std::string& what) {
  const std::string host = shown_origin(url), repo = name.text() + ": ";
  const std::string again = name.dataset ? "); try again" : "); what came is kept, try again";
  switch (outcome.problem) {
    case HttpProblem::unreachable:
      return {Status::io, repo + host + " cannot be reached (" + printable(outcome.reason) +
                              (name.dataset ? "); without it, texts come from files of this machine"
                                            : "); what is in the caches works without it: quern models lists that")};
    case HttpProblem::untrusted:
      return {Status::io, repo + host + " cannot be trusted (" + printable(outcome.reason) +
                              "); behind a proxy that opens TLS, set SSL_CERT_FILE to its certificate"};
    case HttpProblem::stalled:
      return {Status::io, repo + what + ": " + host + " sends nothing any more (" + printable(outcome.reason) + again};
    case HttpProblem::too_long:
      return {Status::bad_file, repo + what + ": from " + host + ": " + outcome.reason};
    default:
      return {Status::io, repo + what + ": the connection to " + host + " ends early again and again (" +
                              printable(outcome.reason) + again};
  }
}

}  // namespace quern

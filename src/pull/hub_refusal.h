// What the Hub's refusals mean, in a sentence that says what to do next.
#pragma once
#include <string>

#include "error.h"
#include "hub/environment.h"
#include "hub/repo_name.h"
#include "net/http.h"

namespace quern {

// Of an answer with a status of 400 and more. what: was asked for, "the list of its files". elsewhere: the host that
// answered where it is not the Hub's. writes: what was asked for would change the repository.
Error hub_refusal(const HttpAnswer& answer, const RepoName& name, const HubSettings& settings, const std::string& what,
                  const std::string& elsewhere, bool writes = false);

// Of a request without a whole answer.
Error net_failure(const HttpOutcome& outcome, const RepoName& name, const std::string& url, const std::string& what);

}  // namespace quern

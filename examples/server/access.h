// Who may ask: keys, names that the server is reached by, pages of other sites.
#pragma once
#include "app.h"

namespace server {

// Refuses a key that is none, or that no request can carry. where: the option or variable it came by. Throws
// std::invalid_argument.
void check_key_text(const std::string& key, const std::string& where);
// Throws Refusal. open: the route needs no key.
void check_access(const Options& options, const httplib::Request& request, bool open);
// What a browser asks before a page of another site may ask; false: this is no such question.
bool answer_preflight(const Options& options, const httplib::Request& request, httplib::Response& response);
// For answers to pages of the sites that are let in.
void allow_origin(const Options& options, const std::string& origin, httplib::Response& response);

}  // namespace server

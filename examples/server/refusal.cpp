#include "refusal.h"

#include <nlohmann/json.hpp>

namespace server {
namespace {

// What a reason is called: OpenAI's status, type and code, then the status and type of TEI and of TGI.
struct Names {
  Reason reason;
  int openai;
  const char *openai_type, *openai_code;
  int tei;
  const char *tei_type, *tgi_type;
};
constexpr Names names[] = {
    {Reason::malformed, 400, "invalid_request_error", "invalid_json", 400, "Validation", "validation"},
    {Reason::wrong_type, 400, "invalid_request_error", "invalid_value", 422, "Validation", "validation"},
    {Reason::validation, 400, "invalid_request_error", "invalid_value", 422, "Validation", "validation"},
    {Reason::empty, 400, "invalid_request_error", "empty_input", 400, "Empty", "validation"},
    {Reason::wrong_task, 400, "invalid_request_error", "unsupported_model", 424, "Backend", "generation"},
    {Reason::unknown_model, 404, "invalid_request_error", "model_not_found", 404, "Validation", "validation"},
    {Reason::conflict, 409, "invalid_request_error", "fingerprint_mismatch", 409, "Validation", "validation"},
    {Reason::overloaded, 429, "rate_limit_error", "overloaded", 429, "Overloaded", "overloaded"},
    {Reason::memory, 503, "unavailable_error", "out_of_memory", 503, "Unhealthy", "overloaded"},
    {Reason::deadline, 504, "timeout_error", "deadline_exceeded", 504, "Overloaded", "incomplete_generation"},
    {Reason::draining, 503, "unavailable_error", "shutting_down", 503, "Unhealthy", "unhealthy"},
    {Reason::unauthorized, 401, "authentication_error", "invalid_api_key", 401, "Unauthorized", "unauthorized"},
    {Reason::forbidden, 403, "permission_error", "forbidden", 403, "Forbidden", "forbidden"},
    {Reason::not_found, 404, "not_found_error", "not_found", 404, "NotFound", "not_found"},
    {Reason::method, 405, "invalid_request_error", "method_not_allowed", 405, "Validation", "validation"},
    {Reason::too_slow, 408, "timeout_error", "request_timeout", 408, "Validation", "validation"},
    {Reason::body_size, 413, "invalid_request_error", "body_too_large", 413, "Validation", "validation"},
    {Reason::media_type, 415, "invalid_request_error", "unsupported_media_type", 415, "Validation", "validation"},
    {Reason::head_size, 431, "invalid_request_error", "headers_too_large", 431, "Validation", "validation"},
    {Reason::failed, 500, "server_error", "model_failed", 424, "Backend", "generation"},
    {Reason::internal, 500, "server_error", "internal_error", 500, "Backend", "generation"},
};

const Names& names_of(Reason reason) {
  for (const Names& n : names)
    if (n.reason == reason) return n;
  return names[std::size(names) - 1];
}

// Anthropic's types are its own, and so is the status of a server that has too much to do.
struct AnthropicName {
  int status;
  const char* type;
};
AnthropicName anthropic_name(int status) {
  constexpr AnthropicName known[] = {{401, "authentication_error"}, {403, "permission_error"}, {404, "not_found_error"},
                                     {413, "request_too_large"},    {429, "rate_limit_error"}, {500, "api_error"},
                                     {504, "timeout_error"}};
  for (const AnthropicName& n : known)
    if (n.status == status) return n;
  if (status == 503) return {529, "overloaded_error"};
  return {status, status < 500 ? "invalid_request_error" : "api_error"};
}

}  // namespace

RefusalText render(const Refusal& refusal, Dialect dialect, bool old_tei) {
  using Json = nlohmann::ordered_json;
  const Names& n = names_of(refusal.reason);
  RefusalText text;
  Json body;
  if (dialect == Dialect::anthropic) {
    const AnthropicName name = anthropic_name(n.openai);
    text.status = name.status;
    body = {{"type", "error"}, {"error", {{"type", name.type}, {"message", refusal.message}}}};
  } else if (dialect == Dialect::ollama) {
    text.status = n.openai;
    body = {{"error", refusal.message}};
  } else if (dialect == Dialect::openai) {
    text.status = n.openai;
    body["error"] = {
        {"message", refusal.message}, {"type", n.openai_type}, {"param", nullptr}, {"code", n.openai_code}};
    if (!refusal.param.empty()) body["error"]["param"] = refusal.param;
    body["message"] = refusal.message;  // TEI's clients look here on /v1/embeddings
    body["type"] = n.tei_type;
    body["code"] = text.status;
  } else {
    text.status = n.tei;
    if (old_tei && dialect == Dialect::tei && refusal.reason == Reason::validation) text.status = 413;
    body["error"] = refusal.message;
    body["error_type"] = dialect == Dialect::tei ? n.tei_type : n.tgi_type;
  }
  text.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text;
}

}  // namespace server

// Every path that is answered: one table per file, one function per entry.
#pragma once
#include <span>
#include <string>

#include "call.h"

namespace server {

struct Route {
  const char *method, *path;
  Dialect dialect;
  void (*handle)(Call& call);
  bool open = false;  // needs no key
};

std::span<const Route> embedding_routes();  // vectors, in every dialect
std::span<const Route> scoring_routes();    // rerank, predict, similarity
std::span<const Route> token_routes();      // tokenize, decode
std::span<const Route> openai_routes();     // chat and completions
std::span<const Route> anthropic_routes();  // messages
std::span<const Route> responses_routes();  // OpenAI's responses
std::span<const Route> ollama_routes();     // all of /api
std::span<const Route> tgi_routes();
std::span<const Route> adapter_routes();  // LoRA adapters that come and go
std::span<const Route> about_routes();    // info, health, metrics, models, the page

bool answer_model(Call& call);  // GET /v1/models/NAME; false: it is not that

}  // namespace server

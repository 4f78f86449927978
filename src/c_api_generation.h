// What calls of a generator and of a scheduler share: their options, and events as callers see them.
#pragma once
#include <vector>

#include "c_api.h"
#include "generation/text_generator.h"

namespace quern::c_api {

// options may be null. Throw Error.
GeneratorOptions generator_options_of(const quern_generator_options* options);
TextRequest text_request_of(const quern_generation_options* options, std::span<const int32_t> ids);
quern_generator_stats stats_of(const GeneratorStats& stats);

// An event that lasts as long as this and what it was made from.
class EventView {
 public:
  const quern_token_event& of(const TextEvent& e, int64_t sequence);

 private:
  std::vector<quern_token_logprob> top_;
  quern_token_event event_;
};

}  // namespace quern::c_api

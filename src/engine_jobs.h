// What goes through a session: where texts' tokens come from, and what is made of their last hidden states.
#pragma once
#include "engine.h"

namespace quern {

// One text's part of a pack, after the model.
struct Finished {
  size_t index;  // of the text in the call
  Tensor hidden;
  std::span<const int32_t> ids;
  std::span<const Span> offsets;          // where the job wants them
  std::span<const uint8_t> special_mask;  // likewise
};

struct Session::Job {
  virtual ~Job() = default;
  // The tokens of text `index`. Called from any thread.
  virtual void tokens(size_t index, Encoding& out) const = 0;
  virtual void finish(Ops& /*op*/, const Finished& /*text*/) const {}
  virtual void finish_empty(size_t /*index*/) const {}  // a text without tokens

  bool want_offsets = false;
  bool truncates = true;  // else a text that lost tokens is an error
  size_t max_length = 0, first_text = 1;
};

// Limits and names of a call that are checked once.
void settle(Session::Job& job, const LoadedModel& model, const TextOptions& options, bool pair = false);

// The prompt that the options mean.
std::string prompt_of(const LoadedModel& model, const TextOptions& options);

// Throws Error{bad_argument}: what the model is asked for is not what it makes.
[[noreturn]] void refuse_task(const LoadedModel& model, const char* wanted);

}  // namespace quern

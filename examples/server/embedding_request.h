// What every dialect's requests for vectors have in common.
#pragma once
#include <string>
#include <vector>

#include "call.h"

namespace server {

// Texts under `name`: a string, token ids, or a list of either. Throws Refusal.
std::vector<TextInput> inputs_of(Call& call, const Fields& fields, const char* name, const ServedModel& model);

// dimensions, normalize, prompts, truncation. `usual`: what the dialect has where a field is absent.
Encode encode_of(Call& call, const Fields& fields, const ServedModel& model, Encode usual = {});
// truncate and truncation_direction.
int long_texts_of(Call& call, const Fields& fields);
// on_error: "null" leaves nulls in place of what failed.
bool keeps_errors(const Fields& fields);
// Throws Reason::conflict if the request expects another fingerprint than the model's.
void check_fingerprint(Call& call, const Fields& fields, const ServedModel& model);

// Refuses "", as the services do. With keep_errors such a text gets an error instead.
struct Vectors {
  std::shared_ptr<TextJob> job;
  std::vector<size_t> place;        // of each input in the job; SIZE_MAX: it failed before
  std::vector<std::string> errors;  // of each input; "" for most
  const TextOutput* of(size_t input) const { return errors[input].empty() ? &job->outputs[place[input]] : nullptr; }
  size_t size() const { return errors.size(); }
};
Vectors run_vectors(Call& call, const Fields& fields, ServedModel& model, Encode operation,
                    std::vector<TextInput> texts);
// "errors": [{"index", "message"}], or null where there were none.
Json errors_of(const Vectors& vectors);

}  // namespace server

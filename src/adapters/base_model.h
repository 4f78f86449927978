// Whether an adapter is one of a model.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "adapters/peft_folder.h"

namespace quern {

struct LoadedModel;

// "path/to/bert/" → "bert"
std::string last_part(std::string path);

// Modules of the heads that classes of the model's architecture have, whether it has them or not.
std::set<std::string> head_modules(const LoadedModel& model);
// Whether a module is one of these, with whichever of the architecture's prefixes each of them has.
bool is_among(const std::string& module, const std::set<std::string>& modules, const LoadedModel& model);

// used: modules that the model has. Throws Error{bad_file} for one that it has not, but for those of a head that it
// does not run. → what the adapter's user should know: a base of another name, layers that are not run.
std::vector<std::string> notes_of(const PeftFolder& folder, const std::set<std::string>& used,
                                  const LoadedModel& model);

}  // namespace quern

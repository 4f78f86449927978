// The card of a model that is pushed without one: README.md with the lines between "---" that the Hub reads.
#pragma once
#include <string>

namespace cli {

// Of the folder's only model: the folder itself, or its only GGUF file. "" where there is none, or several. name: on
// the Hub, org/name. Throws Failure for one that does not load.
std::string model_card(const std::string& folder, const std::string& name);

}  // namespace cli

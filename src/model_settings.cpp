#include "model_settings.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "error.h"
#include "io/json.h"

namespace quern {

std::string prompts_to_json(const std::map<std::string, std::string>& prompts) {
  try {
    return nlohmann::json(prompts).dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(Status::bad_argument, "the prompts are not valid UTF-8");
  }
}

std::map<std::string, std::string> prompts_from_json(std::string_view text, const std::string& name) {
  const nlohmann::json root = parse_json(text, name);
  if (!root.is_object()) throw Error(Status::bad_file, name + ": the prompts are no JSON object");
  std::map<std::string, std::string> prompts;
  for (const auto& [key, value] : root.items()) {
    if (!value.is_string()) throw Error(Status::bad_file, name + ": prompt '" + printable(key) + "' is no string");
    prompts[key] = value.get<std::string>();
  }
  return prompts;
}

bool set_sampling(SamplingDefaults& sampling, const SamplingField& field, double value) {
  if (!(value >= field.least && value <= field.most) || (field.whole && value != std::floor(value))) return false;
  if (field.real)
    sampling.*field.real = static_cast<float>(value);
  else
    sampling.*field.whole = static_cast<int>(value);
  return true;
}

bool pooling_is_assumed(const ModelSettings& settings) {
  return std::any_of(settings.decisions.begin(), settings.decisions.end(),
                     [](const Decision& d) { return d.what == "pooling" && d.source.starts_with("assumed"); });
}

// Sources quote files, whose bytes may be no UTF-8: those are replaced, so that a decision never keeps a model from
// being converted.
std::string decisions_to_json(const std::vector<Decision>& decisions) {
  nlohmann::json all = nlohmann::json::array();
  for (const Decision& d : decisions) all.push_back({d.what, d.value, d.source});
  return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<Decision> decisions_from_json(std::string_view text, const std::string& name) {
  const nlohmann::json all = parse_json(text, name);
  std::vector<Decision> decisions;
  for (const auto& d : all) {
    if (!d.is_array() || d.size() != 3 || !d[0].is_string() || !d[1].is_string() || !d[2].is_string())
      throw Error(Status::bad_file, name + ": expected an array of [what, value, source]");
    decisions.push_back({d[0].get<std::string>(), d[1].get<std::string>(), d[2].get<std::string>()});
  }
  return decisions;
}

}  // namespace quern

#include "adapters/peft_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "adapters/name_pattern.h"
#include "io/json.h"
#include "io/json_file.h"
#include "io/mapped_file.h"

namespace quern {
namespace {

constexpr size_t kMostBytes = 16 << 20;
constexpr int kMostPatterns = 1 << 14;
constexpr double kMostRank = 1 << 16, kMostAlpha = 1e9;

// Fields that are read here, and those that say how an adapter was trained or where it came from. What modules it
// changes (target_modules and its kin) is told by its tensors. fan_in_fan_out is of GPT-2's Conv1D, which none of
// quern's architectures has: peft itself sets it aside for linear layers.
constexpr const char* kRead[] = {"peft_type",
                                 "r",
                                 "lora_alpha",
                                 "rank_pattern",
                                 "alpha_pattern",
                                 "use_rslora",
                                 "use_dora",
                                 "lora_bias",
                                 "bias",
                                 "task_type",
                                 "init_lora_weights",
                                 "ensure_weight_tying",
                                 "base_model_name_or_path"};
constexpr const char* kOfNoEffect[] = {"auto_mapping",   "inference_mode",    "revision",        "peft_version",
                                       "lora_dropout",   "target_modules",    "exclude_modules", "layers_to_transform",
                                       "layers_pattern", "modules_to_save",   "fan_in_fan_out",  "megatron_config",
                                       "megatron_core",  "loftq_config",      "eva_config",      "corda_config",
                                       "lora_ga_config", "qalora_group_size", "runtime_config"};
// Of init_lora_weights: those that leave the base model's weights alone.
constexpr const char* kStarts[] = {"gaussian", "eva", "orthogonal"};

template <size_t N>
bool is_one_of(const char* const (&names)[N], const std::string& name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool is_unset(const nlohmann::json& value) {
  return value.is_null() || value.empty() || value == false || value == 0 || value == "";
}

[[noreturn]] void unknown(const JsonFile& file, const std::string& field, const std::string& value,
                          const std::string& expected) {
  throw Error(Status::unsupported, file.name() + ": '" + printable(field) + "' is " + printable(value) +
                                       ", which quern does not apply (" + expected +
                                       "); merge the adapter with peft's merge_and_unload and convert the result");
}

double number_of(const JsonFile& file, const std::string& field, const nlohmann::json* value, double least,
                 double most) {
  const double found = value && value->is_number() ? value->get<double>() : NAN;
  if (!(found >= least && found <= most))
    file.wrong(field.c_str(), "a number from " + std::to_string(static_cast<int64_t>(least)) + " to " +
                                  std::to_string(static_cast<int64_t>(most)));
  return found;
}

void check_start(const JsonFile& file) {
  const nlohmann::json* start = file.find("init_lora_weights");
  if (!start || start->is_boolean() || (start->is_string() && is_one_of(kStarts, start->get<std::string>()))) return;
  throw Error(Status::unsupported,
              file.name() + ": 'init_lora_weights' is " + printable(start->dump()) +
                  ", a start that changes the base model's weights too; save the adapter with peft's "
                  "path_initial_model_for_weight_conversion, which makes a plain one of it");
}

}  // namespace

PeftConfig PeftConfig::read(const std::string& dir) {
  PeftConfig c;
  c.path = dir + "/adapter_config.json";
  const std::string text = read_model_text(c.path, kMostBytes);
  const JsonFile file(c.path, parse_json(text, c.path));
  if (!file.value().is_object()) throw Error(Status::bad_file, c.path + ": no JSON object");
  const std::string type = file.string("peft_type").value_or("");
  if (type.empty()) throw Error(Status::bad_file, c.path + ": 'peft_type' is missing; expected \"LORA\"");
  if (type != "LORA") unknown(file, "peft_type", type, "it applies LORA");
  for (const auto& [field, value] : file.value().items())
    if (!is_one_of(kRead, field) && !is_one_of(kOfNoEffect, field) && !is_unset(value))
      unknown(file, field, value.dump(), "of LoRA's variants it knows use_rslora, use_dora and lora_bias");
  check_start(file);
  const std::string bias = file.string("bias").value_or("none");
  if (bias != "none" && bias != "all" && bias != "lora_only")
    unknown(file, "bias", bias, "it knows none, all and lora_only");
  c.base = file.string("base_model_name_or_path").value_or("");
  c.dora = file.boolean("use_dora").value_or(false);
  c.lora_bias = file.boolean("lora_bias").value_or(false);
  c.tied = file.boolean("ensure_weight_tying").value_or(false);
  c.by_root_ = file.boolean("use_rslora").value_or(false);
  c.rank_ = number_of(file, "r", file.find("r"), 1, kMostRank);
  c.alpha_ = number_of(file, "lora_alpha", file.find("lora_alpha"), -kMostAlpha, kMostAlpha);
  const nlohmann::ordered_json in_order = parse_ordered_json(text, c.path, 64, kMostPatterns);
  const auto pattern = [&](const char* field, Pattern& to, double least, double most) {
    const auto found = in_order.find(field);
    if (found == in_order.end() || found->is_null()) return;
    if (!found->is_object()) file.wrong(field, "an object of module names and numbers");
    for (const auto& [key, value] : found->items()) {
      const nlohmann::json number = value.is_number() ? nlohmann::json(value.get<double>()) : nlohmann::json();
      to.emplace_back(key, number_of(file, std::string(field) + "." + printable(key), &number, least, most));
    }
  };
  pattern("rank_pattern", c.ranks_, 1, kMostRank);
  pattern("alpha_pattern", c.alphas_, -kMostAlpha, kMostAlpha);
  return c;
}

double PeftConfig::by_pattern(const Pattern& pattern, const char* field, const std::string& module,
                              double otherwise) const {
  for (const auto& [key, value] : pattern)
    if (matches_module(module, key, path + ": '" + field + "'")) return value;
  return otherwise;
}

double PeftConfig::rank_of(const std::string& module) const {
  return by_pattern(ranks_, "rank_pattern", module, rank_);
}

double PeftConfig::scale_of(const std::string& module) const {
  const double rank = rank_of(module);
  return by_pattern(alphas_, "alpha_pattern", module, alpha_) / (by_root_ ? std::sqrt(rank) : rank);
}

}  // namespace quern

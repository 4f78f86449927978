// adapter_config.json of a peft folder: what it says of a LoRA adapter, and what is refused.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace quern {

struct PeftConfig {
  // dir/adapter_config.json. Throws Error: not_found, bad_file, unsupported for what quern does not apply: another
  // peft_type, a variant of LoRA, a field that it does not know and that is set.
  static PeftConfig read(const std::string& dir);

  double rank_of(const std::string& module) const;
  double scale_of(const std::string& module) const;  // what B·A is multiplied by

  std::string path;
  std::string base;        // base_model_name_or_path; empty: unknown
  bool dora = false;       // rows have the lengths that the magnitudes say
  bool lora_bias = false;  // B has a bias
  bool tied = false;       // ensure_weight_tying: what changes the embedding changes a head tied to it

 private:
  using Pattern = std::vector<std::pair<std::string, double>>;  // in the file's order: the first that matches counts
  double by_pattern(const Pattern& pattern, const char* field, const std::string& module, double otherwise) const;

  double rank_ = 0, alpha_ = 0;
  bool by_root_ = false;  // use_rslora: alpha / √r
  Pattern ranks_, alphas_;
};

}  // namespace quern

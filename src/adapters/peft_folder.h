// A peft folder: a LoRA adapter's settings, and its tensors by the module that they change.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/peft_config.h"
#include "models/weight_source.h"
#include "safetensors/safetensors.h"

namespace quern {

// What an adapter has of one module; what it has not is empty. Shapes are as the file has them.
struct PeftModule {
  std::optional<WeightTensor> a, b;                      // lora_A (r, in), lora_B (out, r)
  std::optional<WeightTensor> b_bias;                    // (out)
  std::optional<WeightTensor> embedding_a, embedding_b;  // (r, rows), (width, r): of a table
  std::optional<WeightTensor> magnitude;                 // of DoRA
  std::optional<WeightTensor> weight, bias;              // in place of the base model's

  const WeightTensor& any() const;  // one of its tensors, for messages
};

class PeftFolder {
 public:
  // dir: with adapter_config.json and adapter_model.safetensors. Throws Error: not_found, bad_file, unsupported.
  static PeftFolder open(const std::string& dir);

  const std::string& dir() const { return dir_; }
  const PeftConfig& config() const { return config_; }
  // By names without peft's prefix and suffixes: "encoder.layer.0.attention.self.query".
  const std::map<std::string, PeftModule>& modules() const { return modules_; }
  std::span<const std::string> files() const { return tensors_.files(); }

 private:
  PeftFolder(std::string dir, PeftConfig config, Safetensors tensors)
      : dir_(std::move(dir)), config_(std::move(config)), tensors_(std::move(tensors)) {}
  void take(const StTensor& tensor);

  std::string dir_;
  PeftConfig config_;
  Safetensors tensors_;
  std::map<std::string, PeftModule> modules_;
};

// All of a tensor's values. Throws Error{bad_file} naming one that is no finite number.
std::vector<float> finite_values(const WeightTensor& tensor);

// Throws Error{bad_file}: the tensor has another shape than `expected` of the base model's layer.
[[noreturn]] void refuse_shape(const WeightTensor& tensor, const std::string& expected, const std::string& layer);

}  // namespace quern

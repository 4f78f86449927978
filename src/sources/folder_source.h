// A Hugging Face folder with safetensors weights.
#pragma once
#include "hub/hf_folder.h"
#include "models/hf_weights.h"
#include "sources/model_source.h"

namespace quern {

class FolderSource final : public ModelSource {
 public:
  explicit FolderSource(std::string path, WeightChanges* changes = nullptr);

  const char* format() const override { return "folder"; }
  const Architecture& architecture() const override { return architecture_; }
  ConfigMap& config() override { return config_; }
  WeightSource& weights() override { return weights_; }
  ModelSettings settings(const Model& model) override;
  std::unique_ptr<const Tokenizer> tokenizer(const ModelSettings& settings) const override;

 private:
  void complete_token_modules(MultiVectorConfig& head, int64_t width);

  HfFolder folder_;
  const Architecture& architecture_;
  HfWeights weights_;
  JsonConfig config_;
};

}  // namespace quern

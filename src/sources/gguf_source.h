// A GGUF file: quern's own in each of its layouts, or llama.cpp's.
#pragma once
#include "gguf/reader.h"
#include "io/mapped_file.h"
#include "models/gguf_weights.h"
#include "sources/model_source.h"

namespace quern {

struct GgufLayout;

class GgufSource final : public ModelSource {
 public:
  explicit GgufSource(std::string path);

  const char* format() const override { return "gguf"; }
  const Architecture& architecture() const override { return architecture_; }
  ConfigMap& config() override { return config_; }
  WeightSource& weights() override { return weights_; }
  ModelSettings settings(const Model& model) override;
  std::unique_ptr<const Tokenizer> tokenizer(const ModelSettings& settings) const override;
  void complete(ModelSettings& settings, const Tokenizer& tokenizer) const override;

 private:
  MappedFile map_;
  GgufReader file_;
  const Architecture& architecture_;
  GgufConfig config_;
  GgufWeights weights_;
  const GgufLayout* layout_ = nullptr;  // once settings() knows it
};

}  // namespace quern

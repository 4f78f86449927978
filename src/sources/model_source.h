// Where a model comes from: its architecture, hyper-parameters, weights, settings and tokenizer, whatever the format.
// An implementation for each, in files of its own; a new one is a case in open_source.cpp.
#pragma once
#include <memory>
#include <string>

#include "model_settings.h"
#include "models/model.h"
#include "models/weight_changes.h"
#include "models/weight_source.h"
#include "tokenizers/tokenizer.h"

namespace quern {

// Must outlive what was made of it: weights and tables of the tokenizer are used where they lie. Calls come in this
// order, config() and settings() once; each throws Error.
class ModelSource {
 public:
  explicit ModelSource(std::string path) : path_(std::move(path)) {}
  virtual ~ModelSource() = default;
  ModelSource(const ModelSource&) = delete;
  ModelSource& operator=(const ModelSource&) = delete;

  const std::string& path() const { return path_; }  // as resolved, for messages
  virtual const char* format() const = 0;            // "gguf" or "folder"
  virtual const Architecture& architecture() const = 0;
  virtual ConfigMap& config() = 0;  // hyper-parameters
  virtual WeightSource& weights() = 0;
  // Of a model whose weights are bound.
  virtual ModelSettings settings(const Model& model) = 0;
  virtual std::unique_ptr<const Tokenizer> tokenizer(const ModelSettings& settings) const = 0;
  // Into settings what only the vocabulary tells.
  virtual void complete(ModelSettings& /*settings*/, const Tokenizer& /*tokenizer*/) const {}

 private:
  std::string path_;
};

// spec: a model file, a folder, or a repo id in the local Hub cache. changes: to a folder's weights, which outlives the
// source; may be null. Throws Error, unsupported for changes to a model file's.
std::unique_ptr<ModelSource> open_source(const std::string& spec, WeightChanges* changes = nullptr);

}  // namespace quern

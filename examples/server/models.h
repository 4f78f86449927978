// The models that are served, and which of them a request means.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fields.h"
#include "generation_service.h"
#include "text_service.h"

namespace server {

enum class Task { embed, sparse, multi_vector, rerank, classify, token_classify, generate };
const char* name_of(Task task);

struct ModelSource {
  std::string id, path;
};
// NAME=PATH, or PATH, whose last part without its extension is the name.
ModelSource parse_source(const std::string& text);

struct ModelLimits {
  quern_text_scheduler_options texts = quern_text_scheduler_options_default();
  GenerationService::Limits generation;
};

class ServedModel {
 public:
  // Throws QuernError.
  ServedModel(const ModelSource& source, const ModelLimits& limits, Metrics& metrics);

  bool can(Task task) const;
  std::vector<std::string> tasks() const;
  const quern_model* get() const { return handle_.get(); }
  int64_t vocabulary() const { return description.value("vocabulary", int64_t{0}); }  // how many ids it has

  const std::string id, path;
  int64_t created = 0;      // Unix seconds of its file
  Json description;         // quern_model_describe, without the list of tensors
  std::string fingerprint;  // of models that make vectors
  int64_t width = 0;        // of a vector, or 0
  int64_t max_length = 0;
  std::vector<std::string> labels;
  bool has_chat = false;
  std::unique_ptr<TextService> texts;             // null for what only generates
  std::unique_ptr<GenerationService> generation;  // null for what does not

 private:
  ModelHandle handle_;
  unsigned outputs_ = 0;
};

class Models {
 public:
  // Loads all. Throws QuernError that names the path.
  Models(const std::vector<ModelSource>& sources, const ModelLimits& limits, Metrics& metrics);

  // By name; else the only one that has the task, where rerankers classify only if nothing else does. Throws Refusal.
  std::shared_ptr<ServedModel> pick(const std::string& name, Task task) const;
  std::shared_ptr<ServedModel> named(const std::string& name) const;  // null: none
  bool can_classify() const;                                          // by a model that is no reranker
  const std::vector<std::shared_ptr<ServedModel>>& all() const { return all_; }

 private:
  std::vector<std::shared_ptr<ServedModel>> all_;
};

}  // namespace server

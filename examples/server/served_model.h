// One model: what is known of it, and it itself, loaded and ready for requests.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fields.h"
#include "generation_service.h"
#include "text_service.h"

namespace server {

enum class Task { embed, sparse, multi_vector, rerank, classify, token_classify, generate };
const char* name_of(Task task);

struct AdapterSource {
  std::string name, folder;
};
struct ModelSource {
  std::string id, path;
  std::vector<AdapterSource> adapters = {};  // that requests choose by "id:name"
};
// NAME=PATH, or PATH, whose last part without its extension is the name.
ModelSource parse_source(const std::string& text);

struct ModelLimits {
  quern_text_scheduler_options texts = quern_text_scheduler_options_default();
  GenerationService::Limits generation;
};

// What stays known when it is not loaded.
struct ModelFacts {
  // Before it is loaded: its name, and the size and age of its files.
  explicit ModelFacts(const ModelSource& source);

  bool can(Task task) const;
  std::vector<std::string> tasks() const;
  int64_t vocabulary() const { return description.value("vocabulary", int64_t{0}); }  // how many ids it has
  uint64_t memory() const { return bytes + kv_bytes; }                                // that it takes when it is loaded

  std::string id, path;
  bool known = false;       // it was loaded: what follows holds
  int64_t created = 0;      // Unix seconds of its file
  uint64_t bytes = 0;       // of its weights
  uint64_t kv_bytes = 0;    // that keys and values may come to
  Json description;         // quern_model_describe, without the list of tensors
  std::string fingerprint;  // of models that make vectors
  int64_t width = 0;        // of a vector, or 0
  int64_t max_length = 0;   // tokens of a text
  int64_t context = 0;      // of a sequence that is generated, or 0
  std::vector<std::string> labels;
  bool has_chat = false;
  unsigned outputs = 0;
};

class ServedModel : public ModelFacts {
 public:
  // one_of_many: a context beyond the model's is cut to that, in place of an error. Throws QuernError.
  ServedModel(const ModelSource& source, const ModelLimits& limits, Metrics& metrics, bool one_of_many);

  const quern_model* get() const { return handle_.get(); }
  // The model with one of its adapters: what it lacks is this one's. Null: it has none of that name. Thread-safe, as
  // are the next two.
  std::shared_ptr<ServedModel> with_adapter(const std::string& name) const;
  // The model with an adapter that is not one of its own yet. Throws QuernError.
  std::shared_ptr<ServedModel> read_adapter(const AdapterSource& adapter) const;
  // What with_adapter finds by the name from now on; null: nothing. Who has what it found keeps it. → the bytes that
  // adapters take more.
  int64_t set_adapter(const std::string& name, std::shared_ptr<ServedModel> made);
  const quern_adapter* adapter() const { return adapter_.get(); }  // null: without

  // A job with the model's own sampling, and its adapter. Its seed is new.
  std::shared_ptr<GenerationJob> new_job() const;

  // "" where its texts have the threads that were asked for (0: every usable CPU). The system may start fewer: all
  // works then, but slower.
  std::string lack_of_threads(int asked) const;

  std::shared_ptr<TextService> texts;             // null for what only generates
  std::shared_ptr<GenerationService> generation;  // null for what does not
  std::vector<std::string> notes;                 // about its adapters

 private:
  ServedModel(const ServedModel& base, const AdapterSource& adapter);

  std::shared_ptr<quern_model> handle_;
  std::shared_ptr<quern_adapter> adapter_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<ServedModel>> with_adapters_;
};

}  // namespace server

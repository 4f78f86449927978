// A model ready to run, from whatever source. Immutable: any number of sessions share one.
#pragma once
#include <memory>
#include <string>
#include <unordered_set>

#include "chat/template_cache.h"
#include "heads/head_weights.h"
#include "heads/late_interaction.h"
#include "model_settings.h"
#include "models/model.h"
#include "offload.h"
#include "sources/model_source.h"
#include "tokenizers/tokenizer.h"

namespace quern {

// With its source's settings, of which type and max_length are settled here.
struct LoadedModel : ModelSettings {
  std::unique_ptr<ModelSource> source;   // what weights and tokenizer lie in
  std::shared_ptr<const Device> device;  // that runs it
  bool adopted = false;                  // the device, or another, keeps copies of its linears
  Offload offload;                       // layers that run elsewhere
  std::string path;                      // as resolved
  std::string format;                    // the source's
  const Architecture* architecture = nullptr;
  std::unique_ptr<Model> model;
  WeightMap weights;
  WeightStore store;
  std::unique_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<HeadWeights> heads;
  std::unordered_set<int32_t> unweighted_ids;  // that a sparse head over a text's own tokens passes over
  TokenChoice token_choice;                    // of a multi-vector head
  TemplateCache templates;                     // of chat
};

// spec: a model file, a folder, or a repo id in the local Hub cache. changes: to a folder's weights; outlives the
// model; may be null. Throws Error.
std::unique_ptr<LoadedModel> load_model(const std::string& spec, WeightChanges* changes = nullptr,
                                        const DeviceChoice& choice = {});

// Whether it goes on with texts: a decoder that was not made into a classifier, whose states predict no tokens.
bool generates(const LoadedModel& model);

// Bytes of its files that a pass reads where they lie: in memory as long as nothing else needs it.
uint64_t mapped_bytes(const LoadedModel& model);

// How its attention computes.
Precision precision_of(const LoadedModel& model);

// Facts about it as a JSON object: format, type, architecture, sizes, pipeline, decisions, and what its file holds.
std::string describe_model(const LoadedModel& model);

}  // namespace quern

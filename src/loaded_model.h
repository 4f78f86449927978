// A model ready to run, from a model file or a Hugging Face folder. Immutable: any number of sessions share one.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "chat/template_cache.h"
#include "gguf/reader.h"
#include "heads/head_weights.h"
#include "hub/hf_folder.h"
#include "io/mapped_file.h"
#include "models/hf_weights.h"
#include "models/model.h"
#include "tokenizers/tokenizer.h"

namespace quern {

// Of quern's own tensors and keys in a model file. 1: tokenizer.json as it was; 2: its vocabulary in tables.
constexpr uint32_t kLayoutVersion = 2;
constexpr const char* kTablePrefix = "quern.tokenizer.";

struct LoadedModel {
  std::shared_ptr<const Device> device;  // that runs it
  std::string path;                      // as resolved
  std::string format;                    // "gguf" or "folder"
  std::string type;                      // of the linear layers: "q8", "f32", …
  const Architecture* architecture = nullptr;
  std::unique_ptr<Model> model;
  WeightMap weights;
  std::unique_ptr<const Tokenizer> tokenizer;
  std::string tokenizer_json;  // verbatim, or rebuilt, or without the vocabulary, which lies in a model file's tables

  Pipeline pipeline;
  std::unique_ptr<HeadWeights> heads;
  std::unordered_set<int32_t> unweighted_ids;  // that a sparse head over a text's own tokens passes over
  std::unordered_set<int32_t> end_tokens;      // that end a generated text
  size_t max_length = 0;                       // tokens of a text, special ones included
  std::map<std::string, std::string> prompts;
  std::string default_prompt;  // a name in prompts, or empty
  ChatFormat chat;             // no templates for what is no chat model
  TemplateCache templates;     // of chat
  std::string similarity;
  bool matryoshka = false;  // its source says that vectors may be cut
  std::string repo, revision, fingerprint, self_test;
  std::vector<Decision> decisions;

  // What the weights' bytes lie in.
  MappedFile file;
  std::unique_ptr<GgufReader> gguf;
  std::unique_ptr<HfWeights> hf;
  WeightStore store;
};

// spec: a model file, a folder, or a repo id in the local Hub cache. Throws Error.
std::unique_ptr<LoadedModel> load_model(const std::string& spec);

// How its attention computes.
Precision precision_of(const LoadedModel& model);

// Facts about it as a JSON object: format, type, architecture, sizes, pipeline, decisions, keys and tensors.
std::string describe_model(const LoadedModel& model);

std::string decisions_to_json(const std::vector<Decision>& decisions);
std::vector<Decision> decisions_from_json(std::string_view json, const std::string& name);

}  // namespace quern

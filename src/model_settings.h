// What a model's source says of how it is used, whatever its format: all but hyper-parameters and weights.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "chat/chat_format.h"
#include "heads/pipeline.h"

namespace quern {

struct Decision {
  std::string what;    // "max_length"
  std::string value;   // "256"
  std::string source;  // "sentence_bert_config.json: max_seq_length (tokenizer.json says 128)"
};

// How tokens are chosen where nobody says otherwise: what the source says of it, field by field, else what chat models
// do well with.
struct SamplingDefaults {
  float temperature = 0.8f;
  int top_k = 40;
  float top_p = 0.95f, min_p = 0.05f, repetition_penalty = 1;
  friend bool operator==(const SamplingDefaults&, const SamplingDefaults&) = default;
};
// One of its fields: as transformers' generation_config.json names it, and GGUF behind "general.sampling.".
struct SamplingField {
  const char *name, *key;
  double least, most;
  float SamplingDefaults::*real;  // or null,
  int SamplingDefaults::*whole;   // which is this one's
};
constexpr SamplingField sampling_fields[] = {
    {"temperature", "temp", 0, 100, &SamplingDefaults::temperature, nullptr},
    {"top_k", "top_k", 0, 1 << 30, nullptr, &SamplingDefaults::top_k},
    {"top_p", "top_p", 0, 1, &SamplingDefaults::top_p, nullptr},
    {"min_p", "min_p", 0, 1, &SamplingDefaults::min_p, nullptr},
    {"repetition_penalty", "penalty_repeat", 0.01, 100, &SamplingDefaults::repetition_penalty, nullptr},
};

// Sets a field; false, and nothing happens, for a value out of range or a part where the field is whole.
bool set_sampling(SamplingDefaults& sampling, const SamplingField& field, double value);

struct ModelSettings {
  std::string type;            // of the linear layers: "q8", "f32", …; empty: the source says nothing, they show it
  std::string level;           // of the type's levels, in files that have it: "q8_fine"; empty: none
  std::string tokenizer_json;  // verbatim, or rebuilt, or without the vocabulary, which lies in a model file's tables
  Pipeline pipeline;
  size_t max_length = 0;                       // tokens of a text, special ones included; 0: the source does not say
  std::map<std::string, std::string> prompts;  // name -> text
  std::string default_prompt;                  // a name in prompts, or empty
  std::string similarity = "cosine";           // cosine dot euclidean manhattan
  bool matryoshka = false;                     // its source says that vectors may be cut
  std::unordered_set<int32_t> end_tokens;      // that end a generated text
  SamplingDefaults sampling;
  ChatFormat chat;                     // no templates for what is no chat model
  std::string repo, revision;          // empty when unknown
  std::string fingerprint, self_test;  // that a model file keeps
  std::vector<Decision> decisions;
};

// Nothing in the source says how vectors are pooled: it is what its kind of model is used to.
bool pooling_is_assumed(const ModelSettings& settings);

// Their JSON forms in a model file. name is for messages; from_json throws Error{bad_file}.
std::string prompts_to_json(const std::map<std::string, std::string>& prompts);
std::map<std::string, std::string> prompts_from_json(std::string_view json, const std::string& name);
std::string decisions_to_json(const std::vector<Decision>& decisions);
std::vector<Decision> decisions_from_json(std::string_view json, const std::string& name);

}  // namespace quern

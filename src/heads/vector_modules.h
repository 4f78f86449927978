// The modules that make a text's vector, as sentence-transformers has them: a row for each, with its settings in a
// folder and in a model file, its weights and its step. A new one is its row in vector_modules.cpp.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "heads/head_weights.h"

namespace quern {

class JsonFile;

struct VectorModule {
  const char* name;      // sentence-transformers' class, and "type" in a model file
  const char* decision;  // what its settings decide
  bool needs_config;     // its folder must hold a config.json
  // From that file, null where there is none, → the decision's value. Throws Error{bad_file}, {unsupported}.
  std::string (*read)(const JsonFile* config, Pipeline::Module& module);
  // Its fields in a model file beside "type".
  void (*write)(const Pipeline::Module& module, nlohmann::json& entry);
  void (*parse)(const nlohmann::json& entry, Pipeline::Module& module, const std::string& name);
  void (*check)(const Pipeline::Module& module, const std::string& name);  // throws Error
  // Adds its weights, which lie in module.folder; number: its place behind the transformer. Null: it has none, and
  // leaves a vector's width as it is.
  void (*declare)(WeightMap& map, HeadWeights::Module& to, const Pipeline::Module& module, const std::string& number);
  // Over one row for each text. Null: it is what makes these rows of tokens.
  Tensor (*run)(Ops& op, const Pipeline::Module& module, const HeadWeights::Module& weights, const Tensor& rows);
  bool normalizes;  // the rows come out with length 1
};

std::span<const VectorModule> vector_modules();
const VectorModule* find_vector_module(std::string_view name);  // null: there is none

}  // namespace quern

#include "heads/vector_modules.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "error.h"
#include "heads/pipeline_fields.h"
#include "heads/pooling.h"
#include "io/json.h"
#include "io/json_file.h"
#include "io/name_list.h"
#include "io/safe_path.h"

namespace quern {
namespace {

using nlohmann::json;
using Module = Pipeline::Module;

constexpr float kNormEps = 1e-5f;  // torch.nn.LayerNorm's

// Of Dense: by torch's class in a folder, by the name in a model file.
struct DenseActivation {
  const char* file;
  const char* name;  // of torch.nn
  Activation activation;
};
constexpr DenseActivation kDenseActivations[] = {
    {"identity", "Identity", Activation::none},  {"tanh", "Tanh", Activation::tanh},
    {"relu", "ReLU", Activation::relu},          {"gelu", "GELU", Activation::gelu},
    {"sigmoid", "Sigmoid", Activation::sigmoid}, {"silu", "SiLU", Activation::silu},
};

const DenseActivation* find_dense_activation(std::string_view file) {
  for (const DenseActivation& row : kDenseActivations)
    if (file == row.file) return &row;
  return nullptr;
}

// Dense and Normalize work on texts' vectors or on tokens'; which, the list of modules decides.
void check_input(const JsonFile& file) {
  std::string first;
  for (const char* key : {"module_input_name", "module_output_name"}) {
    const std::string name = file.string(key).value_or(first.empty() ? "sentence_embedding" : first);
    if ((name == "sentence_embedding" || name == "token_embeddings") && (first.empty() || name == first)) {
      first = name;
      continue;
    }
    throw Error(Status::unsupported, file.name() + ": '" + key + "' is '" + printable(name) +
                                         "', quern runs modules from sentence_embedding to sentence_embedding, or "
                                         "from token_embeddings to token_embeddings");
  }
}

// Today's spelling is "pooling_mode", a name or several; the first versions had a flag for each mode.
void read_modes(const JsonFile& file, PoolingConfig& pooling) {
  const json* mode = file.find("pooling_mode");
  if (mode == nullptr) {
    for (const PoolingMode& row : pooling_modes()) {
      if (file.boolean(row.flag).value_or(false)) pooling.modes.emplace_back(row.name);
    }
    if (pooling.modes.empty()) pooling.modes.emplace_back("mean");
    return;
  }
  if (mode->is_string()) {
    pooling.modes.push_back(mode->get<std::string>());
    return;
  }
  if (!mode->is_array()) file.wrong("pooling_mode", "a name or a list of names");
  for (const json& name : *mode) {
    if (!name.is_string()) file.wrong("pooling_mode", "a name or a list of names");
    pooling.modes.push_back(name.get<std::string>());
  }
}

std::string read_pooling(const JsonFile* file, Module& module) {
  module.pooling.include_prompt = file->boolean("include_prompt").value_or(true);
  read_modes(*file, module.pooling);
  std::string text;
  for (const std::string& name : module.pooling.modes) text += (text.empty() ? "" : "+") + name;
  return text;
}

void write_pooling(const Module& module, json& entry) {
  entry["modes"] = module.pooling.modes;
  entry["include_prompt"] = module.pooling.include_prompt;
}

void parse_pooling(const json& entry, Module& module, const std::string& name) {
  module.pooling.modes = pipeline_field<std::vector<std::string>>(entry, "modes", name);
  module.pooling.include_prompt = pipeline_field<bool>(entry, "include_prompt", name);
}

void check_pooling(const Module& module, const std::string& name) {
  const std::vector<std::string>& modes = module.pooling.modes;
  if (modes.empty()) throw Error(Status::bad_file, name + ": Pooling without a mode");
  for (const std::string& mode : modes) {
    if (!find_pooling_mode(mode)) {
      throw Error(Status::unsupported, name + ": unknown pooling mode '" + printable(mode) + "', expected " +
                                           list_names(pooling_modes(), "or"));
    }
    if (std::count(modes.begin(), modes.end(), mode) != 1) {
      throw Error(Status::bad_file, name + ": the pooling mode " + mode + " is given twice");
    }
  }
}

std::string read_dense_activation(const JsonFile& file) {
  if (file.value().contains("activation_function") && file.find("activation_function") == nullptr) return "identity";
  const std::string path = file.string("activation_function").value_or("torch.nn.modules.activation.Tanh");
  const std::string last = path.substr(path.rfind('.') + 1);
  for (const DenseActivation& row : kDenseActivations)
    if (path.starts_with("torch.nn.") && last == row.name) return row.file;
  throw Error(Status::unsupported, file.name() + ": the activation function '" + printable(path) +
                                       "' is not one of torch.nn's " + list_names(kDenseActivations, "and"));
}

std::string read_dense(const JsonFile* file, Module& module) {
  DenseConfig& dense = module.dense;
  const auto in = file->count("in_features", 1, max_features), out = file->count("out_features", 1, max_features);
  if (!in || !out) throw Error(Status::bad_file, file->name() + ": in_features and out_features are not both given");
  dense.in_features = static_cast<int64_t>(*in);
  dense.out_features = static_cast<int64_t>(*out);
  dense.bias = file->boolean("bias").value_or(true);
  dense.activation = read_dense_activation(*file);
  check_input(*file);
  dense.residual = file->boolean("use_residual").value_or(false);
  return std::to_string(dense.in_features) + " -> " + std::to_string(dense.out_features) + ", " + dense.activation;
}

void write_dense(const Module& module, json& entry) {
  entry["in"] = module.dense.in_features;
  entry["out"] = module.dense.out_features;
  entry["bias"] = module.dense.bias;
  entry["activation"] = module.dense.activation;
  if (module.dense.residual) entry["residual"] = true;  // absent in files from before
  entry["folder"] = module.folder;
}

void parse_dense(const json& entry, Module& module, const std::string& name) {
  module.folder = pipeline_field<std::string>(entry, "folder", name);
  module.dense.in_features = pipeline_width(entry, "in", name);
  module.dense.out_features = pipeline_width(entry, "out", name);
  module.dense.bias = pipeline_field<bool>(entry, "bias", name);
  module.dense.activation = pipeline_field<std::string>(entry, "activation", name);
  module.dense.residual = entry.contains("residual") && pipeline_field<bool>(entry, "residual", name);
}

void check_dense(const Module& module, const std::string& name) {
  const DenseConfig& dense = module.dense;
  for (const int64_t n : {dense.in_features, dense.out_features}) {
    if (n < 1 || n > max_features) {
      throw Error(Status::bad_file, name + ": a Dense module has " + std::to_string(n) + " features, expected 1 to " +
                                        std::to_string(max_features));
    }
  }
  if (!find_dense_activation(dense.activation)) {
    throw Error(Status::unsupported, name + ": unknown activation '" + printable(dense.activation) + "'");
  }
  if (!module.folder.empty() && !is_safe_relative_path(module.folder)) {  // empty: among the transformer's tensors
    throw Error(Status::bad_file, name + ": the folder of a Dense module is no relative path inside the model: '" +
                                      printable(module.folder) + "'");
  }
}

void declare_dense(WeightMap& map, HeadWeights::Module& to, const Module& module, const std::string& number) {
  keep_exact(map.linear(to.dense, "dense_" + number, "linear", module.dense.out_features, module.dense.in_features,
                        module.dense.bias),
             module.folder);
  if (module.dense.residual && module.dense.in_features != module.dense.out_features)
    keep_exact(map.linear(to.residual, "residual_" + number, "residual", module.dense.out_features,
                          module.dense.in_features, false),
               module.folder);
}

Tensor run_dense(Ops& op, const Module& module, const HeadWeights::Module& weights, const Tensor& rows) {
  const Activation activation = find_dense_activation(module.dense.activation)->activation;
  if (!module.dense.residual) return op.linear(rows, weights.dense, activation);
  const bool same = module.dense.in_features == module.dense.out_features;
  const Tensor added = same ? rows : op.linear(rows, weights.residual);
  return op.linear(rows, weights.dense, activation, &added);
}

// A LayerNorm is a Dense as wide as what it takes, to what checks widths.
DenseConfig norm_of_width(int64_t width) {
  return {width, width, true, "identity", false};
}

std::string read_layer_norm(const JsonFile* file, Module& module) {
  const auto width = file->count("dimension", 1, max_features);
  if (!width) throw Error(Status::bad_file, file->name() + ": 'dimension' is missing");
  module.dense = norm_of_width(static_cast<int64_t>(*width));
  return std::to_string(*width);
}

void write_layer_norm(const Module& module, json& entry) {
  entry["in"] = module.dense.in_features;
  entry["folder"] = module.folder;
}

void parse_layer_norm(const json& entry, Module& module, const std::string& name) {
  module.folder = pipeline_field<std::string>(entry, "folder", name);
  module.dense = norm_of_width(pipeline_width(entry, "in", name));
}

void declare_layer_norm(WeightMap& map, HeadWeights::Module& to, const Module& module, const std::string& number) {
  map.norm(to.norm, "layer_norm_" + number, "norm", module.dense.in_features).hf_folder = module.folder;
}

Tensor run_layer_norm(Ops& op, const Module&, const HeadWeights::Module& weights, const Tensor& rows) {
  return op.layer_norm(rows, weights.norm, kNormEps);
}

std::string read_normalize(const JsonFile* file, Module&) {
  if (file) check_input(*file);
  return "true";
}

Tensor run_normalize(Ops& op, const Module&, const HeadWeights::Module&, const Tensor& rows) {
  op.normalize(rows);
  return rows;
}

void write_nothing(const Module&, json&) {}
void parse_nothing(const json&, Module&, const std::string&) {}
void check_nothing(const Module&, const std::string&) {}

constexpr VectorModule kVectorModules[] = {
    {"Pooling", "pooling", true, read_pooling, write_pooling, parse_pooling, check_pooling, nullptr, nullptr, false},
    {"Dense", "dense", true, read_dense, write_dense, parse_dense, check_dense, declare_dense, run_dense, false},
    {"LayerNorm", "layer_norm", true, read_layer_norm, write_layer_norm, parse_layer_norm, check_dense,
     declare_layer_norm, run_layer_norm, false},
    {"Normalize", "normalize", false, read_normalize, write_nothing, parse_nothing, check_nothing, nullptr,
     run_normalize, true},
};

}  // namespace

std::span<const VectorModule> vector_modules() {
  return kVectorModules;
}

const VectorModule* find_vector_module(std::string_view name) {
  for (const VectorModule& row : kVectorModules)
    if (name == row.name) return &row;
  return nullptr;
}

}  // namespace quern

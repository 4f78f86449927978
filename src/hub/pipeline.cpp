// JSON form:
// {"classifier":…,"sparse":…,"multi_vector":…,"modules":[{"type":"Pooling","modes":["mean"],"include_prompt":true},{"type":"Normalize"},
// {"type":"Dense","in":384,"out":128,"bias":true,"activation":"tanh","folder":"2_Dense"}]}.
#include "hub/pipeline.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "error.h"
#include "hub/snapshot.h"
#include "io/json.h"
#include "models/config_map.h"

namespace quern {
namespace {

using nlohmann::json;

constexpr size_t max_modules = 32;
constexpr std::string_view known_modes[] = {"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};
constexpr std::string_view known_activations[] = {"identity", "tanh", "relu", "gelu", "sigmoid", "silu"};

template <class T>
T field(const json& object, const char* key, const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end()) throw Error(Status::bad_file, name + ": a module lacks '" + key + "'");
  try {
    return found->get<T>();
  } catch (const json::exception&) {
    throw Error(Status::bad_file, name + ": '" + key + "' of a module has the wrong type: " + found->type_name());
  }
}

int64_t features(const json& object, const char* key, const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned() || found->get<uint64_t>() > uint64_t{max_features}) {
    throw Error(Status::bad_file, name + ": '" + key + "' of a Dense module is no number up to 16777216");
  }
  return found->get<int64_t>();
}

void check_pooling(const PoolingConfig& pooling, const std::string& name) {
  if (pooling.modes.empty()) throw Error(Status::bad_file, name + ": Pooling without a mode");
  for (size_t i = 0; i < pooling.modes.size(); ++i) {
    const std::string& mode = pooling.modes[i];
    if (!among(known_modes, mode)) {
      throw Error(Status::unsupported,
                  name + ": unknown pooling mode '" + printable(mode) +
                      "', expected cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken");
    }
    if (std::count(pooling.modes.begin(), pooling.modes.end(), mode) != 1) {
      throw Error(Status::bad_file, name + ": the pooling mode " + mode + " is given twice");
    }
  }
}

void check_dense(const Pipeline::Module& module, const std::string& name) {
  const DenseConfig& dense = module.dense;
  for (const int64_t n : {dense.in_features, dense.out_features}) {
    if (n < 1 || n > max_features) {
      throw Error(Status::bad_file, name + ": a Dense module has " + std::to_string(n) + " features, expected 1 to " +
                                        std::to_string(max_features));
    }
  }
  if (!among(known_activations, dense.activation)) {
    throw Error(Status::unsupported, name + ": unknown activation '" + printable(dense.activation) + "'");
  }
  if (!is_safe_relative_path(module.folder)) {
    throw Error(Status::bad_file, name + ": the folder of a Dense module is no relative path inside the model: '" +
                                      printable(module.folder) + "'");
  }
}

void check_classifier(const ClassifierConfig& c, const std::string& name) {
  constexpr std::string_view known[] = {"none", "sigmoid", "softmax"};
  if (c.labels.empty() || c.labels.size() > max_labels)
    throw Error(Status::bad_file, name + ": a classifier has " + std::to_string(c.labels.size()) +
                                      " labels, expected 1 to " + std::to_string(max_labels));
  if (!among(known, c.activation))
    throw Error(Status::unsupported, name + ": unknown activation '" + printable(c.activation) +
                                         "' of a classifier, expected none, sigmoid or softmax");
}

json layers_to_json(const HeadLayers& l) {
  return {{"dense", l.dense},       {"dense_bias", l.dense_bias},
          {"norm", l.norm},         {"norm_bias", l.norm_bias},
          {"out_bias", l.out_bias}, {"activation", activation_name(l.activation)},
          {"eps", l.eps},           {"mean", l.mean}};
}

HeadLayers layers_from_json(const json& entry, const std::string& name) {
  const auto found = entry.find("layers");
  if (found == entry.end() || !found->is_object()) throw Error(Status::bad_file, name + ": a head has no layers");
  HeadLayers l;
  l.dense = field<bool>(*found, "dense", name);
  l.dense_bias = field<bool>(*found, "dense_bias", name);
  l.norm = field<bool>(*found, "norm", name);
  l.norm_bias = field<bool>(*found, "norm_bias", name);
  l.out_bias = field<bool>(*found, "out_bias", name);
  l.activation = activation_named(field<std::string>(*found, "activation", name), name);
  l.eps = field<float>(*found, "eps", name);
  l.mean = field<bool>(*found, "mean", name);
  return l;
}

void heads_to_json(const Pipeline& pipeline, json& out) {
  if (const auto& c = pipeline.classifier)
    out["classifier"] = {{"per_token", c->per_token},
                         {"labels", c->labels},
                         {"activation", c->activation},
                         {"layers", layers_to_json(c->layers)}};
  if (const auto& s = pipeline.sparse)
    out["sparse"] = {{"over_vocabulary", s->over_vocabulary},
                     {"sum", s->sum},
                     {"twice", s->twice},
                     {"layers", layers_to_json(s->layers)}};
  if (const auto& m = pipeline.multi_vector) out["multi_vector"] = {{"width", m->width}};
}

void heads_from_json(const json& root, Pipeline& pipeline, const std::string& name) {
  const auto object = [&](const char* key) -> const json* {
    const auto found = root.find(key);
    if (found == root.end() || found->is_null()) return nullptr;
    if (!found->is_object()) throw Error(Status::bad_file, name + ": '" + key + "' is no object");
    return &*found;
  };
  if (const json* c = object("classifier"))
    pipeline.classifier = {field<bool>(*c, "per_token", name), field<std::vector<std::string>>(*c, "labels", name),
                           field<std::string>(*c, "activation", name), layers_from_json(*c, name)};
  if (const json* s = object("sparse"))
    pipeline.sparse = {field<bool>(*s, "over_vocabulary", name), field<bool>(*s, "sum", name),
                       field<bool>(*s, "twice", name), layers_from_json(*s, name), ""};
  if (const json* m = object("multi_vector")) pipeline.multi_vector = {features(*m, "width", name), ""};
}

std::string dump(const json& value, const char* what) {
  try {
    return value.dump();
  } catch (const json::exception&) {
    throw Error(Status::bad_argument, std::string(what) + " are not valid UTF-8");
  }
}

}  // namespace

void check_pipeline(const Pipeline& pipeline, const std::string& name) {
  if (pipeline.modules.size() > max_modules) throw Error(Status::bad_file, name + ": more than 32 modules");
  int64_t width = 0;  // of the last Dense
  bool pooled = false;
  for (const Pipeline::Module& module : pipeline.modules) {
    if (module.type == "Pooling") {
      if (pooled) throw Error(Status::unsupported, name + ": more than one Pooling module");
      pooled = true;
      check_pooling(module.pooling, name);
      continue;
    }
    if (module.type != "Dense" && module.type != "Normalize" && module.type != "LayerNorm") {
      throw Error(Status::unsupported, name + ": unknown module '" + printable(module.type) +
                                           "', expected Pooling, Dense, LayerNorm or Normalize");
    }
    if (!pooled) throw Error(Status::unsupported, name + ": " + module.type + " comes before Pooling");
    if (module.type == "Normalize") continue;
    check_dense(module, name);
    if (width != 0 && module.dense.in_features != width) {
      throw Error(Status::bad_file, name + ": a " + module.type + " module takes " +
                                        std::to_string(module.dense.in_features) +
                                        " features, the one before it gives " + std::to_string(width));
    }
    width = module.dense.out_features;
  }
  if (pipeline.classifier) check_classifier(*pipeline.classifier, name);
  if (const auto& m = pipeline.multi_vector; m && (m->width < 1 || m->width > max_features))
    throw Error(Status::bad_file, name + ": a multi-vector head of " + std::to_string(m->width) + " values");
}

std::string to_json(const Pipeline& pipeline) {
  json modules = json::array();
  for (const Pipeline::Module& module : pipeline.modules) {
    json entry = {{"type", module.type}};
    if (module.type == "Pooling") {
      entry["modes"] = module.pooling.modes;
      entry["include_prompt"] = module.pooling.include_prompt;
    } else if (module.type == "Dense") {
      entry["in"] = module.dense.in_features;
      entry["out"] = module.dense.out_features;
      entry["bias"] = module.dense.bias;
      entry["activation"] = module.dense.activation;
      entry["folder"] = module.folder;
    } else if (module.type == "LayerNorm") {
      entry["in"] = module.dense.in_features;
      entry["folder"] = module.folder;
    }
    modules.push_back(std::move(entry));
  }
  json all = {{"modules", std::move(modules)}};
  heads_to_json(pipeline, all);
  return dump(all, "the pipeline's names");
}

Pipeline pipeline_from_json(std::string_view text, const std::string& name) {
  const json root = parse_json(text, name);
  const auto modules = root.is_object() ? root.find("modules") : root.end();
  if (modules == root.end() || !modules->is_array()) throw Error(Status::bad_file, name + ": no array of modules");
  Pipeline pipeline;
  for (const json& entry : *modules) {
    if (!entry.is_object()) throw Error(Status::bad_file, name + ": a module is no object");
    Pipeline::Module& module = pipeline.modules.emplace_back();
    module.type = field<std::string>(entry, "type", name);
    if (module.type == "Pooling") {
      module.pooling.modes = field<std::vector<std::string>>(entry, "modes", name);
      module.pooling.include_prompt = field<bool>(entry, "include_prompt", name);
    } else if (module.type == "Dense") {
      module.folder = field<std::string>(entry, "folder", name);
      module.dense.in_features = features(entry, "in", name);
      module.dense.out_features = features(entry, "out", name);
      module.dense.bias = field<bool>(entry, "bias", name);
      module.dense.activation = field<std::string>(entry, "activation", name);
    } else if (module.type == "LayerNorm") {
      module.folder = field<std::string>(entry, "folder", name);
      module.dense = {features(entry, "in", name), features(entry, "in", name), true, "identity"};
    }
  }
  heads_from_json(root, pipeline, name);
  check_pipeline(pipeline, name);
  return pipeline;
}

std::string prompts_to_json(const std::map<std::string, std::string>& prompts) {
  return dump(json(prompts), "the prompts");
}

std::map<std::string, std::string> prompts_from_json(std::string_view text, const std::string& name) {
  const json root = parse_json(text, name);
  if (!root.is_object()) throw Error(Status::bad_file, name + ": the prompts are no JSON object");
  std::map<std::string, std::string> prompts;
  for (const auto& [key, value] : root.items()) {
    if (!value.is_string()) throw Error(Status::bad_file, name + ": prompt '" + printable(key) + "' is no string");
    prompts[key] = value.get<std::string>();
  }
  return prompts;
}

}  // namespace quern

// JSON form:
// {"classifier":…,"sparse":…,"multi_vector":…,"modules":[{"type":"Pooling","modes":["mean"],"include_prompt":true},{"type":"Normalize"},
// {"type":"Dense","in":384,"out":128,"bias":true,"activation":"tanh","folder":"2_Dense"}]}.
#include "heads/pipeline.h"

#include <nlohmann/json.hpp>

#include "error.h"
#include "heads/late_interaction.h"
#include "heads/pipeline_fields.h"
#include "heads/score_activation.h"
#include "heads/vector_modules.h"
#include "io/json.h"
#include "io/name_list.h"
#include "models/config_map.h"

namespace quern {
namespace {

using nlohmann::json;

constexpr size_t max_modules = 32;

void check_classifier(const ClassifierConfig& c, const std::string& name) {
  if (c.labels.empty() || c.labels.size() > max_labels)
    throw Error(Status::bad_file, name + ": a classifier has " + std::to_string(c.labels.size()) +
                                      " labels, expected 1 to " + std::to_string(max_labels));
  if (!find_score_activation(c.activation))
    throw Error(Status::unsupported, name + ": unknown activation '" + printable(c.activation) +
                                         "' of a classifier, expected " + list_names(score_activations(), "or"));
  if (c.next_token && (c.per_token || c.labels.size() != 1))
    throw Error(Status::bad_file, name + ": a score by the next token has one label, found " +
                                      std::to_string(c.labels.size()) + (c.per_token ? " for each token" : ""));
}

json layers_to_json(const HeadLayers& l) {
  return {{"dense", l.dense},       {"dense_bias", l.dense_bias},
          {"norm", l.norm},         {"norm_bias", l.norm_bias},
          {"out_bias", l.out_bias}, {"activation", activation_name(l.activation)},
          {"eps", l.eps},           {"mean", l.mean},
          {"last", l.last}};
}

// Of files that were written before a field was, it is missing.
template <class T>
T field_or(const json& object, const char* key, const std::string& name, T fallback) {
  return object.contains(key) ? pipeline_field<T>(object, key, name) : fallback;
}

json classifier_to_json(const ClassifierConfig& c) {
  json out = {{"per_token", c.per_token},
              {"labels", c.labels},
              {"activation", c.activation},
              {"layers", layers_to_json(c.layers)}};
  if (const auto& t = c.next_token) out["next_token"] = {{"yes", t->yes}, {"no", t->no}, {"softcap", t->softcap}};
  if (const PairTemplate& p = c.pairs; !p.source.empty())
    out["pairs"] = {
        {"template", p.source}, {"in_parts", p.in_parts}, {"variables", p.variables}, {"specials", p.specials}};
  return out;
}

HeadLayers layers_from_json(const json& entry, const std::string& name) {
  const auto found = entry.find("layers");
  if (found == entry.end() || !found->is_object()) throw Error(Status::bad_file, name + ": a head has no layers");
  HeadLayers l;
  l.dense = pipeline_field<bool>(*found, "dense", name);
  l.dense_bias = pipeline_field<bool>(*found, "dense_bias", name);
  l.norm = pipeline_field<bool>(*found, "norm", name);
  l.norm_bias = pipeline_field<bool>(*found, "norm_bias", name);
  l.out_bias = pipeline_field<bool>(*found, "out_bias", name);
  l.activation = activation_named(pipeline_field<std::string>(*found, "activation", name), name);
  l.eps = pipeline_field<float>(*found, "eps", name);
  l.mean = pipeline_field<bool>(*found, "mean", name);
  l.last = field_or(*found, "last", name, false);
  return l;
}

ClassifierConfig classifier_from_json(const json& entry, const std::string& name) {
  ClassifierConfig c{.per_token = pipeline_field<bool>(entry, "per_token", name),
                     .labels = pipeline_field<std::vector<std::string>>(entry, "labels", name),
                     .activation = pipeline_field<std::string>(entry, "activation", name),
                     .layers = layers_from_json(entry, name)};
  if (const auto t = entry.find("next_token"); t != entry.end())
    c.next_token = {pipeline_field<int64_t>(*t, "yes", name), pipeline_field<int64_t>(*t, "no", name),
                    pipeline_field<float>(*t, "softcap", name)};
  if (const auto p = entry.find("pairs"); p != entry.end())
    c.pairs = {pipeline_field<std::string>(*p, "template", name), pipeline_field<bool>(*p, "in_parts", name),
               pipeline_field<std::string>(*p, "variables", name),
               pipeline_field<std::map<std::string, std::string>>(*p, "specials", name)};
  return c;
}

void heads_to_json(const Pipeline& pipeline, json& out) {
  if (const auto& c = pipeline.classifier) out["classifier"] = classifier_to_json(*c);
  if (const auto& s = pipeline.sparse)
    out["sparse"] = {{"over_vocabulary", s->over_vocabulary},
                     {"sum", s->sum},
                     {"twice", s->twice},
                     {"layers", layers_to_json(s->layers)}};
  if (const auto& m = pipeline.multi_vector) out["multi_vector"] = multi_vector_to_json(*m);
}

void heads_from_json(const json& root, Pipeline& pipeline, const std::string& name) {
  const auto object = [&](const char* key) -> const json* {
    const auto found = root.find(key);
    if (found == root.end() || found->is_null()) return nullptr;
    if (!found->is_object()) throw Error(Status::bad_file, name + ": '" + key + "' is no object");
    return &*found;
  };
  if (const json* c = object("classifier")) pipeline.classifier = classifier_from_json(*c, name);
  if (const json* s = object("sparse"))
    pipeline.sparse = {pipeline_field<bool>(*s, "over_vocabulary", name), pipeline_field<bool>(*s, "sum", name),
                       pipeline_field<bool>(*s, "twice", name), layers_from_json(*s, name), ""};
  if (const json* m = object("multi_vector")) pipeline.multi_vector = multi_vector_from_json(*m, name);
}

}  // namespace

void check_pipeline(const Pipeline& pipeline, const std::string& name) {
  if (pipeline.modules.size() > max_modules) throw Error(Status::bad_file, name + ": more than 32 modules");
  int64_t width = 0;  // of the last Dense
  bool pooled = false;
  for (const Pipeline::Module& module : pipeline.modules) {
    const VectorModule* row = find_vector_module(module.type);
    if (!row) {
      throw Error(Status::unsupported, name + ": unknown module '" + printable(module.type) + "', expected " +
                                           list_names(vector_modules(), "or"));
    }
    const bool pools = !row->run;
    if (pools && pooled) throw Error(Status::unsupported, name + ": more than one Pooling module");
    if (!pools && !pooled) throw Error(Status::unsupported, name + ": " + module.type + " comes before Pooling");
    pooled = true;
    row->check(module, name);
    if (!row->declare) continue;
    if (width != 0 && module.dense.in_features != width) {
      throw Error(Status::bad_file, name + ": a " + module.type + " module takes " +
                                        std::to_string(module.dense.in_features) +
                                        " features, the one before it gives " + std::to_string(width));
    }
    width = module.dense.out_features;
  }
  if (pipeline.classifier) check_classifier(*pipeline.classifier, name);
  if (pipeline.multi_vector) check_multi_vector(*pipeline.multi_vector, name);
}

std::string to_json(const Pipeline& pipeline) {
  json modules = json::array();
  for (const Pipeline::Module& module : pipeline.modules) {
    json entry = {{"type", module.type}};
    if (const VectorModule* row = find_vector_module(module.type)) row->write(module, entry);
    modules.push_back(std::move(entry));
  }
  json all = {{"modules", std::move(modules)}};
  heads_to_json(pipeline, all);
  try {
    return all.dump();
  } catch (const json::exception&) {
    throw Error(Status::bad_argument, "the pipeline's names are not valid UTF-8");
  }
}

Pipeline pipeline_from_json(std::string_view text, const std::string& name) {
  const json root = parse_json(text, name);
  const auto modules = root.is_object() ? root.find("modules") : root.end();
  if (modules == root.end() || !modules->is_array()) throw Error(Status::bad_file, name + ": no array of modules");
  Pipeline pipeline;
  for (const json& entry : *modules) {
    if (!entry.is_object()) throw Error(Status::bad_file, name + ": a module is no object");
    Pipeline::Module& module = pipeline.modules.emplace_back();
    module.type = pipeline_field<std::string>(entry, "type", name);
    if (const VectorModule* row = find_vector_module(module.type)) row->parse(entry, module, name);
  }
  heads_from_json(root, pipeline, name);
  check_pipeline(pipeline, name);
  return pipeline;
}

}  // namespace quern

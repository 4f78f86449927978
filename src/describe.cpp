// A loaded model as JSON, for quern_model_describe and `quern inspect`.
#include <nlohmann/json.hpp>

#include "loaded_model.h"

namespace quern {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json contents_of(const WeightSource& source) {
  const SourceContents contents = source.contents();
  Json out = {{"bytes", contents.bytes}};
  if (contents.keys) {
    Json keys = Json::array();
    for (const SourceContents::Key& key : *contents.keys)
      keys.push_back({{"name", key.name}, {"type", key.type}, {"value", key.value}});
    out["keys"] = std::move(keys);
  }
  Json tensors = Json::array();
  for (const SourceContents::Tensor& t : contents.tensors)
    tensors.push_back({{"name", t.name}, {"type", t.type}, {"shape", t.shape}, {"bytes", t.bytes}});
  out["tensors"] = std::move(tensors);
  return out;
}

}  // namespace

std::string describe_model(const LoadedModel& m) {
  Json decisions = Json::array();
  for (const Decision& d : m.decisions)
    decisions.push_back({{"what", d.what}, {"value", d.value}, {"source", d.source}});
  Json out = {{"path", m.path},
              {"format", m.format},
              {"architecture", m.architecture->gguf},
              {"type", m.level.empty() ? m.type : m.level},
              {"width", m.model->width()},
              {"layers", m.model->layers()},
              {"vocabulary", m.model->vocabulary()},
              {"positions", m.model->positions()},
              {"max_length", m.max_length},
              {"pipeline", Json::parse(to_json(m.pipeline))},
              {"prompts", Json::parse(prompts_to_json(m.prompts))},
              {"default_prompt", m.default_prompt},
              {"similarity", m.similarity},
              {"matryoshka", m.matryoshka},
              {"source", {{"repo", m.repo}, {"revision", m.revision}}},
              {"fingerprint", m.fingerprint},
              {"device",
               {{"name", m.offload.name},
                {"layers", m.offload.layers},
                {"embeddings", m.offload.device && m.offload.first_layer < 0},
                {"bytes", m.offload.bytes},
                {"why", m.offload.why}}},
              {"decisions", decisions}};
  if (generates(m)) {
    Json sampling = Json::object();
    for (const SamplingField& field : sampling_fields)
      sampling[field.name] = field.real ? Json(m.sampling.*field.real) : Json(m.sampling.*field.whole);
    out["sampling"] = std::move(sampling);
  }
  out["file"] = contents_of(m.source->weights());
  return dump(out);
}

}  // namespace quern

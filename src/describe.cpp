// A loaded model as JSON, for quern_model_describe and `quern inspect`; and the JSON form of decisions.
#include <nlohmann/json.hpp>

#include "error.h"
#include "io/json.h"
#include "loaded_model.h"

namespace quern {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json gguf_contents(const GgufReader& file) {
  Json keys = Json::array(), tensors = Json::array();
  for (const GgufKey& key : file.keys())
    keys.push_back({{"name", key.name}, {"type", gguf_type_text(key)}, {"value", gguf_value_text(key)}});
  for (const TensorInfo& t : file.tensors())
    tensors.push_back({{"name", t.name},
                       {"type", find_ggml_type(t.type)->name},
                       {"shape", std::vector<int64_t>(t.ne.begin(), t.ne.begin() + t.n_dims)},
                       {"bytes", t.size}});
  return {{"bytes", file.bytes().size()}, {"keys", keys}, {"tensors", tensors}};
}

Json safetensors_contents(const Safetensors& file) {
  Json tensors = Json::array();
  size_t bytes = 0;
  for (const StTensor& t : file.tensors()) {
    tensors.push_back({{"name", t.name}, {"type", t.dtype}, {"shape", t.shape}, {"bytes", t.data.size()}});
    bytes += t.data.size();
  }
  return {{"bytes", bytes}, {"tensors", tensors}};
}

}  // namespace

std::string describe_model(const LoadedModel& m) {
  Json decisions = Json::array();
  for (const Decision& d : m.decisions)
    decisions.push_back({{"what", d.what}, {"value", d.value}, {"source", d.source}});
  Json out = {{"path", m.path},
              {"format", m.format},
              {"architecture", m.architecture->gguf},
              {"type", m.type},
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
              {"decisions", decisions}};
  out["file"] = m.gguf ? gguf_contents(*m.gguf) : safetensors_contents(m.hf->transformer());
  return dump(out);
}

std::string decisions_to_json(const std::vector<Decision>& decisions) {
  Json all = Json::array();
  for (const Decision& d : decisions) all.push_back({d.what, d.value, d.source});
  return dump(all);
}

std::vector<Decision> decisions_from_json(std::string_view text, const std::string& name) {
  const nlohmann::json all = parse_json(text, name);
  std::vector<Decision> decisions;
  for (const auto& d : all) {
    if (!d.is_array() || d.size() != 3 || !d[0].is_string() || !d[1].is_string() || !d[2].is_string())
      throw Error(Status::bad_file, name + ": expected an array of [what, value, source]");
    decisions.push_back({d[0].get<std::string>(), d[1].get<std::string>(), d[2].get<std::string>()});
  }
  return decisions;
}

}  // namespace quern

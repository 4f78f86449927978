#include "self_test.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "dispatch.h"
#include "error.h"
#include "heads/late_interaction.h"
#include "heads/scores.h"
#include "heads/vector_head.h"
#include "io/json.h"

namespace quern {
namespace {

using nlohmann::json;

constexpr size_t kMostTexts = 64;

json outputs_of(const LoadedModel& m, Ops& op, const std::vector<int32_t>& ids, const Tensor& states) {
  const Pipeline& p = m.pipeline;
  json out = json::object();
  if (!p.modules.empty()) {
    const VectorHead head(p.modules, m.heads->modules, m.model->width(), m.path);
    const Sequence whole{0, states.rows};
    std::vector<float> room;
    out["vector"] = op.read(head.apply(op, states, {&whole, 1}, 0), room);
  }
  if (p.classifier) {
    const Sequence whole{0, states.rows};
    out["scores"] = p.classifier->per_token
                        ? score_tokens(op, *p.classifier, m.heads->classifier, states, true)
                        : score_texts(op, *p.classifier, m.heads->classifier, states, {&whole, 1}, true);
  }
  if (p.sparse) {
    json pairs = json::array();
    for (const SparseWeight& w : sparse_weights(op, *p.sparse, m.heads->sparse, states, ids, m.unweighted_ids))
      pairs.push_back({w.id, w.weight});
    out["sparse"] = pairs;
  }
  if (p.multi_vector)
    out["multi_vector"] =
        token_vectors(op, *p.multi_vector, *m.heads, m.token_choice, states, ids, TextRole::none, nullptr);
  return out;
}

// Numbers of an output by their place: a list of them, or of [id, weight].
std::map<int64_t, double> values_of(const json& output) {
  std::map<int64_t, double> values;
  for (size_t i = 0; i < output.size(); ++i) {
    if (output[i].is_array())
      values[output[i].at(0).get<int64_t>()] = output[i].at(1).get<double>();
    else
      values[static_cast<int64_t>(i)] = output[i].get<double>();
  }
  return values;
}

// Of two outputs. A lone score has no direction: what counts is how far it moved, as an angle.
double cosine_of(const json& a, const json& b) {
  const auto x = values_of(a), y = values_of(b);
  double xy = 0, xx = 0, yy = 0;
  for (const auto& [i, v] : x) xx += v * v;
  for (const auto& [i, v] : y) yy += v * v;
  for (const auto& [i, v] : x)
    if (const auto found = y.find(i); found != y.end()) xy += v * found->second;
  if (x.size() == 1 && y.size() == 1) {
    const double moved = (x.begin()->second - y.begin()->second) / (1 + std::fabs(x.begin()->second));
    return std::isfinite(moved) ? 1 - moved * moved / 2 : -1;
  }
  if (xx == 0 && yy == 0) return 1;
  const double cosine = xy / std::sqrt(xx * yy);
  return std::isfinite(cosine) ? cosine : -1;
}

// What outputs keep of the f32 ones at least, on any model that was worth converting; below it something is broken.
double least_cosine(const TypeInfo& type) {
  if (!type.int8_activations) return 0.995;
  constexpr int64_t n = 64;
  return type.arrays[0].bytes(n, n) < n * n ? 0.75 : 0.98;  // 4 bits a weight, or 8
}

json check_text(const LoadedModel& m, const json& kept) {
  const std::string text = kept.at("text").get<std::string>();
  Encoding e;
  m.tokenizer->encode(text, {.add_special = true, .max_length = m.max_length}, e);
  const bool equal = kept.at("ids").get<std::vector<int32_t>>() == e.ids;
  double least = equal ? 1 : -1;
  if (equal && !e.ids.empty()) {
    const std::unique_ptr<Ops> op = m.device->ops({.precision = precision_of(m)});
    const Sequence whole{0, static_cast<int64_t>(e.ids.size())};
    const Tensor states = forward(*m.model, {*op}, {e.ids, e.type_ids, {&whole, 1}});
    const json outputs = outputs_of(m, *op, e.ids, states);
    for (const auto& [name, output] : outputs.items()) least = std::min(least, cosine_of(kept.at(name), output));
  }
  return {{"text", text}, {"ids_equal", equal}, {"cosine", least}};
}

}  // namespace

json self_test_entry(const LoadedModel& model, Ops& op, const std::string& text, const std::vector<int32_t>& ids,
                     const Tensor& states) {
  json entry = outputs_of(model, op, ids, states);
  entry["text"] = text;
  entry["ids"] = ids;
  return entry;
}

std::string run_self_test(const LoadedModel& m) {
  if (m.self_test.empty())
    throw Error(Status::bad_argument, m.path + ": no self-test is kept here; quern convert puts one into its files");
  const std::string name = m.path + ": quern.self_test";
  const json kept = parse_json(m.self_test, name);
  const double least = least_cosine(*find_type(m.type));
  json report = {{"passed", true}, {"least_cosine", least}, {"texts", json::array()}};
  try {
    if (!kept.is_array() || kept.empty() || kept.size() > kMostTexts)
      throw Error(Status::bad_file, name + ": expected 1 to 64 texts");
    for (const json& text : kept) {
      json checked = check_text(m, text);
      if (!checked["ids_equal"].get<bool>() || checked["cosine"].get<double>() < least) report["passed"] = false;
      report["texts"].push_back(std::move(checked));
    }
  } catch (const json::exception& e) {
    throw Error(Status::bad_file, name + ": " + e.what());
  }
  return report.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace quern

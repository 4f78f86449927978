#include "heads/late_interaction.h"

#include <algorithm>

#include "error.h"
#include "heads/pipeline_fields.h"
#include "heads/vector_modules.h"
#include "io/json.h"
#include "io/name_list.h"

namespace quern {
namespace {

using nlohmann::json;

constexpr int64_t kMostTokens = int64_t{1} << 20;  // of a length in settings
constexpr size_t kMostSkipped = 4096;

// Of a text's tokens, those that get a vector.
std::vector<int64_t> kept_tokens(const MultiVectorConfig& config, const TokenChoice& choice,
                                 std::span<const int32_t> ids, TextRole role) {
  std::vector<int64_t> kept;
  const bool query = role == TextRole::query;
  const bool skips = config.late && (query ? config.late->skips_queries : config.late->skips_documents);
  for (size_t t = config.late ? 0 : 1; t < ids.size(); ++t)
    if (!skips || !choice.skipped.count(ids[t])) kept.push_back(static_cast<int64_t>(t));
  return kept;
}

Tensor run_modules(Ops& op, const MultiVectorConfig& config, const HeadWeights& weights, Tensor rows) {
  if (!config.late) {
    rows = op.linear(rows, weights.multi_vector);
    op.normalize(rows);
    return rows;
  }
  for (size_t i = 0; i < config.late->modules.size(); ++i) {
    const Pipeline::Module& module = config.late->modules[i];
    rows = find_vector_module(module.type)->run(op, module, weights.tokens[i], rows);
  }
  return rows;
}

json pooling_to_json(const TokenPooling& p) {
  return {{"factor", p.factor},
          {"kept", p.kept},
          {"normalize", p.normalize},
          {"queries", p.queries},
          {"documents", p.documents}};
}

const json& object_in(const json& entry, const char* key, const std::string& name) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_object())
    throw Error(Status::bad_file, name + ": a multi-vector head lacks the object '" + key + "'");
  return *found;
}

TokenPooling pooling_from_json(const json& p, const std::string& name) {
  return {.factor = pipeline_field<double>(p, "factor", name),
          .kept = pipeline_field<int64_t>(p, "kept", name),
          .normalize = pipeline_field<bool>(p, "normalize", name),
          .queries = pipeline_field<bool>(p, "queries", name),
          .documents = pipeline_field<bool>(p, "documents", name)};
}

void check_late(const LateInteraction& late, const std::string& name) {
  const auto refuse = [&](const std::string& what) { throw Error(Status::bad_file, name + ": " + what); };
  if (late.modules.size() > 32) refuse("more than 32 modules over tokens");
  for (const Pipeline::Module& module : late.modules) {
    const VectorModule* row = find_vector_module(module.type);
    if (!row || !row->run)
      throw Error(Status::unsupported, name + ": the module '" + printable(module.type) + "' does not run over tokens");
    row->check(module, name);
  }
  for (const int64_t length : {late.query_length, late.document_length, late.expanded_length})
    if (length < 0 || length > kMostTokens)
      refuse("a length of " + std::to_string(length) + " tokens, expected 0 to " + std::to_string(kMostTokens));
  if (late.expanded_length > 0 && late.expansion.empty()) refuse("queries are expanded by a token that is not named");
  if (late.skipped.size() > kMostSkipped) refuse("more than 4096 tokens without a vector");
  const TokenPooling& p = late.pooling;
  if (!(p.factor >= 1 && p.factor <= static_cast<double>(kMostTokens)) || p.kept < 0 || p.kept > kMostTokens)
    refuse("token pooling by a factor of " + std::to_string(p.factor) + " that keeps " + std::to_string(p.kept) +
           " tokens; expected 1 to 1048576 and 0 to 1048576");
}

}  // namespace

TextRole text_role(std::string_view input_type) {
  return input_type == "query" ? TextRole::query : input_type == "document" ? TextRole::document : TextRole::none;
}

std::vector<float> token_vectors(Ops& op, const MultiVectorConfig& config, const HeadWeights& weights,
                                 const TokenChoice& choice, const Tensor& states, std::span<const int32_t> ids,
                                 TextRole role, const TokenPooling* pooling) {
  const std::vector<int64_t> kept = kept_tokens(config, choice, ids, role);
  if (kept.empty()) return {};
  Ops::Scope scope(op);
  const bool all = static_cast<int64_t>(kept.size()) == states.rows;
  // A first module that works in place gets a copy.
  const bool in_place = config.late && !config.late->modules.empty() && config.late->modules[0].type == "Normalize";
  const Tensor y = run_modules(op, config, weights, all && !in_place ? states : op.gather(states, kept));
  std::vector<float> room;
  const std::span<const float> values = op.read(y, room);
  std::vector<float> rows(values.begin(), values.end());
  if (!pooling && config.late) pooling = &config.late->pooling;
  if (pooling && (role == TextRole::query ? pooling->queries : pooling->documents))
    pool_tokens(rows, static_cast<size_t>(config.width), *pooling);
  return rows;
}

void check_multi_vector(const MultiVectorConfig& config, const std::string& name) {
  if (config.late) check_late(*config.late, name);
}

void check_token_widths(const MultiVectorConfig& config, int64_t D, const std::string& name) {
  const auto refuse = [&](const std::string& what) { throw Error(Status::bad_file, name + ": " + what); };
  if (config.width < 1 || config.width > max_features)
    refuse("a multi-vector head of " + std::to_string(config.width) + " values");
  if (!config.late) return;
  for (const Pipeline::Module& module : config.late->modules) {
    if (!find_vector_module(module.type)->declare) continue;
    if (module.dense.in_features != D)
      refuse("the " + module.type + " module over tokens takes " + std::to_string(module.dense.in_features) +
             " values, what is before it gives " + std::to_string(D));
    D = module.dense.out_features;
  }
  if (D != config.width)
    refuse("a multi-vector head of " + std::to_string(config.width) + " values, whose modules give " +
           std::to_string(D));
}

TokenChoice token_choice(const MultiVectorConfig& config, const std::function<int32_t(const std::string&)>& id_of,
                         const std::string& name) {
  TokenChoice choice;
  if (!config.late) return choice;
  for (const std::string& piece : config.late->skipped)
    if (const int32_t id = id_of(piece); id >= 0) choice.skipped.insert(id);
  if (config.late->expanded_length == 0) return choice;
  choice.expansion = id_of(config.late->expansion);
  if (choice.expansion < 0)
    throw Error(Status::bad_file, name + ": queries are to be expanded by the token '" +
                                      printable(config.late->expansion) + "', which the tokenizer does not have");
  return choice;
}

json multi_vector_to_json(const MultiVectorConfig& config) {
  json out = {{"width", config.width}};
  if (!config.late) return out;
  const LateInteraction& late = *config.late;
  json modules = json::array();
  for (const Pipeline::Module& module : late.modules) {
    json& entry = modules.emplace_back(json{{"type", module.type}});
    if (const VectorModule* row = find_vector_module(module.type)) row->write(module, entry);
  }
  out["late"] = {{"modules", std::move(modules)},
                 {"skipped", late.skipped},
                 {"skips_queries", late.skips_queries},
                 {"skips_documents", late.skips_documents},
                 {"query_length", late.query_length},
                 {"document_length", late.document_length},
                 {"expansion", late.expansion},
                 {"expanded_length", late.expanded_length},
                 {"expansion_is_seen", late.expansion_is_seen},
                 {"cuts_queries", late.cuts_queries},
                 {"mean", late.mean},
                 {"pooling", pooling_to_json(late.pooling)}};
  return out;
}

MultiVectorConfig multi_vector_from_json(const json& entry, const std::string& name) {
  MultiVectorConfig config{.width = pipeline_width(entry, "width", name), .hf_folder = {}};
  if (!entry.contains("late")) return config;
  const json& from = object_in(entry, "late", name);
  LateInteraction& late = config.late.emplace();
  const auto modules = from.find("modules");
  if (modules == from.end() || !modules->is_array() || modules->size() > 32)
    throw Error(Status::bad_file, name + ": a multi-vector head lacks its list of at most 32 modules");
  for (const json& module : *modules) {
    if (!module.is_object()) throw Error(Status::bad_file, name + ": a module is no object");
    Pipeline::Module& to = late.modules.emplace_back();
    to.type = pipeline_field<std::string>(module, "type", name);
    if (const VectorModule* row = find_vector_module(to.type)) row->parse(module, to, name);
  }
  late.skipped = pipeline_field<std::vector<std::string>>(from, "skipped", name);
  late.skips_queries = pipeline_field<bool>(from, "skips_queries", name);
  late.skips_documents = pipeline_field<bool>(from, "skips_documents", name);
  late.query_length = pipeline_field<int64_t>(from, "query_length", name);
  late.document_length = pipeline_field<int64_t>(from, "document_length", name);
  late.expansion = pipeline_field<std::string>(from, "expansion", name);
  late.expanded_length = pipeline_field<int64_t>(from, "expanded_length", name);
  late.expansion_is_seen = pipeline_field<bool>(from, "expansion_is_seen", name);
  late.cuts_queries = pipeline_field<bool>(from, "cuts_queries", name);
  late.mean = pipeline_field<bool>(from, "mean", name);
  late.pooling = pooling_from_json(object_in(from, "pooling", name), name);
  return config;
}

}  // namespace quern

// Reranking in the dialects of TEI, Jina and Cohere; classification; similarity.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "characters.h"
#include "embedding_request.h"
#include "json_text.h"
#include "routes.h"

namespace server {
namespace {

struct Ranking {
  std::shared_ptr<ServedModel> model;
  std::shared_ptr<TextJob> job;
  std::vector<size_t> order;  // the best first
  float score(size_t i) const { return job->outputs[i].dense.values[0]; }
  const std::string& text(size_t i) const { return *job->texts[i].pair; }
};

Ranking rank(Call& call, const Fields& fields, std::vector<std::string> texts, bool raw, int64_t max_length = 0) {
  Ranking r;
  r.model = call.model(fields, Task::rerank);
  const std::string query = fields.need_text("query");
  std::vector<TextInput> pairs;
  for (std::string& text : texts) pairs.push_back({query, std::move(text)});
  const Classify operation{.labels = 1,
                           .raw = raw,
                           .long_texts = long_texts_of(call, fields),
                           .max_length = max_length,
                           .prompt = fields.maybe_text("instruction"),
                           .prompt_name = fields.maybe_text("prompt_name")};
  r.job = run_texts(call, *r.model, operation, std::move(pairs), false);
  r.order.resize(r.job->outputs.size());
  std::iota(r.order.begin(), r.order.end(), size_t{0});
  std::stable_sort(r.order.begin(), r.order.end(), [&](size_t a, size_t b) { return r.score(a) > r.score(b); });
  return r;
}

// Jina's and Cohere's documents: strings, or objects with a text.
std::vector<std::string> documents_of(Call& call, const Fields& fields) {
  const Json& value = fields.need("documents");
  if (!value.is_array()) fields.refuse("documents", "a list of strings or of objects with a `text`");
  check_batch(call, "documents", value.size());
  std::vector<std::string> all;
  for (const Json& document : value) {
    if (document.is_string())
      all.push_back(document.get<std::string>());
    else if (document.is_object() && document.contains("text") && document["text"].is_string())
      all.push_back(document["text"].get<std::string>());
    else
      throw Refusal{Reason::wrong_type,
                    "`documents`: expected strings or objects with a `text`, found " + describe(document), "documents"};
  }
  return all;
}

size_t top_n(const Fields& fields, size_t all) {
  return std::min(all, static_cast<size_t>(fields.integer("top_n", static_cast<int64_t>(all), 1, 1 << 30)));
}

Json results_of(const Ranking& r, size_t n, bool with_documents) {
  Json results = Json::array();
  for (size_t i = 0; i < n; ++i) {
    Json one = {{"index", r.order[i]}, {"relevance_score", r.score(r.order[i])}};
    if (with_documents) one["document"] = {{"text", r.text(r.order[i])}};
    results.push_back(std::move(one));
  }
  return results;
}

void jina_rerank(Call& call) {
  const Fields fields(call.body());
  std::vector<std::string> documents = documents_of(call, fields);
  const size_t n = top_n(fields, documents.size());
  const bool with_documents = fields.flag("return_documents", true);
  const Ranking r = rank(call, fields, std::move(documents), fields.flag("raw_scores", false));
  const Spent spent = spent_on(*r.job);
  call.answer(
      Json{{"model", r.model->id},
           {"object", "list"},
           {"usage", {{"total_tokens", spent.tokens}, {"prompt_tokens", spent.tokens}, {"truncated", spent.truncated}}},
           {"results", results_of(r, n, with_documents)}});
  add_headers(call, *r.model, spent);
}

void cohere_rerank(Call& call) {
  const Fields fields(call.body());
  const int64_t most = fields.integer("max_tokens_per_doc", 0, 1, INT32_MAX);
  const auto model = call.model(fields, Task::rerank);
  std::vector<std::string> documents = documents_of(call, fields);
  const size_t n = top_n(fields, documents.size());
  const bool with_documents = fields.flag("return_documents", false);
  const Ranking r = rank(call, fields, std::move(documents), false, most >= model->max_length ? 0 : most);
  call.answer(Json{{"id", "rerank-" + std::to_string(Clock::now().time_since_epoch().count())},
                   {"results", results_of(r, n, with_documents)},
                   {"meta", {{"api_version", {{"version", "2"}}}, {"billed_units", {{"search_units", 1}}}}}});
  add_headers(call, *r.model, spent_on(*r.job));
}

void tei_rerank(Call& call) {
  const Fields fields(call.body());
  if (fields.find("documents") && !fields.find("texts")) return jina_rerank(call);
  const bool with_text = fields.flag("return_text", false);
  fields.need("texts");
  if (fields.find("texts")->is_string()) fields.refuse("texts", "a list of strings");
  std::vector<std::string> texts = fields.texts("texts", call.app.options.client_batch);
  check_batch(call, "texts", texts.size());
  const Ranking r = rank(call, fields, std::move(texts), fields.flag("raw_scores", false));
  std::string out = "[";
  for (const size_t i : r.order) {
    if (out.size() > 1) out += ',';
    out += "{\"index\":" + std::to_string(i) + ",\"score\":";
    append(out, r.score(i));
    if (with_text) out += ",\"text\":" + Json(r.text(i)).dump();
    out += '}';
  }
  call.answer(out += ']');
  add_headers(call, *r.model, spent_on(*r.job));
}

// TEI's inputs: "a", ["a", "b"] (one pair) or a batch of either in lists of their own.
std::vector<TextInput> predict_inputs(Call& call, const Fields& fields, bool& batch) {
  const Json& value = fields.need("inputs");
  const auto wrong = [&] {
    fields.refuse("inputs", "a string, a pair of strings, or a list of lists of one or two strings");
  };
  const auto one = [&](const Json& entry) -> TextInput {
    if (entry.is_string()) return {entry.get<std::string>(), {}};
    if (!entry.is_array() || entry.empty() || entry.size() > 2 || !entry[0].is_string()) wrong();
    if (entry.size() == 1) return {entry[0].get<std::string>(), {}};
    if (!entry[1].is_string()) wrong();
    return {entry[0].get<std::string>(), entry[1].get<std::string>()};
  };
  batch = value.is_array() && !value.empty() && value[0].is_array();
  if (value.is_array()) check_batch(call, "inputs", value.size());
  if (!batch) return {one(value)};
  std::vector<TextInput> all;
  for (const Json& entry : value) {
    if (!entry.is_array()) wrong();
    all.push_back(one(entry));
  }
  return all;
}

void predict_tokens(Call& call, const Fields& fields, ServedModel& model) {
  bool batch = false;
  std::vector<TextInput> inputs = predict_inputs(call, fields, batch);
  for (const TextInput& input : inputs)
    if (input.pair) fields.refuse("inputs", "single texts, whose tokens this model labels");
  const ClassifyTokens operation{.grouped = fields.flag("grouped", true), .long_texts = long_texts_of(call, fields)};
  const auto job = run_texts(call, model, operation, std::move(inputs), false);
  // Grouped spans are of a kind: the prefix of the first token's label says nothing more.
  const auto shown = [&](const std::string& label) {
    return operation.grouped && (label.starts_with("B-") || label.starts_with("I-")) ? label.substr(2) : label;
  };
  Json all = Json::array();
  for (size_t i = 0; i < job->outputs.size(); ++i) {
    Json spans = Json::array();
    const std::string& text = job->texts[i].text;
    Characters characters(text);
    for (const quern_span& s : job->outputs[i].spans) {
      const auto [start, end] = characters.of(s.begin, s.end);
      spans.push_back(
          {{operation.grouped ? "entity_group" : "entity", shown(model.labels[static_cast<size_t>(s.label)])},
           {"score", s.score},
           {"word", text.substr(s.begin, s.end - s.begin)},
           {"start", start},
           {"end", end}});
    }
    all.push_back(std::move(spans));
  }
  call.answer(batch ? all : all[0]);
  add_headers(call, model, spent_on(*job));
}

// A list, or one text with commas between them.
std::vector<std::string> candidate_labels(Call& call, const Fields& parameters) {
  std::vector<std::string> labels = parameters.texts("candidate_labels", call.app.options.client_batch);
  if (parameters.find("candidate_labels")->is_string()) {
    std::stringstream all(labels[0]);
    labels.clear();
    for (std::string label; std::getline(all, label, ',');) labels.push_back(label);
  }
  for (std::string& label : labels) {
    label.erase(0, label.find_first_not_of(" \t\r\n"));
    label.erase(label.find_last_not_of(" \t\r\n") + 1);
    if (label.empty()) parameters.refuse("candidate_labels", "texts, none of them empty");
  }
  if (labels.empty()) parameters.refuse("candidate_labels", "one label or more");
  return labels;
}

// Labels of the caller's own, as Hugging Face's inference API takes them: {"inputs", "parameters": {"candidate_labels",
// "hypothesis_template", "multi_label"}}.
void predict_zero_shot(Call& call, const Fields& fields, const Fields& parameters) {
  const auto model = call.model(fields, Task::classify);
  check(quern_zero_shot_scores(model->get(), nullptr, 0, 1, 0, nullptr));  // that it is a model for it
  const std::vector<std::string> labels = candidate_labels(call, parameters);
  const std::vector<std::string> texts = fields.texts("inputs", call.app.options.client_batch);
  const std::string hypothesis = parameters.text("hypothesis_template", "This example is {}.");
  const size_t at = hypothesis.find("{}");
  if (at == std::string::npos) parameters.refuse("hypothesis_template", "a sentence with {} where the label goes");
  check_batch(call, "inputs", texts.size() * labels.size());
  std::vector<TextInput> pairs;
  for (const std::string& text : texts)
    for (const std::string& label : labels)
      pairs.push_back({text, hypothesis.substr(0, at) + label + hypothesis.substr(at + 2)});
  const Classify operation{.labels = model->labels.size(), .raw = true, .long_texts = long_texts_of(call, fields)};
  const auto job = run_texts(call, *model, operation, std::move(pairs), false);
  std::vector<float> logits, scores(job->outputs.size());
  for (const TextOutput& output : job->outputs)
    logits.insert(logits.end(), output.dense.values.begin(), output.dense.values.end());
  check(quern_zero_shot_scores(model->get(), logits.data(), texts.size(), labels.size(),
                               parameters.flag("multi_label", false), scores.data()));
  Json all = Json::array();
  for (size_t i = 0; i < texts.size(); ++i) {
    const float* const row = scores.data() + i * labels.size();
    std::vector<size_t> order(labels.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return row[a] > row[b]; });
    Json one = Json::array();
    for (const size_t label : order) one.push_back({{"label", labels[label]}, {"score", row[label]}});
    all.push_back(std::move(one));
  }
  call.answer(fields.find("inputs")->is_array() ? all : all[0]);
  add_headers(call, *model, spent_on(*job));
}

void predict(Call& call) {
  const Fields fields(call.body());
  if (const auto parameters = fields.object("parameters"); parameters && parameters->find("candidate_labels"))
    return predict_zero_shot(call, fields, *parameters);
  const auto named = call.models->named(fields.text("model"));
  const auto& all = call.models->all();
  const auto labels_tokens = [&](const Models::Slot& m) {
    return call.models->known(m, call.patience())->can(Task::token_classify);
  };
  const bool tokens =
      named ? labels_tokens(named)
            : !call.models->can_classify(call.patience()) && std::any_of(all.begin(), all.end(), labels_tokens);
  if (tokens) return predict_tokens(call, fields, *call.model(fields, Task::token_classify));
  const auto model = call.model(fields, Task::classify);
  bool batch = false;
  std::vector<TextInput> inputs = predict_inputs(call, fields, batch);
  batch =
      batch || call.http.request.path == "/";  // at the root as Hugging Face's inference API: always a list of lists
  const Classify operation{.labels = model->labels.size(),
                           .raw = fields.flag("raw_scores", false),
                           .long_texts = long_texts_of(call, fields)};
  const auto job = run_texts(call, *model, operation, std::move(inputs), false);
  std::string out = batch ? "[" : "";
  for (size_t i = 0; i < job->outputs.size(); ++i) {
    const std::vector<float>& scores = job->outputs[i].dense.values;
    std::vector<size_t> order(scores.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    out += i ? ",[" : "[";
    for (const size_t label : order) {
      if (out.back() != '[') out += ',';
      out += "{\"score\":";
      append(out, scores[label]);
      out += ",\"label\":" + Json(model->labels[label]).dump() + '}';
    }
    out += ']';
  }
  call.app.metrics.counter("te_predict_count").add(static_cast<double>(job->outputs.size()));
  call.app.metrics.counter("te_predict_success").add(static_cast<double>(job->outputs.size()));
  call.answer(batch ? out += ']' : out);
  add_headers(call, *model, spent_on(*job));
}

void similarity(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::embed);
  const auto inputs = fields.object("inputs");
  if (!inputs) fields.refuse("inputs", "an object with source_sentence and sentences");
  std::vector<TextInput> texts = {{inputs->need_text("source_sentence"), {}}};
  inputs->need("sentences");
  if (inputs->find("sentences")->is_string()) inputs->refuse("sentences", "a list of strings");
  for (std::string& s : inputs->texts("sentences", call.app.options.client_batch - 1))
    texts.push_back({std::move(s), {}});
  if (texts.size() == 1) throw Refusal{Reason::empty, "`inputs.sentences` cannot be empty"};
  const Json none = Json::object();
  const Fields parameters = fields.object("parameters").value_or(Fields(none));
  const Encode operation = encode_of(call, parameters, *model, {.normalize = 1});
  const Vectors v = run_vectors(call, parameters, *model, operation, std::move(texts));
  std::vector<float> scores;
  for (size_t i = 1; i < v.size(); ++i) {
    double sum = 0;
    if (v.of(0) && v.of(i))
      for (size_t k = 0; k < v.of(0)->dense.values.size(); ++k)
        sum += static_cast<double>(v.of(0)->dense.values[k]) * static_cast<double>(v.of(i)->dense.values[k]);
    scores.push_back(static_cast<float>(sum));
  }
  std::string out;
  append(out, scores);
  call.answer(std::move(out));
  add_headers(call, *model, spent_on(*v.job));
}

}  // namespace

std::span<const Route> scoring_routes() {
  static constexpr Route table[] = {
      {"POST", "/rerank", Dialect::tei, tei_rerank},           {"POST", "/v1/rerank", Dialect::openai, jina_rerank},
      {"POST", "/v1/reranking", Dialect::openai, jina_rerank}, {"POST", "/reranking", Dialect::openai, jina_rerank},
      {"POST", "/v2/rerank", Dialect::openai, cohere_rerank},  {"POST", "/predict", Dialect::tei, predict},
      {"POST", "/similarity", Dialect::tei, similarity},
  };
  return table;
}

}  // namespace server

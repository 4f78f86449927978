// What is served here, how it fares, and the page.
#include "os/process.h"
#include "page.h"
#include "routes.h"

namespace server {
namespace {

void health(Call& call) {
  if (call.app.http->stopping()) throw Refusal{Reason::draining, "the server is shutting down"};
  call.answer(Json{{"status", "ok"}});
}

void metrics(Call& call) {
  Metrics& m = call.app.metrics;
  double queued = 0;
  for (const auto& slot : call.models->all()) {
    const auto model = slot->if_loaded();
    const std::string of = label("model", slot->id);
    m.gauge("quern_model_loaded", of, model ? 1 : 0);
    m.gauge("quern_model_bytes", of, static_cast<double>(slot->resident()));
    uint64_t waiting = 0, tokens = 0;
    if (model && model->texts) {
      const quern_text_scheduler_stats stats = model->texts->stats();
      waiting += stats.requests;
      tokens += stats.waiting_tokens;
    }
    // What was a decoder when it was loaded last has gauges that go back to 0.
    if (model ? model->generation != nullptr : slot->facts()->context > 0) {
      quern_generation_scheduler_stats stats{};
      if (model) {
        model->generation->count();
        stats = model->generation->stats();
      }
      waiting += stats.requests;
      tokens += stats.waiting_tokens;
      m.gauge("quern_running_sequences", of, static_cast<double>(stats.sequences));
      m.gauge("quern_kv_bytes", of, static_cast<double>(stats.kv_bytes));
      m.gauge("quern_kv_tokens", of, static_cast<double>(stats.kv_tokens));
    }
    m.gauge("quern_queue_requests", of, static_cast<double>(waiting));
    m.gauge("quern_queue_tokens", of, static_cast<double>(tokens));
    queued += static_cast<double>(waiting);
  }
  m.gauge("te_queue_size", "", queued);
  m.gauge("quern_connections", "", static_cast<double>(call.app.http->connections()));
  m.gauge("quern_received_bytes", "", static_cast<double>(call.app.http->received()));
  m.gauge("quern_unsent_bytes", "", static_cast<double>(call.app.http->unsent()));
  m.gauge("process_resident_memory_bytes", "", os::resident_bytes());
  m.gauge("process_cpu_seconds_total", "", os::cpu_seconds());
  call.http.response.status = 200;
  call.http.response.set_content(m.text(), "text/plain; version=0.0.4");
}

Json about(const ModelFacts& m) {
  Json j = {{"id", m.id}, {"tasks", m.tasks()}, {"max_input_length", m.max_length}};
  if (m.width > 0) j["dimensions"] = m.width;
  if (!m.fingerprint.empty()) j["fingerprint"] = m.fingerprint;
  if (!m.labels.empty()) j["labels"] = m.labels;
  if (m.context > 0) j["context"] = m.context;
  if (m.context > 0) j["chat"] = m.has_chat;
  for (const char* key :
       {"architecture", "type", "vocabulary", "layers", "matryoshka", "prompts", "default_prompt", "source"})
    if (m.description.contains(key)) j[key] = m.description[key];
  return j;
}

// TEI's model_type.
Json tei_type(const ModelFacts& m) {
  Json ids = Json::object(), labels = Json::object();
  for (size_t i = 0; i < m.labels.size(); ++i) {
    ids[std::to_string(i)] = m.labels[i];
    labels[m.labels[i]] = i;
  }
  const Json classes = {{"id2label", ids}, {"label2id", labels}};
  if (m.can(Task::rerank)) return {{"reranker", classes}};
  if (m.can(Task::classify) || m.can(Task::token_classify)) return {{"classifier", classes}};
  std::string pooling = "mean";
  for (const Json& module : m.description.value("pipeline", Json::object()).value("modules", Json::array()))
    if (module.is_object() && module.contains("pooling")) pooling = module["pooling"].dump();
  if (m.can(Task::embed)) return {{"embedding", {{"pooling", pooling}}}};
  return {{"generation", Json::object()}};
}

void info(Call& call) {
  const auto known = call.models->known(call.models->all().front(), call.patience());
  const ModelFacts& first = *known;
  const Options& o = call.app.options;
  Json all = Json::array();
  for (const auto& model : call.models->all()) all.push_back(about(*model->facts()));
  call.answer(
      Json{{"model_id", first.id},
           {"model_sha", first.description.value("source", Json::object()).value("revision", "")},
           {"model_dtype", first.description.value("type", "")},
           {"served_model_name", first.id},
           {"model_type", tei_type(first)},
           {"max_concurrent_requests", o.limits.texts.max_requests},
           {"max_input_length", first.max_length},
           {"max_batch_tokens", o.limits.texts.batch_tokens},
           {"max_batch_requests", nullptr},
           {"max_client_batch_size", o.client_batch},
           {"auto_truncate", o.truncate},
           {"tokenization_workers", o.limits.texts.n_threads > 0 ? o.limits.texts.n_threads : quern_usable_cpus()},
           {"version", quern_version()},
           {"isa", quern_isa()},
           {"fingerprint", first.fingerprint},
           {"models", all}});
}

Json openai_model(const ModelSlot& slot) {
  const auto known = slot.facts();
  const ModelFacts& m = *known;
  Json j = {{"id", m.id}, {"object", "model"}, {"created", m.created}, {"owned_by", "quern"}};
  j.update(about(m));
  const ModelSlot::State state = slot.state();
  j["status"] = state.loaded ? "loaded" : state.loading ? "loading" : "unloaded";
  return j;
}

// With one of its adapters, as vLLM lists them.
Json openai_adapter(const ModelSlot& slot, const std::string& name) {
  Json j = openai_model(slot);
  j["id"] = slot.id + ':' + name;
  j["root"] = name;
  j["parent"] = slot.id;
  const auto model = slot.if_loaded();
  const auto made = model ? model->with_adapter(name) : nullptr;
  if (made && !made->fingerprint.empty())
    j["fingerprint"] = made->fingerprint;
  else
    j.erase("fingerprint");
  return j;
}

void models(Call& call) {
  Json data = Json::array();
  for (const auto& model : call.models->all()) {
    data.push_back(openai_model(*model));
    for (const AdapterSource& adapter : model->adapters()) data.push_back(openai_adapter(*model, adapter.name));
  }
  call.answer(Json{{"object", "list"}, {"data", data}});
}

void page(Call& call) {
  std::string_view type;
  const std::string_view text = page_file(call.http.request.path, &type);
  call.header("Content-Security-Policy",
              "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
  call.header("X-Content-Type-Options", "nosniff");
  call.header("Referrer-Policy", "no-referrer");
  call.http.response.status = 200;
  call.http.response.set_content(text.data(), text.size(), std::string(type));
}

}  // namespace

// The table, and a route for each file of the page.
std::span<const Route> about_routes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> routes = {
        {"GET", "/health", Dialect::tei, health, true}, {"GET", "/v1/health", Dialect::tei, health, true},
        {"GET", "/ping", Dialect::tei, health, true},   {"GET", "/metrics", Dialect::tei, metrics, true},
        {"GET", "/info", Dialect::tei, info},           {"GET", "/v1/models", Dialect::openai, models},
        {"GET", "/models", Dialect::openai, models},
    };
    for (int i = 0; i < n_page_files; ++i)
      routes.push_back({"GET", page_files[i].name.data(), Dialect::tei, page, true});
    return routes;
  }();
  return all;
}

// Of one model, named behind the path.
bool answer_model(Call& call) {
  constexpr std::string_view before = "/v1/models/";
  const std::string& path = call.http.request.path;
  if (call.http.request.method != "GET" || !path.starts_with(before)) return false;
  const auto [model, adapter] = call.models->find(path.substr(before.size()));
  if (!model || !model->has_adapter(adapter))
    throw Refusal{Reason::unknown_model, "no model is called \"" + path.substr(before.size(), 100) + '"', "model"};
  call.answer(adapter.empty() ? openai_model(*model) : openai_adapter(*model, adapter));
  return true;
}

}  // namespace server

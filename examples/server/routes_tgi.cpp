// Text generation in the dialect of TGI.
#include "generation_request.h"
#include "routes.h"

namespace server {
namespace {

struct Asked {
  std::string inputs;
  bool details, full_text;
  int top;
};

const char* tgi_reason(quern_finish finish) {
  return finish == QUERN_FINISH_LENGTH ? "length" : finish == QUERN_FINISH_STOP ? "stop_sequence" : "eos_token";
}

// {"type": …, "value": …}: a schema, as JSON or as text; one under `schema` beside its name; or a regular expression.
void read_grammar(const Fields& grammar, GenerationJob& job) {
  const std::string type = grammar.need_text("type");
  if (type == "regex") {
    job.grammar = regex_grammar(grammar, "value");
    return;
  }
  if (type != "json" && type != "json_object" && type != "json_schema")
    grammar.refuse("type", "\"json\", \"json_schema\" or \"regex\"");
  Json value = grammar.need("value");
  if (value.is_string()) value = Json::parse(value.get<std::string>(), nullptr, false);
  if (type == "json_schema" && value.is_object() && value.contains("schema")) value = Json(value["schema"]);
  if (!value.is_object() && !value.is_boolean()) grammar.refuse("value", "a JSON schema, or one as text");
  job.json_schema = dump(value);
}

std::shared_ptr<GenerationJob> job_of(Call& call, const Fields& p, const ServedModel& model,
                                      const std::string& inputs) {
  auto job = model.new_job();
  const uint64_t seed = job->options.seed;
  job->options = quern_generation_options_default();  // TGI's own defaults
  job->options.adapter = model.adapter();
  job->options.seed = seed;
  job->options.max_tokens = 100;
  read_sampling(p, *job);
  // Sampling that is asked for by any of its settings, as there.
  const bool warped = p.find("temperature") || p.find("top_k") || p.find("top_p") || p.find("typical_p");
  if (!p.flag("do_sample", false) && !warped) job->options.temperature = 0;
  if (p.integer("best_of", 1, 1, 1 << 20) > 1 || p.flag("watermark", false))
    throw Refusal{Reason::validation, "`best_of` and `watermark` are not supported"};
  read_stop(p, "stop", 4, *job);
  job->options.include_stop = 1;
  job->options.logprobs = static_cast<int>(p.integer("top_n_tokens", 0, 0, 20));
  if (const auto grammar = p.object("grammar")) {
    read_grammar(Fields(grammar->json(), "parameters.grammar."), *job);
  }
  job->prompt = tokens_of(call, model, inputs);
  if (job->prompt.empty()) throw Refusal{Reason::empty, "`inputs` cannot be empty"};
  const int64_t keep = p.integer("truncate", INT32_MAX, 1, INT32_MAX);
  if (static_cast<int64_t>(job->prompt.size()) > keep) job->prompt.erase(job->prompt.begin(), job->prompt.end() - keep);
  return job;
}

Json token_json(const ServedModel& model, const GenerationEvent& e) {
  const bool special = e.finish == QUERN_FINISH_END && e.text.empty();
  return {{"id", e.token},
          {"text", special ? text_of(model, e.token) : e.text},
          {"logprob", e.logprob},
          {"special", special}};
}

Json top_json(const ServedModel& model, const GenerationEvent& e) {
  Json all = Json::array();
  for (const quern_token_logprob& t : e.top)
    all.push_back({{"id", t.token}, {"text", text_of(model, t.token)}, {"logprob", t.logprob}, {"special", false}});
  return all;
}

Json details_json(const Asked& a, const Generation& g, const Generated& text, const Json& seed, bool with_tokens) {
  Json details = {{"finish_reason", tgi_reason(text.finish)},
                  {"generated_tokens", text.events.size()},
                  {"seed", seed},
                  {"input_length", g.prompt_tokens()}};
  if (!with_tokens) return details;
  details["prefill"] = details["tokens"] = Json::array();
  for (const GenerationEvent& e : text.events) details["tokens"].push_back(token_json(g.model(), e));
  if (a.top > 0) {
    details["top_tokens"] = Json::array();
    for (const GenerationEvent& e : text.events) details["top_tokens"].push_back(top_json(g.model(), e));
  }
  return details;
}

class TokenEvents final : public EventFormat {
 public:
  TokenEvents(Asked asked, Json seed) : a_(std::move(asked)), seed_(std::move(seed)) {}

  std::string event(const Generation& g, GenerationEvent event) override {
    all_.text += event.text;
    all_.finish = event.finish;
    const bool last = event.finish != QUERN_FINISH_NONE;
    if (event.token < 0 && !last) return {};
    Json one = {{"index", ++index_}, {"token", token_json(g.model(), event)}};
    if (a_.top > 0) one["top_tokens"] = top_json(g.model(), event);
    if (event.token >= 0) all_.events.push_back(std::move(event));
    one["generated_text"] = last ? Json((a_.full_text ? a_.inputs : "") + all_.text) : Json(nullptr);
    one["details"] = last ? details_json(a_, g, all_, seed_, false) : Json(nullptr);
    return "data:" + dump(one) + "\n\n";
  }
  std::string end(const Generation&) override { return {}; }
  std::string refusal(const std::string& json) override { return "data:" + json + "\n\n"; }

 private:
  const Asked a_;
  const Json seed_;
  Generated all_;
  size_t index_ = 0;
};

enum class How { whole, list, streamed };

void generate(Call& call, How how) {
  const Fields fields(call.body());
  const std::string inputs = fields.need_text("inputs");
  const Json none = Json::object();
  const Fields p = fields.object("parameters").value_or(Fields(none));
  const auto model = call.model(fields, Task::generate, std::nullopt, p.text("adapter_id"));
  const auto job = job_of(call, p, *model, inputs);
  const Asked a{inputs, p.flag("details", false), p.flag("return_full_text", false), job->options.logprobs};
  const Json seed = p.find("seed") ? *p.find("seed") : Json(nullptr);
  if (how == How::streamed) return answer_events(call, model, {job}, std::make_unique<TokenEvents>(a, seed));
  Generation generation(model, {job}, call.patience(), {});
  const Generated text = generation.all()[0];
  Json answer = {{"generated_text", (a.full_text ? inputs : "") + text.text}};
  if (a.details) answer["details"] = details_json(a, generation, text, seed, true);
  call.answer(how == How::list ? Json::array({answer}) : answer);
  add_headers(call, generation);
}

void generate_whole(Call& call) {
  generate(call, How::whole);
}
void generate_stream(Call& call) {
  generate(call, How::streamed);
}
// As the root of a TGI server answers: a list, or a stream where it is asked for.
void generate_root(Call& call) {
  generate(call, Fields(call.body()).flag("stream", false) ? How::streamed : How::list);
}

// The default model's own task, as TEI and TGI answer at "/".
void root(Call& call) {
  const auto known = call.models->known(call.models->all().front(), call.patience());
  const ModelFacts& model = *known;
  if (model.can(Task::generate)) return generate_root(call);
  const char* path = model.can(Task::rerank)                                        ? "/rerank"
                     : model.can(Task::classify) || model.can(Task::token_classify) ? "/predict"
                     : model.can(Task::embed)                                       ? "/embed"
                                                                                    : "/embed_sparse";
  for (const auto routes : {embedding_routes(), scoring_routes()})
    for (const Route& route : routes)
      if (std::string_view(route.path) == path) return route.handle(call);
}

}  // namespace

std::span<const Route> tgi_routes() {
  static constexpr Route table[] = {
      {"POST", "/generate", Dialect::tgi, generate_whole},
      {"POST", "/generate_stream", Dialect::tgi, generate_stream},
      {"POST", "/", Dialect::tei, root},
      {"POST", "/invocations", Dialect::tei, root},
  };
  return table;
}

}  // namespace server

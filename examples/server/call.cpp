#include "call.h"

#include <algorithm>
#include <cstdio>

#include "wording.h"

namespace server {

Call::Call(App& app, Exchange& http, Dialect dialect, std::shared_ptr<RequestRecord> record)
    : app(app), http(http), dialect(dialect), models(app.models()), record(std::move(record)) {}

Call::Tokenizing::~Tokenizing() {
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begun_).count();
  call_.record->tokenize_ms = call_.record->tokenize_ms + ms;
  call_.record->worked = true;
}

const Json& Call::body() {
  const Json& json = any_body();
  if (!json.is_object()) throw Refusal{Reason::wrong_type, "expected a JSON object, found " + describe(json)};
  return json;
}

const Json& Call::any_body() {
  if (!body_.is_null()) return body_;
  const std::string type = lower(http.request.get_header_value("Content-Type"));
  // What curl says of any body counts as nothing said: pages of other sites are kept out by their Origin.
  const bool said = !type.empty() && !type.starts_with("application/x-www-form-urlencoded");
  if (said && type.find("json") == std::string::npos)
    throw Refusal{Reason::media_type, "expected Content-Type: application/json, found " + type.substr(0, 60)};
  if (http.request.has_header("Content-Encoding"))
    throw Refusal{Reason::media_type, "compressed request bodies are not supported"};
  // Texts of a large one are there three times: as JSON, and on both sides of the library's interface; before that as
  // the body.
  if (http.body().size() > kSmall) http.charge(json_bytes(http.body()) + http.body().size());
  body_ = parse_body(http.body());
  http.drop_body();
  return body_;
}

Patience Call::patience() const {
  Patience p;
  if (app.options.deadline_seconds > 0) p.until = http.arrived + std::chrono::seconds(app.options.deadline_seconds);
  p.gone = [&gone = http.gone()] { return gone.load(); };
  return p;
}

std::shared_ptr<ServedModel> Call::model(const Fields& fields, Task task, const ModelSlot::Keep& keep,
                                         const std::string& adapter) {
  const Clock::time_point begun = Clock::now();
  const std::string numbered = adapter.empty() ? numbered_adapter(app, *models, fields) : std::string();
  auto model = models->pick(numbered.empty() ? fields.text("model") : numbered, task, patience(), keep, adapter);
  record->model = model->id;
  load_ms += std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  return model;
}

void Call::answer(const Json& json) {
  answer(dump(json));
}

size_t Call::longest_answer() const {
  if (longest_answer_ == 0) longest_answer_ = app.longest_answer();
  return longest_answer_;
}

void Call::check_answer(size_t bytes) const {
  const size_t most = longest_answer();
  if (bytes > most)
    throw Refusal{Reason::validation, "the answer would be longer than " + std::to_string(most) +
                                          " bytes (--max-answer): ask for less at once"};
  const Patience p = patience();
  const Clock::time_point now = Clock::now();
  // What is done at once is done for a client, too, that has only closed its sending side.
  if (http.gone() && now - http.arrived > std::chrono::milliseconds(kLookMs))
    throw Refusal{Reason::deadline, "the client has gone"};
  if (now >= p.until) throw Refusal{Reason::deadline, "the request took longer than the deadline"};
}

void Call::charge(size_t bytes) {
  check_answer(bytes);
  http.charge(bytes);
}

void Call::answer(std::string json) {
  check_answer(json.size());
  http.response.status = 200;
  http.response.body = std::move(json);
  http.response.set_header("Content-Type", "application/json");
}

void Call::header(const char* name, const std::string& value) {
  http.response.set_header(name, value);
}

void add_headers(Call& call, const ServedModel& model, const Spent& spent) {
  const double total = call.record->total_ms();
  call.header("x-model", model.id);
  if (!model.fingerprint.empty()) call.header("x-fingerprint", model.fingerprint);
  call.header("x-compute-type", std::string("cpu+") + quern_isa());
  call.header("x-compute-time", ms_text(spent.compute_ms));
  call.header("x-compute-characters", std::to_string(spent.characters));
  call.header("x-compute-tokens", std::to_string(spent.tokens));
  call.header("x-total-time", ms_text(total));
  call.header("x-tokenization-time", ms_text(spent.tokenization_ms));
  call.header("x-queue-time", ms_text(spent.queue_ms));
  call.header("x-inference-time", ms_text(spent.compute_ms));
  call.header("x-truncated-inputs", std::to_string(spent.truncated));
  call.record->model = model.id;
  call.record->worked = true;
  call.record->queue_ms = spent.queue_ms;
  call.record->tokenize_ms = spent.tokenization_ms;
  call.record->work_ms = spent.compute_ms;
  Metrics& m = call.app.metrics;
  const std::string method = spent.inputs == 1 ? "method=\"single\"" : "method=\"batch\"";
  m.counter("te_request_success", method).add();
  m.seconds("te_request_duration").observe(total / 1000);
  m.seconds("te_request_queue_duration").observe(spent.queue_ms / 1000);
  m.seconds("te_request_inference_duration").observe(spent.compute_ms / 1000);
  m.seconds("te_request_tokenization_duration").observe(spent.tokenization_ms / 1000);
  m.sizes("te_request_input_length").observe(static_cast<double>(spent.tokens));
}

std::shared_ptr<TextJob> run_texts(Call& call, ServedModel& model, Operation operation, std::vector<TextInput> texts,
                                   bool keep_errors) {
  check_batch(call, "inputs", texts.size());
  auto job = std::make_shared<TextJob>();
  job->operation = std::move(operation);
  job->texts = std::move(texts);
  job->adapter = model.adapter();
  call.app.metrics.counter("te_request_count", job->texts.size() == 1 ? "method=\"single\"" : "method=\"batch\"").add();
  model.texts->run(*job, call.patience());
  if (keep_errors) return job;
  for (size_t i = 0; i < job->outputs.size(); ++i) {
    if (!job->outputs[i].error) continue;
    Refusal refusal = refusal_of(*job->outputs[i].error);
    if (job->outputs.size() > 1) refusal.message = "input " + std::to_string(i) + ": " + refusal.message;
    throw refusal;
  }
  return job;
}

void check_batch(const Call& call, const std::string& name, size_t n) {
  const size_t most = call.app.options.client_batch;
  if (n == 0) throw Refusal{Reason::empty, "`" + name + "` cannot be empty", name};
  if (n > most)
    throw Refusal{Reason::validation,
                  "batch size " + std::to_string(n) + " > maximum allowed batch size " + std::to_string(most) + " (`" +
                      name + "`)",
                  name};
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

Spent spent_on(const TextJob& job) {
  Spent s;
  s.inputs = job.texts.size();
  for (const TextInput& t : job.texts) s.characters += characters(t.text) + (t.pair ? characters(*t.pair) : 0);
  for (const TextOutput& out : job.outputs) {
    s.tokens += out.info.tokens;
    s.truncated += out.info.dropped > 0;
  }
  s.queue_ms = job.queue_ms;
  s.compute_ms = job.compute_ms;
  s.tokenization_ms = job.tokenization_ms;
  return s;
}

}  // namespace server

#include "generation_request.h"

#include <charconv>
#include <cmath>
#include <random>
#include <utility>

#include "connection.h"

namespace server {
namespace {

constexpr int64_t kMostTokens = 1 << 30;
constexpr size_t kMostBiases = 4096, kMostStopBytes = 1024;

// A message's content: a string, or parts of which the texts count.
Json plain_content(const Json& content) {
  if (!content.is_array()) return content;
  std::string text;
  for (const Json& part : content) {
    const bool is_text = part.is_object() && part.contains("type") && part["type"] == "text";
    if (!is_text || !part.contains("text") || !part["text"].is_string())
      throw Refusal{Reason::wrong_type, "`messages`: expected parts of type \"text\": this model reads text alone",
                    "messages"};
    text += part["text"].get<std::string>();
  }
  return text;
}

void read_bias(const Fields& fields, GenerationJob& job) {
  const auto bias = fields.object("logit_bias");
  if (!bias) return;
  if (bias->json().size() > kMostBiases)
    fields.refuse("logit_bias", "at most " + std::to_string(kMostBiases) + " entries");
  for (const auto& [key, value] : bias->json().items()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0 || !value.is_number())
      fields.refuse("logit_bias", "an object of token ids and numbers from -100 to 100");
    const double b = value.get<double>();
    if (!(b >= -100 && b <= 100)) fields.refuse("logit_bias", "an object of token ids and numbers from -100 to 100");
    job.bias_ids.push_back(id);
    job.bias.push_back(b <= -100 ? -INFINITY : static_cast<float>(b));  // OpenAI's -100 bans a token
  }
}

}  // namespace

void read_sampling(const Fields& fields, GenerationJob& job) {
  quern_generation_options& o = job.options;
  const auto real = [&](const char* name, float& to, double least, double most) {
    to = static_cast<float>(fields.number(name, static_cast<double>(to), least, most));
  };
  real("temperature", o.temperature, 0, 100);
  real("top_p", o.top_p, 0, 1);
  real("min_p", o.min_p, 0, 1);
  real("typical_p", o.typical_p, 0, 1);
  real("repetition_penalty", o.repetition_penalty, 0.01, 100);
  real("frequency_penalty", o.frequency_penalty, -2, 2);
  real("presence_penalty", o.presence_penalty, -2, 2);
  o.top_k = static_cast<int>(fields.integer("top_k", o.top_k, 0, INT32_MAX));
  std::random_device device;
  const uint64_t chance = uint64_t{device()} << 20 ^ device();
  o.seed =
      static_cast<uint64_t>(fields.integer("seed", static_cast<int64_t>(chance & INT64_MAX), INT64_MIN, INT64_MAX));
  o.ignore_end = fields.flag("ignore_eos", false);
  for (const char* name : {"max_tokens", "max_completion_tokens", "n_predict", "max_new_tokens"})
    if (fields.find(name))
      o.max_tokens = fields.integer(name, -1, std::string(name) == "n_predict" ? -1 : 0, kMostTokens);
  job.choices = static_cast<int>(fields.integer("n", 1, 1, 16));
  read_bias(fields, job);
}

void read_stop(const Fields& fields, const char* name, size_t most, GenerationJob& job) {
  job.stop = fields.texts(name, most);
  for (const std::string& s : job.stop)
    if (s.empty() || s.size() > kMostStopBytes || s.find('\0') != std::string::npos)
      fields.refuse(name, "strings of 1 to " + std::to_string(kMostStopBytes) + " bytes without NUL");
}

void read_format(const Fields& fields, GenerationJob& job) {
  const auto schema = [&](const Json& json) { job.json_schema = json.dump(); };
  if (const auto format = fields.object("response_format")) {
    const std::string type = format->need_text("type");
    if (type == "json_object") {
      schema(Json{{"type", "object"}});
    } else if (type == "json_schema") {
      const auto inner = format->object("json_schema");
      if (!inner || !inner->object("schema")) format->refuse("json_schema", "an object with a `schema`");
      schema(inner->object("schema")->json());
    } else if (type != "text") {
      format->refuse("type", "\"text\", \"json_object\" or \"json_schema\"");
    }
  }
  if (const Json* given = fields.find("json_schema")) {
    if (!given->is_object()) fields.refuse("json_schema", "an object");
    schema(*given);
  }
  job.grammar = fields.text("grammar");
  if (!job.grammar.empty() && !job.json_schema.empty())
    throw Refusal{Reason::validation, "`grammar` and a JSON schema cannot be given together", "grammar"};
}

std::vector<int32_t> tokens_of(const ServedModel& model, const std::string& text) {
  quern_tokenize_options options = quern_tokenize_options_default();
  options.max_length = -1;
  std::vector<int32_t> ids(text.size() + 16);
  size_t n = 0;
  const quern_status status =
      quern_tokenize(model.get(), text.data(), text.size(), &options, ids.data(), ids.size(), &n);
  if (status != QUERN_OK && n > ids.size()) {
    ids.resize(n);
    check(quern_tokenize(model.get(), text.data(), text.size(), &options, ids.data(), ids.size(), &n));
  } else {
    check(status);
  }
  ids.resize(n);
  return ids;
}

std::string conversation_of(const Fields& fields) {
  const Json& messages = fields.need("messages");
  if (!messages.is_array() || messages.empty()) fields.refuse("messages", "a list of messages");
  Json conversation = Json::object();
  for (const Json& message : messages) {
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string())
      fields.refuse("messages", "objects with a `role` and a `content`");
    Json plain = message;
    if (plain.contains("content")) plain["content"] = plain_content(plain["content"]);
    if (plain.contains("content") && !plain["content"].is_string() && !plain["content"].is_null())
      fields.refuse("messages", "a `content` that is a string");
    if (!plain.contains("content") || plain["content"].is_null()) plain["content"] = "";
    conversation["messages"].push_back(std::move(plain));
  }
  if (const Json* tools = fields.find("tools")) conversation["tools"] = *tools;
  if (const auto variables = fields.object("chat_template_kwargs"))
    for (const auto& [key, value] : variables->json().items())
      if (key != "messages") conversation[key] = value;
  conversation["add_generation_prompt"] = fields.flag("add_generation_prompt", true);
  return conversation.dump();
}

std::vector<int32_t> tokens_of_chat(const ServedModel& model, const Fields& fields) {
  if (!model.has_chat)
    throw Refusal{Reason::wrong_task, "model \"" + model.id + "\" has no chat template: use /v1/completions", "model"};
  const std::string conversation = conversation_of(fields);
  int32_t* ids = nullptr;
  size_t n = 0;
  check(quern_chat_tokens(model.get(), conversation.data(), conversation.size(), &ids, &n));
  const IdsHandle owner(ids);
  return {ids, ids + n};
}

std::string text_of(const ServedModel& model, int32_t token) {
  quern_detokenize_options options = quern_detokenize_options_default();
  options.skip_special = 0;
  char* text = nullptr;
  size_t length = 0;
  check(quern_detokenize(model.get(), &token, 1, &options, &text, &length));
  const StringHandle owner(text);
  return {text, length};
}

Generation::Generation(std::shared_ptr<ServedModel> model, std::vector<std::shared_ptr<GenerationJob>> jobs,
                       Patience patience, std::function<void()> on_ready)
    : model_(std::move(model)), jobs_(std::move(jobs)), patience_(std::move(patience)), on_ready_(std::move(on_ready)) {
  const auto call = [](void* user) { static_cast<const Generation*>(user)->on_ready_(); };
  for (const auto& job : jobs_) model_->generation->submit(*job, patience_, on_ready_ ? +call : nullptr, this);
}

Generation::~Generation() {
  for (const auto& job : jobs_) job->request.reset();  // after which on_ready_ is not called
}

void Generation::cancel() {
  for (const auto& job : jobs_) quern_generation_request_cancel(job->request.get());
}

std::optional<GenerationEvent> Generation::take(int64_t wait_ms, bool& done) {
  done = false;
  try {
    while (at_ < jobs_.size()) {
      bool ended = false;
      std::optional<GenerationEvent> event = model_->generation->next(*jobs_[at_], wait_ms, ended);
      if (!event && !ended) return std::nullopt;
      if (ended) {
        ++at_;
        continue;
      }
      if (event->token >= 0) ++generated_;
      for (size_t i = 0; i < at_; ++i) event->choice += jobs_[i]->choices;
      return event;
    }
  } catch (const QuernError& e) {
    throw refusal_of(e);
  }
  done = true;
  return std::nullopt;
}

std::vector<Generated> Generation::all() {
  size_t choices = 0;
  for (const auto& job : jobs_) choices += static_cast<size_t>(job->choices);
  std::vector<Generated> texts(choices);
  for (bool done = false; !done;) {
    std::optional<GenerationEvent> event = take(kLookMs, done);
    if (!done && patience_.gone()) throw Refusal{Reason::deadline, "the client has gone"};
    if (!event) continue;
    Generated& g = texts[static_cast<size_t>(event->choice)];
    g.text += event->text;
    g.finish = event->finish;
    if (event->token >= 0) g.events.push_back(std::move(*event));
  }
  return texts;
}

size_t Generation::prompt_tokens() const {
  size_t n = 0;
  for (const auto& job : jobs_) n += job->prompt.size();
  return n;
}
size_t Generation::cached_tokens() const {
  size_t n = 0;
  for (const auto& job : jobs_) n += job->usage().reused_tokens;
  return n;
}

namespace {

void add_beginning(httplib::Response& response, const Generation& g) {
  response.set_header("x-model", g.model().id);
  response.set_header("x-compute-type", std::string("cpu+") + quern_isa());
  response.set_header("x-prompt-tokens", std::to_string(g.prompt_tokens()));
}

// A generation's events on their way to a client.
class EventAnswer final : public Producer {
 public:
  EventAnswer(Call& call, std::unique_ptr<EventFormat> format)
      : app_(call.app), dialect_(call.dialect), finish_(call.http.finish), format_(std::move(format)) {}
  void begin(std::unique_ptr<Generation> generation) { generation_ = std::move(generation); }

  void produce(Outlet& out) override {
    try {
      for (bool done = false; !out.full();) {
        std::optional<GenerationEvent> event = generation_->poll(done);
        if (!event && !done) return;
        if (!std::exchange(begun_, true)) out.begin(head());
        out.write(event ? format_->event(*generation_, std::move(*event)) : format_->end(*generation_));
        if (done) return out.end();
      }
    } catch (const Refusal& refusal) {
      if (begun_) {
        out.write(format_->refusal(render(refusal, dialect_, app_.options.old_tei).body));
        return out.end();
      }
      httplib::Response made = refused(app_, refusal, dialect_);
      finish_(made);
      out.answer(made);
    }
  }
  void cancel() override { generation_->cancel(); }

 private:
  httplib::Response head() {
    httplib::Response response;
    response.status = 200;
    response.set_header("Cache-Control", "no-cache");
    response.set_header("Content-Type", "text/event-stream");
    response.set_header("X-Accel-Buffering", "no");
    add_beginning(response, *generation_);
    finish_(response);
    return response;
  }

  App& app_;
  const Dialect dialect_;
  const std::function<void(httplib::Response&)> finish_;
  const std::unique_ptr<EventFormat> format_;
  std::unique_ptr<Generation> generation_;
  bool begun_ = false;
};

}  // namespace

void add_headers(Call& call, const Generation& g) {
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - call.http.arrived).count();
  const auto text = [](double value) { return std::to_string(value); };
  add_beginning(call.http.response, g);
  if (g.generated_tokens() == 0) return;
  call.header("x-generated-tokens", std::to_string(g.generated_tokens()));
  call.header("x-total-time", text(ms));
  call.header("x-queue-time", text(g.queue_ms()));
  call.header("x-inference-time", text(ms - g.queue_ms()));
  call.header("x-time-per-token", text((ms - g.queue_ms()) / static_cast<double>(g.generated_tokens())));
}

void answer_events(Call& call, std::shared_ptr<ServedModel> model, std::vector<std::shared_ptr<GenerationJob>> jobs,
                   std::unique_ptr<EventFormat> format) {
  auto answer = std::make_shared<EventAnswer>(call, std::move(format));
  answer->begin(std::make_unique<Generation>(std::move(model), std::move(jobs), call.patience(), call.http.waker()));
  call.http.produce(std::move(answer));
}

}  // namespace server

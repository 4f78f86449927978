#include "generation_request.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "connection.h"

namespace server {
namespace {

constexpr int64_t kMostTokens = 1 << 30;
constexpr size_t kMostBiases = 4096, kMostStopBytes = 1024;

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
  real("repeat_penalty", o.repetition_penalty, 0.01, 100);  // llama-server's name
  real("repetition_penalty", o.repetition_penalty, 0.01, 100);
  o.penalty_last_n = static_cast<int>(fields.integer("repeat_last_n", o.penalty_last_n, -1, INT32_MAX));
  real("frequency_penalty", o.frequency_penalty, -2, 2);
  real("presence_penalty", o.presence_penalty, -2, 2);
  o.top_k = static_cast<int>(fields.integer("top_k", o.top_k, 0, INT32_MAX));
  o.seed = static_cast<uint64_t>(fields.integer("seed", static_cast<int64_t>(o.seed), INT64_MIN, INT64_MAX));
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

// A text as a literal of GBNF.
std::string gbnf_literal(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else
      out += c;
  }
  return out + '"';
}

namespace {

// Everything that a text may be held to ends up as one grammar or one JSON schema.
class FormatReader {
 public:
  FormatReader(const Fields& fields, GenerationJob& job) : fields_(fields), job_(job) {}

  void read() {
    response_format();
    if (const Json* given = fields_.find("json_schema")) {
      if (!given->is_object() && !given->is_boolean()) fields_.refuse("json_schema", "an object");
      schema("json_schema", *given);
    }
    if (const auto text = fields_.maybe_text("grammar"); text && !text->empty()) grammar("grammar", *text);
    constrained(fields_, "guided_json", "guided_regex", "guided_choice", "guided_grammar");
    if (const auto inner = fields_.object("structured_outputs"))
      constrained(*inner, "json", "regex", "choice", "grammar");
    for (const char* name : {"guided_whitespace_pattern"})
      if (fields_.find(name)) throw Refusal{Reason::validation, "`" + std::string(name) + "` is not supported", name};
  }

 private:
  void response_format() {
    const auto format = fields_.object("response_format");
    if (!format) return;
    const std::string type = format->need_text("type");
    if (type == "json_object") {
      // Some clients give the schema here.
      const auto given = Fields(format->json(), "response_format.").object("schema");
      schema("response_format", given ? given->json() : Json{{"type", "object"}});
    } else if (type == "json_schema") {
      const auto inner = format->object("json_schema");
      if (!inner || !inner->object("schema")) format->refuse("json_schema", "an object with a `schema`");
      schema("response_format", inner->object("schema")->json());
    } else if (type != "text") {
      format->refuse("type", "\"text\", \"json_object\" or \"json_schema\"");
    }
  }
  void constrained(const Fields& f, const char* json, const char* regex, const char* choice, const char* gbnf) {
    if (const Json* given = f.find(json)) {
      Json value = given->is_string() ? Json::parse(given->get<std::string>(), nullptr, false) : *given;
      if (!value.is_object() && !value.is_boolean()) f.refuse(json, "a JSON schema, or one as text");
      schema(f.full_name(json), value);
    }
    if (f.find(regex)) grammar(f.full_name(regex), regex_grammar(f, regex));
    if (const Json* given = f.find(choice)) {
      const std::vector<std::string> texts = f.texts(choice, 4096);
      if (!given->is_array() || texts.empty()) f.refuse(choice, "a list of texts");
      std::string all = "root ::= ";
      for (size_t i = 0; i < texts.size(); ++i) {
        if (texts[i].find('\0') != std::string::npos) f.refuse(choice, "texts without NUL");
        all += (i ? " | " : "") + gbnf_literal(texts[i]);
      }
      grammar(f.full_name(choice), all);
    }
    if (const auto text = f.maybe_text(gbnf); text && !text->empty()) grammar(f.full_name(gbnf), *text);
  }
  void once(const std::string& name) {
    if (!first_.empty())
      throw Refusal{Reason::validation, "`" + first_ + "` and `" + name + "` cannot be given together", name};
    first_ = name;
  }
  void schema(const std::string& name, const Json& json) {
    once(name);
    job_.json_schema = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  void grammar(const std::string& name, const std::string& text) {
    once(name);
    job_.grammar = text;
  }

  const Fields& fields_;
  GenerationJob& job_;
  std::string first_;
};

}  // namespace

std::string regex_grammar(const Fields& fields, const char* name) {
  const std::string text = fields.need_text(name);
  if (text.find('\0') != std::string::npos) fields.refuse(name, "a regular expression without NUL");
  return "root ::= %regex " + gbnf_literal(text);
}

void read_format(const Fields& fields, GenerationJob& job) {
  FormatReader(fields, job).read();
}

std::vector<int32_t> tokens_of(Call& call, const ServedModel& model, const std::string& text) {
  const auto turn = call.tokenizing();
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
  response.set_header("x-seed", std::to_string(static_cast<int64_t>(g.job().options.seed)));
}

// What a generation took, into its request's record and the model's histograms. Throws nothing.
void note(RequestRecord& record, const Generation& g, Metrics& metrics) noexcept {
  try {
    const double total = record.total_ms(), queue = g.queue_ms();
    record.worked = true;
    record.queue_ms = queue;
    record.work_ms = std::max(0.0, total - queue - record.tokenize_ms);
    const double first = g.job().usage().first_token_seconds;
    if (g.generated_tokens() > 1 && first > 0) {
      const double later = total / 1000 - first - record.tokenize_ms / 1000;
      metrics.seconds("quern_output_token_seconds", label("model", g.model().id))
          .observe(std::max(0.0, later) / static_cast<double>(g.generated_tokens() - 1));
    }
  } catch (...) {
  }
}

// A generation's events on their way to a client.
class EventAnswer final : public Producer {
 public:
  EventAnswer(Call& call, std::unique_ptr<EventFormat> format)
      : app_(call.app),
        dialect_(call.dialect),
        finish_(call.http.finish),
        record_(call.record),
        format_(std::move(format)) {}
  ~EventAnswer() override {
    if (generation_ && begun_) note(*record_, *generation_, app_.metrics);
  }
  void begin(std::unique_ptr<Generation> generation) { generation_ = std::move(generation); }

  void produce(Outlet& out) override {
    try {
      for (bool done = false; !out.full();) {
        std::optional<GenerationEvent> event = generation_->poll(done);
        if (!event && !done) return;
        if (!std::exchange(begun_, true)) out.begin(head());
        const std::string text = event ? format_->event(*generation_, std::move(*event)) : format_->end(*generation_);
        record_->bytes += text.size();
        out.write(text);
        if (done) return out.end();
      }
    } catch (const Refusal& refusal) {
      if (begun_) {
        const std::string text = format_->refusal(render(refusal, dialect_, app_.options.old_tei).body);
        record_->bytes += text.size();
        out.write(text);
        return out.end();
      }
      httplib::Response made = refused(app_, refusal, dialect_);
      finish_(made);
      record_->bytes = made.body.size();
      out.answer(made);
    }
  }
  void cancel() override { generation_->cancel(); }

 private:
  httplib::Response head() {
    httplib::Response response;
    response.status = 200;
    response.set_header("Cache-Control", "no-cache");
    response.set_header("Content-Type", format_->type());
    response.set_header("X-Accel-Buffering", "no");
    add_beginning(response, *generation_);
    finish_(response);
    return response;
  }

  App& app_;
  const Dialect dialect_;
  const std::function<void(httplib::Response&)> finish_;
  const std::shared_ptr<RequestRecord> record_;
  const std::unique_ptr<EventFormat> format_;
  std::unique_ptr<Generation> generation_;
  bool begun_ = false;
};

}  // namespace

void add_headers(Call& call, const Generation& g) {
  const double ms = call.record->total_ms();
  const auto text = [](double value) { return std::to_string(value); };
  add_beginning(call.http.response, g);
  note(*call.record, g, call.app.metrics);
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

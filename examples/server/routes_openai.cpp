// OpenAI's chat and completions, whole or as server-sent events.
#include "generation_request.h"
#include "routes.h"

namespace server {
namespace {

// What the answers of one request have in common.
struct Answer {
  bool chat;
  std::string id, model;
  int64_t created;
  bool logprobs;
  bool usage_in_stream;

  Json head(const char* object) const {
    return {{"id", id},
            {"object", object},
            {"created", created},
            {"model", model},
            {"system_fingerprint", "quern-" + std::string(quern_version())}};
  }
};

const char* reason(quern_finish finish) {
  return finish == QUERN_FINISH_LENGTH ? "length" : "stop";
}

Json token_json(const ServedModel& model, int32_t token, float logprob) {
  const std::string text = text_of(model, token);
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", text}, {"logprob", logprob}, {"bytes", bytes}};
}

// Of some tokens: chat's form is a list of objects, that of completions lists side by side.
Json logprobs_json(const Answer& a, const ServedModel& model, const std::vector<GenerationEvent>& events) {
  if (!a.logprobs) return nullptr;
  if (a.chat) {
    Json content = Json::array();
    for (const GenerationEvent& e : events) {
      Json one = token_json(model, e.token, e.logprob);
      one["top_logprobs"] = Json::array();
      for (const quern_token_logprob& t : e.top) one["top_logprobs"].push_back(token_json(model, t.token, t.logprob));
      content.push_back(std::move(one));
    }
    return {{"content", content}, {"refusal", nullptr}};
  }
  Json all = {{"tokens", Json::array()},
              {"token_logprobs", Json::array()},
              {"top_logprobs", Json::array()},
              {"text_offset", Json::array()}};
  size_t offset = 0;
  for (const GenerationEvent& e : events) {
    all["tokens"].push_back(text_of(model, e.token));
    all["token_logprobs"].push_back(e.logprob);
    Json top = Json::object();
    for (const quern_token_logprob& t : e.top) top[text_of(model, t.token)] = t.logprob;
    all["top_logprobs"].push_back(std::move(top));
    all["text_offset"].push_back(offset);
    offset += characters(e.text);
  }
  return all;
}

Json usage_json(const Generation& g) {
  return {{"prompt_tokens", g.prompt_tokens()},
          {"completion_tokens", g.generated_tokens()},
          {"total_tokens", g.prompt_tokens() + g.generated_tokens()},
          {"prompt_tokens_details", {{"cached_tokens", g.cached_tokens()}}}};
}

void answer_whole(Call& call, const Answer& a, Generation& generation) {
  const std::vector<Generated> texts = generation.all();
  Json answer = a.head(a.chat ? "chat.completion" : "text_completion");
  answer["choices"] = Json::array();
  for (size_t i = 0; i < texts.size(); ++i) {
    Json choice = {{"index", i}};
    if (a.chat)
      choice["message"] = {{"role", "assistant"}, {"content", texts[i].text}};
    else
      choice["text"] = texts[i].text;
    choice["logprobs"] = logprobs_json(a, generation.model(), texts[i].events);
    choice["finish_reason"] = reason(texts[i].finish);
    answer["choices"].push_back(std::move(choice));
  }
  answer["usage"] = usage_json(generation);
  call.answer(answer);
  add_headers(call, generation);
}

// One event's text as a chunk.
Json chunk_json(const Answer& a, const Generation& g, const GenerationEvent& e, bool first) {
  Json chunk = a.head(a.chat ? "chat.completion.chunk" : "text_completion");
  Json choice = {{"index", e.choice}};
  if (a.chat) {
    choice["delta"] = Json::object();
    if (first) choice["delta"]["role"] = "assistant";
    if (first || !e.text.empty()) choice["delta"]["content"] = e.text;
  } else {
    choice["text"] = e.text;
  }
  choice["logprobs"] = e.token < 0 ? Json(nullptr) : logprobs_json(a, g.model(), {e});
  choice["finish_reason"] = nullptr;
  chunk["choices"] = Json::array({choice});
  if (a.usage_in_stream) chunk["usage"] = nullptr;
  return chunk;
}

// A choice's last chunk says why it ended, and nothing else.
Json end_json(const Answer& a, const Generation& g, GenerationEvent e) {
  e.text.clear();
  e.token = -1;
  Json chunk = chunk_json(a, g, e, false);
  chunk["choices"][0]["finish_reason"] = reason(e.finish);
  return chunk;
}

class Chunks final : public EventFormat {
 public:
  explicit Chunks(Answer answer) : a_(std::move(answer)) {}

  std::string event(const Generation& g, GenerationEvent event) override {
    begun_.resize(std::max(begun_.size(), static_cast<size_t>(event.choice) + 1));
    const bool first = !begun_[static_cast<size_t>(event.choice)];
    begun_[static_cast<size_t>(event.choice)] = true;
    std::string text;
    if (first || !event.text.empty() || (a_.logprobs && event.token >= 0)) text = data(chunk_json(a_, g, event, first));
    if (event.finish != QUERN_FINISH_NONE) text += data(end_json(a_, g, std::move(event)));
    return text;
  }
  std::string end(const Generation& g) override {
    std::string text;
    if (a_.usage_in_stream) {
      Json last = a_.head(a_.chat ? "chat.completion.chunk" : "text_completion");
      last["choices"] = Json::array();
      last["usage"] = usage_json(g);
      text = data(last);
    }
    return text + "data: [DONE]\n\n";
  }
  std::string refusal(const std::string& json) override { return "data: " + json + "\n\n"; }

 private:
  static std::string data(const Json& json) { return "data: " + dump(json) + "\n\n"; }

  const Answer a_;
  std::vector<bool> begun_;
};

void answer(Call& call, const Fields& fields, std::shared_ptr<ServedModel> model, bool chat,
            std::vector<std::shared_ptr<GenerationJob>> jobs) {
  static std::atomic<uint64_t> count{0};
  const int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto options = fields.object("stream_options");
  const Answer a{.chat = chat,
                 .id = (chat ? "chatcmpl-" : "cmpl-") + std::to_string(now) + "-" + std::to_string(++count),
                 .model = model->id,
                 .created = now,
                 .logprobs = jobs[0]->options.logprobs >= 0,
                 .usage_in_stream = options && options->flag("include_usage", false)};
  const bool streams = fields.flag("stream", false);
  if (streams) return answer_events(call, std::move(model), std::move(jobs), std::make_unique<Chunks>(a));
  Generation generation(std::move(model), std::move(jobs), call.patience(), {});
  answer_whole(call, a, generation);
}

// What both routes refuse or take alike.
std::shared_ptr<GenerationJob> job_of(const Fields& fields) {
  auto job = std::make_shared<GenerationJob>();
  read_sampling(fields, *job);
  read_stop(fields, "stop", 16, *job);
  read_format(fields, *job);
  return job;
}

void chat_completions(Call& call) {
  const Fields fields(call.body());
  auto model = call.model(fields, Task::generate);
  const auto job = job_of(fields);
  if (fields.flag("logprobs", false))
    job->options.logprobs = static_cast<int>(fields.integer("top_logprobs", 0, 0, 20));
  if (const Json* choice = fields.find("tool_choice"); choice && *choice != "none" && *choice != "auto")
    throw Refusal{Reason::validation, "`tool_choice`: expected \"none\" or \"auto\": calls of tools cannot be forced",
                  "tool_choice"};
  job->prompt = tokens_of_chat(*model, fields);
  answer(call, fields, std::move(model), true, {job});
}

// A string, ids, or a list of either.
std::vector<std::vector<int32_t>> prompts_of(const Fields& fields, const ServedModel& model) {
  const Json& value = fields.need("prompt");
  const auto one = [&](const Json& entry) {
    if (entry.is_string()) return tokens_of(model, entry.get<std::string>());
    if (!entry.is_array()) fields.refuse("prompt", "a string, a list of token ids, or a list of either");
    return fields.ids("prompt", entry, model.vocabulary());
  };
  std::vector<std::vector<int32_t>> prompts;
  if (value.is_array() && !value.empty() && !value[0].is_number()) {
    if (value.size() > 64) fields.refuse("prompt", "at most 64 prompts");
    for (const Json& entry : value) prompts.push_back(one(entry));
  } else {
    prompts.push_back(one(value));
  }
  for (const auto& prompt : prompts)
    if (prompt.empty()) throw Refusal{Reason::empty, "`prompt` cannot be empty", "prompt"};
  return prompts;
}

void completions(Call& call) {
  const Fields fields(call.body());
  auto model = call.model(fields, Task::generate);
  for (const char* name : {"echo", "suffix"})
    if (const Json* given = fields.find(name); given && *given != false && *given != "")
      throw Refusal{Reason::validation, "`" + std::string(name) + "` is not supported", name};
  if (fields.integer("best_of", 1, 1, 1 << 20) > fields.integer("n", 1, 1, 16))
    throw Refusal{Reason::validation, "`best_of` is not supported", "best_of"};
  std::vector<std::shared_ptr<GenerationJob>> jobs;
  for (std::vector<int32_t>& prompt : prompts_of(fields, *model)) {
    jobs.push_back(job_of(fields));
    jobs.back()->prompt = std::move(prompt);
    if (!fields.find("max_tokens") && !fields.find("n_predict"))
      jobs.back()->options.max_tokens = 16;  // OpenAI's default
    jobs.back()->options.logprobs = static_cast<int>(fields.integer("logprobs", -1, 0, 20));
  }
  answer(call, fields, std::move(model), false, std::move(jobs));
}

void apply_template(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::generate);
  const std::string conversation = conversation_of(fields);
  char* text = nullptr;
  check(quern_chat_text(model->get(), conversation.data(), conversation.size(), &text));
  const StringHandle owner(text);
  call.answer(Json{{"prompt", text}});
}

}  // namespace

std::span<const Route> openai_routes() {
  static constexpr Route table[] = {
      {"POST", "/v1/chat/completions", Dialect::openai, chat_completions},
      {"POST", "/chat/completions", Dialect::openai, chat_completions},
      {"POST", "/v1/completions", Dialect::openai, completions},
      {"POST", "/completions", Dialect::openai, completions},
      {"POST", "/apply-template", Dialect::openai, apply_template},
  };
  return table;
}

}  // namespace server

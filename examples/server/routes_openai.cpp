// OpenAI's chat and completions, whole or as server-sent events.
#include "chat_request.h"
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

const char* reason(quern_finish finish, bool called = false) {
  return finish == QUERN_FINISH_LENGTH ? "length" : called ? "tool_calls" : "stop";
}

Json call_json(const ChatCall& call) {
  return {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

Json message_json(const ChatTurn& turn) {
  Json message = {{"role", "assistant"}, {"content", turn.text}};
  if (turn.calls.empty()) return message;
  if (turn.text.empty()) message["content"] = nullptr;
  message["tool_calls"] = Json::array();
  for (const ChatCall& call : turn.calls) message["tool_calls"].push_back(call_json(call));
  return message;
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
    bool called = false;
    if (a.chat) {
      const ChatTurn turn = turn_of(generation.job(), texts[i]);
      called = !turn.calls.empty();
      choice["message"] = message_json(turn);
    } else {
      choice["text"] = texts[i].text;
    }
    choice["logprobs"] = logprobs_json(a, generation.model(), texts[i].events);
    choice["finish_reason"] = reason(texts[i].finish, called);
    answer["choices"].push_back(std::move(choice));
  }
  answer["usage"] = usage_json(generation);
  call.answer(answer);
  add_headers(call, generation);
}

// A chunk of one choice.
Json chunk_json(const Answer& a, int choice, Json delta, const Json& logprobs) {
  Json chunk = a.head(a.chat ? "chat.completion.chunk" : "text_completion");
  Json one = {{"index", choice}};
  one[a.chat ? "delta" : "text"] = std::move(delta);
  one["logprobs"] = logprobs;
  one["finish_reason"] = nullptr;
  chunk["choices"] = Json::array({one});
  if (a.usage_in_stream) chunk["usage"] = nullptr;
  return chunk;
}

// A piece as the delta of a message; null where it has nothing to say.
Json delta_json(const ChatPiece& piece) {
  Json call = {{"index", piece.call}};
  switch (piece.kind) {
    case QUERN_PIECE_TEXT:
      return {{"content", piece.text}};
    case QUERN_PIECE_CALL:
      call["id"] = piece.id;
      call["type"] = "function";
      call["function"] = {{"name", piece.text}, {"arguments", ""}};
      break;
    case QUERN_PIECE_ARGUMENTS:
      call["function"] = {{"arguments", piece.text}};
      break;
    default:
      return nullptr;
  }
  return {{"tool_calls", Json::array({call})}};
}

class Chunks final : public EventFormat {
 public:
  explicit Chunks(Answer answer) : a_(std::move(answer)) {}

  std::string event(const Generation& g, GenerationEvent event) override {
    Json logprobs = event.token < 0 ? Json(nullptr) : logprobs_json(a_, g.model(), {event});
    std::string text;
    bool called = false;
    for (Json& delta : deltas(g, event, called)) {
      text += data(chunk_json(a_, event.choice, std::move(delta), logprobs));
      logprobs = nullptr;
    }
    // A choice's last chunk says why it ended, and nothing else.
    if (event.finish != QUERN_FINISH_NONE) {
      Json last = chunk_json(a_, event.choice, a_.chat ? Json::object() : Json(""), nullptr);
      last["choices"][0]["finish_reason"] = reason(event.finish, called);
      text += data(last);
    }
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

  // What an event says; at least one where it has logprobs to tell.
  std::vector<Json> deltas(const Generation& g, const GenerationEvent& event, bool& called) {
    const bool tells = a_.logprobs && event.token >= 0;
    std::vector<Json> all;
    if (!a_.chat) {
      if (!event.text.empty() || tells || !std::exchange(begun_, true)) all.emplace_back(event.text);
      return all;
    }
    const size_t i = static_cast<size_t>(event.choice);
    while (choices_.size() <= i) choices_.emplace_back(g.job());
    Choice& choice = choices_[i];
    for (const ChatPiece& piece : choice.reader.read(event))
      if (Json delta = delta_json(piece); !delta.is_null()) all.push_back(std::move(delta));
    // Where there are tools it is not known before whether there is text.
    const bool first = !choice.begun && (!g.job().tools || !all.empty() || event.finish != QUERN_FINISH_NONE);
    if (all.empty() && (first || tells)) all.push_back(first ? Json{{"content", ""}} : Json::object());
    if (first || (!choice.begun && !all.empty())) {
      choice.begun = true;
      Json delta = {{"role", "assistant"}};
      if (!all[0].contains("content")) delta["content"] = nullptr;
      delta.update(all[0]);
      all[0] = std::move(delta);
    }
    called = choice.reader.called();
    return all;
  }

  const Answer a_;
  struct Choice {
    explicit Choice(const GenerationJob& job) : reader(job) {}
    ChatReader reader;
    bool begun = false;
  };
  std::vector<Choice> choices_;
  bool begun_ = false;
};

void answer(Call& call, const Fields& fields, std::shared_ptr<ServedModel> model, bool chat,
            std::vector<std::shared_ptr<GenerationJob>> jobs) {
  const auto options = fields.object("stream_options");
  const Answer a{.chat = chat,
                 .id = random_id(chat ? "chatcmpl-" : "cmpl-"),
                 .model = model->id,
                 .created = unix_seconds(),
                 .logprobs = jobs[0]->options.logprobs >= 0,
                 .usage_in_stream = options && options->flag("include_usage", false)};
  const bool streams = fields.flag("stream", false);
  if (streams) return answer_events(call, std::move(model), std::move(jobs), std::make_unique<Chunks>(a));
  Generation generation(std::move(model), std::move(jobs), call.patience(), {});
  answer_whole(call, a, generation);
}

// What OpenAI, vLLM and llama-server take and quern does not do, with the values that ask for nothing.
constexpr Unsupported not_done[] = {
    {"use_beam_search", "false"},
    {"length_penalty", "1"},
    {"stop_token_ids", "[]"},
    {"min_tokens", "0"},
    {"skip_special_tokens", "true"},
    {"spaces_between_special_tokens", "true"},
    {"truncate_prompt_tokens", ""},
    {"prompt_logprobs", ""},
    {"allowed_token_ids", "[]"},
    {"bad_words", "[]"},
    {"logits_processors", "[]"},
    {"return_tokens_as_token_ids", "false"},
    {"return_token_ids", "false"},
    {"add_special_tokens", "false"},
    {"mm_processor_kwargs", "{}"},
    {"echo", "false"},
    {"suffix", "\"\""},
    {"audio", ""},
    {"modalities", "[\"text\"]"},
    {"prediction", ""},
    {"web_search_options", ""},
    {"moderation", ""},
    {"store", "false"},
    {"verbosity", "\"medium\""},
    {"parse_special", "true"},
    {"dynatemp_range", "0"},
    {"dry_multiplier", "0"},
    {"xtc_probability", "0"},
    {"mirostat", "0"},
    {"n_probs", "0"},
    {"n_keep", "0|-1"},
    {"min_keep", "0"},
    {"top_n_sigma", "-1"},
    {"samplers", "[]"},
    {"id_slot", "-1"},
    {"t_max_predict_ms", "0"},
    {"post_sampling_probs", "false"},
    {"timings_per_token", "false"},
    {"response_fields", "[]"},
    {"cache_prompt", "true"},
    {"thinking", ""},
};

// What both routes refuse or take alike.
std::shared_ptr<GenerationJob> job_of(const Fields& fields, const ServedModel& model) {
  refuse_unsupported(fields, not_done);
  if (fields.integer("best_of", 1, 1, 1 << 20) > fields.integer("n", 1, 1, 16))
    throw Refusal{Reason::validation, "`best_of` is not supported", "best_of"};
  auto job = model.new_job();
  read_sampling(fields, *job);
  read_stop(fields, "stop", 16, *job);
  read_format(fields, *job);
  job->options.include_stop = fields.flag("include_stop_str_in_output", false);
  if (const auto options = fields.object("stream_options"))
    refuse_unsupported(*options, std::array{Unsupported{"continuous_usage_stats", "false"}});
  return job;
}

Json conversation_of(const Fields& fields) {
  Json conversation = {{"messages", checked_messages(fields, fields.need("messages"))}};
  add_template_variables(fields, conversation);
  return conversation;
}

void chat_completions(Call& call) {
  const Fields fields(call.body());
  auto model = call.model(fields, Task::generate);
  const auto job = job_of(fields, *model);
  if (fields.flag("logprobs", false)) {
    job->options.logprobs = static_cast<int>(fields.integer("top_logprobs", 0, 0, 20));
  } else if (fields.find("top_logprobs") && fields.integer("top_logprobs", 0, 0, 20) > 0) {
    throw Refusal{Reason::validation, "`top_logprobs` needs `logprobs`: true", "top_logprobs"};
  }
  prepare_chat(call, *model, conversation_of(fields), openai_tools(fields), *job);
  answer(call, fields, std::move(model), true, {job});
}

// A string, ids, or a list of either.
std::vector<std::vector<int32_t>> prompts_of(Call& call, const Fields& fields, const ServedModel& model) {
  const Json& value = fields.need("prompt");
  const auto one = [&](const Json& entry) {
    if (entry.is_string()) return tokens_of(call, model, entry.get<std::string>());
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
  std::vector<std::shared_ptr<GenerationJob>> jobs;
  for (std::vector<int32_t>& prompt : prompts_of(call, fields, *model)) {
    jobs.push_back(job_of(fields, *model));
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
  Json conversation = conversation_of(fields);
  const ToolAsk ask = openai_tools(fields);
  if (ask.choice != "none" && !ask.tools.is_null()) conversation["tools"] = ask.tools;
  call.answer(Json{{"prompt", chat_text(call, *model, conversation)}});
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

// Ollama's API but for its embeddings: chats and completions as lines of JSON, and what it says of its models.
#include <ctime>

#include "chat_request.h"
#include "keep_alive.h"
#include "routes.h"
#include "wording.h"

namespace server {
namespace {

// Options that say how a runner works, not what it writes, are for Ollama's own.
constexpr Unsupported not_done_options[] = {
    {"mirostat", "0"}, {"tfs_z", "1"}, {"penalize_newline", "false|true"}, {"num_keep", "0|-1|4|5|24"}};
constexpr Unsupported not_done_chat[] = {{"logprobs", "false"}, {"top_logprobs", "0"}};
constexpr Unsupported not_done_generate[] = {{"suffix", "\"\""}, {"images", "[]"},      {"template", "\"\""},
                                             {"context", "[]"},  {"logprobs", "false"}, {"top_logprobs", "0"},
                                             {"width", "0"},     {"height", "0"},       {"steps", "0"}};

constexpr int kDigits = 9;  // of a second's fraction, as Go writes times

std::string now_text() {
  return time_text(std::chrono::system_clock::now(), kDigits);
}
std::string modified_text(int64_t seconds) {
  return time_text(std::chrono::system_clock::time_point(std::chrono::seconds(seconds)), kDigits);
}

void read_options(const Fields& fields, const ServedModel& model, GenerationJob& job) {
  const Json none = Json::object();
  const Fields o = fields.object("options").value_or(Fields(none));
  refuse_unsupported(o, not_done_options);
  Json taken = o.json();
  // Numbers that stand for an end that is as usual.
  if (taken.contains("num_predict")) {
    const int64_t n = o.integer("num_predict", -1, -2, 1 << 30);
    taken.erase("num_predict");
    taken["n_predict"] = std::max<int64_t>(n, -1);
  }
  for (const char* name : {"n", "max_tokens"}) taken.erase(name);
  read_sampling(Fields(taken, "options."), job);
  read_stop(o, "stop", 16, job);
  const int64_t context = o.integer("num_ctx", 0, 0, 1 << 30);
  if (context > model.generation->context())
    throw Refusal{Reason::validation,
                  "`options.num_ctx`: expected at most " + std::to_string(model.generation->context()) + ", found " +
                      std::to_string(context) + ": start the server with a larger --ctx",
                  "options.num_ctx"};
}

void read_ollama_format(const Fields& fields, GenerationJob& job) {
  const Json* format = fields.find("format");
  if (!format || *format == "") return;
  if (*format == "json")
    job.json_schema = R"({"type":"object"})";
  else if (format->is_object())
    job.json_schema = dump(*format);
  else
    fields.refuse("format", "\"json\" or a JSON schema");
}

void read_think(const Fields& fields, Json& conversation) {
  const Json* think = fields.find("think");
  if (!think) return;
  if (*think != false)
    throw Refusal{Reason::validation, "`think` is not supported: thoughts are not told apart from the answer", "think"};
  conversation["enable_thinking"] = false;
}

// Ollama's messages have no ids for calls: results belong to the calls in order.
Json ollama_messages(const Fields& fields) {
  Json messages = fields.need("messages");
  if (!messages.is_array()) fields.refuse("messages", "a list of messages");
  std::vector<std::string> pending;
  size_t n_calls = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    Json& m = messages[i];
    const std::string where = "messages[" + std::to_string(i) + "]";
    if (!m.is_object()) fields.refuse("messages", "objects with a `role` and a `content`");
    if (m.contains("images") && m["images"].is_array() && !m["images"].empty())
      throw Refusal{Reason::wrong_type, "`" + where + ".images`: this model reads text alone", "messages"};
    m.erase("images");
    m.erase("thinking");
    if (m.contains("tool_calls") && m["tool_calls"].is_array())
      for (Json& c : m["tool_calls"]) {
        if (!c.is_object()) continue;
        char id[16];
        std::snprintf(id, sizeof id, "call%05zu", ++n_calls % 100000);
        if (!c.contains("id") || !c["id"].is_string() || c["id"] == "") c["id"] = id;
        c["type"] = "function";
        pending.push_back(c["id"].get<std::string>());
      }
    if (m.contains("tool_name")) {
      m["name"] = m["tool_name"];
      m.erase("tool_name");
    }
    if (m.value("role", Json()) == "tool" && !m.contains("tool_call_id") && !pending.empty()) {
      m["tool_call_id"] = pending.front();
      pending.erase(pending.begin());
    }
  }
  return messages;
}

// Lines of a chat or a completion, and the last, which has the counts.
class OllamaLines final : public PieceEvents {
 public:
  OllamaLines(bool chat, const Call& call)
      : chat_(chat), arrived_(call.http.arrived), load_ns_(static_cast<int64_t>(call.load_ms * 1e6)) {}
  const char* type() const override { return "application/x-ndjson"; }
  std::string refusal(const std::string& json) override { return json + "\n"; }

  Json line(const Generation& g, const std::string& text) const {
    Json one = {{"model", g.model().id}, {"created_at", now_text()}};
    if (chat_)
      one["message"] = {{"role", "assistant"}, {"content", text}};
    else
      one["response"] = text;
    one["done"] = false;
    return one;
  }
  void add_counts(const Generation& g, quern_finish finish, Json& one) const {
    const int64_t total = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - arrived_).count();
    const int64_t prompt =
        std::clamp<int64_t>(static_cast<int64_t>(g.job().usage().first_token_seconds * 1e9), 0, total);
    one["done"] = true;
    one["done_reason"] = finish == QUERN_FINISH_LENGTH ? "length" : "stop";
    one["total_duration"] = total;
    one["load_duration"] = load_ns_;
    one["prompt_eval_count"] = g.prompt_tokens();
    one["prompt_eval_duration"] = prompt;
    one["eval_count"] = g.generated_tokens();
    one["eval_duration"] = total - prompt;
  }
  static Json call_json(const ChatCall& call, size_t index) {
    return {{"id", call.id},
            {"function", {{"index", index}, {"name", call.name}, {"arguments", arguments_json(call.arguments)}}}};
  }

 protected:
  std::string opening(const Generation& g) override {
    generation_ = &g;
    return {};
  }
  std::string piece(const ChatPiece& p) override {
    if (p.kind == QUERN_PIECE_TEXT) return dump(line(*generation_, p.text)) + "\n";
    if (p.kind == QUERN_PIECE_CALL) call_ = {p.id, p.text, {}};
    if (p.kind == QUERN_PIECE_ARGUMENTS) call_.arguments += p.text;
    if (p.kind != QUERN_PIECE_END) return {};
    Json one = line(*generation_, "");
    one["message"]["tool_calls"] = Json::array({call_json(call_, p.call)});
    return dump(one) + "\n";
  }
  std::string closing(const Generation& g) override {
    Json one = line(g, "");
    add_counts(g, finish(), one);
    return dump(one) + "\n";
  }

 private:
  const bool chat_;
  const Clock::time_point arrived_;
  const int64_t load_ns_;
  const Generation* generation_ = nullptr;  // which lives as long as its events
  ChatCall call_;
};

void answer_ollama(Call& call, const Fields& fields, std::shared_ptr<ServedModel> model,
                   std::shared_ptr<GenerationJob> job, bool chat) {
  auto lines = std::make_unique<OllamaLines>(chat, call);
  if (fields.flag("stream", true)) return answer_events(call, std::move(model), {job}, std::move(lines));
  Generation generation(std::move(model), {job}, call.patience(), {});
  const ChatTurn turn = turn_of(*job, generation.all()[0]);
  Json one = lines->line(generation, turn.text);
  for (size_t i = 0; i < turn.calls.size(); ++i)
    one["message"]["tool_calls"].push_back(OllamaLines::call_json(turn.calls[i], i));
  lines->add_counts(generation, turn.finish, one);
  call.answer(one);
  add_headers(call, generation);
}

// A request without anything to say is one to load the model, or to give it up.
void answer_load(Call& call, const Fields& fields, const ServedModel& model, bool chat) {
  const ModelSlot::Keep keep = keep_alive_of(fields);
  Json one = {{"model", model.id}, {"created_at", now_text()}};
  if (chat)
    one["message"] = {{"role", "assistant"}, {"content", ""}};
  else
    one["response"] = "";
  one["done"] = true;
  one["done_reason"] = keep && keep->count() == 0 ? "unload" : "load";
  call.answer(one);
}

void ollama_chat(Call& call) {
  const Fields fields(call.body());
  auto model = call.model(fields, Task::generate, keep_alive_of(fields));
  refuse_unsupported(fields, not_done_chat);
  Json messages = fields.find("messages") ? ollama_messages(fields) : Json::array();
  if (messages.empty()) return answer_load(call, fields, *model, true);
  const auto job = model->new_job();
  read_options(fields, *model, *job);
  read_ollama_format(fields, *job);
  Json conversation = {{"messages", checked_messages(fields, messages)}};
  read_think(fields, conversation);
  ToolAsk ask;
  if (const Json* tools = fields.find("tools")) ask.tools = *tools;
  prepare_chat(call, *model, std::move(conversation), ask, *job);
  answer_ollama(call, fields, std::move(model), job, true);
}

void ollama_generate(Call& call) {
  const Fields fields(call.body());
  auto model = call.model(fields, Task::generate, keep_alive_of(fields));
  refuse_unsupported(fields, not_done_generate);
  const std::string prompt = fields.text("prompt");
  if (prompt.empty()) return answer_load(call, fields, *model, false);
  const auto job = model->new_job();
  read_options(fields, *model, *job);
  read_ollama_format(fields, *job);
  const std::string system = fields.text("system");
  const bool raw = fields.flag("raw", false) || !model->has_chat;
  if (raw && !system.empty())
    throw Refusal{Reason::validation, "`system` needs a chat template, and `raw`: false", "system"};
  if (raw) {
    job->prompt = tokens_of(call, *model, prompt);
  } else {
    Json conversation = {{"messages", Json::array()}};
    if (!system.empty()) conversation["messages"].push_back({{"role", "system"}, {"content", system}});
    conversation["messages"].push_back({{"role", "user"}, {"content", prompt}});
    read_think(fields, conversation);
    prepare_chat(call, *model, std::move(conversation), {}, *job);
  }
  answer_ollama(call, fields, std::move(model), job, false);
}

Json details_of(const ModelFacts& m) {
  const std::string family = m.description.value("architecture", "");
  return {{"parent_model", ""},   {"format", m.description.value("format", "")},
          {"family", family},     {"families", Json::array({family})},
          {"parameter_size", ""}, {"quantization_level", m.description.value("type", "")}};
}
Json listed(const ModelFacts& m) {
  return {{"name", m.id},    {"model", m.id},           {"modified_at", modified_text(m.created)},
          {"size", m.bytes}, {"digest", m.fingerprint}, {"details", details_of(m)}};
}

void tags(Call& call) {
  Json all = Json::array();
  for (const auto& model : call.models->all()) all.push_back(listed(*model->facts()));
  call.answer(Json{{"models", all}});
}

// Those that are loaded.
void running(Call& call) {
  Json all = Json::array();
  for (const auto& slot : call.models->all()) {
    const ModelSlot::State state = slot->state();
    if (!state.loaded) continue;
    const auto model = slot->facts();
    Json one = listed(*model);
    one.erase("modified_at");
    one["size"] = model->memory();
    one["expires_at"] = state.expires ? time_text(*state.expires, kDigits) : "9999-12-31T00:00:00Z";
    one["size_vram"] = 0;
    one["context_length"] = model->context > 0 ? model->context : model->max_length;
    all.push_back(std::move(one));
  }
  call.answer(Json{{"models", all}});
}

void show(Call& call) {
  const Fields fields(call.body());
  const std::string name = fields.text("model", fields.text("name"));
  if (name.empty()) throw Refusal{Reason::wrong_type, "`model` is missing", "model"};
  const auto slot = call.models->named(name);
  if (!slot) throw Refusal{Reason::unknown_model, "model '" + name.substr(0, 100) + "' not found", "model"};
  const auto model = call.models->known(slot, call.patience());
  const std::string family = model->description.value("architecture", "");
  Json info = {{"general.architecture", family},
               {family + ".context_length", model->context > 0 ? model->context : model->max_length},
               {family + ".embedding_length", model->description.value("width", 0)},
               {family + ".block_count", model->description.value("layers", 0)},
               {family + ".vocab_size", model->vocabulary()}};
  Json can = Json::array();
  if (model->can(Task::generate)) can.push_back("completion");
  if (model->has_chat && model->can(Task::generate)) can.push_back("tools");
  if (model->can(Task::embed)) can.push_back("embedding");
  std::string parameters;
  const Json sampling = model->description.value("sampling", Json::object());
  for (const auto& [key, value] : sampling.items()) parameters += key + " " + value.dump() + "\n";
  call.answer(Json{{"license", ""},
                   {"modelfile", ""},
                   {"parameters", parameters},
                   {"template", ""},
                   {"details", details_of(*model)},
                   {"model_info", info},
                   {"capabilities", can},
                   {"modified_at", modified_text(model->created)}});
}

void version(Call& call) {
  call.answer(Json{{"version", quern_version()}});
}

void not_here(Call& call) {
  throw Refusal{Reason::validation,
                call.http.request.path +
                    " is not supported: models are files that the server is started with. Get or make one (quern "
                    "convert), and name it with quern serve -m; SIGHUP reads them again"};
}

}  // namespace

std::span<const Route> ollama_routes() {
  static constexpr Route table[] = {
      {"POST", "/api/chat", Dialect::ollama, ollama_chat},  {"POST", "/api/generate", Dialect::ollama, ollama_generate},
      {"GET", "/api/tags", Dialect::ollama, tags},          {"GET", "/api/ps", Dialect::ollama, running},
      {"POST", "/api/show", Dialect::ollama, show},         {"GET", "/api/version", Dialect::ollama, version},
      {"POST", "/api/pull", Dialect::ollama, not_here},     {"POST", "/api/push", Dialect::ollama, not_here},
      {"POST", "/api/create", Dialect::ollama, not_here},   {"POST", "/api/copy", Dialect::ollama, not_here},
      {"DELETE", "/api/delete", Dialect::ollama, not_here},
  };
  return table;
}

}  // namespace server

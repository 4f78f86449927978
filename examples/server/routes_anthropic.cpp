// Anthropic's messages, whole or as events, and the counting of their tokens.
#include "chat_request.h"
#include "routes.h"

namespace server {
namespace {

constexpr Unsupported not_done_by_messages[] = {
    {"container", ""},
    {"context_management", ""},
    {"mcp_servers", "[]"},
    {"inference_geo", ""},
    {"service_tier", "\"auto\"|\"standard_only\""},
    {"thinking", R"({"type":"disabled"})"},
    {"speed", "\"standard\""},
    {"diagnostics", ""},
};

[[noreturn]] void wrong(const std::string& field, const std::string& what) {
  throw Refusal{Reason::wrong_type, field + ": " + what, field};
}

// Text of a content that is a string or blocks of text, as parts; a string stays one.
Json texts_of(const Json& content, const std::string& field) {
  if (content.is_string()) return content;
  if (!content.is_array()) wrong(field, "expected a string or a list of blocks, found " + describe(content));
  Json parts = Json::array();
  for (size_t i = 0; i < content.size(); ++i) {
    const Json& block = content[i];
    const std::string where = field + "[" + std::to_string(i) + "]";
    if (!block.is_object() || block.value("type", Json()) != "text" || !block.contains("text") ||
        !block["text"].is_string())
      wrong(where, "expected a block of type \"text\": this model reads text alone");
    parts.push_back({{"type", "text"}, {"text", block["text"]}});
  }
  return parts.size() == 1 ? parts[0]["text"] : parts;
}

std::string need_string(const Json& block, const char* name, const std::string& where) {
  if (!block.contains(name) || !block[name].is_string()) wrong(where + "." + name, "expected a string");
  return block[name].get<std::string>();
}

// A message's blocks as OpenAI's messages: results of tools come first, as messages of their own.
class Blocks {
 public:
  Blocks(const Json& content, std::string field) : content_(content), field_(std::move(field)) {}

  void user(Json& out) {
    if (content_.is_string()) return out.push_back({{"role", "user"}, {"content", content_}});
    Json texts = Json::array();
    each([&](const Json& block, const std::string& type, const std::string& where) {
      if (type == "tool_result") {
        const std::string id = need_string(block, "tool_use_id", where);
        Json text = block.contains("content") && !block["content"].is_null()
                        ? texts_of(block["content"], where + ".content")
                        : Json("");
        out.push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", std::move(text)}});
      } else {
        texts.push_back(block);
      }
    });
    if (!texts.empty()) out.push_back({{"role", "user"}, {"content", texts_of(texts, field_)}});
  }

  void assistant(Json& out) {
    if (content_.is_string()) return out.push_back({{"role", "assistant"}, {"content", content_}});
    Json texts = Json::array(), calls = Json::array();
    each([&](const Json& block, const std::string& type, const std::string& where) {
      if (type == "tool_use") {
        const Json input = block.value("input", Json::object());
        if (!input.is_object()) wrong(where + ".input", "expected an object");
        calls.push_back({{"id", need_string(block, "id", where)},
                         {"type", "function"},
                         {"function", {{"name", need_string(block, "name", where)}, {"arguments", dump(input)}}}});
      } else if (type != "thinking" && type != "redacted_thinking") {  // what was thought is not told again
        texts.push_back(block);
      }
    });
    Json message = {{"role", "assistant"}, {"content", texts.empty() ? Json(nullptr) : texts_of(texts, field_)}};
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
    out.push_back(std::move(message));
  }

 private:
  template <class F>
  void each(const F& take) {
    if (!content_.is_array()) wrong(field_, "expected a string or a list of blocks, found " + describe(content_));
    for (size_t i = 0; i < content_.size(); ++i) {
      const std::string where = field_ + "[" + std::to_string(i) + "]";
      if (!content_[i].is_object() || !content_[i].value("type", Json()).is_string())
        wrong(where, "expected a block with a `type`");
      take(content_[i], content_[i]["type"].get<std::string>(), where);
    }
  }
  const Json& content_;
  const std::string field_;
};

Json conversation_of_messages(const Fields& fields) {
  const Json& given = fields.need("messages");
  if (!given.is_array() || given.empty()) fields.refuse("messages", "a list of messages");
  Json messages = Json::array();
  if (const Json* system = fields.find("system")) {
    Json text = texts_of(*system, "system");
    if (!text.empty()) messages.push_back({{"role", "system"}, {"content", std::move(text)}});
  }
  bool prefilled = false;
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string where = "messages[" + std::to_string(i) + "]";
    const Json& m = given[i];
    if (!m.is_object() || !m.contains("content")) wrong(where, "expected an object with a `role` and a `content`");
    const Json role = m.value("role", Json());
    if (role != "user" && role != "assistant") wrong(where + ".role", "expected \"user\" or \"assistant\"");
    Blocks blocks(m["content"], where + ".content");
    role == "user" ? blocks.user(messages) : blocks.assistant(messages);
    prefilled = role == "assistant";
  }
  Json conversation = {{"messages", std::move(messages)}};
  // The answer goes on with a last message of the assistant's.
  const Json& last = conversation["messages"].back();
  if (prefilled && !last.contains("tool_calls") && last["content"].is_string() && !last["content"].empty())
    conversation["continue_final_message"] = true;
  return conversation;
}

ToolAsk tools_of_messages(const Fields& fields) {
  ToolAsk ask;
  if (const Json* tools = fields.find("tools")) {
    if (!tools->is_array()) fields.refuse("tools", "a list of tools");
    ask.tools = Json::array();
    for (size_t i = 0; i < tools->size(); ++i) {
      const Json& tool = (*tools)[i];
      const std::string where = "tools[" + std::to_string(i) + "]";
      if (!tool.is_object()) wrong(where, "expected an object with a `name` and an `input_schema`");
      if (tool.contains("type") && !tool["type"].is_null() && tool["type"] != "custom")
        wrong(where + ".type", "expected \"custom\": tools that the server runs are not supported");
      Json function = {{"name", tool.value("name", Json())}};
      if (tool.contains("description") && !tool["description"].is_null()) function["description"] = tool["description"];
      function["parameters"] = tool.value("input_schema", Json());
      ask.tools.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
  }
  if (const auto choice = fields.object("tool_choice")) {
    const std::string type = choice->need_text("type");
    if (type == "tool")
      ask.choice = "=" + choice->need_text("name");
    else if (type == "any")
      ask.choice = "required";
    else if (type == "auto" || type == "none")
      ask.choice = type;
    else
      throw Refusal{Reason::wrong_type, "`tool_choice.type`: expected \"auto\", \"any\", \"tool\" or \"none\"",
                    "tool_choice"};
    ask.parallel = !choice->flag("disable_parallel_tool_use", false);
  }
  return ask;
}

// output_config.format, or output_format, as the package's structured outputs send it.
void read_output(const Fields& fields, GenerationJob& job) {
  const auto config = fields.object("output_config");
  if (config) refuse_unsupported(*config, std::array{Unsupported{"effort", ""}});
  for (const auto& format : {config ? config->object("format") : std::nullopt, fields.object("output_format")}) {
    if (!format) continue;
    if (format->need_text("type") != "json_schema" || !format->object("schema"))
      throw Refusal{Reason::wrong_type, "`output_config.format`: expected {\"type\": \"json_schema\", \"schema\": …}",
                    "output_config"};
    job.json_schema = dump(format->object("schema")->json());
  }
}

Json usage_of(const Generation& g, size_t generated) {
  return {{"input_tokens", g.prompt_tokens() - g.cached_tokens()},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", g.cached_tokens()},
          {"output_tokens", generated}};
}

Json message_head(const std::string& id, const std::string& model) {
  return {{"id", id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", model},
          {"content", Json::array()},
          {"stop_reason", nullptr},
          {"stop_sequence", nullptr}};
}

const char* stop_reason(quern_finish finish, bool called, bool stopped) {
  return finish == QUERN_FINISH_LENGTH ? "max_tokens" : called ? "tool_use" : stopped ? "stop_sequence" : "end_turn";
}
Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

class MessageEvents final : public PieceEvents {
 public:
  std::string refusal(const std::string& json) override {
    return named_event("error", Json::parse(json, nullptr, false));
  }

 protected:
  std::string opening(const Generation& g) override {
    Json message = message_head(random_id("msg_"), g.model().id);
    message["usage"] = usage_of(g, 0);
    return named_event("message_start", {{"type", "message_start"}, {"message", message}}) +
           named_event("ping", {{"type", "ping"}});
  }
  std::string piece(const ChatPiece& p) override {
    std::string text;
    switch (p.kind) {
      case QUERN_PIECE_TEXT:
        if (open_ != Open::text) text = begin(Open::text, {{"type", "text"}, {"text", ""}});
        return text += delta({{"type", "text_delta"}, {"text", p.text}});
      case QUERN_PIECE_CALL:
        return begin(Open::call, {{"type", "tool_use"},
                                  {"id", "toolu_" + p.id.substr(p.id.find('_') + 1)},
                                  {"name", p.text},
                                  {"input", Json::object()}});
      case QUERN_PIECE_ARGUMENTS:
        return delta({{"type", "input_json_delta"}, {"partial_json", p.text}});
      default:
        return close();
    }
  }
  std::string closing(const Generation& g) override {
    std::string text = close();
    const Json delta = {{"stop_reason", stop_reason(finish(), called(), !stopped_by().empty())},
                        {"stop_sequence", text_or_null(stopped_by())}};
    text += named_event("message_delta",
                        {{"type", "message_delta"}, {"delta", delta}, {"usage", usage_of(g, g.generated_tokens())}});
    return text + named_event("message_stop", {{"type", "message_stop"}});
  }

 private:
  enum class Open { none, text, call };
  // A block, behind the end of the one before.
  std::string begin(Open what, Json block) {
    std::string text = close();
    open_ = what;
    return text +=
           named_event("content_block_start",
                       {{"type", "content_block_start"}, {"index", index_}, {"content_block", std::move(block)}});
  }
  std::string delta(Json d) {
    return named_event("content_block_delta",
                       {{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(d)}});
  }
  std::string close() {
    if (std::exchange(open_, Open::none) == Open::none) return {};
    return named_event("content_block_stop", {{"type", "content_block_stop"}, {"index", index_++}});
  }
  Open open_ = Open::none;
  int index_ = 0;
};

void answer_message(Call& call, Generation& generation) {
  Generated text = generation.all()[0];
  const std::string stopped = cut_stop(generation.job(), text.finish, text.text);
  const ChatTurn turn = turn_of(generation.job(), text);
  Json message = message_head(random_id("msg_"), generation.model().id);
  if (!turn.text.empty() || turn.calls.empty()) message["content"].push_back({{"type", "text"}, {"text", turn.text}});
  for (const ChatCall& c : turn.calls)
    message["content"].push_back({{"type", "tool_use"},
                                  {"id", "toolu_" + c.id.substr(c.id.find('_') + 1)},
                                  {"name", c.name},
                                  {"input", arguments_json(c.arguments)}});
  message["stop_reason"] = stop_reason(turn.finish, !turn.calls.empty(), !stopped.empty());
  message["stop_sequence"] = text_or_null(stopped);
  message["usage"] = usage_of(generation, generation.generated_tokens());
  call.answer(message);
  add_headers(call, generation);
}

void messages(Call& call) {
  const Fields fields(call.body());
  auto model = call.model(fields, Task::generate);
  refuse_unsupported(fields, not_done_by_messages);
  const auto job = model->new_job();
  read_sampling(fields, *job);
  if (!fields.find("max_tokens")) throw Refusal{Reason::wrong_type, "`max_tokens` is missing", "max_tokens"};
  read_stop(fields, "stop_sequences", 16, *job);
  job->options.include_stop = 1;
  read_output(fields, *job);
  prepare_chat(call, *model, conversation_of_messages(fields), tools_of_messages(fields), *job);
  if (fields.flag("stream", false))
    return answer_events(call, std::move(model), {job}, std::make_unique<MessageEvents>());
  Generation generation(std::move(model), {job}, call.patience(), {});
  answer_message(call, generation);
}

void count_tokens(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::generate);
  GenerationJob job;
  prepare_chat(call, *model, conversation_of_messages(fields), tools_of_messages(fields), job);
  call.answer(Json{{"input_tokens", job.prompt.size()}});
}

}  // namespace

std::span<const Route> anthropic_routes() {
  static constexpr Route table[] = {
      {"POST", "/v1/messages", Dialect::anthropic, messages},
      {"POST", "/v1/messages/count_tokens", Dialect::anthropic, count_tokens},
  };
  return table;
}

}  // namespace server

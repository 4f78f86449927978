// OpenAI's responses, whole or as events. Nothing is stored: a conversation is sent whole each time.
#include "chat_request.h"
#include "routes.h"

namespace server {
namespace {

constexpr Unsupported not_done_by_responses[] = {
    {"previous_response_id", ""},
    {"conversation", ""},
    {"background", "false"},
    {"store", "false"},
    {"prompt", ""},
    {"max_tool_calls", ""},
    {"truncation", "\"disabled\""},
    {"context_management", "[]"},
    {"moderation", ""},
    {"image", ""},
    {"access_programs", "[]"},
    {"background_options", ""},
    {"include", R"([]|["reasoning.encrypted_content"])"},
    {"prompt_cache_options", ""},
    {"top_logprobs", "0"},
};

[[noreturn]] void wrong_item(const std::string& where, const std::string& what) {
  throw Refusal{Reason::wrong_type, "`" + where + "`: " + what, "input"};
}

// A string, or parts of text.
Json item_text(const Json& content, const std::string& where) {
  if (content.is_string()) return content;
  if (!content.is_array()) wrong_item(where, "expected a string or a list of parts, found " + describe(content));
  Json parts = Json::array();
  for (const Json& part : content) {
    const Json type = part.is_object() ? part.value("type", Json()) : Json();
    const bool text = type == "input_text" || type == "output_text" || type == "text";
    if (type == "refusal" && part.value("refusal", Json()).is_string()) {
      parts.push_back({{"type", "text"}, {"text", part["refusal"]}});
      continue;
    }
    if (!text || !part.value("text", Json()).is_string())
      wrong_item(where, "expected parts of type \"input_text\": this model reads text alone");
    parts.push_back({{"type", "text"}, {"text", part["text"]}});
  }
  return parts.size() == 1 ? parts[0]["text"] : parts;
}

std::string item_string(const Json& item, const char* name, const std::string& where) {
  if (!item.contains(name) || !item[name].is_string()) wrong_item(where + "." + name, "expected a string");
  return item[name].get<std::string>();
}

void add_item(const Json& item, const std::string& where, Json& messages) {
  if (!item.is_object()) wrong_item(where, "expected an object");
  const std::string type = item.contains("type") ? item_string(item, "type", where) : "message";
  if (type == "message") {
    const std::string role = item_string(item, "role", where);
    if (role != "user" && role != "assistant" && role != "system" && role != "developer")
      wrong_item(where + ".role", "expected \"user\", \"assistant\", \"system\" or \"developer\"");
    messages.push_back({{"role", role}, {"content", item_text(item.value("content", Json()), where + ".content")}});
  } else if (type == "function_call") {
    const Json call = {
        {"id", item_string(item, "call_id", where)},
        {"type", "function"},
        {"function",
         {{"name", item_string(item, "name", where)}, {"arguments", item_string(item, "arguments", where)}}}};
    // Calls that follow each other, or a text of the assistant's, are one turn.
    if (messages.empty() || messages.back()["role"] != "assistant")
      messages.push_back({{"role", "assistant"}, {"content", nullptr}});
    messages.back()["tool_calls"].push_back(call);
  } else if (type == "function_call_output") {
    messages.push_back({{"role", "tool"},
                        {"tool_call_id", item_string(item, "call_id", where)},
                        {"content", item_text(item.value("output", Json()), where + ".output")}});
  } else if (type != "reasoning") {  // what was thought is not told again
    wrong_item(where + ".type", "expected \"message\", \"function_call\" or \"function_call_output\", found \"" +
                                    type.substr(0, 40) + "\", which is not supported");
  }
}

Json conversation_of_input(const Fields& fields) {
  Json messages = Json::array();
  if (const Json* text = fields.find("instructions")) {
    if (!text->is_string()) fields.refuse("instructions", "a string");
    messages.push_back({{"role", "system"}, {"content", *text}});
  }
  const Json& input = fields.need("input");
  if (input.is_string()) {
    messages.push_back({{"role", "user"}, {"content", input}});
  } else {
    if (!input.is_array() || input.empty()) fields.refuse("input", "a string or a list of items");
    for (size_t i = 0; i < input.size(); ++i) add_item(input[i], "input[" + std::to_string(i) + "]", messages);
  }
  Json conversation = {{"messages", std::move(messages)}};
  if (const auto reasoning = fields.object("reasoning")) {
    refuse_unsupported(*reasoning, std::array{Unsupported{"summary", ""}, Unsupported{"generate_summary", ""}});
    if (const Json* effort = reasoning->find("effort")) conversation["reasoning_effort"] = *effort;
  }
  return conversation;
}

// Functions, which are flat here.
ToolAsk tools_of_responses(const Fields& fields) {
  ToolAsk ask;
  if (const Json* tools = fields.find("tools")) {
    if (!tools->is_array()) fields.refuse("tools", "a list of tools");
    ask.tools = Json::array();
    for (size_t i = 0; i < tools->size(); ++i) {
      const Json& tool = (*tools)[i];
      if (!tool.is_object() || tool.value("type", Json()) != "function")
        throw Refusal{Reason::validation,
                      "`tools[" + std::to_string(i) +
                          "].type`: expected \"function\": tools that the server runs are not supported",
                      "tools"};
      Json function = Json::object();
      for (const char* name : {"name", "description", "parameters"})
        if (tool.contains(name) && !tool[name].is_null()) function[name] = tool[name];
      ask.tools.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
  }
  if (fields.find("tool_choice")) {
    const Json only = {{"tool_choice", *fields.find("tool_choice")}};
    ask.choice = openai_tools(Fields(only)).choice;
  }
  ask.parallel = fields.flag("parallel_tool_calls", true);
  return ask;
}

void read_text_format(const Fields& fields, GenerationJob& job) {
  const auto text = fields.object("text");
  if (!text) return;
  refuse_unsupported(*text, std::array{Unsupported{"verbosity", "\"medium\""}});
  const auto format = text->object("format");
  if (!format) return;
  const std::string type = format->need_text("type");
  if (type == "json_schema") {
    if (!format->object("schema")) format->refuse("schema", "a JSON schema");
    job.json_schema = dump(format->object("schema")->json());
  } else if (type == "json_object") {
    job.json_schema = R"({"type":"object"})";
  } else if (type != "text") {
    format->refuse("type", "\"text\", \"json_object\" or \"json_schema\"");
  }
}

// A response as far as it is there.
class ResponseForm {
 public:
  ResponseForm(const Fields& fields, const ServedModel& model, const GenerationJob& job) : id_(random_id("resp_", 32)) {
    const auto given = [&](const char* name, Json otherwise) {
      const Json* value = fields.find(name);
      return value ? *value : std::move(otherwise);
    };
    rest_ = {{"instructions", given("instructions", nullptr)},
             {"max_output_tokens", given("max_output_tokens", nullptr)},
             {"metadata", given("metadata", Json::object())},
             {"model", model.id},
             {"parallel_tool_calls", given("parallel_tool_calls", true)},
             {"previous_response_id", nullptr},
             {"reasoning", given("reasoning", {{"effort", nullptr}, {"summary", nullptr}})},
             {"store", false},
             {"temperature", job.options.temperature},
             {"text", given("text", {{"format", {{"type", "text"}}}})},
             {"tool_choice", given("tool_choice", "auto")},
             {"tools", given("tools", Json::array())},
             {"top_p", job.options.top_p},
             {"truncation", "disabled"},
             {"user", given("user", nullptr)}};
    created_ = unix_seconds();
  }

  Json json(const char* status, const Json& output, const Json& usage) const {
    Json all = {{"id", id_}, {"object", "response"}, {"created_at", created_}, {"status", status}, {"error", nullptr}};
    all["incomplete_details"] =
        std::string_view(status) == "incomplete" ? Json{{"reason", "max_output_tokens"}} : Json(nullptr);
    all["output"] = output;
    all.update(rest_);
    all["usage"] = usage;
    return all;
  }
  static const char* status(quern_finish finish) { return finish == QUERN_FINISH_LENGTH ? "incomplete" : "completed"; }

  static Json text_part(const std::string& text) {
    return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
  }
  static Json message(const std::string& id, const char* status, Json content) {
    return {
        {"id", id}, {"type", "message"}, {"status", status}, {"role", "assistant"}, {"content", std::move(content)}};
  }
  static Json function_call(const std::string& id, const char* status, const ChatCall& call) {
    return {{"id", id},           {"type", "function_call"}, {"status", status},
            {"call_id", call.id}, {"name", call.name},       {"arguments", call.arguments}};
  }
  static Json usage(const Generation& g) {
    return {{"input_tokens", g.prompt_tokens()},
            {"input_tokens_details", {{"cached_tokens", g.cached_tokens()}}},
            {"output_tokens", g.generated_tokens()},
            {"output_tokens_details", {{"reasoning_tokens", 0}}},
            {"total_tokens", g.prompt_tokens() + g.generated_tokens()}};
  }

 private:
  std::string id_;
  int64_t created_ = 0;
  Json rest_;
};

class ResponseEvents final : public PieceEvents {
 public:
  explicit ResponseEvents(ResponseForm form) : form_(std::move(form)) {}
  std::string refusal(const std::string& json) override {
    const Json refused = Json::parse(json, nullptr, false);
    const Json error = refused.is_object() ? refused.value("error", Json::object()) : Json::object();
    return say("error", {{"code", error.value("code", Json())},
                         {"message", error.value("message", Json())},
                         {"param", error.value("param", Json())}});
  }

 protected:
  std::string opening(const Generation&) override {
    const Json response = form_.json("in_progress", Json::array(), nullptr);
    std::string text = say("response.created", {{"response", response}});
    return text += say("response.in_progress", {{"response", response}});
  }
  std::string piece(const ChatPiece& p) override {
    switch (p.kind) {
      case QUERN_PIECE_TEXT: {
        std::string text = in_text_ ? "" : begin_text();
        text_ += p.text;
        return text += say("response.output_text.delta", {{"item_id", item_},
                                                          {"output_index", output_.size()},
                                                          {"content_index", 0},
                                                          {"delta", p.text},
                                                          {"logprobs", Json::array()}});
      }
      case QUERN_PIECE_CALL: {
        std::string text = end_item("completed");
        return text += begin_call(p);
      }
      case QUERN_PIECE_ARGUMENTS:
        call_.arguments += p.text;
        return say("response.function_call_arguments.delta",
                   {{"item_id", item_}, {"output_index", output_.size()}, {"delta", p.text}});
      default:
        return end_item("completed");
    }
  }
  std::string closing(const Generation& g) override {
    const char* status = ResponseForm::status(finish());
    std::string text = output_.empty() && !in_call_ && !in_text_ ? begin_text() : "";
    text += end_item(status);
    return text += say(status == std::string_view("incomplete") ? "response.incomplete" : "response.completed",
                       {{"response", form_.json(status, output_, ResponseForm::usage(g))}});
  }

 private:
  std::string say(const char* type, const Json& more) {
    Json event = {{"type", type}, {"sequence_number", sequence_++}};
    event.update(more);
    return named_event(type, event);
  }
  std::string add(const Json& item) {
    return say("response.output_item.added", {{"output_index", output_.size()}, {"item", item}});
  }
  std::string begin_text() {
    in_text_ = true;
    text_.clear();
    item_ = random_id("msg_", 32);
    std::string text = add(ResponseForm::message(item_, "in_progress", Json::array()));
    return text += say("response.content_part.added", {{"item_id", item_},
                                                       {"output_index", output_.size()},
                                                       {"content_index", 0},
                                                       {"part", ResponseForm::text_part("")}});
  }
  std::string begin_call(const ChatPiece& p) {
    in_call_ = true;
    call_ = {p.id, p.text, {}};
    item_ = random_id("fc_", 32);
    return add(ResponseForm::function_call(item_, "in_progress", call_));
  }
  std::string end_item(const char* status) {
    std::string text;
    Json item;
    if (std::exchange(in_text_, false)) {
      const Json part = ResponseForm::text_part(text_);
      const Json place = {{"item_id", item_}, {"output_index", output_.size()}, {"content_index", 0}};
      Json done = place, ended = place;
      done["text"] = text_;
      done["logprobs"] = Json::array();
      ended["part"] = part;
      text = say("response.output_text.done", done);
      text += say("response.content_part.done", ended);
      item = ResponseForm::message(item_, status, Json::array({part}));
    } else if (std::exchange(in_call_, false)) {
      text = say(
          "response.function_call_arguments.done",
          {{"item_id", item_}, {"output_index", output_.size()}, {"name", call_.name}, {"arguments", call_.arguments}});
      item = ResponseForm::function_call(item_, status, call_);
    } else {
      return {};
    }
    text += say("response.output_item.done", {{"output_index", output_.size()}, {"item", item}});
    output_.push_back(std::move(item));
    return text;
  }

  const ResponseForm form_;
  int64_t sequence_ = 0;
  Json output_ = Json::array();
  bool in_text_ = false, in_call_ = false;
  std::string item_, text_;
  ChatCall call_;
};

void answer_response(Call& call, const ResponseForm& form, Generation& generation) {
  const Generated text = generation.all()[0];
  const ChatTurn turn = turn_of(generation.job(), text);
  const char* status = ResponseForm::status(turn.finish);
  Json output = Json::array();
  if (!turn.text.empty() || turn.calls.empty())
    output.push_back(
        ResponseForm::message(random_id("msg_", 32), status, Json::array({ResponseForm::text_part(turn.text)})));
  for (const ChatCall& c : turn.calls) output.push_back(ResponseForm::function_call(random_id("fc_", 32), status, c));
  call.answer(form.json(status, output, ResponseForm::usage(generation)));
  add_headers(call, generation);
}

void responses(Call& call) {
  const Fields fields(call.body());
  auto model = call.model(fields, Task::generate);
  refuse_unsupported(fields, not_done_by_responses);
  const auto job = model->new_job();
  read_sampling(fields, *job);
  if (fields.find("max_output_tokens")) job->options.max_tokens = fields.integer("max_output_tokens", -1, 1, 1 << 30);
  read_text_format(fields, *job);
  if (const auto options = fields.object("stream_options"))
    refuse_unsupported(*options, std::array{Unsupported{"include_usage", "true|false"}});
  prepare_chat(call, *model, conversation_of_input(fields), tools_of_responses(fields), *job);
  const ResponseForm form(fields, *model, *job);
  if (fields.flag("stream", false))
    return answer_events(call, std::move(model), {job}, std::make_unique<ResponseEvents>(form));
  Generation generation(std::move(model), {job}, call.patience(), {});
  answer_response(call, form, generation);
}

}  // namespace

std::span<const Route> responses_routes() {
  static constexpr Route table[] = {
      {"POST", "/v1/responses", Dialect::openai, responses},
      {"POST", "/responses", Dialect::openai, responses},
  };
  return table;
}

}  // namespace server

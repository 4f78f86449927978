#include "chat_request.h"

#include <algorithm>
#include <random>

namespace server {
namespace {

constexpr std::string_view roles[] = {"system", "developer", "user", "assistant", "tool", "function"};

[[noreturn]] void wrong_message(size_t i, const std::string& what) {
  throw Refusal{Reason::wrong_type, "`messages`: message " + std::to_string(i) + ": " + what, "messages"};
}

// Texts are checked here, so that what is no text is refused by name; how they are joined is the library's matter.
void check_content(const Json& content, size_t i) {
  if (content.is_null() || content.is_string()) return;
  if (!content.is_array()) wrong_message(i, "expected a `content` that is a string or a list of parts");
  for (const Json& part : content) {
    const bool is_text = part.is_object() && part.contains("type") && part["type"] == "text" && part.contains("text") &&
                         part["text"].is_string();
    if (!is_text) wrong_message(i, "expected parts of type \"text\": this model reads text alone");
  }
}

std::string choice_of(const Fields& fields, const Json& choice) {
  if (choice.is_string()) {
    const std::string text = choice.get<std::string>();
    if (text == "auto" || text == "none" || text == "required") return text;
    if (text == "any") return "required";  // of some clients
  }
  if (choice.is_object() && choice.value("type", Json()) == "function") {
    const Json& named = choice.contains("function") ? choice["function"] : choice;
    if (named.is_object() && named.contains("name") && named["name"].is_string())
      return "=" + named["name"].get<std::string>();
  }
  fields.refuse("tool_choice",
                "\"auto\", \"none\", \"required\" or {\"type\": \"function\", \"function\": {\"name\": …}}");
}

}  // namespace

ToolAsk openai_tools(const Fields& fields) {
  for (const char* old : {"functions", "function_call"})
    if (fields.find(old))
      throw Refusal{Reason::validation, "`" + std::string(old) + "` is not supported: use `tools` and `tool_choice`",
                    old};
  ToolAsk ask;
  if (const Json* tools = fields.find("tools")) ask.tools = *tools;
  if (const Json* choice = fields.find("tool_choice")) ask.choice = choice_of(fields, *choice);
  ask.parallel = fields.flag("parallel_tool_calls", true);
  return ask;
}

Json checked_messages(const Fields& fields, const Json& messages) {
  if (!messages.is_array() || messages.empty()) fields.refuse("messages", "a list of messages");
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& m = messages[i];
    if (!m.is_object() || !m.contains("role") || !m["role"].is_string())
      fields.refuse("messages", "objects with a `role` and a `content`");
    if (m.contains("content")) check_content(m["content"], i);
    if (m.contains("function_call") && !m["function_call"].is_null())
      wrong_message(i, "`function_call` is not supported: use `tool_calls`");
    const std::string role = m["role"].get<std::string>();
    if (std::find(std::begin(roles), std::end(roles), role) == std::end(roles) && !m.contains("content"))
      wrong_message(i, "expected a `content`");
  }
  return messages;
}

void add_template_variables(const Fields& fields, Json& conversation) {
  if (fields.find("chat_template"))
    throw Refusal{Reason::validation, "`chat_template` is not supported: the model's own is used", "chat_template"};
  if (const auto variables = fields.object("chat_template_kwargs"))
    for (const auto& [key, value] : variables->json().items())
      if (key != "messages" && key != "tools") conversation[key] = value;
  if (const Json* documents = fields.find("documents")) conversation["documents"] = *documents;
  if (const Json* effort = fields.find("reasoning_effort")) conversation["reasoning_effort"] = *effort;
  for (const char* name : {"add_generation_prompt", "continue_final_message"})
    if (const auto flag = fields.maybe_flag(name)) conversation[name] = *flag;
}

void need_chat(const ServedModel& model) {
  if (!model.has_chat)
    throw Refusal{Reason::wrong_task, "model \"" + model.id + "\" has no chat template: use /v1/completions", "model"};
}

std::string chat_text(Call& call, const ServedModel& model, const Json& conversation) {
  need_chat(model);
  const std::string given = dump(conversation);
  char* text = nullptr;
  const auto turn = call.tokenizing();
  check(quern_chat_text(model.get(), given.data(), given.size(), &text));
  const StringHandle owner(text);
  return text;
}

void prepare_chat(Call& call, const ServedModel& model, Json conversation, const ToolAsk& ask, GenerationJob& job) {
  need_chat(model);
  const auto turn = call.tokenizing();
  const bool none = ask.tools.is_null() || (ask.tools.is_array() && ask.tools.empty());
  if (none && ask.choice != "auto" && ask.choice != "none")
    throw Refusal{Reason::validation, "`tool_choice` asks for a call, but there are no `tools`", "tool_choice"};
  if (!none) {
    const std::string tools = dump(ask.tools);
    quern_tools* made = nullptr;
    const quern_status status =
        quern_tools_new(model.get(), tools.data(), tools.size(), ask.choice.c_str(), ask.parallel ? 1 : 0, &made);
    if (status != QUERN_OK) {
      Refusal refusal = refusal_of({status, quern_last_error()});
      refusal.param = refusal.message.starts_with("tool_choice") ? "tool_choice" : "tools";
      throw refusal;
    }
    const std::shared_ptr<quern_tools> owner(made, quern_tools_free);
    if (ask.choice != "none") {
      job.tools = owner;
      conversation["tools"] = ask.tools;
      if (const char* grammar = quern_tools_grammar(made)) {
        if (!job.grammar.empty() || !job.json_schema.empty())
          throw Refusal{Reason::validation,
                        "a required `tool_choice` and a grammar, JSON schema or `response_format` "
                        "cannot be given together",
                        "tool_choice"};
        job.grammar = grammar;
      }
      size_t n = 0;
      const int32_t* shown = quern_tools_shown(made, &n);
      job.shown.assign(shown, shown + n);
    }
  }
  const std::string given = dump(conversation);
  int32_t* ids = nullptr;
  size_t n = 0;
  check(quern_chat_tokens(model.get(), given.data(), given.size(), &ids, &n));
  const IdsHandle owner(ids);
  job.prompt.assign(ids, ids + n);
}

ChatReader::ChatReader(const GenerationJob& job) {
  if (!job.tools) return;
  quern_tool_reader* made = nullptr;
  check(quern_tool_reader_new(job.tools.get(), &made));
  reader_.reset(made);
}

std::vector<ChatPiece> ChatReader::read(const GenerationEvent& event) {
  std::vector<ChatPiece> all;
  const bool last = event.finish != QUERN_FINISH_NONE;
  if (!reader_) {
    if (!event.text.empty()) all.push_back({QUERN_PIECE_TEXT, 0, event.text});
    return all;
  }
  const quern_tool_piece* pieces = nullptr;
  size_t n = 0;
  check(quern_tool_reader_push(reader_.get(), event.text.data(), event.text.size(), last ? 1 : 0, &pieces, &n));
  for (size_t i = 0; i < n; ++i) {
    ChatPiece piece{pieces[i].kind, pieces[i].call, std::string(pieces[i].text, pieces[i].length)};
    if (piece.kind == QUERN_PIECE_CALL) {
      piece.id = random_id("call_", 16);
      called_ = true;
    }
    all.push_back(std::move(piece));
  }
  return all;
}

void ChatTurn::add(const ChatPiece& piece) {
  if (piece.kind == QUERN_PIECE_TEXT) text += piece.text;
  if (piece.kind == QUERN_PIECE_CALL) calls.push_back({piece.id, piece.text, {}});
  if (piece.kind == QUERN_PIECE_ARGUMENTS && piece.call < calls.size()) calls[piece.call].arguments += piece.text;
}

ChatTurn turn_of(const GenerationJob& job, const Generated& text) {
  ChatTurn turn;
  turn.finish = text.finish;
  ChatReader reader(job);
  GenerationEvent all;
  all.text = text.text;
  all.finish = text.finish == QUERN_FINISH_NONE ? QUERN_FINISH_END : text.finish;
  for (const ChatPiece& piece : reader.read(all)) turn.add(piece);
  return turn;
}

std::string cut_stop(const GenerationJob& job, quern_finish finish, std::string& text) {
  if (finish != QUERN_FINISH_STOP || !job.options.include_stop) return {};
  std::string longest;
  for (const std::string& stop : job.stop)
    if (text.ends_with(stop) && stop.size() > longest.size()) longest = stop;
  text.resize(text.size() - longest.size());
  return longest;
}

std::string PieceEvents::event(const Generation& generation, GenerationEvent event) {
  std::string text;
  if (!reader_) {
    reader_ = std::make_unique<ChatReader>(generation.job());
    text = opening(generation);
  }
  if (event.finish != QUERN_FINISH_NONE) {
    finish_ = event.finish;
    stopped_by_ = cut_stop(generation.job(), event.finish, event.text);
  }
  for (const ChatPiece& p : reader_->read(event)) text += piece(p);
  return text;
}

std::string named_event(const char* name, const Json& data) {
  return std::string("event: ") + name + "\ndata: " + dump(data) + "\n\n";
}

Json arguments_json(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json::object();
}

std::string random_id(const std::string& prefix, size_t n) {
  constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  thread_local std::mt19937_64 engine{uint64_t{std::random_device{}()} << 32 ^ std::random_device{}()};
  std::string id = prefix;
  for (size_t i = 0; i < n; ++i) id += digits[engine() % digits.size()];
  return id;
}

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void refuse_unsupported(const Fields& fields, std::span<const Unsupported> table) {
  for (const Unsupported& u : table) {
    const Json* given = fields.find(u.name);
    if (!given) continue;
    bool neutral = false;
    std::string_view rest = u.neutral;
    while (!rest.empty() && !neutral) {
      const size_t bar = std::min(rest.find('|'), rest.size());
      neutral = *given == Json::parse(rest.substr(0, bar));
      rest.remove_prefix(std::min(bar + 1, rest.size()));
    }
    if (!neutral)
      throw Refusal{Reason::validation, "`" + fields.full_name(u.name) + "` is not supported",
                    fields.full_name(u.name)};
  }
}

}  // namespace server

// include/quern.h over the library: conversations by a model's chat template.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "c_api.h"
#include "chat/conversation.h"
#include "chat/encode_chat.h"
#include "io/json.h"

using quern::Error;
using quern::Status;
using quern::c_api::guard;
using quern::c_api::require;

namespace {

// The template's variables: what the caller gives, and what is there in any case. As transformers passes them, tools
// and documents are none where there are none.
nlohmann::ordered_json context_of(std::string_view conversation, bool& prompt_given) {
  nlohmann::ordered_json given = quern::parse_ordered_json(conversation, "conversation");
  nlohmann::ordered_json context = {
      {"messages", nullptr}, {"tools", nullptr}, {"documents", nullptr}, {"add_generation_prompt", true}};
  if (given.is_array())
    context["messages"] = std::move(given);
  else if (given.is_object())
    context.update(given);
  prompt_given = given.is_object() && given.contains("add_generation_prompt");
  if (!context["messages"].is_array())
    throw Error(Status::bad_argument,
                "conversation: expected a JSON array of messages, or an object with \"messages\"");
  return context;
}

// What add_generation_prompt and continue_final_message come to: the latter goes on with the last message, so that no
// new one begins.
bool settle_end(nlohmann::ordered_json& context, bool prompt_given) {
  const auto flag = [&](const char* name) {
    if (!context.contains(name) || context[name].is_null()) return false;
    if (!context[name].is_boolean()) throw Error(Status::bad_argument, std::string(name) + ": expected true or false");
    return context[name].get<bool>();
  };
  const bool goes_on = flag("continue_final_message");
  context.erase("continue_final_message");
  if (!goes_on) return false;
  if (prompt_given && flag("add_generation_prompt"))
    throw Error(Status::bad_argument,
                "continue_final_message and add_generation_prompt cannot both be true: the first goes on with the last "
                "message, the second begins a new one");
  context["add_generation_prompt"] = false;
  return true;
}

std::vector<quern::RenderedPart> render(const quern_model& model, std::string_view conversation) {
  const quern::ChatFormat& format = model.rep->chat;
  if (format.source.empty()) throw Error(Status::unsupported, model.rep->path + ": the model has no chat template");
  bool prompt_given = false;
  nlohmann::ordered_json context = context_of(conversation, prompt_given);
  const bool goes_on = settle_end(context, prompt_given);
  const auto tool_use = format.named.find("tool_use");
  const bool tools = !context["tools"].is_null() && tool_use != format.named.end();
  const std::string name = model.rep->path + ": chat template" + (tools ? " tool_use" : "");
  const std::string& source = tools ? tool_use->second : format.source;
  const quern::ParsedTemplate& parsed = model.rep->templates.get(name, source, format.specials);
  context = quern::prepare_conversation(std::move(context), parsed.traits, quern::tool_format_of(source));
  std::vector<quern::RenderedPart> parts = parsed.chat.render(context, format.specials);
  if (goes_on) quern::cut_behind_last_message(parts, context["messages"]);
  return parts;
}

template <class T>
T* copy(const T* from, size_t n) {
  T* to = static_cast<T*>(std::malloc((n > 0 ? n : 1) * sizeof(T)));
  if (!to) throw std::bad_alloc();
  if (n > 0) std::memcpy(to, from, n * sizeof(T));
  return to;
}

}  // namespace

int quern_model_has_chat(const quern_model* model) {
  return model && !model->rep->chat.source.empty() ? 1 : 0;
}

quern_status quern_chat_tokens(const quern_model* model, const char* conversation, size_t length, int32_t** ids,
                               size_t* n) {
  return guard([&] {
    require(model && conversation && ids && n, "quern_chat_tokens: model, conversation, ids and n must not be NULL");
    std::vector<int32_t> tokens;
    quern::encode_chat(*model->rep->tokenizer, render(*model, {conversation, length}), tokens);
    *ids = copy(tokens.data(), tokens.size());
    *n = tokens.size();
  });
}

quern_status quern_chat_text(const quern_model* model, const char* conversation, size_t length, char** text) {
  return guard([&] {
    require(model && conversation && text, "quern_chat_text: model, conversation and text must not be NULL");
    const std::string all = quern::join_parts(render(*model, {conversation, length}));
    *text = copy(all.c_str(), all.size() + 1);
  });
}

void quern_ids_free(int32_t* ids) {
  std::free(ids);
}

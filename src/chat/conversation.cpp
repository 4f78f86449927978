// See conversation.h.
#include "chat/conversation.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "error.h"
#include "io/json.h"

namespace quern {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void wrong_message(size_t i, const std::string& what) {
  throw Error(Status::bad_argument, "messages[" + std::to_string(i) + "]" + what);
}

// Nine letters and digits for an id of any kind.
std::string short_id(std::string_view id) {
  const auto plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (id.size() == 9 && std::all_of(id.begin(), id.end(), plain)) return std::string(id);
  constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::string text;
  for (int n = 0; n < 9; ++n, hash /= digits.size()) text += digits[hash % digits.size()];
  return text;
}

class Preparer {
 public:
  Preparer(const TemplateTraits& traits, const ToolFormat& format) : t_(traits), format_(format) {}

  Json messages(const Json& given) {
    Json all = Json::array();
    for (size_t i = 0; i < given.size(); ++i) {
      if (!given[i].is_object()) {
        all.push_back(given[i]);
        continue;
      }
      Json m = given[i];
      if (m.contains("role") && m["role"] == "developer" && !t_.developer) m["role"] = "system";
      calls(m, i);
      if (t_.short_ids && m.contains("tool_call_id") && m["tool_call_id"].is_string())
        m["tool_call_id"] = short_id(m["tool_call_id"].get<std::string>());
      content(m, i);
      if (!t_.calls) as_text(m);
      all.push_back(std::move(m));
    }
    return all;
  }

  // Tells of tools in the system message.
  void instruct(Json& messages, const std::string& text) const {
    Json* first = messages.empty() ? nullptr : &messages[0];
    if (first && first->is_object() && first->value("role", Json()) == "system") return append(*first, text);
    if (t_.system) {
      Json all = Json::array({{{"role", "system"}, {"content", text_content(text)}}});
      for (Json& m : messages) all.push_back(std::move(m));
      messages = std::move(all);
      return;
    }
    for (Json& m : messages)
      if (m.is_object() && m.value("role", Json()) == "user") return prepend(m, text);
  }

 private:
  Json text_content(const std::string& text) const {
    return t_.text_content ? Json(text) : Json::array({{{"type", "text"}, {"text", text}}});
  }
  void append(Json& m, const std::string& text) const {
    if (m["content"].is_array()) return m["content"].push_back({{"type", "text"}, {"text", text}});
    const std::string before = m["content"].is_string() ? m["content"].get<std::string>() : std::string();
    m["content"] = before.empty() ? text : before + "\n\n" + text;
  }
  void prepend(Json& m, const std::string& text) const {
    if (m["content"].is_array()) {
      Json all = Json::array({{{"type", "text"}, {"text", text}}});
      for (Json& part : m["content"]) all.push_back(std::move(part));
      m["content"] = std::move(all);
    } else {
      m["content"] = text + "\n\n" + (m["content"].is_string() ? m["content"].get<std::string>() : std::string());
    }
  }

  void calls(Json& m, size_t i) const {
    if (!m.contains("tool_calls")) return;
    Json& list = m["tool_calls"];
    if (list.is_null() || (list.is_array() && list.empty())) {
      m.erase("tool_calls");
      return;
    }
    if (!list.is_array()) wrong_message(i, ".tool_calls: expected a list");
    for (size_t c = 0; c < list.size(); ++c) {
      const std::string where = ".tool_calls[" + std::to_string(c) + "]";
      Json& call = list[c];
      if (!call.is_object()) wrong_message(i, where + ": expected an object with a `function`");
      Json& function = call.contains("function") ? call["function"] : call;
      if (!function.is_object() || !function.contains("name") || !function["name"].is_string())
        wrong_message(i, where + ".function: expected an object with a `name` and `arguments`");
      arguments(function, i, where);
      if (t_.short_ids && call.contains("id") && call["id"].is_string())
        call["id"] = short_id(call["id"].get<std::string>());
    }
  }

  void arguments(Json& function, size_t i, const std::string& where) const {
    Json& value = function["arguments"];
    if (value.is_null()) value = Json::object();
    if (value.is_string()) {
      const std::string text = value.get<std::string>();
      try {
        value = text.find_first_not_of(" \t\r\n") == std::string::npos ? Json::object()
                                                                       : parse_ordered_json(text, "arguments");
      } catch (const Error& e) {
        wrong_message(i, where + ".function.arguments: expected JSON text: " + e.message);
      }
    }
    if (!value.is_object()) wrong_message(i, where + ".function.arguments: expected an object, or one as JSON text");
    if (t_.text_arguments) value = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  void content(Json& m, size_t i) const {
    const bool none = !m.contains("content") || m["content"].is_null();
    if (none && m.contains("tool_calls") && t_.null_content) {
      m["content"] = nullptr;
    } else if (none || (m["content"].is_array() && m["content"].empty())) {
      m["content"] = text_content("");
    } else if (m["content"].is_array()) {
      parts(m, i);
    } else if (m["content"].is_string() && !t_.text_content) {
      m["content"] = text_content(m["content"].get<std::string>());
    }
  }
  void parts(Json& m, size_t i) const {
    if (t_.part_content) return;
    std::string text;
    for (const Json& part : m["content"]) {
      const bool is_text = part.is_object() && part.contains("text") && part["text"].is_string();
      if (!is_text) wrong_message(i, ".content: expected parts of type \"text\": this model reads text alone");
      if (!text.empty()) text += '\n';
      text += part["text"].get<std::string>();
    }
    m["content"] = text;
  }

  // For templates that know nothing of calls: the calls and their results as their format has them.
  void as_text(Json& m) const {
    const auto text_of = [](const Json& content) { return content.is_string() ? content.get<std::string>() : ""; };
    if (m.contains("tool_calls")) {
      const std::string before = text_of(m["content"]);
      m["content"] = text_content((before.empty() ? "" : before + "\n") + spell_calls(format_, m["tool_calls"]));
      m.erase("tool_calls");
    } else if (m.contains("role") && m["role"] == "tool") {
      m["role"] = "user";
      m["content"] = text_content("<tool_response>\n" + text_of(m["content"]) + "\n</tool_response>");
      m.erase("tool_call_id");
    }
  }

  const TemplateTraits& t_;
  const ToolFormat& format_;
};

constexpr std::string_view python_spaces = " \t\n\r\f\v";
std::string_view left_stripped(std::string_view s) {
  const size_t at = s.find_first_not_of(python_spaces);
  return at == std::string_view::npos ? std::string_view() : s.substr(at);
}
std::string_view stripped(std::string_view s) {
  s = left_stripped(s);
  return s.substr(0, s.find_last_not_of(python_spaces) + 1);
}

std::string last_text(const Json& messages) {
  const Json content =
      !messages.empty() && messages.back().is_object() ? messages.back().value("content", Json()) : Json();
  if (content.is_string()) return content.get<std::string>();
  if (content.is_array())
    for (auto part = content.rbegin(); part != content.rend(); ++part)
      if (part->is_object() && part->contains("text") && (*part)["text"].is_string())
        return (*part)["text"].get<std::string>();
  throw Error(Status::bad_argument, "continue_final_message: the last message has no text to go on with");
}

}  // namespace

Json prepare_conversation(Json context, const TemplateTraits& traits, const ToolFormat& format) {
  if (context.contains("tools") && context["tools"].is_array() && context["tools"].empty()) context["tools"] = nullptr;
  Preparer preparer(traits, format);
  Json messages = preparer.messages(context["messages"]);
  if (!traits.tools && context.contains("tools") && context["tools"].is_array()) {
    preparer.instruct(messages, tool_instructions(format, context["tools"]));
    context["tools"] = nullptr;
  }
  context["messages"] = std::move(messages);
  return context;
}

void cut_behind_last_message(std::vector<RenderedPart>& parts, const Json& messages) {
  const std::string last = last_text(messages), all = join_parts(parts);
  const std::string_view bare = stripped(last), led = left_stripped(last);
  const size_t at = all.rfind(bare);
  if (at == std::string::npos)
    throw Error(Status::bad_argument,
                "continue_final_message: the chat template does not write the last message's text, or changes it");
  size_t keep = at + (std::string_view(all).substr(at, led.size()) == led ? led.size() : bare.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (keep >= parts[i].text.size()) {
      keep -= parts[i].text.size();
      continue;
    }
    parts[i].text.resize(keep);
    parts.resize(keep > 0 ? i + 1 : i);
    return;
  }
}

}  // namespace quern

// See template_traits.h.
#include "chat/template_traits.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "error.h"

namespace quern {
namespace {

using Json = nlohmann::ordered_json;

// What no template has in its own text.
constexpr const char *probe = "pRobe1", *other_probe = "pRobe2", *call_probe = "pRobe3", *id_probe = "call_pRobe45";

const Json& probe_tools() {
  static const Json tools = Json::array({{{"type", "function"},
                                          {"function",
                                           {{"name", probe},
                                            {"description", "d"},
                                            {"parameters",
                                             {{"type", "object"},
                                              {"properties", {{"a", {{"type", "string"}, {"description", "d"}}}}},
                                              {"required", Json::array({"a"})}}}}}}});
  return tools;
}

class Prober {
 public:
  Prober(const ChatTemplate& chat, const TrustedStrings& specials) : chat_(chat), specials_(specials) {}

  std::string rendered(Json messages, Json tools = nullptr) const {
    try {
      const Json context = {{"messages", std::move(messages)},
                            {"tools", std::move(tools)},
                            {"documents", nullptr},
                            {"add_generation_prompt", true}};
      return join_parts(chat_.render(context, specials_));
    } catch (const Error&) {
      return {};
    }
  }
  static bool has(const std::string& text, const char* what) { return text.find(what) != std::string::npos; }

  // A conversation with a call, as far as it renders: with the call at its end, and with more behind it.
  std::string called(const Json& arguments, const Json& content, const char* id) const {
    const Json call = {
        {"id", id}, {"type", "function"}, {"function", {{"name", call_probe}, {"arguments", arguments}}}};
    const Json turn = {{"role", "assistant"}, {"content", content}, {"tool_calls", Json::array({call})}};
    Json messages = Json::array({{{"role", "user"}, {"content", "q"}}, turn});
    const auto known = [](const std::string& text) { return has(text, call_probe) && has(text, other_probe); };
    const std::string at_end = rendered(messages, probe_tools());
    messages.push_back({{"role", "tool"}, {"name", call_probe}, {"content", "r"}, {"tool_call_id", id}});
    messages.push_back({{"role", "assistant"}, {"content", "a"}});
    messages.push_back({{"role", "user"}, {"content", "q"}});
    const std::string within = rendered(messages, probe_tools());
    return known(at_end) && known(within) ? at_end + within : std::string();
  }

 private:
  const ChatTemplate& chat_;
  const TrustedStrings& specials_;
};

void probe_calls(const Prober& p, TemplateTraits& t) {
  const Json object = {{"a", other_probe}}, text = object.dump();
  const std::string known_id = "abcdefghi";
  std::string plain = p.called(object, "", known_id.c_str());
  t.text_arguments = plain.empty();
  if (plain.empty()) plain = p.called(text, "", known_id.c_str());
  const Json& arguments = t.text_arguments ? text : object;
  const std::string with_null = p.called(arguments, nullptr, known_id.c_str());
  t.null_content = !with_null.empty() && !Prober::has(with_null, "None");
  t.calls = !plain.empty() || t.null_content;
  if (!t.calls) t.text_arguments = false;
  t.short_ids = t.calls && p.called(arguments, t.null_content ? Json(nullptr) : Json(""), id_probe).empty();
}

}  // namespace

TemplateTraits traits_of(const ChatTemplate& chat, std::string_view source, const TrustedStrings& specials) {
  const Prober p(chat, specials);
  const auto user = [](Json content) { return Json{{"role", "user"}, {"content", std::move(content)}}; };
  TemplateTraits t;
  const std::string parts = p.rendered(Json::array({user(Json::array({{{"type", "text"}, {"text", probe}}}))}));
  t.part_content = Prober::has(parts, probe) && !Prober::has(parts, "'text'") && !Prober::has(parts, "\"text\"");
  t.text_content = !t.part_content || Prober::has(p.rendered(Json::array({user(probe)})), probe);
  const auto content = [&](const char* text) {
    return t.text_content ? Json(text) : Json::array({{{"type", "text"}, {"text", text}}});
  };
  const Json system = {{"role", "system"}, {"content", content(probe)}};
  t.system = Prober::has(p.rendered(Json::array({system, user(content("q"))})), probe);
  t.developer = source.find("developer") != std::string_view::npos;
  t.tools = Prober::has(p.rendered(Json::array({user(content("q"))}), probe_tools()), probe);
  probe_calls(p, t);
  return t;
}

}  // namespace quern

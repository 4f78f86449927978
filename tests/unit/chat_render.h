// Rendering in one line, for tests of chat templates.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "chat/chat_template.h"
#include "error.h"

namespace quern::test {

inline std::vector<RenderedPart> render_parts(std::string_view source, const std::string& context = "{}",
                                              const ChatLimits& limits = {}) {
  const TrustedStrings specials = {
      {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
  return ChatTemplate(source, "t", limits).render(nlohmann::ordered_json::parse(context), specials);
}

inline std::string render(std::string_view source, const std::string& context = "{}", const ChatLimits& limits = {}) {
  return join_parts(render_parts(source, context, limits));
}

// What an expression prints.
inline std::string value(const std::string& expression, const std::string& context = "{}") {
  return render("{{ " + expression + " }}", context);
}

// The message of the Error of a rendering; "" if there is none.
inline std::string failure(std::string_view source, const std::string& context = "{}", const ChatLimits& limits = {}) {
  try {
    render(source, context, limits);
  } catch (const Error& e) {
    return e.message;
  }
  return "";
}

}  // namespace quern::test

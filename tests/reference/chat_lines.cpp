// chat_lines < REQUESTS: for compare_chat_templates.py and fuzz_chat_templates.py. Each line is {"template": source,
// "context": {…}, "specials": {…}}, and "prepare": true for a context as clients send it; each answer a line, {"text":
// rendering, "user": [[begin, end] in bytes …]} or
// {"error": message}.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "chat/chat_template.h"
#include "chat/conversation.h"
#include "error.h"

using namespace quern;
using Json = nlohmann::ordered_json;

namespace {

Json answer(const std::string& line) {
  try {
    const Json request = Json::parse(line);
    TrustedStrings specials;
    if (request.contains("specials"))
      for (const auto& [name, text] : request["specials"].items()) specials[name] = text.get<std::string>();
    const ChatTemplate chat(request.at("template").get<std::string>(), "template");
    Json context = request.at("context");
    if (request.value("prepare", false)) {
      const std::string& source = request.at("template").get_ref<const std::string&>();
      context = prepare_conversation(context, traits_of(chat, source, specials), tool_format_of(source));
    }
    const std::vector<RenderedPart> parts = chat.render(context, specials);
    Json user = Json::array();
    size_t at = 0;
    for (const RenderedPart& part : parts) {
      if (part.from_user) user.push_back({at, at + part.text.size()});
      at += part.text.size();
    }
    return {{"text", join_parts(parts)}, {"user", user}};
  } catch (const Error& e) {
    return {{"error", e.message}};
  }
}

}  // namespace

int main() {
  std::string line;
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    std::puts(answer(line).dump().c_str());
    line.clear();
  }
}

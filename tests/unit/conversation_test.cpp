// What clients send becomes what a template can write: against transformers, and by hand where that has nothing to say.
#include "chat/conversation.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "chat_render.h"
#include "io/mapped_file.h"

using namespace quern;
using namespace quern::test;
using Json = nlohmann::ordered_json;

namespace {

const TrustedStrings conversation_specials = {
    {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};

std::vector<RenderedPart> prepared_parts(const std::string& source, const Json& context) {
  const ChatTemplate chat(source, "t");
  const Json prepared =
      prepare_conversation(context, traits_of(chat, source, conversation_specials), tool_format_of(source));
  return chat.render(prepared, conversation_specials);
}
std::string prepared_text(const std::string& source, const Json& context) {
  return join_parts(prepared_parts(source, context));
}
std::string prepared(const std::string& source, const std::string& messages, const std::string& tools = "null") {
  return prepared_text(
      source,
      Json{{"messages", Json::parse(messages)}, {"tools", Json::parse(tools)}, {"add_generation_prompt", false}});
}

const std::string plain_template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
const std::string no_system =
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}[{{ m.role }}]{{ "
    "m.content "
    "}}{% endfor %}";

}  // namespace

TEST_CASE("conversation: renderings of transformers") {
  std::map<std::string, std::string> templates;
  std::ifstream lines(QUERN_TEST_DIR "/golden/chat/requests.jsonl");
  size_t n_lines = 0;
  for (std::string line; std::getline(lines, line); ++n_lines) {
    const Json want = Json::parse(line);
    const std::string file = want["template"];
    std::string& source = templates[file];
    if (source.empty()) source = read_text_file(QUERN_TEST_DIR "/golden/chat/" + file, 1 << 20);
    CAPTURE(file, want["name"].get<std::string>());
    if (want.contains("error")) {
      CHECK_THROWS_AS(prepared_text(source, want["context"]), Error);
    } else {
      CHECK(prepared_text(source, want["context"]) == want["text"].get<std::string>());
    }
  }
  CHECK(n_lines > 60);
}

TEST_CASE("conversation: tools that the template does not know") {
  const std::string tools = R"([{"type":"function","function":{"name":"f"}}])";
  std::string text = prepared(plain_template, R"([{"role":"user","content":"u"}])", tools);
  CHECK(text.starts_with("[system]# Tools"));
  CHECK(text.find(R"({"type":"function","function":{"name":"f"}})") != std::string::npos);
  CHECK(text.ends_with("[user]u"));
  text = prepared(plain_template, R"([{"role":"system","content":"s"},{"role":"user","content":"u"}])", tools);
  CHECK(text.starts_with("[system]s\n\n# Tools"));
  text = prepared(no_system, R"([{"role":"user","content":"u"}])", tools);
  CHECK(text.starts_with("[user]# Tools"));
  CHECK(text.ends_with("\n\nu"));
  CHECK(prepared(plain_template, R"([{"role":"user","content":"u"}])", "[]") == "[user]u");

  const std::string turn = R"([{"role":"user","content":"u"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
    {"role":"tool","tool_call_id":"1","content":"r"}])";
  CHECK(prepared(plain_template, turn) ==
        "[user]u[assistant]<tool_call>\n{\"name\":\"f\",\"arguments\":{\"a\":1}}\n</"
        "tool_call>[user]<tool_response>\nr\n</tool_response>");
}

TEST_CASE("conversation: ids, roles and arguments as the template wants them") {
  const std::string short_ids =
      "{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}{% if c.id | length != 9 %}{{ "
      "raise_exception('9') }}{% endif %}({{ c.id }} {{ c.function | tojson }}){% endfor %}{% elif m.role == 'tool' "
      "%}<{{ "
      "m.tool_call_id }}>{% else %}{{ m.content }}{% endif %}{% endfor %}";
  const auto turn = [](const std::string& id) {
    return R"([{"role":"user","content":"u"},{"role":"assistant","content":null,"tool_calls":[{"id":")" + id +
           R"(","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":")" + id +
           R"(","content":"r"}])";
  };
  CHECK(prepared(short_ids, turn("abcdefghi")) == R"(u(abcdefghi {"name": "f", "arguments": {}})<abcdefghi>)");
  const std::string text = prepared(short_ids, turn("call_0123456789"));
  const std::string id = text.substr(2, 9);
  CHECK(text == "u(" + id + R"( {"name": "f", "arguments": {}})<)" + id + ">");
  CHECK(id.find('_') == std::string::npos);

  const std::string text_arguments =
      "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].function.name + '|' + "
      "m.tool_calls[0].function.arguments }}{% else %}{{ m.content }}{% endif %}{% endfor %}";
  CHECK(prepared(text_arguments, turn("abcdefghi")) == "uf|{}r");

  const std::string developers = "{# developer #}" + plain_template;
  CHECK(prepared(developers, R"([{"role":"developer","content":"d"}])") == "[developer]d");
  CHECK(prepared(plain_template, R"([{"role":"developer","content":"d"}])") == "[system]d");
}

TEST_CASE("conversation: content for templates that go through parts") {
  const std::string parts =
      "{% for m in messages %}[{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }};{% endif %}{% endfor "
      "%}]{% "
      "endfor %}";
  CHECK(prepared(parts, R"([{"role":"user","content":"ab"}])") == "[ab;]");
  CHECK(prepared(parts, R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])") ==
        "[a;b;]");
  const std::string both =
      "{% for m in messages %}{% if m.content is string %}({{ m.content }}){% else %}{% for c in m.content %}{{ c.text "
      "}};{% endfor %}{% endif %}{% endfor %}";
  CHECK(prepared(both, R"([{"role":"user","content":"ab"}])") == "(ab)");
  CHECK(prepared(both, R"([{"role":"user","content":[{"type":"text","text":"a"}]}])") == "a;");
  CHECK_THROWS_AS(prepared(plain_template, R"([{"role":"user","content":[{"type":"image"}]}])"), Error);
}

TEST_CASE("conversation: going on with the last message") {
  const auto cut = [](const std::string& source, const std::string& messages) {
    const Json context = {{"messages", Json::parse(messages)}, {"add_generation_prompt", false}};
    std::vector<RenderedPart> parts = prepared_parts(source, context);
    cut_behind_last_message(parts, context["messages"]);
    for (const RenderedPart& part : parts) CHECK_FALSE(part.text.empty());
    return join_parts(parts);
  };
  const std::string trimming = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</>{% endfor %}";
  const std::string plain = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}";
  // What transformers 5 gives for each of these.
  CHECK(cut(plain, R"([{"role":"user","content":"a"},{"role":"assistant","content":"a b "}])") ==
        "<user>a</><assistant>a b ");
  CHECK(cut(trimming, R"([{"role":"user","content":"a"},{"role":"assistant","content":" a b "}])") ==
        "<user>a</><assistant>a b");
  CHECK(cut(plain, R"([{"role":"assistant","content":"x"},{"role":"assistant","content":"x"}])") ==
        "<assistant>x</><assistant>x");
  CHECK(cut(plain, R"([{"role":"assistant","content":"  x"}])") == "<assistant>  x");
  CHECK_THROWS_AS(cut("{{ messages | length }}", R"([{"role":"assistant","content":"x"}])"), Error);
  CHECK_THROWS_AS(cut(plain, R"([{"role":"assistant","content":null}])"), Error);
  CHECK_THROWS_AS(cut(plain, "[]"), Error);
}

// Calls of tools: read out of generated text however it comes in, and grammars that accept what is read and nothing
// else.
#include "chat/tool_reader.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "chat/gemma_values.h"
#include "chat/tool_set.h"
#include "error.h"
#include "grammar_texts.h"

using namespace quern;
using namespace quern::test;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char* two_tools =
    R"([{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object",
  "properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"],"additionalProperties":false}}},
  {"type":"function","function":{"name":"now"}}])";

const ToolFormat& format_named(const std::string& name) {
  for (size_t i = 0; i < n_tool_formats(); ++i)
    if (tool_format(i).name == name) return tool_format(i);
  FAIL("no format " << name);
  return tool_format(0);
}

// "text|name(arguments)|name(arguments)", with … behind a call that is not whole.
std::string read_in_parts(const std::string& format, const std::string& text, size_t step, bool parallel = true) {
  const auto set = std::make_shared<const ToolSet>(read_tools(two_tools, format_named(format), "auto", parallel));
  ToolReader reader(set);
  std::vector<ToolPiece> pieces;
  for (size_t i = 0; i < text.size(); i += step) reader.push(std::string_view(text).substr(i, step), pieces);
  reader.finish(pieces);
  std::string out;
  bool open = false;
  for (const ToolPiece& p : pieces) {
    if (p.kind == ToolPiece::Kind::call) out += "|" + p.text + "(";
    if (p.kind == ToolPiece::Kind::text || p.kind == ToolPiece::Kind::arguments) out += p.text;
    if (p.kind == ToolPiece::Kind::end) out += ")";
    open = p.kind == ToolPiece::Kind::call || (p.kind == ToolPiece::Kind::arguments) ||
           (open && p.kind != ToolPiece::Kind::end);
  }
  return open ? out + "…" : out;
}

void check_read(const std::string& format, const std::string& text, const std::string& want, bool parallel = true) {
  for (const size_t step : {text.size() + 1, size_t{1}, size_t{2}, size_t{7}}) {
    CAPTURE(format, text, step);
    CHECK(read_in_parts(format, text, step, parallel) == want);
  }
}

std::string tools_error(const std::string& tools, const std::string& choice = "auto") {
  try {
    read_tools(tools, tool_format(0), choice, true);
  } catch (const Error& e) {
    CHECK(e.status == Status::bad_argument);
    return e.message;
  }
  return "";
}

}  // namespace

TEST_CASE("tools: a format is recognized by its template") {
  const std::pair<const char*, const char*> cases[] = {
      {"...<tool_call></tool_call>...", "hermes"},
      {"{{ '[TOOL_CALLS]' }}", "mistral"},
      {"[TOOL_CALLS]x[ARGS]", "mistral_named"},
      {"\"parameters\": dictionary of argument name and its value", "llama3"},
      {"<|python_tag|>", "llama3"},
      {"<start_function_call>call:", "functiongemma"},
      {"<|tool_call|>[", "tool_call_token"},
      {"You are a helpful AI assistant named SmolLM", "smollm"},
      {"<|im_start|>", "generic"},
      {"", "generic"},
  };
  for (const auto& [text, name] : cases) {
    CAPTURE(text);
    CHECK(std::string(tool_format_of(text).name) == name);
  }
}

TEST_CASE("tools: calls in every format") {
  const std::string one = R"({"name": "weather", "arguments": {"city": "Bo}n\"n", "days": 2}})";
  const std::string args = R"({"city": "Bo}n\"n", "days": 2})";
  for (const char* f : {"hermes", "generic", "smollm"}) {
    check_read(f, "<tool_call>\n" + one + "\n</tool_call>", "|weather(" + args + ")");
    check_read(f, "<tool_call>" + one + "</tool_call>\n<tool_call>\n{\"name\": \"now\"}\n</tool_call>",
               "|weather(" + args + ")|now({})");
    check_read(f, "Let me look.\n\n<tool_call>\n" + one + "\n</tool_call>\n", "Let me look.|weather(" + args + ")");
    check_read(f, "<tool_call>[" + one + ", {\"name\": \"now\", \"arguments\": {}}]</tool_call>",
               "|weather(" + args + ")|now({})");
    check_read(f, "<tool_call>\n" + one, "|weather(" + args + ")");
    check_read(f, "<tool_call>\n" + one + "\n</tool_call> so it is", "|weather(" + args + ")so it is");
  }
  check_read("mistral", "[TOOL_CALLS] [" + one + "]", "|weather(" + args + ")");
  check_read("mistral", "[TOOL_CALLS][" + one + ", {\"name\": \"now\", \"arguments\": {}, \"id\": \"abc\"}]",
             "|weather(" + args + ")|now({})");
  check_read("mistral_named", "[TOOL_CALLS]weather[ARGS]" + args + "[TOOL_CALLS]now[ARGS]{}",
             "|weather(" + args + ")|now({})");
  check_read("tool_call_token", "<|tool_call|>[" + one + "]", "|weather(" + args + ")");
  const std::string parameters = R"({"name": "weather", "parameters": )" + args + "}";
  check_read("llama3", parameters, "|weather(" + args + ")");
  check_read("llama3", "<|python_tag|>" + parameters + "; {\"name\": \"now\", \"parameters\": {}}",
             "|weather(" + args + ")|now({})");
  check_read("llama3", std::string("\n") + R"({"type": "function", "name": "weather", "parameters": )" + args + "}",
             "|weather(" + args + ")");
  check_read("generic", one, "|weather(" + args + ")");
  check_read("functiongemma",
             "<start_function_call>call:weather{city:<escape>Bo}n, x<escape>,days:2}<end_function_call>",
             "|weather({\"city\":\"Bo}n, x\",\"days\":2})");
  check_read("functiongemma",
             "Well. <start_function_call>call:now{}<end_function_call><start_function_call>call:weather{city:"
             "<escape>B<escape>}<end_function_call><start_function_response>",
             "Well.|now({})|weather({\"city\":\"B\"})<start_function_response>");
}

TEST_CASE("tools: calls without their markers") {
  const std::string one = R"({"name": "weather", "arguments": {"city": "A"}})";
  for (const char* f : {"hermes", "generic", "smollm", "mistral", "llama3"}) {
    check_read(f, one, "|weather({\"city\": \"A\"})");
    check_read(f, "```json\n" + one + "\n```", "|weather({\"city\": \"A\"})");
    check_read(f, "```\n" + one + "\n```\n", "|weather({\"city\": \"A\"})");
    check_read(f, one + "\n{\"name\": \"now\", \"arguments\": {}}", "|weather({\"city\": \"A\"})|now({})");
    check_read(f, "```json\n{\"a\": 1}\n```", "```json\n{\"a\": 1}\n```");
    check_read(f, "```python\nprint()\n```", "```python\nprint()\n```");
  }
  // JSON that is no call does not wait for its end.
  ToolReader reader(std::make_shared<const ToolSet>(read_tools(two_tools, format_named("hermes"), "auto", true)));
  std::vector<ToolPiece> pieces;
  reader.push("{\"answer\": \"a long", pieces);
  std::string told;
  for (const ToolPiece& piece : pieces) told += piece.text;
  CHECK(told == "{\"answer\": \"a long");
}

TEST_CASE("tools: arguments in odd forms") {
  check_read("hermes", R"(<tool_call>{"arguments": {"city": "A"}, "name": "weather"}</tool_call>)",
             "|weather({\"city\": \"A\"})");
  check_read("hermes", R"(<tool_call>{"name": "weather", "arguments": "{\"city\": \"A\"}"}</tool_call>)",
             "|weather({\"city\": \"A\"})");
  check_read("hermes", R"(<tool_call>{"name": "now", "arguments": null}</tool_call>)", "|now({})");
  check_read("hermes", R"(<tool_call>{"name": "weather", "arguments": {"city": "A"})", "|weather({\"city\": \"A\"}…");
  check_read("hermes", R"(<tool_call>{"name": "weather", "arguments": {"ci)", "|weather({\"ci…");
}

TEST_CASE("tools: what is no call is text") {
  for (const char* f : {"hermes", "mistral", "llama3", "functiongemma", "generic", "smollm", "mistral_named"}) {
    for (const std::string text :
         {"plain words", "a < b and [c]", "  lead", "{\"name\": \"Bob\", \"age\": 3}",
          "{\"name\": \"nobody\", \"arguments\": {}}", "<tool_call>\nnothing",
          "<tool_call>{\"name\": \"nobody\"}</tool_call> x", "[1, 2]", "{", "<tool", "[TOOL_CALLS",
          "<start_function_call>call:nobody{}", "[TOOL_CALLS] hm", "x\n\n", "{}", "[]"})
      check_read(f, text, text);
  }
}

TEST_CASE("tools: one call at most") {
  const std::string two = "<tool_call>{\"name\": \"now\"}</tool_call><tool_call>{\"name\": \"now\"}</tool_call> x";
  check_read("hermes", two, "|now({})", false);
  check_read("hermes", two, "|now({})|now({})x");
}

TEST_CASE("tools: lists are checked and errors name the place") {
  const auto tool = [](const std::string& function) {
    return "[{\"type\": \"function\", \"function\": " + function + "}]";
  };
  CHECK(tools_error(two_tools).empty());
  CHECK(tools_error("{}").starts_with("tools: "));
  CHECK(tools_error("[").starts_with("tools"));
  CHECK(tools_error("[1]").starts_with("tools[0]: "));
  CHECK(tools_error(R"([{"type": "web_search"}])").starts_with("tools[0]: "));
  CHECK(tools_error(tool("{}")).starts_with("tools[0].function.name: "));
  CHECK(tools_error(tool(R"({"name": ""})")).starts_with("tools[0].function.name: "));
  CHECK(tools_error(tool(R"({"name": "a b"})")).starts_with("tools[0].function.name: "));
  CHECK(tools_error(tool("{\"name\": \"" + std::string(65, 'a') + "\"}")).starts_with("tools[0].function.name: "));
  CHECK(tools_error(tool("{\"name\": \"" + std::string(64, 'a') + "\"}")).empty());
  CHECK(tools_error(tool(R"({"name": "a", "parameters": []})")).starts_with("tools[0].function.parameters: "));
  CHECK(tools_error(tool(R"({"name": "a", "parameters": {"type": "string"}})"))
            .starts_with("tools[0].function.parameters: "));
  CHECK(tools_error(tool(R"({"name": "a", "description": 1})")).starts_with("tools[0].function.description: "));
  const std::string f = R"({"type": "function", "function": {"name": "f"}})";
  CHECK(tools_error("[" + f + "," + f + "]").starts_with("tools[1].function.name: "));
  CHECK(tools_error(two_tools, "=nobody").starts_with("tool_choice: "));
  CHECK(tools_error("[]", "required").starts_with("tool_choice: "));
  std::string many = "[";
  for (int i = 0; i < 129; ++i)
    many +=
        std::string(i ? "," : "") + (R"({"type": "function", "function": {"name": "f)" + std::to_string(i) + "\"}}");
  CHECK(tools_error(many + "]").starts_with("tools: expected at most 128"));
}

TEST_CASE("tools: grammars accept calls as the format spells them") {
  const std::string one = R"({"name": "weather", "arguments": {"city":"B"}})",
                    other = R"({"name": "now", "arguments": {}})";
  struct Case {
    const char *format, *choice;
    bool parallel;
    std::vector<std::string> accepted, refused;
  };
  const Case cases[] = {
      {"hermes",
       "required",
       true,
       {"<tool_call>\n" + one + "\n</tool_call>",
        "<tool_call>\n" + other + "\n</tool_call>\n<tool_call>\n" + one + "\n</tool_call>"},
       {"", one, "hi", "<tool_call>\n{\"name\": \"x\", \"arguments\": {}}\n</tool_call>",
        "<tool_call>\n{\"name\": \"weather\", \"arguments\": {}}\n</tool_call>"}},
      {"hermes",
       "=now",
       false,
       {"<tool_call>\n" + other + "\n</tool_call>"},
       {"<tool_call>\n" + one + "\n</tool_call>",
        "<tool_call>\n" + other + "\n</tool_call>\n<tool_call>\n" + other + "\n</tool_call>"}},
      {"mistral",
       "required",
       true,
       {"[TOOL_CALLS][" + one + ", " + other + "]", "[TOOL_CALLS][" + one + "]"},
       {"[TOOL_CALLS][]"}},
      {"mistral_named",
       "required",
       true,
       {"[TOOL_CALLS]now[ARGS]{}[TOOL_CALLS]weather[ARGS]{\"city\":\"B\",\"days\":3}"},
       {"now{}"}},
      {"llama3",
       "required",
       true,
       {R"({"name": "weather", "parameters": {"city":"B"}}; {"name": "now", "parameters": {}})"},
       {one}},
      {"smollm",
       "required",
       true,
       {"<tool_call>[" + one + ",\n" + other + "]</tool_call>"},
       {"<tool_call>[]</tool_call>"}},
      {"functiongemma",
       "required",
       true,
       {"<start_function_call>call:weather{city:<escape>B b<escape>,days:3}<end_function_call>",
        "<start_function_call>call:now{}<end_function_call><start_function_call>call:weather{city:<escape>B<escape>}<"
        "end_function_call>"},
       {"<start_function_call>call:weather{days:3}<end_function_call>",
        "<start_function_call>call:now{a:1}<end_function_call>",
        "<start_function_call>call:weather{city:B}<end_function_call>"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.format, c.choice);
    const ToolSet set = read_tools(two_tools, format_named(c.format), c.choice, c.parallel);
    GrammarMatcher matcher(Grammar::from_gbnf(tool_grammar(set, {})));
    check_texts(matcher, c.accepted, c.refused);
    for (const std::string& text : c.accepted) {
      CAPTURE(text);
      const std::string read = read_in_parts(c.format, text, 3);
      CHECK(read.starts_with('|'));
      CHECK(read.ends_with(')'));
    }
  }
}

TEST_CASE("tools: values of functiongemma") {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "{}"},
      {"{a:1,b:<escape>x{,}<escape>,c:[1,<escape>y<escape>,{d:null}],e:true,f:-1.5e3}",
       R"({"a":1,"b":"x{,}","c":[1,"y",{"d":null}],"e":true,"f":-1500.0})"},
      {"{a:bare}", R"({"a":"bare"})"},
      {"{a:1", ""},
      {"{a:<escape>x", ""},
      {"{a", ""},
      {"", ""},
  };
  for (const auto& [text, want] : cases) {
    Json json;
    CAPTURE(text);
    const size_t n = read_gemma_object(text, json);
    CHECK((n > 0 ? json.dump() : "") == std::string(want));
  }
  Json deep;
  CHECK(read_gemma_object(std::string(100000, '[').insert(0, "{a:"), deep) == 0);
}

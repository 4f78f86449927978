// See tool_set.h.
#include "chat/tool_set.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "chat/gemma_values.h"
#include "error.h"
#include "io/json.h"

namespace quern {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void wrong_tools(const std::string& where, const std::string& what) {
  throw Error(Status::bad_argument, where + ": " + what);
}

std::string tool_name(const Json& function, const std::string& where) {
  if (!function.contains("name") || !function["name"].is_string()) wrong_tools(where + ".name", "expected a string");
  const std::string name = function["name"].get<std::string>();
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  if (name.empty() || name.size() > max_tool_name || !std::all_of(name.begin(), name.end(), fits))
    wrong_tools(where + ".name", "expected 1 to 64 letters, digits, _, - and ., found \"" + printable(name, 80) + '"');
  return name;
}

// A tool without parameters takes none; "properties": {} means that there are none.
std::string tool_schema(const Json& function, const std::string& where) {
  Json schema = function.contains("parameters") ? function["parameters"] : Json();
  if (schema.is_null() || (schema.is_object() && schema.empty()))
    schema = {{"type", "object"}, {"properties", Json::object()}};
  if (!schema.is_object()) wrong_tools(where + ".parameters", "expected a JSON schema: an object");
  if (!schema.contains("type")) schema["type"] = "object";
  if (schema["type"] != "object") wrong_tools(where + ".parameters", "expected a schema of \"type\": \"object\"");
  const bool closed = schema.contains("properties") && schema["properties"].is_object() &&
                      schema["properties"].empty() && !schema.contains("additionalProperties");
  if (closed) schema["additionalProperties"] = false;
  std::string text = schema.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > max_tool_schema)
    wrong_tools(where + ".parameters",
                "expected a schema of at most 262144 bytes, found " + std::to_string(text.size()));
  return text;
}

std::string gbnf_literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + '"';
}

// The rules of a set's calls, one after the other.
class CallRules {
 public:
  CallRules(const ToolSet& set, const std::function<std::string(std::string_view)>& token)
      : set_(set), f_(*set.format), token_(token) {}

  std::string text() {
    std::string calls;
    for (size_t i = 0; i < set_.tools.size(); ++i) {
      const Tool& tool = set_.tools[i];
      if (set_.choice == ToolChoice::named && tool.name != set_.named) continue;
      const std::string rule = "call-" + std::to_string(i);
      rules_ += rule + " ::= " + one(tool, i) + "\n";
      calls += (calls.empty() ? "" : " | ") + rule;
    }
    rules_ += "call ::= " + calls + "\n";
    const std::string more = *f_.between ? "(" + marker(f_.between) + " call)*" : "call*";
    const std::string all = set_.parallel ? "call " + more : "call";
    const bool list = f_.shape == CallShape::list;
    return "root ::= " + (list ? marker(f_.begin) + " \"[\" " + all + " \"]\" " + marker(f_.end) : all) + "\n" + rules_;
  }

 private:
  // A special token that a marker begins with is written by its id.
  std::string marker(std::string_view text) const {
    if (text.empty()) return "\"\"";
    const size_t end = std::min(text.find('\n'), text.size());
    const size_t colon = std::min(text.find("call:"), end);
    const std::string known = token_ ? token_(text.substr(0, colon)) : std::string();
    if (known.empty()) return gbnf_literal(text);
    return colon < text.size() ? known + " " + gbnf_literal(text.substr(colon)) : known;
  }
  std::string object(const Tool& tool) const {
    return gbnf_literal("{\"name\": \"" + tool.name + "\", \"" + f_.arguments + "\": ") + " %json " + tool.schema +
           " \"}\"";
  }
  std::string one(const Tool& tool, size_t i) {
    switch (f_.shape) {
      case CallShape::tagged:
        return marker(f_.begin) + " " + object(tool) + " " + closing();
      case CallShape::named:
        return marker(f_.begin) + " " + gbnf_literal(tool.name) + " " + marker(f_.middle) + " %json " + tool.schema;
      case CallShape::braced:
        return marker(f_.begin) + " " + gbnf_literal(tool.name) + " " +
               gemma_arguments(tool.schema, "v" + std::to_string(i), marker("<escape>"), rules_) + " " + marker(f_.end);
      default:
        return object(tool);
    }
  }
  std::string closing() const {
    const std::string_view end = f_.end;
    return end.starts_with("\n") ? "\"\\n\" " + marker(end.substr(1)) : marker(end);
  }

  const ToolSet& set_;
  const ToolFormat& f_;
  const std::function<std::string(std::string_view)>& token_;
  std::string rules_;
};

}  // namespace

const Tool* ToolSet::find(std::string_view name) const {
  const auto found = std::find_if(tools.begin(), tools.end(), [&](const Tool& t) { return t.name == name; });
  return found == tools.end() ? nullptr : &*found;
}

ToolSet read_tools(std::string_view text, const ToolFormat& format, std::string_view choice, bool parallel) {
  const Json list = parse_ordered_json(text, "tools");
  if (!list.is_array()) wrong_tools("tools", "expected a list of tools");
  if (list.size() > max_tools) wrong_tools("tools", "expected at most 128 tools, found " + std::to_string(list.size()));
  ToolSet set{&format, {}, ToolChoice::any, {}, parallel};
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = "tools[" + std::to_string(i) + "]";
    const Json& tool = list[i];
    if (!tool.is_object() || tool.value("type", Json("function")) != "function" || !tool.contains("function") ||
        !tool["function"].is_object())
      wrong_tools(where,
                  "expected {\"type\": \"function\", \"function\": {\"name\", \"description\", \"parameters\"}}");
    const Json& function = tool["function"];
    if (function.contains("description") && !function["description"].is_string() && !function["description"].is_null())
      wrong_tools(where + ".function.description", "expected a string");
    Tool read{tool_name(function, where + ".function"), tool_schema(function, where + ".function")};
    if (set.find(read.name))
      wrong_tools(where + ".function.name", "a tool before it is called \"" + read.name + "\" too");
    set.tools.push_back(std::move(read));
  }
  if (choice == "none") set.choice = ToolChoice::none;
  if (choice == "required") set.choice = ToolChoice::required;
  if (choice.starts_with('=')) {
    set.choice = ToolChoice::named;
    set.named = choice.substr(1);
    if (!set.find(set.named))
      wrong_tools("tool_choice", "names \"" + printable(set.named, 80) + "\", which is none of the tools");
  }
  const bool forced = set.choice == ToolChoice::required || set.choice == ToolChoice::named;
  if (forced && set.tools.empty()) wrong_tools("tool_choice", "asks for a call, but there are no tools");
  return set;
}

std::string tool_grammar(const ToolSet& set, const std::function<std::string(std::string_view text)>& token) {
  return CallRules(set, token).text();
}

}  // namespace quern

// The tools that a request offers, checked, and how many calls of which it wants.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/tool_format.h"

namespace quern {

constexpr size_t max_tools = 128, max_tool_name = 64, max_tool_schema = size_t{256} << 10;

struct Tool {
  std::string name;
  std::string schema;  // of its arguments: a JSON object
};

enum class ToolChoice : unsigned char { any, none, required, named };

struct ToolSet {
  const ToolFormat* format;
  std::vector<Tool> tools;
  ToolChoice choice = ToolChoice::any;
  std::string named;     // of ToolChoice::named
  bool parallel = true;  // more than one call
  const Tool* find(std::string_view name) const;
};

// tools: OpenAI's list, {"type": "function", "function": {"name", "description", "parameters"}}. choice: "auto",
// "none", "required", or the name of a tool behind "=". Throws Error bad_argument that names the field.
ToolSet read_tools(std::string_view tools, const ToolFormat& format, std::string_view choice, bool parallel);

// GBNF that calls alone match, as the format spells them: of any of the tools, or of the named one. token: how a text
// is to be written in the grammar, as <[id]> where it is a special token; "", or no function, for as it is.
std::string tool_grammar(const ToolSet& set, const std::function<std::string(std::string_view text)>& token);

}  // namespace quern

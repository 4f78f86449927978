// How models write calls of tools. A format is a row of the table in tool_format.cpp, recognized by its chat template.
#pragma once
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace quern {

enum class CallShape : unsigned char {
  tagged,  // begin {call} end, for each
  list,    // begin [{call}, …] end
  bare,    // {call}, and nothing around
  named,   // begin NAME middle {arguments}, for each
  braced,  // begin NAME {key:value, …} end, as functiongemma spells values (gemma_values.h)
};

struct ToolFormat {
  const char* name;
  CallShape shape;
  const char* signs[2];  // what its templates have in them, all of it; null: nothing more
  const char* begin;     // "" where there is none
  const char* middle;    // of named
  const char* end;
  const char* between;    // calls
  const char* arguments;  // the member beside "name"
  const char* also;       // what may come before the calls, or null
  const char* prompt;     // instructions around the list of tools, where a template has none of its own; with %s
};

// The first whose signs the template has; the last is for those that none fits.
const ToolFormat& tool_format_of(std::string_view chat_template);
// For tests: all of them.
std::size_t n_tool_formats();
const ToolFormat& tool_format(std::size_t i);

// What tells a model of its tools where its template does not.
std::string tool_instructions(const ToolFormat& format, const nlohmann::ordered_json& tools);
// Calls of an assistant's message as text.
std::string spell_calls(const ToolFormat& format, const nlohmann::ordered_json& calls);

}  // namespace quern

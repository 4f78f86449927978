// See tool_format.h.
#include "chat/tool_format.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

namespace quern {
namespace {

using Json = nlohmann::ordered_json;

// As Qwen2.5's and Hermes's templates have it.
constexpr const char* hermes_prompt =
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n%s\n</tools>\n\n"
    "For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML "
    "tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>";

// As SmolLM2's model card has it.
constexpr const char* smollm_prompt =
    "You are an expert in composing functions. You are given a question and a set of possible functions. \n"
    "Based on the question, you will need to make one or more function/tool calls to achieve the purpose. \n"
    "If none of the functions can be used, point it out and refuse to answer. \n"
    "If the given question lacks the parameters required by the function, also point it out.\n\n"
    "You have access to the following tools:\n<tools>[%s]</tools>\n\n"
    "The output MUST strictly adhere to the following format, and NO other text MUST be included.\n"
    "The example format is as follows. Please make sure the parameter type is correct. If no function call is needed, "
    "please make the tool calls an empty list '[]'.\n<tool_call>[\n"
    "{\"name\": \"func_name1\", \"arguments\": {\"argument1\": \"value1\", \"argument2\": \"value2\"}},\n"
    "... (more tool calls as required)\n]</tool_call>";

constexpr ToolFormat formats_of_tools[] = {
    {"functiongemma",
     CallShape::braced,
     {"<start_function_call>", nullptr},
     "<start_function_call>call:",
     "",
     "<end_function_call>",
     "",
     "",
     nullptr,
     nullptr},
    {"mistral_named",
     CallShape::named,
     {"[TOOL_CALLS]", "[ARGS]"},
     "[TOOL_CALLS]",
     "[ARGS]",
     "",
     "",
     "",
     nullptr,
     nullptr},
    {"mistral",
     CallShape::list,
     {"[TOOL_CALLS]", nullptr},
     "[TOOL_CALLS]",
     "",
     "",
     ", ",
     "arguments",
     nullptr,
     nullptr},
    {"llama3",
     CallShape::bare,
     {"\"parameters\": dictionary of argument name", nullptr},
     "",
     "",
     "",
     "; ",
     "parameters",
     "<|python_tag|>",
     nullptr},
    {"llama3", CallShape::bare, {"<|python_tag|>", nullptr}, "", "", "", "; ", "parameters", "<|python_tag|>", nullptr},
    {"hermes",
     CallShape::tagged,
     {"<tool_call>", nullptr},
     "<tool_call>\n",
     "",
     "\n</tool_call>",
     "\n",
     "arguments",
     nullptr,
     nullptr},
    {"tool_call_token",
     CallShape::list,
     {"<|tool_call|>", nullptr},
     "<|tool_call|>",
     "",
     "",
     ", ",
     "arguments",
     nullptr,
     nullptr},
    {"smollm",
     CallShape::list,
     {"named SmolLM", nullptr},
     "<tool_call>",
     "",
     "</tool_call>",
     ",\n",
     "arguments",
     nullptr,
     smollm_prompt},
    {"generic",
     CallShape::tagged,
     {nullptr, nullptr},
     "<tool_call>\n",
     "",
     "\n</tool_call>",
     "\n",
     "arguments",
     nullptr,
     hermes_prompt},
};

bool has_signs(const ToolFormat& format, std::string_view text) {
  return std::all_of(std::begin(format.signs), std::end(format.signs),
                     [&](const char* sign) { return !sign || text.find(sign) != std::string_view::npos; });
}

}  // namespace

const ToolFormat& tool_format_of(std::string_view chat_template) {
  return *std::find_if(std::begin(formats_of_tools), std::end(formats_of_tools) - 1,
                       [&](const ToolFormat& f) { return has_signs(f, chat_template); });
}
std::size_t n_tool_formats() {
  return std::size(formats_of_tools);
}
const ToolFormat& tool_format(std::size_t i) {
  return formats_of_tools[i];
}

std::string tool_instructions(const ToolFormat& format, const Json& tools) {
  const bool list = format.shape == CallShape::list;
  std::string all;
  for (const Json& tool : tools) {
    if (!all.empty()) all += list ? ", " : "\n";
    all += tool.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  std::string prompt = format.prompt ? format.prompt : hermes_prompt;
  return prompt.replace(prompt.find("%s"), 2, all);
}

std::string spell_calls(const ToolFormat& format, const Json& calls) {
  // A template without tools has a format of JSON in tags: those with another spelling show calls themselves.
  const bool list = format.shape == CallShape::list;
  std::string text;
  for (const Json& call : calls) {
    const Json& f = call.contains("function") ? call["function"] : call;
    const Json written = {{"name", f.value("name", "")},
                          {"arguments", f.contains("arguments") ? f["arguments"] : Json::object()}};
    const std::string one = written.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (!text.empty()) text += list ? ",\n" : "\n";
    text += list ? one : "<tool_call>\n" + one + "\n</tool_call>";
  }
  return list ? "<tool_call>[" + text + "]</tool_call>" : text;
}

}  // namespace quern

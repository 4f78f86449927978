// A byte for the format, one for how the calls are asked for, one for how the text comes in parts, and the text: only
// Error may be thrown, and the parts must not make a difference.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "chat/tool_reader.h"
#include "chat/tool_set.h"
#include "error.h"

using namespace quern;

namespace {

constexpr const char* tools =
    R"([{"type":"function","function":{"name":"weather","parameters":{"type":"object",
  "properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}},
  {"type":"function","function":{"name":"now"}}])";

// What was told, each part of a kind put together.
std::vector<ToolPiece> read(const std::shared_ptr<const ToolSet>& set, std::string_view text, size_t step) {
  ToolReader reader(set);
  std::vector<ToolPiece> pieces, out;
  for (size_t i = 0; i < text.size(); i += step) reader.push(text.substr(i, step), pieces);
  reader.finish(pieces);
  size_t begun = 0, open = SIZE_MAX;
  for (ToolPiece& p : pieces) {
    using Kind = ToolPiece::Kind;
    if (p.kind == Kind::call && (p.call != begun++ || open != SIZE_MAX || !set->find(p.text))) std::abort();
    if (p.kind == Kind::call) open = p.call;
    if ((p.kind == Kind::arguments || p.kind == Kind::end) && p.call != open) std::abort();
    if (p.kind == Kind::end) open = SIZE_MAX;
    const bool more = !out.empty() && out.back().kind == p.kind && (p.kind == Kind::text || p.kind == Kind::arguments);
    if (more) {
      out.back().text += p.text;
    } else {
      out.push_back(std::move(p));
    }
  }
  if (set->parallel ? begun != reader.calls() : begun > 1) std::abort();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const ToolFormat& format = tool_format(data[0] % n_tool_formats());
  constexpr const char* choices[] = {"auto", "required", "=weather"};
  const size_t step = 1 + data[2] % 9;
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto set =
      std::make_shared<const ToolSet>(read_tools(tools, format, choices[data[1] / 2 % 3], (data[1] & 1) != 0));
  const std::vector<ToolPiece> whole = read(set, text, text.size() + 1), parts = read(set, text, step);
  if (whole.size() != parts.size()) std::abort();
  for (size_t i = 0; i < whole.size(); ++i) {
    const ToolPiece &a = whole[i], &b = parts[i];
    if (a.kind != b.kind || a.text != b.text || (a.kind != ToolPiece::Kind::text && a.call != b.call)) std::abort();
  }
  return 0;
}

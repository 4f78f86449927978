#include "chat/pair_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "chat/encode_chat.h"
#include "error.h"

namespace quern {
namespace {

using Json = nlohmann::ordered_json;

Json message(const char* role, std::string_view content, bool in_parts) {
  if (!in_parts) return {{"role", role}, {"content", content}};
  return {{"role", role}, {"content", Json::array({{{"type", "text"}, {"text", content}}})}};
}

}  // namespace

std::vector<RenderedPart> render_pair(const ChatTemplate& chat, const PairTemplate& format,
                                      std::string_view instruction, std::string_view query, std::string_view document) {
  Json messages = Json::array();
  if (!instruction.empty()) messages.push_back(message("system", instruction, format.in_parts));
  messages.push_back(message("query", query, format.in_parts));
  messages.push_back(message("document", document, format.in_parts));
  Json context = {
      {"messages", std::move(messages)}, {"tools", nullptr}, {"documents", nullptr}, {"add_generation_prompt", false}};
  if (!format.variables.empty()) context.update(Json::parse(format.variables));
  return chat.render(context, format.specials);
}

bool carries_pairs(const ChatTemplate& chat, const PairTemplate& format) {
  const auto rendered = [&](const char* query, const char* document) {
    return join_parts(render_pair(chat, format, {}, query, document));
  };
  try {
    const std::string base = rendered("pRobe1", "pRobe22");
    return rendered("other pRobe3", "pRobe22") != base && rendered("pRobe1", "other pRobe4") != base;
  } catch (const Error&) {
    return false;
  }
}

void encode_rendered_pair(const Tokenizer& tokenizer, const std::vector<RenderedPart>& parts, size_t max_length,
                          Encoding& out) {
  std::string text;
  const std::vector<Span> plain = join_for_encoding(parts, text);
  tokenizer.encode(text, {.add_special = false, .want_offsets = true, .plain = plain}, out);
  const size_t n = out.ids.size();
  if (max_length == 0 || n <= max_length) return;
  const size_t written_last = plain.empty() ? 0 : plain.back().end;
  const auto behind = std::find_if(out.offsets.rbegin(), out.offsets.rend(),
                                   [&](const Span& token) { return token.begin < written_last; });
  const size_t end = std::min(static_cast<size_t>(behind - out.offsets.rbegin()), max_length), begin = max_length - end;
  const auto cut = [&](auto& values) {
    values.erase(values.begin() + static_cast<ptrdiff_t>(begin), values.end() - static_cast<ptrdiff_t>(end));
  };
  cut(out.ids);
  cut(out.type_ids);
  cut(out.offsets);
  if (out.special_mask.size() == n) cut(out.special_mask);
  out.n_dropped = n - max_length;
}

}  // namespace quern

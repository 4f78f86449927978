// include/quern.h over the library: tools and their calls.
#include "c_api.h"
#include "chat/tool_reader.h"
#include "chat/tool_set.h"

using quern::c_api::guard;
using quern::c_api::require;

struct quern_tools {
  std::shared_ptr<const quern::LoadedModel> model;
  std::shared_ptr<const quern::ToolSet> rep;
  std::string grammar;
  std::vector<int32_t> shown;
};
struct quern_tool_reader {
  quern::ToolReader rep;
  std::vector<quern::ToolPiece> found;
  std::vector<quern_tool_piece> pieces;
};

namespace {

// A special token as a grammar writes it; "" for what is none.
std::string grammar_name(const quern::Tokenizer& t, std::string_view text) {
  const int32_t id = t.id(text);
  return id >= 0 && t.is_special(id) ? "<[" + std::to_string(id) + "]>" : std::string();
}

// Of a format's markers, those that are special tokens.
std::vector<int32_t> special_markers(const quern::ToolFormat& format, const quern::Tokenizer& t) {
  std::vector<int32_t> ids;
  for (const char* marker : {format.begin, format.middle, format.end, format.also, "<escape>"}) {
    if (!marker) continue;
    std::string_view text = marker;
    while (!text.empty() && text.front() == '\n') text.remove_prefix(1);
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    if (text.ends_with("call:")) text.remove_suffix(5);
    const int32_t id = text.empty() ? -1 : t.id(text);
    if (id >= 0 && t.is_special(id)) ids.push_back(id);
  }
  return ids;
}

}  // namespace

quern_status quern_tools_new(const quern_model* model, const char* tools, size_t length, const char* choice,
                             int parallel, quern_tools** made) {
  return guard([&] {
    require(model && tools && made, "quern_tools_new: model, tools and made must not be NULL");
    *made = nullptr;
    const quern::LoadedModel& m = *model->rep;
    const auto use = m.chat.named.find("tool_use");
    const quern::ToolFormat& format = quern::tool_format_of(use == m.chat.named.end() ? m.chat.source : use->second);
    auto out = std::make_unique<quern_tools>();
    out->model = model->rep;
    out->rep = std::make_shared<const quern::ToolSet>(
        quern::read_tools({tools, length}, format, choice ? choice : "auto", parallel != 0));
    const bool forced = out->rep->choice == quern::ToolChoice::required || out->rep->choice == quern::ToolChoice::named;
    if (forced)
      out->grammar =
          quern::tool_grammar(*out->rep, [&](std::string_view text) { return grammar_name(*m.tokenizer, text); });
    out->shown = special_markers(format, *m.tokenizer);
    *made = out.release();
  });
}
void quern_tools_free(quern_tools* tools) {
  delete tools;
}
const char* quern_tools_format(const quern_tools* tools) {
  return tools ? tools->rep->format->name : nullptr;
}
const char* quern_tools_grammar(const quern_tools* tools) {
  return tools && !tools->grammar.empty() ? tools->grammar.c_str() : nullptr;
}
const int32_t* quern_tools_shown(const quern_tools* tools, size_t* n) {
  if (n) *n = tools ? tools->shown.size() : 0;
  return tools ? tools->shown.data() : nullptr;
}

quern_status quern_tool_reader_new(const quern_tools* tools, quern_tool_reader** reader) {
  return guard([&] {
    require(tools && reader, "quern_tool_reader_new: tools and reader must not be NULL");
    *reader = nullptr;
    *reader = new quern_tool_reader{quern::ToolReader(tools->rep), {}, {}};
  });
}
void quern_tool_reader_free(quern_tool_reader* reader) {
  delete reader;
}

quern_status quern_tool_reader_push(quern_tool_reader* reader, const char* text, size_t length, int last,
                                    const quern_tool_piece** pieces, size_t* n) {
  return guard([&] {
    require(reader && (text || length == 0) && pieces && n,
            "quern_tool_reader_push: reader, text, pieces and n must not be NULL");
    *pieces = nullptr;
    *n = 0;
    reader->found.clear();
    reader->pieces.clear();
    if (length > 0) reader->rep.push({text, length}, reader->found);
    if (last) reader->rep.finish(reader->found);
    for (const quern::ToolPiece& p : reader->found)
      reader->pieces.push_back({static_cast<quern_tool_piece_kind>(p.kind), p.call, p.text.c_str(), p.text.size()});
    *pieces = reader->pieces.data();
    *n = reader->pieces.size();
  });
}

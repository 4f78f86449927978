// Texts to tokens and back, as TEI and llama-server have it.
#include "embedding_request.h"
#include "generation_request.h"
#include "routes.h"

namespace server {
namespace {

// Any model has a tokenizer: the one that is named, or the first.
std::shared_ptr<ServedModel> any_model(Call& call, const Fields& fields) {
  const auto named = call.models->named(fields.text("model"));
  return named ? named : call.models->all().front();
}

Json tokens_json(const ServedModel& model, const std::string& text, bool add_special) {
  quern_tokenize_options options = quern_tokenize_options_default();
  options.add_special = add_special;
  options.max_length = -1;
  quern_tokens* made = nullptr;
  check(quern_tokenize_parts(model.get(), text.data(), text.size(), &options, &made));
  const TokensHandle owner(made);
  size_t n = 0;
  const quern_token* tokens = quern_tokens_of(made, &n);
  Json all = Json::array();
  for (size_t i = 0; i < n; ++i) {
    const quern_token& t = tokens[i];
    const bool placed = !t.special;
    all.push_back({{"id", t.id},
                   {"text", placed ? text.substr(t.begin, t.end - t.begin) : std::string(t.piece)},
                   {"special", t.special != 0},
                   {"start", placed ? Json(t.begin) : Json(nullptr)},
                   {"stop", placed ? Json(t.end) : Json(nullptr)}});
  }
  return all;
}

// llama-server's: {"content"} → {"tokens": [ids]}.
void llama_tokenize(Call& call, const Fields& fields, const ServedModel& model) {
  const std::string text = fields.need_text("content");
  const bool add_special = fields.flag("add_special", false), pieces = fields.flag("with_pieces", false);
  Json tokens = Json::array();
  for (const Json& t : tokens_json(model, text, add_special))
    tokens.push_back(pieces ? Json{{"id", t["id"]}, {"piece", t["text"]}} : t["id"]);
  call.answer(Json{{"tokens", tokens}});
}

void tokenize(Call& call) {
  const Fields fields(call.body());
  const auto model = any_model(call, fields);
  if (fields.find("content")) return llama_tokenize(call, fields, *model);
  fields.need("inputs");
  const std::vector<std::string> texts = fields.texts("inputs", call.app.options.client_batch);
  check_batch(call, "inputs", texts.size());
  const bool add_special = fields.flag("add_special_tokens", true);
  std::string prompt;
  if (const auto name = fields.maybe_text("prompt_name")) {
    const Json prompts = model->description.value("prompts", Json::object());
    if (!prompts.contains(*name)) fields.refuse("prompt_name", "one of the model's prompts");
    prompt = prompts[*name].get<std::string>();
  }
  Json all = Json::array();
  for (const std::string& text : texts) all.push_back(tokens_json(*model, prompt + text, add_special));
  call.answer(all);
}

std::string decoded(const ServedModel& model, const Fields& fields, const char* name, const Json& list,
                    bool skip_special) {
  const std::vector<int32_t> ids = fields.ids(name, list, model.vocabulary());
  quern_detokenize_options options = quern_detokenize_options_default();
  options.skip_special = skip_special;
  char* text = nullptr;
  size_t length = 0;
  check(quern_detokenize(model.get(), ids.data(), ids.size(), &options, &text, &length));
  const StringHandle owner(text);
  return {text, length};
}

void decode(Call& call) {
  const Fields fields(call.body());
  const auto model = any_model(call, fields);
  const bool skip_special = fields.flag("skip_special_tokens", true);
  const Json& value = fields.need("ids");
  if (!value.is_array()) fields.refuse("ids", "a list of token ids, or of such lists");
  Json all = Json::array();
  if (value.empty() || !value[0].is_array()) {
    all.push_back(decoded(*model, fields, "ids", value, skip_special));
  } else {
    check_batch(call, "ids", value.size());
    for (const Json& list : value) {
      if (!list.is_array()) fields.refuse("ids", "a list of token ids, or of such lists");
      all.push_back(decoded(*model, fields, "ids", list, skip_special));
    }
  }
  call.answer(all);
}

void detokenize(Call& call) {
  const Fields fields(call.body());
  const Json& value = fields.need("tokens");
  if (!value.is_array()) fields.refuse("tokens", "a list of token ids");
  call.answer(Json{{"content", decoded(*any_model(call, fields), fields, "tokens", value, false)}});
}

}  // namespace

std::span<const Route> token_routes() {
  static constexpr Route table[] = {
      {"POST", "/tokenize", Dialect::tei, tokenize},
      {"POST", "/decode", Dialect::tei, decode},
      {"POST", "/detokenize", Dialect::openai, detokenize},
  };
  return table;
}

}  // namespace server

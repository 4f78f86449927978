// Texts to tokens and back, as TEI and llama-server have it.
#include "characters.h"
#include "embedding_request.h"
#include "generation_request.h"
#include "routes.h"

namespace server {
namespace {

// Any model has a tokenizer: the one that is named, or the first.
std::shared_ptr<ServedModel> any_model(Call& call, const Fields& fields) {
  const auto named = call.models->named(fields.text("model"));
  const auto slot = named ? named : call.models->all().front();
  call.record->model = slot->id;
  return slot->use(call.patience());
}

// Pieces of text in a row before the answer's length, its deadline and its client are looked at.
constexpr size_t kLookEach = 1024;

TokensHandle tokens_of_text(const ServedModel& model, const std::string& text, bool add_special) {
  quern_tokenize_options options = quern_tokenize_options_default();
  options.add_special = add_special;
  options.max_length = -1;
  quern_tokens* made = nullptr;
  check(quern_tokenize_parts(model.get(), text.data(), text.size(), &options, &made));
  return TokensHandle(made);
}

// "[…]" of what `each` appends for every token of a text.
template <class F>
void append_tokens(Call& call, const ServedModel& model, const std::string& text, bool add_special, std::string& out,
                   const F& each) {
  call.check_answer(out.size());
  const auto turn = call.tokenizing();
  const TokensHandle made = tokens_of_text(model, text, add_special);
  size_t n = 0;
  const quern_token* tokens = quern_tokens_of(made.get(), &n);
  out += '[';
  for (size_t i = 0; i < n; ++i) {
    if (i) out += ',';
    if (i % kLookEach == 0) call.check_answer(out.size());
    const quern_token& t = tokens[i];
    const std::string_view piece =
        t.special ? std::string_view(t.piece) : std::string_view(text).substr(t.begin, t.end - t.begin);
    each(t, piece);
  }
  out += ']';
}

// llama-server's: {"content"} → {"tokens": [ids]}.
void llama_tokenize(Call& call, const Fields& fields, const ServedModel& model) {
  const std::string text = fields.need_text("content");
  const bool add_special = fields.flag("add_special", false), pieces = fields.flag("with_pieces", false);
  std::string out = "{\"tokens\":";
  append_tokens(call, model, text, add_special, out, [&](const quern_token& t, std::string_view piece) {
    const std::string id = std::to_string(t.id);
    out += pieces ? "{\"id\":" + id + ",\"piece\":" + dump(Json(piece)) + '}' : id;
  });
  call.answer(out + '}');
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
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ',';
    const std::string whole = prompt + text;
    Characters characters(whole);
    append_tokens(call, *model, whole, add_special, out, [&](const quern_token& t, std::string_view piece) {
      const auto [start, stop] = characters.of(t.begin, t.end);
      out += "{\"id\":" + std::to_string(t.id) + ",\"text\":" + dump(Json(piece)) +
             (t.special ? ",\"special\":true,\"start\":null,\"stop\":null}"
                        : ",\"special\":false,\"start\":" + std::to_string(start) +
                              ",\"stop\":" + std::to_string(stop) + '}');
    });
  }
  call.answer(out + ']');
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
  size_t bytes = 0;
  const auto add = [&](const Json& list) {
    const auto turn = call.tokenizing();
    all.push_back(decoded(*model, fields, "ids", list, skip_special));
    call.check_answer(bytes += all.back().get_ref<const std::string&>().size());
  };
  if (value.empty() || !value[0].is_array()) {
    add(value);
  } else {
    check_batch(call, "ids", value.size());
    for (const Json& list : value) {
      if (!list.is_array()) fields.refuse("ids", "a list of token ids, or of such lists");
      add(list);
    }
  }
  call.answer(all);
}

void detokenize(Call& call) {
  const Fields fields(call.body());
  const Json& value = fields.need("tokens");
  if (!value.is_array()) fields.refuse("tokens", "a list of token ids");
  const auto model = any_model(call, fields);  // which may have to be loaded: not in a turn of a CPU
  const auto turn = call.tokenizing();
  call.answer(Json{{"content", decoded(*model, fields, "tokens", value, false)}});
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

#include "embedding_request.h"

#include <algorithm>

namespace server {
namespace {

constexpr int64_t kMostDimensions = 1 << 20;

bool is_ids(const Json& value) {
  return value.is_array() && !value.empty() && value[0].is_number();
}

// As TEI does with ids: back to text, which the model reads like any other.
std::string text_of_ids(Call& call, const Fields& fields, const char* name, const Json& list,
                        const ServedModel& model) {
  if (!call.app.options.token_ids)
    throw Refusal{
        Reason::validation,
        "`" + fields.full_name(name) +
            "` holds token ids, which mean nothing to this model if they come from another tokenizer. Send text: with "
            "LangChain's OpenAIEmbeddings set check_embedding_ctx_length=False. (--accept-token-ids takes ids of the "
            "model's own vocabulary.)",
        fields.full_name(name)};
  const std::vector<int32_t> ids = fields.ids(name, list, model.vocabulary());
  char* text = nullptr;
  size_t length = 0;
  check(quern_detokenize(model.get(), ids.data(), ids.size(), nullptr, &text, &length));
  const StringHandle owner(text);
  return {text, length};
}

}  // namespace

std::vector<TextInput> inputs_of(Call& call, const Fields& fields, const char* name, const ServedModel& model) {
  const Json& value = fields.need(name);
  std::vector<TextInput> texts;
  const auto add = [&](const Json& entry) {
    if (entry.is_string())
      texts.push_back({entry.get<std::string>(), {}});
    else if (is_ids(entry))
      texts.push_back({text_of_ids(call, fields, name, entry, model), {}});
    else
      throw Refusal{Reason::wrong_type,
                    "`" + fields.full_name(name) + "`: expected a string or a list of strings, found " +
                        (&entry == &value ? "" : "in the list ") + describe(entry),
                    fields.full_name(name)};
  };
  if (!value.is_array() || is_ids(value)) {
    add(value);
    return texts;
  }
  check_batch(call, fields.full_name(name), value.size());
  for (const Json& entry : value) add(entry);
  return texts;
}

int long_texts_of(Call& call, const Fields& fields) {
  const std::string direction = fields.text("truncation_direction", "right");
  if (direction == "Left" || direction == "left")
    throw Refusal{Reason::validation,
                  "`truncation_direction`: texts are cut at their end (\"Right\"); \"Left\" is not supported",
                  "truncation_direction"};
  if (direction != "Right" && direction != "right") fields.refuse("truncation_direction", "\"Right\"");
  const Json* value = fields.find("truncate");
  bool truncate = call.app.options.truncate;
  if (value && value->is_string()) {  // as Cohere's API has it
    const std::string how = value->get<std::string>();
    if (how != "END" && how != "NONE") fields.refuse("truncate", "true, false, \"END\" or \"NONE\"");
    truncate = how == "END";
  } else {
    truncate = fields.flag("truncate", truncate);
  }
  return truncate ? QUERN_LONG_TRUNCATE : QUERN_LONG_ERROR;
}

Encode encode_of(Call& call, const Fields& fields, const ServedModel& model, Encode usual) {
  Encode e = std::move(usual);
  if (const Json* given = fields.find("dimensions"); given && given->is_number() && *given == 0)
    throw Refusal{Reason::validation, "`dimensions` should be positive", "dimensions"};
  e.dimensions = fields.integer("dimensions", 0, 1, kMostDimensions);
  if (model.width > 0 && e.dimensions > model.width)
    throw Refusal{Reason::validation,
                  "`dimensions` should be smaller than the maximum embedding dimension. Given: " +
                      std::to_string(e.dimensions) + ", maximum: " + std::to_string(model.width),
                  "dimensions"};
  if (const auto normalize = fields.maybe_flag("normalize")) e.normalize = *normalize;
  e.long_texts = long_texts_of(call, fields);
  e.prompt = fields.maybe_text("prompt");
  e.prompt_name = fields.maybe_text("prompt_name");
  if (auto type = fields.maybe_text("input_type")) {
    if (*type == "search_query") *type = "query";  // Cohere's and Nomic's names
    if (*type == "search_document" || *type == "passage") *type = "document";
    if (*type != "query" && *type != "document") fields.refuse("input_type", "\"query\" or \"document\"");
    e.input_type = *type;
  }
  check_fingerprint(call, fields, model);
  return e;
}

bool keeps_errors(const Fields& fields) {
  const std::string how = fields.text("on_error", "fail");
  if (how != "fail" && how != "null") fields.refuse("on_error", "\"fail\" or \"null\"");
  return how == "null";
}

void check_fingerprint(Call& call, const Fields& fields, const ServedModel& model) {
  const std::string expected =
      fields.text("expect_fingerprint", call.http.request.get_header_value("x-expect-fingerprint"));
  if (!expected.empty() && expected != model.fingerprint)
    throw Refusal{Reason::conflict,
                  "these vectors would have fingerprint " + model.fingerprint +
                      ", which cannot be compared with those of " + expected.substr(0, 64),
                  "expect_fingerprint"};
}

namespace {

// Tokens that a text has at most, prompt and special ones included.
size_t most_tokens(const ServedModel& model, const TextInput& text, size_t prompt) {
  return std::min(static_cast<size_t>(model.max_length), text.text.size() + prompt + 16);
}

// The same, counted where the text is long enough for it to matter.
size_t count_tokens(Call& call, const ServedModel& model, const TextInput& text, size_t prompt) {
  const auto turn = call.tokenizing();
  quern_tokenize_options options = quern_tokenize_options_default();
  size_t n = 0;
  std::vector<int32_t> ids(most_tokens(model, text, prompt));
  const quern_status status =
      quern_tokenize(model.get(), text.text.data(), text.text.size(), &options, ids.data(), ids.size(), &n);
  if (status != QUERN_OK && n <= ids.size()) check(status);
  return std::min(n + prompt + 16, static_cast<size_t>(model.max_length));
}

// What has a vector for every token is counted as the request's before it is computed.
void charge_vectors(Call& call, const ServedModel& model, const Encode& operation,
                    const std::vector<TextInput>& texts) {
  if (!(operation.outputs & (QUERN_STATES | QUERN_MULTI_VECTOR))) return;
  const size_t prompt = operation.prompt ? operation.prompt->size() : 0;
  const size_t width = sizeof(float) * static_cast<size_t>(std::max<int64_t>(model.width, 1));
  size_t most = 0;
  for (const TextInput& text : texts) most += width * most_tokens(model, text, prompt);
  if (most > call.longest_answer()) {
    most = 0;
    for (const TextInput& text : texts) call.check_answer(most += width * count_tokens(call, model, text, prompt));
  }
  call.charge(most);
}

}  // namespace

Vectors run_vectors(Call& call, const Fields& fields, ServedModel& model, Encode operation,
                    std::vector<TextInput> texts) {
  const bool keep = keeps_errors(fields);
  Vectors v;
  std::vector<TextInput> whole;
  for (size_t i = 0; i < texts.size(); ++i) {
    const bool empty = texts[i].text.empty();
    if (empty && !keep) throw Refusal{Reason::empty, "`inputs` cannot be empty"};
    v.errors.push_back(empty ? "the text is empty" : "");
    v.place.push_back(empty ? SIZE_MAX : whole.size());
    if (!empty) whole.push_back(std::move(texts[i]));
  }
  if (whole.empty()) {
    v.job = std::make_shared<TextJob>();
    return v;
  }
  charge_vectors(call, model, operation, whole);
  v.job = run_texts(call, model, std::move(operation), std::move(whole), keep);
  for (size_t i = 0; i < v.size(); ++i)
    if (v.place[i] != SIZE_MAX && v.job->outputs[v.place[i]].error)
      v.errors[i] = v.job->outputs[v.place[i]].error->message;
  call.app.metrics.counter("te_embed_count").add(static_cast<double>(v.size()));
  call.app.metrics.counter("te_embed_success").add(static_cast<double>(v.job->outputs.size()));
  return v;
}

Json errors_of(const Vectors& vectors) {
  Json all;
  for (size_t i = 0; i < vectors.size(); ++i)
    if (!vectors.errors[i].empty()) all.push_back({{"index", i}, {"message", vectors.errors[i]}});
  return all;
}

}  // namespace server

// Vectors in the dialects of TEI, OpenAI, Cohere, Ollama, and all heads of a model at once.
#include <algorithm>

#include "embedding_request.h"
#include "json_text.h"
#include "keep_alive.h"
#include "routes.h"

namespace server {
namespace {

enum class Form { floats, base64, binary, ubinary };

struct FormName {
  const char* name;
  Form form;
};
constexpr FormName kForms[] = {
    {"float", Form::floats}, {"base64", Form::base64}, {"binary", Form::binary}, {"ubinary", Form::ubinary}};

// A bit for each value, 1 above 0, the first one highest; bytes less 128 in `binary`, as sentence-transformers has it.
void append_bits(std::string& out, std::span<const float> values, bool is_signed) {
  out += '[';
  for (size_t i = 0; i < values.size(); i += 8) {
    int byte = 0;
    for (size_t k = i; k < i + 8; ++k) byte = byte * 2 + (k < values.size() && values[k] > 0 ? 1 : 0);
    if (i) out += ',';
    out += std::to_string(is_signed ? byte - 128 : byte);
  }
  out += ']';
}

void append_vector(std::string& out, const TextOutput* text, Form form = Form::floats) {
  if (!text) {
    out += "null";
  } else if (form == Form::base64) {
    append_base64(out, text->dense.values);
  } else if (form != Form::floats) {
    append_bits(out, text->dense.values, form == Form::binary);
  } else {
    append(out, text->dense.values);
  }
}

// "[a,b,…]" of what `each` appends for every input.
template <class F>
std::string list_of(const Call& call, const Vectors& vectors, const F& each) {
  std::string out = "[";
  for (size_t i = 0; i < vectors.size(); ++i) {
    call.check_answer(out.size());
    if (i) out += ',';
    each(out, vectors.of(i), i);
  }
  return out += ']';
}

void append_errors(std::string& out, const Vectors& vectors) {
  if (const Json errors = errors_of(vectors); !errors.is_null()) out += ",\"errors\":" + errors.dump();
}

Form form_of(const Fields& fields) {
  const bool jina = fields.find("embedding_type") && !fields.find("encoding_format");
  const char* const field = jina ? "embedding_type" : "encoding_format";
  const std::string name = fields.text(field, "float");
  for (const FormName& form : kForms)
    if (name == form.name && (jina || form.form == Form::floats || form.form == Form::base64)) return form.form;
  fields.refuse(field, jina ? "\"float\", \"base64\", \"binary\" or \"ubinary\"" : "\"float\" or \"base64\"");
}

void embed(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::embed);
  const Encode operation = encode_of(call, fields, *model, {.normalize = fields.flag("normalize", true)});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "inputs", *model));
  call.answer(list_of(call, v, [](std::string& out, const TextOutput* text, size_t) { append_vector(out, text); }));
  add_headers(call, *model, spent_on(*v.job));
}

void append_rows(const Call& call, std::string& out, const Rows& rows) {
  out += '[';
  for (size_t r = 0; r < rows.count(); ++r) {
    call.check_answer(out.size());
    if (r) out += ',';
    append(out, rows.row(r));
  }
  out += ']';
}

void append_sparse(std::string& out, const std::vector<std::pair<int32_t, float>>& weights) {
  out += '[';
  for (size_t i = 0; i < weights.size(); ++i) {
    if (i) out += ',';
    out += "{\"index\":" + std::to_string(weights[i].first) + ",\"value\":";
    append(out, weights[i].second);
    out += '}';
  }
  out += ']';
}

// The states of all tokens, as the model leaves them.
void embed_all(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::embed);
  const Encode operation = encode_of(call, fields, *model, {.outputs = QUERN_STATES});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "inputs", *model));
  call.answer(list_of(call, v, [&](std::string& out, const TextOutput* text, size_t) {
    text ? append_rows(call, out, text->states) : void(out += "null");
  }));
  add_headers(call, *model, spent_on(*v.job));
}

void embed_sparse(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::sparse);
  const Encode operation = encode_of(call, fields, *model, {.outputs = QUERN_SPARSE});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "inputs", *model));
  call.answer(list_of(call, v, [](std::string& out, const TextOutput* text, size_t) {
    text ? append_sparse(out, text->sparse) : void(out += "null");
  }));
  add_headers(call, *model, spent_on(*v.job));
}

// All heads of a model from one pass (bge-m3).
void embed_multi(Call& call) {
  constexpr struct {
    const char* name;
    Task task;
    unsigned output;
  } heads[] = {{"dense", Task::embed, QUERN_DENSE},
               {"sparse", Task::sparse, QUERN_SPARSE},
               {"multi_vector", Task::multi_vector, QUERN_MULTI_VECTOR}};
  const Fields fields(call.body());
  const std::vector<std::string> asked = fields.texts("outputs", std::size(heads));
  Task task = Task::sparse;  // what a model has that has several heads
  unsigned outputs = 0;
  for (const std::string& name : asked) {
    bool known = false;
    for (const auto& head : heads) {
      if (name != head.name) continue;
      known = true;
      task = head.task;
      outputs |= head.output;
    }
    if (!known) fields.refuse("outputs", "a list of \"dense\", \"sparse\" and \"multi_vector\"");
  }
  const auto model = call.model(fields, task);
  for (const auto& head : heads) {
    if (asked.empty() && model->can(head.task)) outputs |= head.output;
    if ((outputs & head.output) && !model->can(head.task))
      throw Refusal{Reason::wrong_task, "model \"" + model->id + "\" makes no " + head.name + " output", "outputs"};
  }
  const Encode operation = encode_of(call, fields, *model, {.outputs = outputs});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "inputs", *model));
  call.answer(list_of(call, v, [&](std::string& out, const TextOutput* text, size_t) {
    if (!text) return void(out += "null");
    out += '{';
    const auto name = [&](const char* name) { out += std::string(out.back() == '{' ? "\"" : ",\"") + name + "\":"; };
    if (outputs & QUERN_DENSE) name("dense"), append(out, text->dense.values);
    if (outputs & QUERN_SPARSE) name("sparse"), append_sparse(out, text->sparse);
    if (outputs & QUERN_MULTI_VECTOR) name("multi_vector"), append_rows(call, out, text->multi_vector);
    out += '}';
  }));
  add_headers(call, *model, spent_on(*v.job));
}

void openai_embeddings(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::embed);
  const Form form = form_of(fields);
  const Encode operation = encode_of(call, fields, *model, {.normalize = fields.flag("normalize", true)});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "input", *model));
  const Spent spent = spent_on(*v.job);
  std::string out =
      "{\"object\":\"list\",\"data\":" + list_of(call, v, [&](std::string& to, const TextOutput* text, size_t i) {
        to += "{\"object\":\"embedding\",\"index\":" + std::to_string(i) + ",\"embedding\":";
        append_vector(to, text, form);
        to += '}';
      });
  append_errors(out, v);
  const std::string tokens = std::to_string(spent.tokens);
  out += ",\"model\":" + Json(model->id).dump() + ",\"usage\":{\"prompt_tokens\":" + tokens +
         ",\"total_tokens\":" + tokens + ",\"truncated\":" + std::to_string(spent.truncated) + "}}";
  call.answer(std::move(out));
  add_headers(call, *model, spent);
}

// embedding_types, each once.
std::vector<FormName> cohere_forms(const Fields& fields) {
  std::vector<FormName> forms;
  for (const std::string& name : fields.texts("embedding_types", 8)) {
    if (name == "int8" || name == "uint8")
      throw Refusal{Reason::validation,
                    "`embedding_types`: " + name +
                        " takes ranges of values, which a server does not know; quern embed --precision " + name +
                        " has them. Here are float, base64, binary and ubinary",
                    "embedding_types"};
    const auto* const form =
        std::find_if(std::begin(kForms), std::end(kForms), [&](const FormName& f) { return name == f.name; });
    if (form == std::end(kForms))
      fields.refuse("embedding_types", "a list of \"float\", \"base64\", \"binary\" and \"ubinary\"");
    if (std::none_of(forms.begin(), forms.end(), [&](const FormName& f) { return f.form == form->form; }))
      forms.push_back(*form);
  }
  if (forms.empty()) forms.push_back(kForms[0]);
  return forms;
}

void cohere_embed(Call& call) {
  const Fields given(call.body());
  for (const char* other : {"images", "inputs"})
    if (given.find(other))
      throw Refusal{Reason::validation, std::string("`") + other + "` is not supported: send texts as `texts`", other};
  const std::vector<FormName> forms = cohere_forms(given);
  Json body = call.body();
  if (const Json* dimensions = given.find("output_dimension")) {
    given.integer("output_dimension", 1, 1, INT32_MAX);  // for the message
    body["dimensions"] = *dimensions;
  }
  if (const std::string type = given.text("input_type"); type == "classification" || type == "clustering")
    body.erase("input_type");  // no model has a prompt for these
  const Fields fields(body);
  const auto model = call.model(fields, Task::embed);
  const Encode operation = encode_of(call, fields, *model, {.normalize = fields.flag("normalize", true)});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "texts", *model));
  const Spent spent = spent_on(*v.job);
  std::string out =
      "{\"id\":\"embed-" + std::to_string(Clock::now().time_since_epoch().count()) + "\",\"embeddings\":{";
  for (const FormName& form : forms) {
    if (out.back() != '{') out += ',';
    out +=
        std::string("\"") + form.name + "\":" + list_of(call, v, [&](std::string& to, const TextOutput* text, size_t) {
          append_vector(to, text, form.form);
        });
    call.check_answer(out.size());
  }
  out += '}';
  append_errors(out, v);
  out += ",\"texts\":" +
         dump(fields.need("texts").is_array() ? fields.need("texts") : Json::array({fields.need("texts")})) +
         ",\"meta\":{\"api_version\":{\"version\":\"2\"},\"billed_units\":{\"input_tokens\":" +
         std::to_string(spent.tokens) + "}}}";
  call.answer(std::move(out));
  add_headers(call, *model, spent);
}

void ollama_embed(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::embed, keep_alive_of(fields));
  const Encode operation = encode_of(call, fields, *model, {.normalize = fields.flag("normalize", true)});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "input", *model));
  const Spent spent = spent_on(*v.job);
  std::string out = "{\"model\":" + Json(model->id).dump() + ",\"embeddings\":" +
                    list_of(call, v, [](std::string& to, const TextOutput* text, size_t) { append_vector(to, text); });
  append_errors(out, v);
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - call.http.arrived).count();
  out += ",\"total_duration\":" + std::to_string(ns) +
         ",\"load_duration\":" + std::to_string(static_cast<int64_t>(call.load_ms * 1e6)) +
         ",\"prompt_eval_count\":" + std::to_string(spent.tokens) + "}";
  call.answer(std::move(out));
  add_headers(call, *model, spent);
}

// Ollama's older form: one prompt, one vector, as the model makes it.
void ollama_embeddings(Call& call) {
  const std::string text = Fields(call.body()).need_text("prompt");
  Json body = call.body();
  body.erase("prompt");  // which elsewhere is what comes before each input
  const Fields fields(body);
  const auto model = call.model(fields, Task::embed, keep_alive_of(fields));
  const Encode operation = encode_of(call, fields, *model, {.normalize = fields.flag("normalize", true)});
  const Vectors v = run_vectors(call, fields, *model, operation, {{text, {}}});
  std::string out = "{\"embedding\":";
  append_vector(out, v.of(0));
  append_errors(out, v);
  call.answer(out + "}");
  add_headers(call, *model, spent_on(*v.job));
}

// llama-server's own form: a list of {"index", "embedding": [[…]]}.
void llama_embedding(Call& call) {
  const Fields fields(call.body());
  if (fields.find("input")) return openai_embeddings(call);
  const auto model = call.model(fields, Task::embed);
  const Encode operation = encode_of(call, fields, *model);
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "content", *model));
  call.answer(list_of(call, v, [](std::string& out, const TextOutput* text, size_t i) {
    out += "{\"index\":" + std::to_string(i) + ",\"embedding\":[";
    append_vector(out, text);
    out += "]}";
  }));
  add_headers(call, *model, spent_on(*v.job));
}

}  // namespace

std::span<const Route> embedding_routes() {
  static constexpr Route table[] = {
      {"POST", "/embed", Dialect::tei, embed},
      {"POST", "/embed_all", Dialect::tei, embed_all},
      {"POST", "/embed_sparse", Dialect::tei, embed_sparse},
      {"POST", "/embed_multi", Dialect::tei, embed_multi},
      {"POST", "/v1/embeddings", Dialect::openai, openai_embeddings},
      {"POST", "/embeddings", Dialect::openai, llama_embedding},
      {"POST", "/embedding", Dialect::openai, llama_embedding},
      {"POST", "/v2/embed", Dialect::openai, cohere_embed},
      {"POST", "/api/embed", Dialect::ollama, ollama_embed},
      {"POST", "/api/embeddings", Dialect::ollama, ollama_embeddings},
  };
  return table;
}

}  // namespace server

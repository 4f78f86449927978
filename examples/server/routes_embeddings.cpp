// Vectors in the dialects of TEI, OpenAI, Ollama, and all heads of a model at once.
#include "embedding_request.h"
#include "json_text.h"
#include "routes.h"

namespace server {
namespace {

enum class Form { floats, base64 };

void append_vector(std::string& out, const TextOutput* text, Form form = Form::floats) {
  if (!text) {
    out += "null";
  } else if (form == Form::base64) {
    append_base64(out, text->dense.values);
  } else {
    append(out, text->dense.values);
  }
}

// "[a,b,…]" of what `each` appends for every input.
template <class F>
std::string list_of(const Vectors& vectors, const F& each) {
  std::string out = "[";
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (i) out += ',';
    each(out, vectors.of(i), i);
  }
  return out += ']';
}

void append_errors(std::string& out, const Vectors& vectors) {
  if (const Json errors = errors_of(vectors); !errors.is_null()) out += ",\"errors\":" + errors.dump();
}

Form form_of(const Fields& fields) {
  const std::string name = fields.text("encoding_format", "float");
  if (name != "float" && name != "base64") fields.refuse("encoding_format", "\"float\" or \"base64\"");
  return name == "base64" ? Form::base64 : Form::floats;
}

void embed(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::embed);
  const Encode operation = encode_of(call, fields, *model, {.normalize = fields.flag("normalize", true)});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "inputs", *model));
  call.answer(list_of(v, [](std::string& out, const TextOutput* text, size_t) { append_vector(out, text); }));
  add_headers(call, *model, spent_on(*v.job));
}

void append_rows(std::string& out, const Rows& rows) {
  out += '[';
  for (size_t r = 0; r < rows.count(); ++r) {
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
  call.answer(list_of(v, [](std::string& out, const TextOutput* text, size_t) {
    text ? append_rows(out, text->states) : void(out += "null");
  }));
  add_headers(call, *model, spent_on(*v.job));
}

void embed_sparse(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::sparse);
  const Encode operation = encode_of(call, fields, *model, {.outputs = QUERN_SPARSE});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "inputs", *model));
  call.answer(list_of(v, [](std::string& out, const TextOutput* text, size_t) {
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
  call.answer(list_of(v, [&](std::string& out, const TextOutput* text, size_t) {
    if (!text) return void(out += "null");
    out += '{';
    const auto name = [&](const char* name) { out += std::string(out.back() == '{' ? "\"" : ",\"") + name + "\":"; };
    if (outputs & QUERN_DENSE) name("dense"), append(out, text->dense.values);
    if (outputs & QUERN_SPARSE) name("sparse"), append_sparse(out, text->sparse);
    if (outputs & QUERN_MULTI_VECTOR) name("multi_vector"), append_rows(out, text->multi_vector);
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
      "{\"object\":\"list\",\"data\":" + list_of(v, [&](std::string& to, const TextOutput* text, size_t i) {
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

void ollama_embed(Call& call) {
  const Fields fields(call.body());
  const auto model = call.model(fields, Task::embed);
  const Encode operation = encode_of(call, fields, *model, {.normalize = fields.flag("normalize", true)});
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "input", *model));
  const Spent spent = spent_on(*v.job);
  std::string out = "{\"model\":" + Json(model->id).dump() + ",\"embeddings\":" +
                    list_of(v, [](std::string& to, const TextOutput* text, size_t) { append_vector(to, text); });
  append_errors(out, v);
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - call.http.arrived).count();
  out += ",\"total_duration\":" + std::to_string(ns) +
         ",\"load_duration\":0,\"prompt_eval_count\":" + std::to_string(spent.tokens) + "}";
  call.answer(std::move(out));
  add_headers(call, *model, spent);
}

// llama-server's own form: a list of {"index", "embedding": [[…]]}.
void llama_embedding(Call& call) {
  const Fields fields(call.body());
  if (fields.find("input")) return openai_embeddings(call);
  const auto model = call.model(fields, Task::embed);
  const Encode operation = encode_of(call, fields, *model);
  const Vectors v = run_vectors(call, fields, *model, operation, inputs_of(call, fields, "content", *model));
  call.answer(list_of(v, [](std::string& out, const TextOutput* text, size_t i) {
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
      {"POST", "/api/embed", Dialect::openai, ollama_embed},
  };
  return table;
}

}  // namespace server

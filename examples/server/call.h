// One request at a handler: its body, its model, its deadline, and how its answer is sent.
#pragma once
#include <string>
#include <string_view>

#include "app.h"
#include "fields.h"

namespace server {

class Call {
 public:
  Call(App& app, Exchange& http, Dialect dialect, std::shared_ptr<RequestRecord> record);

  // The body as a JSON object. Throws Refusal.
  const Json& body();
  const Json& any_body();  // or as another value
  Patience patience() const;
  // The one that the body's `model` names, or the only one for the task; with an adapter, as Models::pick.
  std::shared_ptr<ServedModel> model(const Fields& fields, Task task, const ModelSlot::Keep& keep = std::nullopt,
                                     const std::string& adapter = {});
  double load_ms = 0;  // that model() took

  // For rendering and tokenizing on this worker: a turn at the CPUs, and what it took counts as the tokenizer's. Throws
  // Refusal.
  class Tokenizing {
   public:
    explicit Tokenizing(Call& call) : call_(call), pass_(call.app.gate.enter(call.patience())), begun_(Clock::now()) {}
    ~Tokenizing();
    Tokenizing(const Tokenizing&) = delete;
    Tokenizing& operator=(const Tokenizing&) = delete;

   private:
    Call& call_;
    const Gate::Pass pass_;
    const Clock::time_point begun_;
  };
  Tokenizing tokenizing() { return Tokenizing(*this); }

  void answer(const Json& json);
  void answer(std::string json);  // as text
  // While an answer is made that has `bytes` so far: throws Refusal where it is longer than answers may be, or nobody
  // waits for it any more.
  void check_answer(size_t bytes) const;
  size_t longest_answer() const;
  // The same for memory that the work takes which an answer comes from, which is counted as the request's too.
  void charge(size_t bytes);
  void header(const char* name, const std::string& value);

  App& app;
  Exchange& http;
  const Dialect dialect;
  const std::shared_ptr<const Models> models;
  const std::shared_ptr<RequestRecord> record;

 private:
  Json body_;
  mutable size_t longest_answer_ = 0;  // looked up once
};

// What llama-server's `lora` field chooses by number, [{"id", "scale"}], as "MODEL:NAME"; "": nothing. Throws Refusal,
// also where the server has no --adapter-routes, or `model` names another model.
std::string numbered_adapter(const App& app, const Models& models, const Fields& fields);

// What a request's work cost, for the x-compute-* headers and TEI's metrics.
struct Spent {
  size_t characters = 0, inputs = 0;
  uint64_t tokens = 0, truncated = 0;
  double tokenization_ms = 0, queue_ms = 0, compute_ms = 0;
};
void add_headers(Call& call, const ServedModel& model, const Spent& spent);

// Refuses a field with none or more than --max-client-batch of what is to be worked on.
void check_batch(const Call& call, const std::string& name, size_t n);
// Of UTF-8.
size_t characters(std::string_view text);

// Runs texts through a model: `outputs` of the job, in order. Throws Refusal; a text that fails does so for all, unless
// the request has "on_error": "null", which keeps its error with it.
std::shared_ptr<TextJob> run_texts(Call& call, ServedModel& model, Operation operation, std::vector<TextInput> texts,
                                   bool keep_errors);
Spent spent_on(const TextJob& job);

// The seconds that a client is asked to wait before it tries again.
constexpr const char* kRetryAfter = "1";

}  // namespace server

// A request for generated text: from its fields to sequences, and what comes of them in order.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "call.h"

namespace server {

// Sampling as OpenAI's clients and llama-server's name it, into the job's options. Throws Refusal.
void read_sampling(const Fields& fields, GenerationJob& job);
void read_stop(const Fields& fields, const char* name, size_t most, GenerationJob& job);
// response_format, json_schema, grammar, and vLLM's guided_json, guided_regex, guided_choice, guided_grammar and
// structured_outputs.
void read_format(const Fields& fields, GenerationJob& job);
// The grammar of the texts that a field's regular expression matches as a whole. Throws Refusal.
std::string regex_grammar(const Fields& fields, const char* name);

// Ids of a plain prompt.
std::vector<int32_t> tokens_of(Call& call, const ServedModel& model, const std::string& text);

// The text of one token by itself, special ones too.
std::string text_of(const ServedModel& model, int32_t token);

// One text that is being generated, as far as it came.
struct Generated {
  std::string text;
  std::vector<GenerationEvent> events;  // with a token
  quern_finish finish = QUERN_FINISH_NONE;
};

// All texts of a request: `choices` of each of its jobs. They run at once and are read job by job.
class Generation {
 public:
  // on_ready: called on the library's threads when poll() may have more; may be empty. Throws QuernError.
  Generation(std::shared_ptr<ServedModel> model, std::vector<std::shared_ptr<GenerationJob>> jobs, Patience patience,
             std::function<void()> on_ready);
  ~Generation();  // gives up what still runs

  // The next event, its choice counted over all jobs. Without one, done says whether it was the last. Waits for
  // nothing. Throws Refusal.
  std::optional<GenerationEvent> poll(bool& done) { return take(0, done); }
  // Reads everything. Throws Refusal.
  std::vector<Generated> all();
  // Ends all of it. From any thread.
  void cancel();

  const ServedModel& model() const { return *model_; }
  const GenerationJob& job() const { return *jobs_[0]; }
  size_t prompt_tokens() const;
  size_t cached_tokens() const;
  size_t generated_tokens() const { return generated_; }
  double queue_ms() const { return jobs_[0]->usage().queue_seconds * 1000; }

 private:
  std::optional<GenerationEvent> take(int64_t wait_ms, bool& done);

  const std::shared_ptr<ServedModel> model_;
  const std::vector<std::shared_ptr<GenerationJob>> jobs_;
  const Patience patience_;
  const std::function<void()> on_ready_;
  size_t at_ = 0, generated_ = 0;
};

// How a dialect writes a generation as server-sent events.
class EventFormat {
 public:
  virtual ~EventFormat() = default;
  virtual const char* type() const { return "text/event-stream"; }
  // Whole events, or "", for what came of a generation and for its end.
  virtual std::string event(const Generation& generation, GenerationEvent event) = 0;
  virtual std::string end(const Generation& generation) = 0;
  // What follows when it is too late for a status. json: the refusal in the dialect.
  virtual std::string refusal(const std::string& json) = 0;
};

void add_headers(Call& call, const Generation& generation);
// Answers with server-sent events as they come. What refuses the first one has its status. Throws QuernError.
void answer_events(Call& call, std::shared_ptr<ServedModel> model, std::vector<std::shared_ptr<GenerationJob>> jobs,
                   std::unique_ptr<EventFormat> format);

}  // namespace server

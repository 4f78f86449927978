// Texts through a model: the library's scheduler, with metrics.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "metrics.h"
#include "patience.h"

namespace server {

// What a model does to texts.
struct Encode {
  unsigned outputs = QUERN_DENSE;
  int normalize = -1;  // as in quern_embed_options
  int64_t dimensions = 0;
  int long_texts = QUERN_LONG_TRUNCATE;
  int64_t max_length = 0;
  std::string pooling = {};  // empty: the model's
  std::optional<std::string> prompt = {}, prompt_name = {}, input_type = {};
};
struct Classify {     // a text, or a pair
  size_t labels = 0;  // of the model
  bool raw = false;
  int long_texts = QUERN_LONG_TRUNCATE;
  int64_t max_length = 0;
  std::optional<std::string> prompt = {}, prompt_name = {};
};
struct ClassifyTokens {
  bool grouped = true;
  int long_texts = QUERN_LONG_TRUNCATE;
};
using Operation = std::variant<Encode, Classify, ClassifyTokens>;

struct TextInput {
  std::string text;
  std::optional<std::string> pair;
};

struct Rows {
  std::vector<float> values;
  size_t width = 0;
  size_t count() const { return width > 0 ? values.size() / width : 0; }
  std::span<const float> row(size_t i) const { return {values.data() + i * width, width}; }
};
struct TextOutput {
  Rows dense;  // a vector, one vector per piece, or the scores of all labels
  std::vector<std::pair<int32_t, float>> sparse;
  Rows multi_vector, states;
  std::vector<quern_span> spans;
  quern_text_info info{};
  std::optional<QuernError> error;  // this text's alone
};

// The texts of one request.
struct TextJob {
  Operation operation;
  std::vector<TextInput> texts;
  const quern_adapter* adapter = nullptr;  // of all; null: none
  std::vector<TextOutput> outputs;         // as many
  // Until its first text ran; of the calls that it was in; and of the tokenizer for its texts, within that.
  double queue_ms = 0, compute_ms = 0, tokenization_ms = 0;
};

class TextService {
 public:
  // Throws QuernError.
  TextService(const quern_model* model, quern_text_scheduler_options options, Metrics& metrics,
              const std::string& name);

  // Fills in the job's outputs; a text that failed has its own error. Throws QuernError: overloaded, deadline; Refusal
  // once the client has gone.
  void run(TextJob& job, const Patience& patience);
  quern_text_scheduler_stats stats() const;
  int threads() const { return quern_text_scheduler_threads(scheduler_.get()); }  // that the system started

 private:
  void on_batch(size_t texts, uint64_t tokens);

  Histogram &batch_texts_, &batch_tokens_;
  Counter& tokens_;
  TextSchedulerHandle scheduler_;  // last: its threads end before what they count in
};

}  // namespace server

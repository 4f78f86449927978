// What a model does to texts. Requests with the same operation share a batch.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "handles.h"

namespace server {

struct Encode {
  unsigned outputs = QUERN_DENSE;
  int normalize = -1;  // as in quern_embed_options
  int64_t dimensions = 0;
  int long_texts = QUERN_LONG_TRUNCATE;
  int64_t max_length = 0;
  std::string pooling = {};  // empty: the model's
  std::optional<std::string> prompt = {}, prompt_name = {}, input_type = {};
  bool operator==(const Encode&) const = default;
};
struct Classify {     // a text, or a pair
  size_t labels = 0;  // of the model
  bool raw = false;
  int long_texts = QUERN_LONG_TRUNCATE;
  int64_t max_length = 0;
  bool operator==(const Classify&) const = default;
};
struct ClassifyTokens {
  bool grouped = true;
  int long_texts = QUERN_LONG_TRUNCATE;
  bool operator==(const ClassifyTokens&) const = default;
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
  Rows dense;  // a vector, a vector a piece, or the scores of all labels
  std::vector<std::pair<int32_t, float>> sparse;
  Rows multi_vector, states;
  std::vector<quern_span> spans;
  quern_text_info info{};
  std::optional<QuernError> error;  // this text's alone
};

// Runs texts through one operation. Throws QuernError for what concerns all.
void run(quern_session* session, const Operation& operation, std::span<const TextInput* const> texts,
         std::span<TextOutput* const> outputs);

}  // namespace server

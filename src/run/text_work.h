// What becomes of texts: one call of a session for those that are alike, and its results text by text.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "engine.h"
#include "heads/spans.h"
#include "run/scheduled.h"

namespace quern {

// Of one request. Texts of requests whose work is the same go through the model together.
struct TextWork {
  enum class Kind : uint8_t { encode, classify, classify_tokens };
  Kind kind = Kind::encode;
  EmbedOptions options;  // without `info`, which every result has
  Wanted wanted;         // encode
  bool raw = false;      // classify: scores before the activation
  bool grouped = false;  // classify_tokens: spans, not tokens
};
bool same_work(const TextWork& a, const TextWork& b);

struct TextInput {
  std::string text;
  std::optional<std::string> pair;                   // classify
  std::shared_ptr<const Adapter> adapter = nullptr;  // null: none. Texts of all adapters go through the model together
};

struct TextResult {
  Encoded encoded;
  size_t width = 0;                  // of encoded's dense vectors
  std::vector<float> scores;         // of all labels
  std::vector<LabelledToken> spans;  // of the text
  TextInfo info;
  Outcome outcome;  // of this text alone
};

// The label of each token, or spans.
std::vector<LabelledToken> labelled(const TokenLabels& text, const std::vector<std::string>& labels, bool grouped);

// Throws Error for what concerns all; a text whose output is not finite has an error of its own.
void run_texts(Session& session, const TextWork& work, std::span<const TextInput* const> texts,
               std::span<TextResult> results);

}  // namespace quern

// What goes through a session: where texts' tokens come from, and what is made of their last hidden states.
#pragma once
#include "engine.h"

namespace quern {

// A pack after the model: texts that went through together.
struct PackOutput {
  Tensor states;  // (T, D): the last hidden states
  std::span<const Sequence> texts;
  std::span<const size_t> indices;        // of the texts in the call
  std::span<const int32_t> ids;           // T
  std::span<const Span> offsets;          // T, where the job wants them
  std::span<const uint8_t> special_mask;  // likewise

  size_t size() const { return texts.size(); }
  Tensor states_of(size_t i) const { return states.slice(texts[i].first, texts[i].length); }
  // Text i's part of one of the above, which has an entry for each token.
  template <class T>
  std::span<T> part(std::span<T> all, size_t i) const {
    return all.subspan(static_cast<size_t>(texts[i].first), static_cast<size_t>(texts[i].length));
  }
};

// What a call's options mean for a model. Throws Error{bad_argument}.
struct Limits {
  Limits(const LoadedModel& model, const TextOptions& options, bool pair = false);

  size_t max_length, first_text;
  bool truncates;  // else a text that lost tokens is an error
};

struct Session::Job {
  explicit Job(const Limits& limits) : limits(limits) {}
  virtual ~Job() = default;
  // The tokens of text `index`, each of which the model has. Called from any thread.
  virtual void tokens(size_t index, Encoding& out) const = 0;
  virtual void take(Ops& op, const PackOutput& pack) const = 0;
  virtual void take_empty(size_t /*index*/) const {}  // a text without tokens

  // Of text `index`, to the model's linears; null: none.
  virtual const LinearChanges* changes_of(size_t index) const { return changes.empty() ? nullptr : changes[index]; }

  // How many tokens at the end of text `index` are seen by none.
  virtual int64_t unseen_of(size_t /*index*/) const { return 0; }

  // Whether a text's last token is all that take() looks at, so that beginnings of texts can be shared.
  virtual bool takes_last() const { return false; }

  const Limits limits;
  std::span<const LinearChanges* const> changes;
  bool want_offsets = false;
  std::span<TextInfo> info;  // empty, or one for each text
};

// The texts of a call, each with the prompt that the options mean before it. Throws Error{bad_argument} for a prompt
// that there is not.
class PromptedTexts {
 public:
  PromptedTexts(const LoadedModel& model, std::span<const std::string_view> texts, const TextOptions& options);
  size_t size() const { return texts_.size(); }
  const std::string& prompt() const { return prompt_; }
  // buffer: where a text with a prompt is put together.
  std::string_view get(size_t index, std::string& buffer) const {
    if (prompt_.empty()) return texts_[index];
    return buffer.assign(prompt_).append(texts_[index]);
  }
  // A text that is too long is cut on the side that the tokenizer's file names.
  void encode(size_t index, EncodeOptions options, Encoding& out) const {
    std::string buffer;
    options.truncate_left = tokenizer_.cuts_left();
    tokenizer_.encode(get(index, buffer), options, out);
  }

 private:
  const Tokenizer& tokenizer_;
  const std::span<const std::string_view> texts_;
  const std::string prompt_;
};

// Throws Error{bad_file} where a value of a text's results is infinite or no number, which no program can use; text:
// its number, from 1.
void require_finite(const LoadedModel& model, std::span<const float> values, size_t text);

// Throws Error{bad_argument}: what the model is asked for is not what it makes.
[[noreturn]] void refuse_task(const LoadedModel& model, const char* wanted);

}  // namespace quern

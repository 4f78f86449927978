// text → ids → packed batch → model → heads → vectors, weights, scores: the whole path.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heads/scores.h"
#include "heads/vector_head.h"
#include "loaded_model.h"
#include "parallel.h"
#include "prefix_pass.h"

namespace quern {

// What becomes of a text that is longer than max_length.
enum class LongTexts : uint8_t {
  error,
  truncate,    // its end is cut off
  chunk_mean,  // it goes through in pieces of max_length; the vector is the mean of theirs, weighted by their tokens
  chunks,      // as many vectors as pieces
};

// What became of one text.
struct TextInfo {
  uint32_t tokens = 0;   // after truncation, special ones included
  uint32_t dropped = 0;  // tokens that truncation cut
  bool repaired = false;
  float seconds = 0;  // that the tokenizer took
};

struct TextOptions {
  size_t max_length = 0;  // tokens; 0: the model's
  LongTexts long_texts = LongTexts::truncate;
  size_t overlap = 0;                             // tokens that two neighbouring pieces share
  std::optional<std::string> prompt;              // put before every text; unset: what the next two say
  std::string prompt_name;                        // of the model's prompts; empty: by input_type
  std::string input_type;                         // query or document; empty: the model's default prompt
  size_t first_text = 1;                          // number of the first text in messages
  std::span<const LinearChanges* const> changes;  // empty, or each text's own to the model's linears, or null
  std::span<TextInfo> info;                       // empty, or one for each text, which the call fills in
};

struct EmbedOptions : TextOptions {
  std::string pooling;            // a mode in place of the model's; empty: the model's
  std::optional<bool> normalize;  // in place of the model's
  int64_t dimensions = 0;         // cut vectors to this many, then normalize again if they were; 0: all
  double pool_factor = 0;         // of token vectors, in place of the model's, documents' alone; 0: the model's
};

struct EmbedStats {
  uint64_t texts = 0, tokens = 0;
  uint64_t truncated = 0;  // texts that lost tokens
  uint64_t chunked = 0;    // texts that went through in pieces
  uint64_t repaired = 0;   // texts with invalid UTF-8, read as U+FFFD

  EmbedStats& operator+=(const EmbedStats& more) {
    texts += more.texts;
    tokens += more.tokens;
    truncated += more.truncated;
    chunked += more.chunked;
    repaired += more.repaired;
    return *this;
  }
};

// What Session::encode is asked for.
struct Wanted {
  bool dense = false, sparse = false, multi_vector = false;
  bool states = false;  // the last hidden states themselves
};
struct Encoded {
  std::vector<float> dense;  // one row, or one row per piece
  std::vector<SparseWeight> sparse;
  std::vector<float> multi_vector;  // rows of the head's width
  std::vector<float> states;        // rows of the model's width, one for each token
};

// A token with its label scores.
struct TokenScores {
  int32_t id;
  Span bytes;    // of the text
  bool special;  // put in by the tokenizer
};
struct TokenLabels {
  std::vector<TokenScores> tokens;
  std::vector<float> scores;  // a row of all labels for each token
};

// How many scores pairs get by Session::classify: a classifier's labels, or one by vectors of tokens; 0: none.
size_t pair_scores(const LoadedModel& model);

// One caller's threads and scratch memory over a shared model. Not thread-safe: one call at a time. What comes of a
// text does not depend on the other texts nor on the number of threads, to the bit. All throw Error.
class Session {
 public:
  // threads = 0: as many as this process may use.
  Session(std::shared_ptr<const LoadedModel> model, int threads);

  ~Session();

  const LoadedModel& model() const { return *model_; }
  int threads() const { return pool_.size(); }
  int64_t width(const EmbedOptions& options) const;  // floats of one vector

  // out: room for one row of width(options) floats a text, in the texts' order. Not with LongTexts::chunks.
  void embed(std::span<const std::string_view> texts, const EmbedOptions& options, std::span<float> out,
             EmbedStats& stats);
  // The same from token ids, special tokens included. No prompt is put before them; longer texts are cut or an error.
  void embed_ids(std::span<const std::span<const int32_t>> texts, const EmbedOptions& options, std::span<float> out,
                 EmbedStats& stats);
  // Everything that is wanted from one pass through the model.
  std::vector<Encoded> encode(std::span<const std::string_view> texts, const EmbedOptions& options, Wanted wanted,
                              EmbedStats& stats);

  // Label scores of texts, or of pairs (texts[i], pairs[i]) where pairs is not empty; out: a row of all labels a text.
  // raw: before the activation.
  void classify(std::span<const std::string_view> texts, std::span<const std::string_view> pairs,
                const TextOptions& options, bool raw, std::span<float> out, EmbedStats& stats);
  // The one score of (query, text) for each text: n floats. By a classifier of one label, or by the vectors of tokens
  // (MaxSim); so does classify score pairs where there is no classifier.
  void rerank(std::string_view query, std::span<const std::string_view> texts, const TextOptions& options, bool raw,
              std::span<float> out, EmbedStats& stats);
  // Label scores of each token.
  std::vector<TokenLabels> classify_tokens(std::span<const std::string_view> texts, const TextOptions& options,
                                           bool raw, EmbedStats& stats);

  // Multiply-accumulates per second of the kernels' int8_limit on all threads, over about `seconds`.
  double int8_limit(double seconds);

  // Texts on their way through the model, see engine.cpp.
  struct Job;
  struct Pack;

 private:
  void compare_tokens(std::span<const std::string_view> queries, std::span<const std::string_view> documents,
                      const TextOptions& options, std::span<float> out, EmbedStats& stats);
  void run(const Job& job, size_t n, EmbedStats& stats);
  void run_in_order(const Job& job, size_t n);
  void run_planned(const Job& job, size_t n);
  void run_pack(const Job& job, Pack& pack, const Placement& at);
  void run_prefixed(const Job& job, size_t n);
  void run_on_device(const Job& job, Pack& pack);
  static void tokenize(const Job& job, size_t index, Encoding& tokens);
  bool accept(const Job& job, EmbedStats& stats, size_t index, const Encoding& tokens) const;
  void add_text(const Job& job, Pack& pack, size_t index, const Encoding& tokens);

  std::shared_ptr<const LoadedModel> model_;
  Pool pool_;
  std::unique_ptr<Ops> wide_;             // on all threads: for a text that is split inside the operators
  std::vector<Pack> packs_;               // one for each thread
  std::unique_ptr<PrefixPass> prefixes_;  // once it is needed
  struct Lanes;
  std::unique_ptr<Lanes> lanes_;  // where the model has layers on a device
};

}  // namespace quern

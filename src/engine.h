// text → ids → packed batch → model → head → vectors: the whole path.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heads/heads.h"
#include "loaded_model.h"
#include "parallel.h"

namespace quern {

struct EmbedOptions {
  std::string pooling;                // a mode in place of the model's; empty: the model's
  std::optional<bool> normalize;      // in place of the model's
  int64_t dimensions = 0;             // cut vectors to this many, then normalize again if they were; 0: all
  std::optional<std::string> prompt;  // put before every text; unset: the model's default prompt
  size_t max_length = 0;              // tokens; 0: the model's
  bool truncate = true;               // false: a longer text is an error
  size_t first_text = 1;              // number of the first text in messages
};

struct EmbedStats {
  uint64_t texts = 0, tokens = 0;
  uint64_t truncated = 0;  // texts that lost tokens
  uint64_t repaired = 0;   // texts with invalid UTF-8, read as U+FFFD
};

// One caller's threads and scratch memory over a shared model. Not thread-safe: one call at a time.
class Session {
 public:
  // threads = 0: as many as this process may use.
  Session(std::shared_ptr<const LoadedModel> model, int threads);

  ~Session();

  const LoadedModel& model() const { return *model_; }
  int threads() const { return pool_.size(); }
  int64_t width(const EmbedOptions& options) const;  // floats of one vector

  // out: room for one row of width(options) floats a text, in the texts' order. A row does not depend on the other
  // texts nor on the number of threads, to the bit. Throws Error.
  void embed(std::span<const std::string_view> texts, const EmbedOptions& options, std::span<float> out,
             EmbedStats& stats);
  // The same from token ids, special tokens included. No prompt is put before them.
  void embed_ids(std::span<const std::span<const int32_t>> texts, const EmbedOptions& options, std::span<float> out,
                 EmbedStats& stats);

  // Multiply-accumulates per second of the kernels' int8_limit on all threads, over about `seconds`.
  double int8_limit(double seconds);

 private:
  struct Call;
  struct Pack;
  void run(const Call& call, EmbedStats& stats);
  void run_pack(const Call& call, Pack& pack, Ops& op);
  bool add_text(const Call& call, Pack& pack, size_t index);
  bool add_tokens(const Call& call, Pack& pack, size_t index, std::span<const int32_t> ids,
                  std::span<const int32_t> types, size_t dropped);

  std::shared_ptr<const LoadedModel> model_;
  const KernelTable& kernels_;
  const Precision precision_;
  Pool pool_;
  Arena arena_;              // of a text that is split inside the operators
  std::vector<Pack> packs_;  // one a thread
};

}  // namespace quern

// What the tokens so far do to the logits of the next: repetition, frequency and presence penalties.
#pragma once
#include <deque>
#include <span>
#include <unordered_map>

#include "sampling_options.h"

namespace quern {

class Penalties {
 public:
  explicit Penalties(const SamplingOptions& options);

  bool any() const { return repetition_ != 1 || frequency_ != 0 || presence_ != 0; }
  void add_prompt(int32_t id);
  void add_generated(int32_t id);
  // Takes time in proportion to the number of different tokens so far. Ids that there is no logit of are left out.
  void apply(std::span<float> logits) const;

 private:
  struct Counts {
    uint32_t recent = 0, generated = 0;
  };
  void add_recent(int32_t id);
  float repetition_, frequency_, presence_;
  size_t last_n_;  // 0: all count
  std::unordered_map<int32_t, Counts> counts_;
  std::deque<int32_t> recent_;  // only with last_n_
};

}  // namespace quern

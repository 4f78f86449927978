// See penalties.h.
#include "penalties.h"

namespace quern {

Penalties::Penalties(const SamplingOptions& options)
    : repetition_(options.penalty_last_n == 0 ? 1 : options.repetition_penalty),
      frequency_(options.frequency_penalty),
      presence_(options.presence_penalty),
      last_n_(options.penalty_last_n > 0 ? static_cast<size_t>(options.penalty_last_n) : 0) {}

void Penalties::add_recent(int32_t id) {
  if (repetition_ == 1) return;
  ++counts_[id].recent;
  if (last_n_ == 0) return;
  recent_.push_back(id);
  if (recent_.size() <= last_n_) return;
  const auto oldest = counts_.find(recent_.front());
  recent_.pop_front();
  if (--oldest->second.recent == 0 && oldest->second.generated == 0) counts_.erase(oldest);
}

void Penalties::add_prompt(int32_t id) {
  add_recent(id);
}

void Penalties::add_generated(int32_t id) {
  if (frequency_ != 0 || presence_ != 0) ++counts_[id].generated;
  add_recent(id);
}

void Penalties::apply(std::span<float> logits) const {
  for (const auto& [id, counts] : counts_) {
    if (id < 0 || static_cast<size_t>(id) >= logits.size()) continue;
    float& logit = logits[static_cast<size_t>(id)];
    if (counts.recent > 0) logit = logit > 0 ? logit / repetition_ : logit * repetition_;
    if (counts.generated > 0) logit -= static_cast<float>(counts.generated) * frequency_ + presence_;
  }
}

}  // namespace quern

#include "heads/pooling.h"

#include <algorithm>

#include "error.h"

namespace quern {
namespace {

constexpr PoolingMode kModes[] = {
    {"cls", "cls", "pooling_mode_cls_token", Pooling::first, 2},
    {"max", "max", "pooling_mode_max_tokens", Pooling::max, 0},
    {"mean", "mean", "pooling_mode_mean_tokens", Pooling::mean, 1},
    {"mean_sqrt_len_tokens", "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", Pooling::mean_sqrt_len, 0},
    {"weightedmean", "weightedmean", "pooling_mode_weightedmean_tokens", Pooling::weighted_mean, 0},
    {"lasttoken", "last", "pooling_mode_lasttoken", Pooling::last, 3},
};

template <class Fits>
const PoolingMode* first_mode(const Fits& fits) {
  const auto* found = std::find_if(std::begin(kModes), std::end(kModes), fits);
  return found == std::end(kModes) ? nullptr : found;
}

}  // namespace

std::span<const PoolingMode> pooling_modes() {
  return kModes;
}

const PoolingMode* find_pooling_mode(std::string_view name) {
  return first_mode([&](const PoolingMode& mode) { return name == mode.name; });
}

const PoolingMode* find_llama_pooling(uint64_t number) {
  return first_mode([&](const PoolingMode& mode) { return number != 0 && number == mode.llama; });
}

Pooling find_pooling(const std::string& mode, const std::string& file) {
  const PoolingMode* found = first_mode([&](const PoolingMode& m) { return mode == m.name || mode == m.option; });
  if (found) return found->pooling;
  std::string known;
  for (const PoolingMode& m : kModes) known += (known.empty() ? "" : ", ") + std::string(m.name);
  throw Error(Status::bad_argument, file + ": pooling mode \"" + mode + "\" does not exist (there are: " + known + ")");
}

}  // namespace quern

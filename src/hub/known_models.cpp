#include "hub/known_models.h"

#include <algorithm>
#include <iterator>

namespace quern {
namespace {

constexpr KnownModel all_known[] = {
#include "hub/known_models.inc"
};

}  // namespace

std::span<const KnownModel> known_models() noexcept {
  return all_known;
}

const KnownModel* find_known_model(std::string_view name) noexcept {
  const auto* found =
      std::find_if(std::begin(all_known), std::end(all_known), [&](const KnownModel& m) { return m.name == name; });
  return found == std::end(all_known) ? nullptr : found;
}

}  // namespace quern

#include "keep_alive.h"

#include <charconv>
#include <cmath>
#include <string_view>

namespace server {
namespace {

constexpr double kForever = 1e9;  // seconds: as good as that

// The units of Go's durations, in seconds; a longer name before one that it begins with.
constexpr std::pair<std::string_view, double> units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3},
                                                         {"s", 1},     {"m", 60},    {"h", 3600}};

std::optional<double> duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  double all = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc() || value < 0) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    const auto* unit = std::begin(units);
    while (unit != std::end(units) && !text.starts_with(unit->first)) ++unit;
    if (unit == std::end(units)) return std::nullopt;
    text.remove_prefix(unit->first.size());
    all += value * unit->second;
  }
  return negative ? -all : all;
}

}  // namespace

ModelSlot::Keep keep_alive_of(const Fields& fields) {
  const Json* given = fields.find("keep_alive");
  if (!given) return std::nullopt;
  std::optional<double> seconds;
  if (given->is_number()) seconds = given->get<double>();
  if (given->is_string()) seconds = duration(given->get_ref<const std::string&>());
  if (!seconds || !std::isfinite(*seconds))
    fields.refuse("keep_alive", "seconds, or a duration such as \"5m\"; -1 to keep the model, 0 to unload it");
  return ModelRoom::Seconds(*seconds < 0 || *seconds > kForever ? -1 : *seconds);
}

}  // namespace server

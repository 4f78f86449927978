// Truncation. See truncation.h.
#include "truncation.h"

#include <algorithm>
#include <string>

#include "error.h"

namespace quern {
namespace {

constexpr size_t max_window_tokens = size_t{1} << 28, max_windows = size_t{1} << 16;

[[noreturn]] void too_short(size_t n, size_t n_excess) {
  throw Error(Status::bad_argument, "the text to truncate should have more than the " + std::to_string(n_excess) +
                                        " tokens to remove, but has " + std::to_string(n));
}

// The longer text is cut first, and what is left is shared out evenly; ties favour the second.
Kept share(size_t a, size_t b, size_t budget) {
  size_t& less = a <= b ? a : b;
  size_t& more = a <= b ? b : a;
  less = std::min(less, budget / 2);
  more = budget - less;
  return {a, b};
}

}  // namespace

size_t keep_of_single(size_t n, size_t budget, Truncation strategy) {
  if (n > budget && budget > 0 && strategy == Truncation::only_second) {
    throw Error(Status::bad_argument, "truncation of the second text is asked for, but there is only one");
  }
  return std::min(n, budget);
}

Kept keep_of_pair(size_t n_a, size_t n_b, size_t budget, Truncation strategy) {
  if (budget == 0) return {0, 0};
  if (n_a <= budget && n_b <= budget - n_a) return {n_a, n_b};
  const size_t n_excess = n_a + n_b - budget;
  switch (strategy) {
    case Truncation::only_first:
      if (n_a <= n_excess) too_short(n_a, n_excess);
      return {n_a - n_excess, n_b};
    case Truncation::only_second:
      if (n_b <= n_excess) too_short(n_b, n_excess);
      return {n_a, n_b - n_excess};
    default:
      return share(n_a, n_b, budget);
  }
}

std::vector<Span> token_windows(size_t n, size_t keep, size_t stride, bool from_left) {
  const auto span = [](size_t begin, size_t end) {
    return Span{static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
  };
  if (n <= keep) return {span(0, n)};
  if (keep == 0) throw Error(Status::bad_argument, "max_length leaves no room for a window's tokens");
  if (stride >= keep) {
    throw Error(Status::bad_argument, "stride should be below the " + std::to_string(keep) +
                                          " tokens of a window, but is " + std::to_string(stride));
  }
  const size_t step = keep - stride, n_windows = (n - keep + step - 1) / step + 1;
  if (n_windows > max_window_tokens / keep) {
    throw Error(Status::bad_argument, "the windows of a text would hold more than 2^28 tokens");
  }
  std::vector<Span> windows;
  for (size_t i = 0; i < n_windows; ++i) {
    const size_t end = std::min(i * step + keep, n);
    windows.push_back(from_left ? span(n - end, n - i * step) : span(i * step, end));
  }
  return windows;
}

std::vector<std::pair<Span, Span>> pair_windows(const std::vector<Span>& a, const std::vector<Span>& b) {
  if (a.size() > max_windows / b.size()) {
    throw Error(Status::bad_argument, "a pair would have more than 2^16 windows");
  }
  std::vector<std::pair<Span, Span>> pairs = {{a[0], b[0]}};
  for (size_t i = 1; i < a.size(); ++i) {
    for (const Span& in_b : b) pairs.emplace_back(a[i], in_b);
  }
  for (size_t i = 1; i < b.size(); ++i) pairs.emplace_back(a[0], b[i]);
  return pairs;
}

EncodeOptions read_truncation(const JsonField& field) {
  EncodeOptions options;
  options.max_length = static_cast<size_t>(field.at("max_length").integer(SIZE_MAX));
  if (const auto stride = field.find("stride")) options.stride = static_cast<size_t>(stride->integer(SIZE_MAX));
  options.truncate_left = field.points_left();
  const std::string strategy = field.string_or("strategy", "LongestFirst");
  if (strategy == "OnlyFirst") {
    options.truncation = Truncation::only_first;
  } else if (strategy == "OnlySecond") {
    options.truncation = Truncation::only_second;
  } else if (strategy != "LongestFirst") {
    field.at("strategy").fail("is \"" + strategy + "\"; expected LongestFirst, OnlyFirst or OnlySecond");
  }
  return options;
}

}  // namespace quern

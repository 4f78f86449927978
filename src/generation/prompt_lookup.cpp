// See prompt_lookup.h.
#include "generation/prompt_lookup.h"

#include <algorithm>
#include <string>

#include "error.h"
#include "sampling/random.h"

namespace quern {
namespace {

constexpr size_t n_slots = size_t{1} << 15;
constexpr int longest = 8;

}  // namespace

PromptLookup::PromptLookup(const PromptLookupOptions& options)
    : min_(static_cast<size_t>(options.min_ngram)), max_(static_cast<size_t>(options.max_ngram)) {
  if (options.min_ngram < 1 || options.max_ngram > longest || options.min_ngram > options.max_ngram) {
    throw Error(Status::bad_argument, "min_ngram and max_ngram are " + std::to_string(options.min_ngram) + " and " +
                                          std::to_string(options.max_ngram) + ", but should be 1 to " +
                                          std::to_string(longest) + " and not in reverse");
  }
  behind_.assign(max_ - min_ + 1, std::vector<uint32_t>(n_slots, 0));
}

// Of the n-gram that ends before `end`.
size_t PromptLookup::slot(size_t length, size_t end) const {
  uint64_t hash = 0;
  for (size_t i = end - length; i < end; ++i) hash = split_mix(hash, static_cast<uint32_t>(tokens_[i]));
  return hash % n_slots;
}

void PromptLookup::add(std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    const size_t end = tokens_.size();  // an n-gram counts once something is behind it
    for (size_t length = min_; length <= std::min(max_, end); ++length) {
      behind_[length - min_][slot(length, end)] = static_cast<uint32_t>(end);
    }
    tokens_.push_back(id);
  }
}

void PromptLookup::propose(size_t n, std::vector<int32_t>& draft) {
  draft.clear();
  const size_t end = tokens_.size();
  for (size_t length = std::min(max_, end); length >= min_; --length) {
    const size_t behind = behind_[length - min_][slot(length, end)];
    const auto first = tokens_.begin();
    const auto at = [&](size_t i) { return first + static_cast<ptrdiff_t>(i); };
    if (behind == 0 || !std::equal(at(behind - length), at(behind), at(end - length))) continue;
    draft.assign(at(behind), at(std::min(end, behind + n)));
    return;
  }
}

}  // namespace quern

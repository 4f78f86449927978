// Drafts from the sequence itself, against a search that looks at all of it.
#include "generation/prompt_lookup.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "error.h"
#include "sampling/random.h"

using namespace quern;
using Ids = std::vector<int32_t>;

namespace {

Ids drafted(const Ids& tokens, size_t n, const PromptLookupOptions& options = {}) {
  PromptLookup lookup(options);
  lookup.add(tokens);
  Ids draft = {99};
  lookup.propose(n, draft);
  return draft;
}

Ids searched(const Ids& tokens, size_t n) {
  for (size_t length = std::min<size_t>(3, tokens.size()); length >= 1; --length) {
    const Ids tail(tokens.end() - static_cast<ptrdiff_t>(length), tokens.end());
    for (size_t end = tokens.size(); end-- > length;) {
      if (!std::equal(tail.begin(), tail.end(), tokens.begin() + static_cast<ptrdiff_t>(end - length))) continue;
      const size_t last = std::min(tokens.size(), end + n);
      return Ids(tokens.begin() + static_cast<ptrdiff_t>(end), tokens.begin() + static_cast<ptrdiff_t>(last));
    }
  }
  return {};
}

}  // namespace

TEST_CASE("prompt lookup: the longest n-gram, the last occurrence") {
  CHECK(drafted({}, 4) == Ids{});
  CHECK(drafted({1, 2, 3}, 4) == Ids{});
  CHECK(drafted({1, 2, 3, 4, 5, 1, 2, 3}, 2) == Ids{4, 5});
  CHECK(drafted({1, 2, 3, 4, 9, 3, 5, 1, 2, 3}, 2) == Ids{4, 9});  // three tokens win over the later 3
  CHECK(drafted({3, 7, 3, 8, 3}, 1) == Ids{8});
  CHECK(drafted({5, 5}, 3) == Ids{5});
  CHECK(drafted({3, 7, 3, 8, 3}, 1, {3, 2}) == Ids{});
  CHECK(drafted({3, 7, 3, 8, 3}, 0) == Ids{});
}

TEST_CASE("prompt lookup: the same as searching the whole sequence") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    PromptLookup lookup;
    Ids tokens, draft;
    for (uint64_t i = 0; i < 80; ++i) {
      tokens.push_back(static_cast<int32_t>(split_mix(seed, i) % 6));
      lookup.add(std::span(tokens).last(1));
      lookup.propose(5, draft);
      CHECK(draft == searched(tokens, 5));
    }
  }
}

TEST_CASE("prompt lookup: options out of range are Errors") {
  for (const PromptLookupOptions& bad : {PromptLookupOptions{3, 0}, {9, 1}, {2, 3}, {-1, -1}})
    CHECK_THROWS_AS(PromptLookup(bad), Error);
}

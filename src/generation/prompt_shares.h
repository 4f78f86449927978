// How the prompts that are being read share a pass.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace quern {

// How many tokens of each prompt go into a pass that has room for `room`, at least 1, of them. waiting: those that each
// has left, the oldest prompt first. costs: how much room a token of each takes, at least 1; empty: 1. The shortest go
// first, so that how long one takes does not depend on longer ones; but the oldest has a quarter of the room, at least
// one token, so that every prompt ends. No room for a token is left while tokens wait that have it.
std::vector<int64_t> prompt_shares(std::span<const int64_t> waiting, int64_t room, std::span<const double> costs = {});

}  // namespace quern

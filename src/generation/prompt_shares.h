// How the prompts that are being read share a pass.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace quern {

// How many tokens of each prompt go into a pass that has room for `room`, at least 1, of them. waiting: those that each
// has left, the oldest prompt first. The shortest go first, so that how long one takes does not depend on longer ones;
// but the oldest has a quarter of the room, at least one token, so that every prompt ends. No room is left while tokens
// wait.
std::vector<int64_t> prompt_shares(std::span<const int64_t> waiting, int64_t room);

}  // namespace quern

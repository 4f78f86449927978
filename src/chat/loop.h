// The variable `loop` of a for, which goes through the items.
#pragma once
#include <optional>
#include <utility>
#include <vector>

#include "chat/evaluator.h"

namespace quern::chat {

struct LoopObject final : Object {
  // length: of what is gone through, where that is known beforehand.
  LoopObject(Budget* budget, Next next, std::optional<size_t> length, uint32_t depth)
      : Object(budget, 192, depth), next(std::move(next)), length(length) {}

  bool advance();
  // Looks one item ahead; null at the end.
  const Value* peek();
  // Of all items; goes through the rest if need be.
  size_t count(Evaluator& e);

  // Lets go of all items at a loop's end: one of them may be the loop.
  struct Ending {
    LoopObject& loop;
    ~Ending();
  };

  Next next;
  std::optional<size_t> length;
  std::vector<Value> ahead;  // taken from next but not yet reached, the first one last
  Value before, current;
  int64_t index0 = -1;
  std::optional<std::vector<Value>> last_changed;
};

}  // namespace quern::chat

// The weight types. A new one: its folder here, its include, and its name in the list.
#pragma once
#include "quants/bf16/bf16.h"
#include "quants/f16/f16.h"
#include "quants/f32/f32.h"
#include "quants/q4/q4.h"
#include "quants/q4_0/q4_0.h"
#include "quants/q8/q8.h"
#include "quants/q8_0/q8_0.h"

namespace quern {

template <class... Types>
struct TypeList {
  static constexpr int size = sizeof...(Types);
};

using QuantList = TypeList<F32, F16, BF16, Q8, Q4, Q8_0, Q4_0>;
static_assert(QuantList::size == kTypes);

}  // namespace quern

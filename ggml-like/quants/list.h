// The weight types. A new one: its folder here, its include, and its name in the list.
#pragma once
#include "quants/bf16/bf16.h"
#include "quants/f16/f16.h"
#include "quants/f32/f32.h"
#include "quants/iq4_nl/iq4_nl.h"
#include "quants/mxfp4/mxfp4.h"
#include "quants/q2_k/q2_k.h"
#include "quants/q3_k/q3_k.h"
#include "quants/q4/q4.h"
#include "quants/q4_0/q4_0.h"
#include "quants/q4_1/q4_1.h"
#include "quants/q4_k/q4_k.h"
#include "quants/q5/q5.h"
#include "quants/q5_0/q5_0.h"
#include "quants/q5_1/q5_1.h"
#include "quants/q5_k/q5_k.h"
#include "quants/q6_k/q6_k.h"
#include "quants/q8/q8.h"
#include "quants/q8_0/q8_0.h"
#include "quants/q8_g256/q8_g256.h"

namespace quern {

template <class... Types>
struct TypeList {
  static constexpr int size = sizeof...(Types);
};

using QuantList = TypeList<F32, F16, BF16, Q8, Q8_G256, Q4, Q5, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K,
                           Q6_K, IQ4_NL, MXFP4>;
static_assert(QuantList::size == kTypes);

}  // namespace quern

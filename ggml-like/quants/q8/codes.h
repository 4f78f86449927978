// How q8's codes are made and read, whatever shares a scale: for the .cpp files of q8 and q8_g256.
#pragma once
#include "quants/type_info.h"

namespace quern {

// Largest codes. With the coarser one nearly all sums of four products fit in 16 bits (quants/q8/short_sums.h).
constexpr int kCoarseCode = 88, kFineCode = 127;

// One scale for all of a row costs fidelity where rows are long, and groups cost time: some 6 % of a model's where
// every linear has them.
constexpr Level kQ8Levels[2] = {{"q8", kCoarseCode, 2048}, {"q8_fine", kFineCode, 512}};

// TypeInfo::pack and unpack where each `group` weights of an output share a scale: a multiple of 4, or K. The
// arrays of one group after another: panels as in q8.h, a scale and a sum for every output (N rounded up to 16).
void pack_q8(const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding,
             void* const* arrays, int64_t group);
void unpack_q8(const void* const* arrays, int64_t N, int64_t K, int64_t n, float* out, int64_t group) noexcept;

}  // namespace quern

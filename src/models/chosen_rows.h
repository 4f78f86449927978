// Tables that a file has in other rows than a model uses: model2vec's, whose tokens share rows after "vocabulary
// quantization" and have a weight each.
#pragma once
#include <optional>

#include "models/weight_source.h"

namespace quern {

// Row i: row rows[i] of the table (row i without rows) times scales[i] (1 without). F32, in store.
// table: (R, K), a float type or I8, whose numbers are taken as they are; rows: (N), I32 or I64, below R; scales: (N),
// a float type. Throws Error{bad_file} naming tensor, expected and found; {unsupported} for other types.
WeightTensor chosen_rows(const WeightTensor& table, const std::optional<WeightTensor>& rows,
                         const std::optional<WeightTensor>& scales, WeightStore& store);

}  // namespace quern

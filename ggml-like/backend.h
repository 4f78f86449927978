// Other libraries' matrix products behind linear()'s contract, selected by name; the native kernels are the default.
// A back end may sum in another order: its results are close to the native ones, not equal to the bit.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quants/type_info.h"
#include "tensor.h"

namespace quern {

struct Backend {
  const char* name;
  const TypeInfo* type;  // the weights that it multiplies
  // As TypeKernels::multiply; prepared rows are row_bytes apart.
  void (*multiply)(const void* rows, size_t row_bytes, int64_t M, const Matrix& w, int64_t n0, int64_t N, float* y,
                   int64_t stride) noexcept;
};

// Process-wide, from the environment's QUERN_BACKEND: "native" (also when unset) or one of backend_names(). Throws
// Error{bad_argument} naming those in this build when it is none of them.
const Backend* find_backend(const TypeInfo& type);
std::string backend_names();

}  // namespace quern

// Other libraries' matrix products behind linear()'s contract, selected by name; the native kernels are the default.
// A back end may sum in another order and may choose its kernel by the number of rows: its results are close to the
// native ones, not equal to the bit, and may depend on what else is in the batch.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels.h"
#include "quants/type_info.h"
#include "tensor.h"

namespace quern {

struct Backend {
  const char* name;
  const TypeInfo* type;  // the weights that it multiplies; one entry per type
  // What it needs and does not find in this CPU or beside these kernels; null when it can run.
  const char* (*lacks)(const KernelTable& kernels) noexcept;
  // Its own copy of a matrix, made once when a model is loaded; null function: it takes the weights as they lie.
  std::shared_ptr<const void> (*adopt)(const Matrix& w);
  // As TypeKernels::multiply; rows are row_bytes apart, as the kernels' prepare made them. With adopt: n0 = 0, N = w.N.
  void (*multiply)(const KernelTable& kernels, const void* rows, size_t row_bytes, int64_t M, const Matrix& w,
                   const void* adopted, int64_t n0, int64_t N, const Epilogue& e, float* y, int64_t stride) noexcept;
};

// Process-wide, from the environment's QUERN_BACKEND: "native" (also when unset) or a back end's name. Null: the native
// kernels. Throws Error{bad_argument} that lists what can run when the name is not in this build, or the back end has
// no products of this type or cannot run on this CPU.
const Backend* find_backend(const TypeInfo& type);
const char* backend_name();   // throws when it is not in this build
std::string backend_names();  // those that can run here, "native" first, the others with their types

}  // namespace quern

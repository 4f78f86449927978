// A matrix with what a type's kernels make of it when a model is loaded, and room for their products.
#pragma once
#include <memory>

#include "buffer.h"
#include "kernels.h"

namespace quern {

class Adopted {
 public:
  Adopted(const TypeKernels& kernels, const Matrix& matrix, bool adopt = true)
      : kernels_(kernels), own_(adopt && kernels.adopt ? kernels.adopt(matrix) : nullptr), matrix_(matrix) {
    matrix_.adopted = own_.get();
  }
  void multiply(const void* rows, int64_t M, int64_t n0, int64_t N, const Epilogue& e, float* y, int64_t stride) const {
    const Buffer scratch(kernels_.scratch_bytes ? kernels_.scratch_bytes(matrix_) : 0);
    kernels_.multiply(rows, M, matrix_, n0, N, e, y, stride, scratch.get());
  }

 private:
  const TypeKernels& kernels_;
  std::shared_ptr<const void> own_;
  Matrix matrix_;
};

}  // namespace quern

// f32 products through OpenBLAS's sgemm, on the calling thread: quern splits the work itself.
#include <cblas.h>

#include "backend.h"
#include "quants/f32/f32.h"

namespace quern {
namespace {

const char* lacks(const KernelTable&) noexcept {
  return nullptr;
}

void multiply(const KernelTable& kernels, const void* rows, size_t row_bytes, int64_t M, const Matrix& w, const void*,
              int64_t n0, int64_t N, const Epilogue& e, float* y, int64_t stride) noexcept {
  [[maybe_unused]] static const bool single = (openblas_set_num_threads(1), true);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<blasint>(M), static_cast<blasint>(N),
              static_cast<blasint>(w.K), 1.0f, static_cast<const float*>(rows),
              static_cast<blasint>(row_bytes / sizeof(float)), static_cast<const float*>(w.arrays[0]) + n0 * w.K,
              static_cast<blasint>(w.K), 0.0f, y, static_cast<blasint>(stride));
  kernels.epilogue(y, M, N, stride, e);
}

}  // namespace

extern const Backend openblas_f32 = {
    .name = "openblas", .type = &F32::info, .lacks = lacks, .adopt = nullptr, .multiply = multiply};

}  // namespace quern

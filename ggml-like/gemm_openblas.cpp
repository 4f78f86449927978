// f32 products through OpenBLAS's sgemm, on the calling thread: quern splits the work itself. The library is opened
// when the back end is asked for.
#include "backend.h"
#include "quants/f32/f32.h"
#include "shared_library.h"

namespace quern {
namespace {

struct OpenBlas {
  SharedLibrary library{"openblas", "0", "the back end \"openblas\" needs", "libopenblas0-pthread", "the native one"};
  // As cblas.h has them, where blasint is an int; order 101: by rows, 111 and 112: as it is, transposed.
  void (*sgemm)(int order, int transpose_a, int transpose_b, int M, int N, int K, float alpha, const float* a, int lda,
                const float* b, int ldb, float beta, float* c, int ldc) = library["cblas_sgemm"];
  void (*set_num_threads)(int n) = library["openblas_set_num_threads"];

  OpenBlas() { set_num_threads(1); }
};

const OpenBlas* openblas() noexcept {
  static const std::unique_ptr<OpenBlas> loaded = []() -> std::unique_ptr<OpenBlas> {
    try {
      return std::make_unique<OpenBlas>();
    } catch (const std::exception&) {
      return nullptr;
    }
  }();
  return loaded.get();
}

const char* lacks(const KernelTable&) noexcept {
  static const std::string lacking = [] {
    const std::string file = os::library_files("openblas", "0")[0];
    return file + " (" + os::how_to_get("libopenblas0-pthread", file) + ')';
  }();
  return openblas() ? nullptr : lacking.c_str();
}

void multiply(const KernelTable& kernels, const void* rows, size_t row_bytes, int64_t M, const Matrix& w, const void*,
              int64_t n0, int64_t N, const Epilogue& e, float* y, int64_t stride) noexcept {
  const int K = static_cast<int>(w.K);
  openblas()->sgemm(101, 111, 112, static_cast<int>(M), static_cast<int>(N), K, 1.0f, static_cast<const float*>(rows),
                    static_cast<int>(row_bytes / sizeof(float)), static_cast<const float*>(w.arrays[0]) + n0 * w.K, K,
                    0.0f, y, static_cast<int>(stride));
  kernels.epilogue(y, M, N, stride, e);
}

}  // namespace

extern const Backend openblas_f32 = {
    .name = "openblas", .type = &F32::info, .lacks = lacks, .adopt = nullptr, .multiply = multiply};

}  // namespace quern

// int8 and bf16 products through oneDNN's matmul primitive, on the calling thread: quern splits the rows itself.
// Weights are reordered once, when a model is loaded, into the layout that oneDNN chooses; primitives are made once per
// number of rows.
#include <algorithm>
#include <cstring>
#include <dnnl.hpp>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "backend.h"
#include "cpu.h"
#include "dispatch.h"
#include "quants/bf16/bf16.h"
#include "quants/q8/q8.h"

extern "C" void omp_set_num_threads(int);  // of the OpenMP runtime that oneDNN brings

namespace quern {
namespace {

using dnnl::memory;

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// One matrix in oneDNN's hands: K × N of `kind`, multiplying rows of `row_kind` into `out_kind`.
class Weights {
 public:
  Weights(memory::data_type kind, memory::data_type row_kind, memory::data_type out_kind, int64_t N, int64_t K,
          void* n_by_k)
      : N_(N), K_(K), row_kind_(row_kind), out_kind_(out_kind) {
    const memory plain({{K, N}, kind, memory::format_tag::ba}, engine(), n_by_k);
    const auto wanted = descriptor(kTypicalRows, {{K, N}, kind, memory::format_tag::any}).weights_desc();
    packed_ = memory(wanted, engine());
    dnnl::stream stream(engine());
    dnnl::reorder(plain, packed_).execute(stream, const_cast<memory&>(plain), packed_);
    stream.wait();
  }

  // rows: M × K, out: M × N; both dense, since oneDNN 2.6 falls back to its reference for rows that are further apart.
  void multiply(const void* rows, int64_t M, void* out) const {
    thread_local const bool single = (omp_set_num_threads(1), true);
    (void)single;
    thread_local dnnl::stream stream(engine());
    const Primitive& p = primitive(M);
    memory source(p.source, engine(), const_cast<void*>(rows)), result(p.result, engine(), out);
    p.run.execute(stream, {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, packed_}, {DNNL_ARG_DST, result}});
    stream.wait();
  }

 private:
  static constexpr int64_t kTypicalRows = 96;
  struct Primitive {
    memory::desc source, result;
    dnnl::matmul run;
  };

  dnnl::matmul::primitive_desc descriptor(int64_t M, const memory::desc& weights) const {
    const memory::desc source({M, K_}, row_kind_, memory::format_tag::ab);
    const memory::desc result({M, N_}, out_kind_, memory::format_tag::ab);
    return {{source, weights, result}, engine()};
  }

  const Primitive& primitive(int64_t M) const {
    const std::lock_guard lock(mutex_);
    auto found = primitives_.find(M);
    if (found == primitives_.end()) {
      const auto d = descriptor(M, packed_.get_desc());
      found = primitives_.emplace(M, Primitive{d.src_desc(), d.dst_desc(), dnnl::matmul(d)}).first;
    }
    return found->second;
  }

  int64_t N_, K_;
  memory::data_type row_kind_, out_kind_;
  memory packed_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, Primitive> primitives_;  // by the number of rows, at most as many as a block has
};

// q8: rows of u8 behind their header, exact sums in s32, then the kernels' own from_sums.
const char* q8_lacks(const KernelTable& kernels) noexcept {
  // Without VNNI oneDNN adds products in saturating 16 bits; and rows must be u8, as the VNNI kernels make them.
  return std::string_view(kernels.name).ends_with("vnni") ? nullptr : "the AVX-512 VNNI or AVX-VNNI kernels";
}

std::shared_ptr<const void> adopt_q8(const Matrix& w) {
  std::vector<int8_t> rows(static_cast<size_t>(w.N * w.K));
  for (int64_t n = 0; n < w.N; ++n)
    for (int64_t k = 0; k < w.K; ++k) rows[static_cast<size_t>(n * w.K + k)] = Q8::weights(w, n)[k / 4 * 64 + k % 4];
  return std::make_shared<Weights>(memory::data_type::s8, memory::data_type::u8, memory::data_type::s32, w.N, w.K,
                                   rows.data());
}

// Scratch of a thread, 64-byte aligned and with 64 bytes to spare; grows to the largest block it has seen.
void* scratch(size_t bytes) {
  thread_local std::vector<char> buffer;
  if (buffer.size() < bytes + 128) buffer.resize(bytes + 128);
  const size_t begin = reinterpret_cast<uintptr_t>(buffer.data());
  return buffer.data() + ((begin + 63) / 64 * 64 - begin);
}

void multiply_q8(const KernelTable& kernels, const void* rows, size_t row_bytes, int64_t M, const Matrix& w,
                 const void* adopted, int64_t, int64_t, const Epilogue& e, float* y, int64_t stride) noexcept {
  const size_t row_part = static_cast<size_t>(round_up(M * w.K, 64));
  char* const codes = static_cast<char*>(scratch(row_part + static_cast<size_t>(M * w.N) * sizeof(int32_t)));
  for (int64_t m = 0; m < M; ++m)
    std::memcpy(codes + m * w.K,
                static_cast<const char*>(rows) + static_cast<size_t>(m) * row_bytes + sizeof(Q8::Header),
                static_cast<size_t>(w.K));
  int32_t* const sums = reinterpret_cast<int32_t*>(codes + row_part);
  static_cast<const Weights*>(adopted)->multiply(codes, M, sums);
  kernels.types[type_index(Q8::info)].from_sums(sums, rows, M, w, e, y, stride);
}

// bf16: f32 rows are rounded to bf16 first.
const char* bf16_lacks(const KernelTable&) noexcept {
  return cpu_has_avx512_bf16() ? nullptr : "AVX-512 BF16";
}

std::shared_ptr<const void> adopt_bf16(const Matrix& w) {
  return std::make_shared<Weights>(memory::data_type::bf16, memory::data_type::bf16, memory::data_type::f32, w.N, w.K,
                                   const_cast<void*>(w.arrays[0]));
}

void multiply_bf16(const KernelTable& kernels, const void* rows, size_t row_bytes, int64_t M, const Matrix& w,
                   const void* adopted, int64_t, int64_t, const Epilogue& e, float* y, int64_t stride) noexcept {
  const size_t row_part = static_cast<size_t>(round_up(M * w.K * 2, 64));
  char* const memory = static_cast<char*>(scratch(row_part + static_cast<size_t>(M * w.N) * sizeof(float)));
  for (int64_t m = 0; m < M; ++m)
    BF16::info.encode(
        reinterpret_cast<const float*>(static_cast<const char*>(rows) + static_cast<size_t>(m) * row_bytes),
        memory + m * w.K * 2, w.K);
  float* const out = reinterpret_cast<float*>(memory + row_part);
  static_cast<const Weights*>(adopted)->multiply(memory, M, out);
  for (int64_t m = 0; m < M; ++m) std::copy(out + m * w.N, out + (m + 1) * w.N, y + m * stride);
  kernels.epilogue(y, M, w.N, stride, e);
}

}  // namespace

extern const Backend onednn_q8 = {
    .name = "onednn", .type = &Q8::info, .lacks = q8_lacks, .adopt = adopt_q8, .multiply = multiply_q8};
extern const Backend onednn_bf16 = {
    .name = "onednn", .type = &BF16::info, .lacks = bf16_lacks, .adopt = adopt_bf16, .multiply = multiply_bf16};

}  // namespace quern

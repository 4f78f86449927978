// The operators on a CUDA device. What each computes: ops.h of ggml-like; how: kernels_*.h.
#pragma once
#include "cuda/arguments.h"
#include "cuda/kernel_list.h"
#include "cuda/memory.h"
#include "cuda/weights.h"
#include "device.h"
#include "host_ops.h"

namespace quern::cuda {

// Of so many things, `size` in each.
constexpr int64_t blocks(int64_t n, int64_t size) {
  return (n + size - 1) / size;
}

class CudaOps final : public Ops {
 public:
  CudaOps(Runtime& runtime, DeviceWeights& weights, Precision precision);

  Tensor tensor(int64_t rows, int64_t cols) override;
  std::span<const float> read(const Tensor& x, std::vector<float>& room) override;
  void write(std::span<const float> values, Tensor x) override;
  void copy(const Tensor& from, Tensor to) override;
  Tensor lookup(std::span<const Lookup> lookups) override;
  Tensor gather(const Tensor& x, std::span<const int64_t> rows) override;
  Tensor transpose(const Tensor& x) override;
  Tensor linear(const Tensor& x, const Linear& w, Activation activation, const Tensor* residual) override;
  void change_rows(std::span<const ChangedRows> rows) override;
  Tensor layer_norm(const Tensor& x, const Norm& norm, float eps) override;
  Tensor rms_norm(const Tensor& x, const Norm& norm, float eps) override;
  void scale(Tensor x, float factor) override;
  void add(Tensor x, const Tensor& y) override;
  void softcap(Tensor x, float cap) override;
  Tensor gate(const Tensor& gate, const Tensor& up, Activation activation) override;
  void normalize(Tensor x) override;
  void norm_heads(Tensor x, int heads, const Norm& norm, float eps) override;
  Tensor pool(const Tensor& x, std::span<const Sequence> texts, Pooling mode) override;
  Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts,
                   const AttentionOptions& options) override;
  Tensor paged_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts,
                         KvCache& cache, int layer, const PagedOptions& options) override;
  Rotary rotary(std::span<const Sequence> texts, const Frequencies& frequencies, float factor) override;
  void rotate(Tensor x, const Rotary& by, int heads, bool pairs) override;

 private:
  // A batch's texts on the device, kept from one layer to the next.
  struct Texts {
    std::vector<TextRange> ranges;
    int64_t padded_T = 0;
    std::vector<QueryBlock> blocks32, blocks48;
    DeviceMemoryBlock memory{nullptr, DeviceFree{nullptr}};
    size_t room = 0;
    const TextRange* at = nullptr;
    const QueryBlock *at32 = nullptr, *at48 = nullptr;
  };

  std::pair<size_t, size_t> mark() const override { return arena_.mark(); }
  void release(std::pair<size_t, size_t> mark) override { arena_.release(mark); }

  template <class T>
  T* take(int64_t n) {
    return static_cast<T*>(arena_.take(static_cast<size_t>(n) * sizeof(T)));
  }
  template <class T>
  T* uploaded(std::span<const T> values) {
    T* const to = take<T>(static_cast<int64_t>(values.size()));
    if (!values.empty()) check(*stream_, stream_->upload(to, values.data(), values.size_bytes()));
    return to;
  }
  template <class K>
  void launch(const K& kernel, int64_t x, int64_t y = 1, int shared = 0) {
    if (x > 0 && y > 0) check(*stream_, stream_->launch(number_of<K>(), {x, static_cast<int32_t>(y), shared}, &kernel));
  }
  // A kernel that takes `rows` of columns.
  template <class K>
  void launch_rows(const K& kernel, const DeviceRows& of) {
    launch(kernel, of.rows, blocks(of.cols, kColumns));
  }
  static DeviceRows rows_of(const Tensor& x);
  const Texts& texts_on_device(std::span<const Sequence> texts);

  void multiply_q8(const Tensor& x, const Linear::Part& part, const CodedRows& codes, int64_t groups,
                   const ProductEnd& end, Tensor y);
  void multiply_floats(const Tensor& x, const Linear& w, const Linear::Part& part, const ProductEnd& end, Tensor y);
  CodedRows encoded(const Tensor& x, const float* smooth, int64_t group, int64_t groups);
  void attend_f32(const AttentionArguments& a, const Texts& texts);
  void attend_i16(const AttentionArguments& a, const Texts& texts, int64_t T);

  Runtime& runtime_;
  DeviceWeights& weights_;
  const Precision precision_;
  StreamOwner stream_;
  DeviceArena arena_;
  Texts texts_;
  HostOps host_;  // rotary angles, which are doubles'
};

}  // namespace quern::cuda

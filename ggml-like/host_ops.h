// The operators on the host's CPU, over one ISA's kernels.
#pragma once
#include "arena.h"
#include "device.h"
#include "tensor_data.h"

namespace quern {

// A tensor of the host's, whose values can be reached.
struct HostTensor {
  float* data;
  int64_t rows, cols, stride;

  HostTensor(const Tensor& x) : data(TensorData::of(x)), rows(x.rows), cols(x.cols), stride(x.stride) {}
  float* row(int64_t i) const { return data + i * stride; }
};

class HostOps final : public Ops {
 public:
  HostOps(const KernelTable& kernels, const OpsOptions& options)
      : kernels_(kernels), precision_(options.precision), pool_(options.pool), observer_(options.observer) {}

  Tensor tensor(int64_t rows, int64_t cols) override;
  std::span<const float> read(const Tensor& x, std::vector<float>& room) override;
  void write(std::span<const float> values, Tensor x) override;
  void copy(const Tensor& from, Tensor to) override;
  Tensor lookup(std::span<const Lookup> lookups) override;
  Tensor gather(const Tensor& x, std::span<const int64_t> rows) override;
  Tensor transpose(const Tensor& x) override;
  Tensor linear(const Tensor& x, const Linear& w, Activation activation, const Tensor* residual) override;
  void change_rows(std::span<const ChangedRows> rows) override { changed_ = rows; }
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
  std::pair<size_t, size_t> mark() const override { return arena_.mark(); }
  void release(std::pair<size_t, size_t> mark) override { arena_.release(mark); }

  // f(row) for row < n, 16 rows a task.
  template <class F>
  void for_each_row(int64_t n, F&& f) {
    constexpr int64_t kRows = 16;
    for_each((n + kRows - 1) / kRows, [&](int64_t task, Arena&) {
      for (int64_t row = task * kRows; row < n && row < (task + 1) * kRows; ++row) f(row);
    });
  }
  // f(task, scratch) for task < n, over the pool or here.
  template <class F>
  void for_each(int64_t n, F&& f) {
    if (pool_ && n > 1)
      pool_->run(n, f);
    else
      for (int64_t i = 0; i < n; ++i) f(i, arena_);
  }

  const KernelTable& kernels_;
  Arena arena_;
  const Precision precision_;
  Pool* const pool_;
  LinearObserver* const observer_;
  std::span<const ChangedRows> changed_;
};

}  // namespace quern

// Rows: products, norms, and what goes value by value. Attention and rotary positions: host_attention.cpp; over kept
// keys and values: host_paged.cpp.
#include "host_ops.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

namespace quern {
Tensor HostOps::tensor(int64_t rows, int64_t cols) {
  return TensorData::view(arena_.take<float>(rows * cols), rows, cols, cols);
}

std::span<const float> HostOps::read(const Tensor& x, std::vector<float>& room) {
  const HostTensor from(x);
  const size_t n = static_cast<size_t>(x.rows * x.cols);
  if (from.stride == from.cols || from.rows == 1) return {from.data, n};
  room.resize(n);
  for (int64_t t = 0; t < x.rows; ++t) std::copy_n(from.row(t), x.cols, room.data() + t * x.cols);
  return room;
}

void HostOps::write(std::span<const float> values, Tensor x) {
  assert(static_cast<int64_t>(values.size()) == x.rows * x.cols);
  const HostTensor to(x);
  for (int64_t t = 0; t < x.rows; ++t) std::copy_n(values.data() + t * x.cols, x.cols, to.row(t));
}

void HostOps::copy(const Tensor& from, Tensor to) {
  assert(from.rows == to.rows && from.cols == to.cols);
  if (from.same_place(to)) return;
  const HostTensor a(from), b(to);
  if (a.stride == a.cols && b.stride == b.cols) {
    std::memcpy(b.data, a.data, static_cast<size_t>(a.rows * a.cols) * sizeof(float));
    return;
  }
  for (int64_t t = 0; t < from.rows; ++t) std::copy_n(a.row(t), from.cols, b.row(t));
}

Tensor HostOps::gather(const Tensor& x, std::span<const int64_t> rows) {
  const Tensor y = tensor(static_cast<int64_t>(rows.size()), x.cols);
  const HostTensor from(x), to(y);
  for (int64_t i = 0; i < y.rows; ++i) std::copy_n(from.row(rows[static_cast<size_t>(i)]), x.cols, to.row(i));
  return y;
}

Tensor HostOps::transpose(const Tensor& x) {
  const Tensor y = tensor(x.cols, x.rows);
  const HostTensor from(x), to(y);
  for (int64_t i = 0; i < y.rows; ++i)
    for (int64_t j = 0; j < y.cols; ++j) to.row(i)[j] = from.row(j)[i];
  return y;
}

Tensor HostOps::lookup(std::span<const Lookup> lookups) {
  const int64_t D = lookups[0].table.cols;
  const Tensor y = tensor(static_cast<int64_t>(lookups[0].ids.size()), D);
  const HostTensor out(y);
  Arena::Scope scope(arena_);
  float* row = arena_.take<float>(D);
  for (size_t i = 0; i < lookups.size(); ++i) {
    const auto& [table, ids] = lookups[i];
    assert(table.cols == D && static_cast<int64_t>(ids.size()) == out.rows);
    const size_t bytes = table.type->row_bytes(D);
    for (int64_t t = 0; t < out.rows; ++t) {
      const int32_t id = ids[static_cast<size_t>(t)];
      assert(id >= (i == 0 ? 0 : -1) && id < table.rows);
      if (id < 0) continue;
      const char* coded = static_cast<const char*>(table.data) + static_cast<size_t>(id) * bytes;
      table.type->decode(coded, i == 0 ? out.row(t) : row, D);
      if (i > 0) kernels_.axpy(1.0f, row, out.row(t), D);
    }
  }
  return y;
}

Tensor HostOps::layer_norm(const Tensor& in, const Norm& norm, float eps) {
  const Tensor out = tensor(in.rows, in.cols);
  const HostTensor x(in), y(out);
  for_each_row(x.rows,
               [&](int64_t t) { kernels_.layer_norm(x.row(t), norm.weight, norm.bias, eps, x.cols, y.row(t)); });
  return out;
}

Tensor HostOps::rms_norm(const Tensor& in, const Norm& norm, float eps) {
  const Tensor out = tensor(in.rows, in.cols);
  const HostTensor x(in), y(out);
  for_each_row(x.rows, [&](int64_t t) { kernels_.rms_norm(x.row(t), norm.weight, eps, x.cols, y.row(t)); });
  return out;
}

void HostOps::norm_heads(Tensor in, int heads, const Norm& norm, float eps) {
  const HostTensor x(in);
  const int64_t d = x.cols / heads;
  for_each_row(x.rows, [&](int64_t t) {
    for (int head = 0; head < heads; ++head)
      kernels_.rms_norm(x.row(t) + head * d, norm.weight, eps, d, x.row(t) + head * d);
  });
}

void HostOps::scale(Tensor in, float factor) {
  const HostTensor x(in);
  for_each_row(x.rows, [&](int64_t t) {
    for (int64_t i = 0; i < x.cols; ++i) x.row(t)[i] *= factor;
  });
}

void HostOps::add(Tensor to, const Tensor& from) {
  assert(to.rows == from.rows && to.cols == from.cols);
  const HostTensor x(to), y(from);
  for_each_row(x.rows, [&](int64_t t) { kernels_.axpy(1.0f, y.row(t), x.row(t), x.cols); });
}

void HostOps::softcap(Tensor in, float cap) {
  const HostTensor x(in);
  for_each_row(x.rows, [&](int64_t t) { kernels_.softcap(x.row(t), x.cols, cap); });
}

Tensor HostOps::gate(const Tensor& gate, const Tensor& up, Activation activation) {
  assert(gate.rows == up.rows && gate.cols == up.cols);
  const HostTensor g(gate), u(up);
  for_each_row(g.rows, [&](int64_t t) { kernels_.gate(g.row(t), u.row(t), activation, g.cols, g.row(t)); });
  return gate;
}

void HostOps::normalize(Tensor in) {
  const HostTensor x(in);
  for_each_row(x.rows, [&](int64_t t) {
    float* const row = x.row(t);
    const float length = std::max(std::sqrt(kernels_.dot(row, row, x.cols)), 1e-12f);
    for (int64_t i = 0; i < x.cols; ++i) row[i] /= length;
  });
}

namespace {

// One text's rows → one row.
void pool_rows(const KernelTable& kernels, const HostTensor& x, const Sequence& text, Pooling mode, float* out) {
  const int64_t D = x.cols, L = text.length;
  const auto row = [&](int64_t t) { return x.row(text.first + t); };
  const auto divide = [&](float by) {
    for (int64_t i = 0; i < D; ++i) out[i] /= by;
  };
  const auto add_rows = [&](const auto& weight) {
    std::fill_n(out, D, 0.0f);
    for (int64_t t = 0; t < L; ++t) kernels.axpy(weight(t), row(t), out, D);
  };
  const auto all_alike = [](int64_t) { return 1.0f; };
  switch (mode) {
    case Pooling::first:
      std::copy_n(row(0), D, out);
      return;
    case Pooling::last:
      std::copy_n(row(L - 1), D, out);
      return;
    case Pooling::max:
      std::copy_n(row(0), D, out);
      for (int64_t t = 1; t < L; ++t)
        for (int64_t i = 0; i < D; ++i) out[i] = std::max(out[i], row(t)[i]);
      return;
    case Pooling::mean:
      add_rows(all_alike);
      return divide(static_cast<float>(L));
    case Pooling::mean_sqrt_len:
      add_rows(all_alike);
      return divide(std::sqrt(static_cast<float>(L)));
    case Pooling::weighted_mean:
      add_rows([](int64_t t) { return static_cast<float>(t + 1); });
      return divide(static_cast<float>(L) * static_cast<float>(L + 1) / 2);
  }
}

}  // namespace

Tensor HostOps::pool(const Tensor& in, std::span<const Sequence> texts, Pooling mode) {
  const Tensor out = tensor(static_cast<int64_t>(texts.size()), in.cols);
  const HostTensor x(in), y(out);
  for (int64_t i = 0; i < y.rows; ++i) {
    const Sequence& text = texts[static_cast<size_t>(i)];
    if (text.length > 0)
      pool_rows(kernels_, x, text, mode, y.row(i));
    else
      std::fill_n(y.row(i), y.cols, 0.0f);
  }
  return out;
}

}  // namespace quern

#include "ops.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "dispatch.h"

namespace quern {
namespace {

constexpr int64_t kRowBlock = 96;  // rows of one task: prepared, they stay in L2 while the weights stream past

int64_t blocks(int64_t n, int64_t size) {
  return (n + size - 1) / size;
}

// Columns of a task, so that every thread has some four tasks of whole register tiles.
int64_t column_block(int64_t N, int64_t row_blocks, int threads) {
  const int64_t wanted = blocks(int64_t{4} * threads, row_blocks);
  return round_up(blocks(N, wanted), 64);
}

}  // namespace

Tensor Ops::tensor(int64_t rows, int64_t cols) {
  return {arena_.take<float>(rows * cols), rows, cols, cols};
}

Tensor Ops::lookup(std::span<const Lookup> lookups) {
  const int64_t D = lookups[0].table.cols;
  Tensor out = tensor(static_cast<int64_t>(lookups[0].ids.size()), D);
  Arena::Scope scope(arena_);
  float* row = arena_.take<float>(D);
  for (size_t i = 0; i < lookups.size(); ++i) {
    const auto& [table, ids] = lookups[i];
    assert(table.cols == D && static_cast<int64_t>(ids.size()) == out.rows);
    const size_t bytes = table.type->row_bytes(D);
    for (int64_t t = 0; t < out.rows; ++t) {
      assert(ids[static_cast<size_t>(t)] >= 0 && ids[static_cast<size_t>(t)] < table.rows);
      const char* coded =
          static_cast<const char*>(table.data) + static_cast<size_t>(ids[static_cast<size_t>(t)]) * bytes;
      table.type->decode(coded, i == 0 ? out.row(t) : row, D);
      if (i > 0) kernels_.axpy(1.0f, row, out.row(t), D);
    }
  }
  return out;
}

namespace {

// A linear's input, prepared once for every type that its parts have.
class PreparedInput {
 public:
  struct Rows {
    const TypeKernels* type;
    size_t bytes;  // of one
    char* first;
    char* row(int64_t m) const { return first + static_cast<size_t>(m) * bytes; }
  };

  PreparedInput(const KernelTable& kernels, Arena& arena, const Linear& w, int64_t rows)
      : all_(arena.take<Rows>(static_cast<int64_t>(w.parts.size()))),
        of_part_(arena.take<size_t>(static_cast<int64_t>(w.parts.size()))) {
    for (size_t i = 0; i < w.parts.size(); ++i) {
      const TypeKernels* type = &kernels.types[type_index(*w.parts[i].w.type)];
      size_t at = 0;
      while (at < n_ && all_[at].type != type) ++at;
      if (at == n_) {
        const size_t bytes = type->row_bytes(w.K);
        all_[n_++] = {type, bytes, static_cast<char*>(arena.take_bytes(static_cast<size_t>(rows) * bytes))};
      }
      of_part_[i] = at;
    }
  }

  void prepare(const Tensor& x, const Linear& w, int64_t m) const {
    for (size_t i = 0; i < n_; ++i) all_[i].type->prepare(x.row(m), w.smooth, w.K, all_[i].row(m));
  }
  const Rows& of(size_t part) const { return all_[of_part_[part]]; }

 private:
  Rows* all_;
  size_t* of_part_;
  size_t n_ = 0;
};

// One task of a product: rows by columns of a part.
struct Tile {
  size_t part;
  int64_t m, M, n, N;
};

}  // namespace

Tensor Ops::linear(const Tensor& x, const Linear& w, Activation activation, const Tensor* residual) {
  assert(x.cols == w.K);
  if (observer_) observer_->observe(w, x);
  Tensor y = tensor(x.rows, w.N);
  Arena::Scope scope(arena_);
  const PreparedInput input(kernels_, arena_, w, x.rows);
  const auto multiply = [&](const Tile& t) {
    const Linear::Part& part = w.parts[t.part];
    const int64_t column = part.first + t.n;
    const Epilogue e{.bias = w.bias ? w.bias + column : nullptr,
                     .activation = activation,
                     .residual = residual ? residual->row(t.m) + column : nullptr,
                     .residual_stride = residual ? residual->stride : 0};
    float* out = y.row(t.m) + column;
    const PreparedInput::Rows& rows = input.of(t.part);
    if (part.backend)
      part.backend->multiply(kernels_, rows.row(t.m), rows.bytes, t.M, part.w, part.adopted.get(), t.n, t.N, e, out,
                             y.stride);
    else
      rows.type->multiply(rows.row(t.m), t.M, part.w, t.n, t.N, e, out, y.stride);
  };
  if (!pool_) {  // block by block, so that prepared rows are still near when they are multiplied
    for (int64_t m = 0; m < x.rows; m += kRowBlock) {
      const int64_t M = std::min(kRowBlock, x.rows - m);
      for (int64_t i = m; i < m + M; ++i) input.prepare(x, w, i);
      for (size_t part = 0; part < w.parts.size(); ++part) multiply({part, m, M, 0, w.parts[part].w.N});
    }
    return y;
  }
  for_each_row(x.rows, [&](int64_t m) { input.prepare(x, w, m); });
  const int64_t row_blocks = blocks(x.rows, kRowBlock);
  const auto for_tiles = [&](auto&& f) {
    for (size_t i = 0; i < w.parts.size(); ++i) {
      const Linear::Part& part = w.parts[i];
      const bool whole = part.backend && part.backend->adopt;
      const int64_t width = whole ? part.w.N : column_block(part.w.N, row_blocks, pool_->size());
      for (int64_t m = 0; m < x.rows; m += kRowBlock)
        for (int64_t n = 0; n < part.w.N; n += width)
          f(Tile{i, m, std::min(kRowBlock, x.rows - m), n, std::min(width, part.w.N - n)});
    }
  };
  int64_t n_tiles = 0;
  for_tiles([&](const Tile&) { ++n_tiles; });
  Tile* const tiles = arena_.take<Tile>(n_tiles);
  n_tiles = 0;
  for_tiles([&](const Tile& t) { tiles[n_tiles++] = t; });
  for_each(n_tiles, [&](int64_t task, Arena&) { multiply(tiles[task]); });
  return y;
}

Tensor Ops::layer_norm(const Tensor& x, const Norm& norm, float eps) {
  Tensor y = tensor(x.rows, x.cols);
  for_each_row(x.rows,
               [&](int64_t t) { kernels_.layer_norm(x.row(t), norm.weight, norm.bias, eps, x.cols, y.row(t)); });
  return y;
}

Tensor Ops::rms_norm(const Tensor& x, const Norm& norm, float eps) {
  Tensor y = tensor(x.rows, x.cols);
  for_each_row(x.rows, [&](int64_t t) { kernels_.rms_norm(x.row(t), norm.weight, eps, x.cols, y.row(t)); });
  return y;
}

Tensor Ops::gate(const Tensor& gate, const Tensor& up, Activation activation) {
  assert(gate.rows == up.rows && gate.cols == up.cols);
  for_each_row(gate.rows,
               [&](int64_t t) { kernels_.gate(gate.row(t), up.row(t), activation, gate.cols, gate.row(t)); });
  return gate;
}

Tensor Ops::angles(int64_t places, int64_t dims, float base, float factor) {
  const int64_t half = dims / 2;
  Tensor out = tensor(places, 2 * half);
  for (int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dims);
    const float frequency = 1.0f / std::pow(base, exponent) / factor;
    for (int64_t t = 0; t < places; ++t) {
      const double angle = static_cast<double>(static_cast<float>(t) * frequency);
      out.row(t)[i] = static_cast<float>(std::cos(angle));
      out.row(t)[half + i] = static_cast<float>(std::sin(angle));
    }
  }
  return out;
}

void Ops::rotate(Tensor x, const Tensor& angles, std::span<const Sequence> texts, int heads) {
  const int64_t d = x.cols / heads, half = angles.cols / 2;
  assert(angles.cols <= d);
  for (const Sequence& text : texts) {
    assert(text.length <= angles.rows);
    for_each_row(text.length, [&](int64_t t) {
      const float* turn = angles.row(t);
      for (int head = 0; head < heads; ++head)
        kernels_.rotate(x.row(text.first + t) + head * d, turn, turn + half, half);
    });
  }
}

Tensor Ops::attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts,
                      const AttentionOptions& options) {
  Tensor out = tensor(q.rows, q.cols);
  const int64_t heads = options.heads, d = q.cols / heads;
  const int64_t sharing = options.kv_heads > 0 ? heads / options.kv_heads : 1;  // heads of one head of keys
  assert(d * heads == q.cols && k.cols * sharing == q.cols && v.cols == k.cols && k.stride == q.stride &&
         v.stride == q.stride);
  const AttentionKernel& kernel = precision_ == Precision::f32 ? kernels_.attention_f32 : kernels_.attention_i16;
  for_each(static_cast<int64_t>(texts.size()) * heads, [&](int64_t task, Arena& scratch) {
    Arena::Scope scope(scratch);
    const Sequence& text = texts[static_cast<size_t>(task / heads)];
    const int64_t column = task % heads * d, kv_column = task % heads / sharing * d;
    const Bias bias = options.bias ? options.bias(text, static_cast<int>(task % heads), scratch) : Bias{};
    kernel.run({.q = q.row(text.first) + column,
                .k = k.row(text.first) + kv_column,
                .v = v.row(text.first) + kv_column,
                .stride = q.stride,
                .L = text.length,
                .d = d,
                .scale = options.scale,
                .out = out.row(text.first) + column,
                .out_stride = out.stride,
                .before = options.before,
                .after = options.after,
                .bias = bias.data,
                .bias_stride = bias.stride},
               scratch.take_bytes(kernel.scratch_bytes(text.length, d)));
  });
  return out;
}

}  // namespace quern

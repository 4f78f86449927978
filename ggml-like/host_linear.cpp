// Products with weights: their input is prepared once, and tiles of the result are shared out over the threads.
#include <algorithm>
#include <cassert>
#include <optional>

#include "dispatch.h"
#include "host_changes.h"
#include "host_ops.h"

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

  void prepare(const HostTensor& x, const Linear& w, int64_t m) const {
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

Tensor HostOps::linear(const Tensor& in, const Linear& w, Activation activation, const Tensor* added) {
  assert(in.cols == w.K);
  if (observer_) observer_->observe(*this, w, in);
  const Tensor out = tensor(in.rows, w.N);
  const HostTensor x(in), y(out);
  const std::optional<HostTensor> residual = added ? std::optional<HostTensor>(*added) : std::nullopt;
  Arena::Scope scope(arena_);
  const PreparedInput input(kernels_, arena_, w, x.rows);
  const RowChanges changes(kernels_, arena_, changed_, w);
  // What follows a product with changes: all rows' activation, if there is one, comes behind them. Same bits: an
  // epilogue is computed value by value.
  const bool late = changes.any() && activation != Activation::none;
  const auto change = [&](int64_t m, int64_t M, int64_t n, int64_t N, Arena& scratch) {
    float* const to = y.row(m) + n;
    changes.add(m, M, n, N, to, y.stride, scratch);
    if (late)
      kernels_.epilogue(to, M, N, y.stride,
                        {.activation = activation,
                         .residual = residual ? residual->row(m) + n : nullptr,
                         .residual_stride = residual ? residual->stride : 0});
  };
  const auto multiply = [&](const Tile& t, Arena& scratch) {
    const Linear::Part& part = w.parts[t.part];
    const int64_t column = part.first + t.n;
    const Epilogue e{.bias = w.bias ? w.bias + column : nullptr,
                     .activation = late ? Activation::none : activation,
                     .residual = residual && !late ? residual->row(t.m) + column : nullptr,
                     .residual_stride = residual && !late ? residual->stride : 0};
    float* to = y.row(t.m) + column;
    const PreparedInput::Rows& rows = input.of(t.part);
    if (part.backend)
      part.backend->multiply(kernels_, rows.row(t.m), rows.bytes, t.M, part.w, part.adopted.get(), t.n, t.N, e, to,
                             y.stride);
    else {
      Arena::Scope scope(scratch);
      const size_t room = rows.type->scratch_bytes ? rows.type->scratch_bytes(part.w) : 0;
      rows.type->multiply(rows.row(t.m), t.M, part.w, t.n, t.N, e, to, y.stride, scratch.take_bytes(room));
    }
  };
  if (!pool_) {  // block by block, so that prepared rows are still near when they are multiplied
    for (int64_t m = 0; m < x.rows; m += kRowBlock) {
      const int64_t M = std::min(kRowBlock, x.rows - m);
      for (int64_t i = m; i < m + M; ++i) input.prepare(x, w, i);
      for (size_t part = 0; part < w.parts.size(); ++part) multiply({part, m, M, 0, w.parts[part].w.N}, arena_);
      if (!changes.any()) continue;
      changes.prepare(x.data, x.stride, w.K, m, M);
      change(m, M, 0, w.N, arena_);
    }
    return out;
  }
  for_each_row(x.rows, [&](int64_t m) { input.prepare(x, w, m); });
  if (changes.any()) {
    constexpr int64_t kRows = 24;  // whole tiles of every ISA
    for_each(blocks(x.rows, kRows), [&](int64_t task, Arena&) {
      changes.prepare(x.data, x.stride, w.K, task * kRows, std::min(kRows, x.rows - task * kRows));
    });
  }
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
  for_each(n_tiles, [&](int64_t task, Arena& scratch) {
    const Tile& t = tiles[task];
    multiply(t, scratch);
    if (changes.any()) change(t.m, t.M, w.parts[t.part].first + t.n, t.N, scratch);
  });
  return out;
}

}  // namespace quern

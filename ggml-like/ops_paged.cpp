// Operators of decoders: rotary positions of texts that go on, and attention over kept keys and values.
#include <algorithm>
#include <cassert>
#include <cmath>

#include "ops.h"

namespace quern {
namespace {

// Keys that one partial result is over. Partial results begin at multiples of it and are put together in order, always,
// so that a token's result is the same however the work is shared out.
constexpr int64_t kKeysTogether = 512;
constexpr int64_t kRowsTogether = 48;  // queries of one task, at least one token's

// A block of tokens of one text, one head of keys, one stretch of keys.
struct AttendTask {
  const Sequence* text;
  int64_t head, token, tokens;  // token: from the text's first in this call
  int64_t begin, end;           // keys
  int64_t state;                // where its rows' states begin
  bool alone;                   // there is no other for these tokens and this head
};

// Of rows: largest score, sum and values so far.
struct States {
  float *top, *total, *out;
  int64_t d;
  void clear(int64_t first, int64_t n) const {
    std::fill(top + first, top + first + n, -INFINITY);
    std::fill(total + first, total + first + n, 0.0f);
    std::fill(out + first * d, out + (first + n) * d, 0.0f);
  }
};

// Row `to` goes on with row `from`, whose keys come after.
void merge(const KernelTable& kernels, const States& s, int64_t to, int64_t from) {
  const float top = std::max(s.top[to], s.top[from]);
  if (top == -INFINITY) return;
  const float a = std::exp(s.top[to] - top), b = std::exp(s.top[from] - top);
  float* out = s.out + to * s.d;
  for (int64_t i = 0; i < s.d; ++i) out[i] *= a;
  kernels.axpy(b, s.out + from * s.d, out, s.d);
  s.total[to] = s.total[to] * a + s.total[from] * b;
  s.top[to] = top;
}

}  // namespace

Tensor Ops::token_angles(std::span<const Sequence> texts, int64_t n,
                         const std::function<const float*(const Sequence&)>& frequencies_of, float factor) {
  int64_t rows = 0;
  for (const Sequence& text : texts) rows = std::max(rows, text.first + text.length);
  Tensor out = tensor(rows, 2 * n);
  for (const Sequence& text : texts) {
    const float* const frequencies = frequencies_of(text);
    for_each_row(text.length, [&](int64_t t) {
      float* row = out.row(text.first + t);
      for (int64_t i = 0; i < n; ++i) {
        const double angle = static_cast<double>(static_cast<float>(text.past + t) * frequencies[i]);
        row[i] = static_cast<float>(std::cos(angle)) * factor;
        row[n + i] = static_cast<float>(std::sin(angle)) * factor;
      }
    });
  }
  return out;
}

void Ops::turn(Tensor x, const Tensor& angles, int heads, bool pairs) {
  const int64_t d = x.cols / heads, half = angles.cols / 2;
  assert(angles.cols <= d && angles.rows >= x.rows);
  const auto kernel = pairs ? kernels_.rotate_pairs : kernels_.rotate;
  for_each_row(x.rows, [&](int64_t t) {
    const float* by = angles.row(t);
    for (int head = 0; head < heads; ++head) kernel(x.row(t) + head * d, by, by + half, half);
  });
}

void Ops::norm_heads(Tensor x, int heads, const Norm& norm, float eps) {
  const int64_t d = x.cols / heads;
  for_each_row(x.rows, [&](int64_t t) {
    for (int head = 0; head < heads; ++head)
      kernels_.rms_norm(x.row(t) + head * d, norm.weight, eps, d, x.row(t) + head * d);
  });
}

Tensor Ops::paged_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts,
                            KvCache& cache, int layer, const PagedOptions& options) {
  Tensor out = tensor(q.rows, q.cols);
  Arena::Scope scope(arena_);
  const int64_t d = cache.shape().d, sharing = options.heads / options.kv_heads;
  assert(d * options.heads == q.cols && d * options.kv_heads == k.cols && v.cols == k.cols);
  const PagedKernel& kernel = cache.kernel();
  for (const Sequence& text : texts) {
    for_each_row(text.length, [&](int64_t t) {
      const int64_t place = text.past + t;
      for (int64_t head = 0; head < options.kv_heads; ++head)
        kernel.store(k.row(text.first + t) + head * d, v.row(text.first + t) + head * d, d, place % kPageTokens,
                     cache.page(layer, text.pages[place / kPageTokens], head));
    });
  }

  // A few tokens over many keys: the stretches of keys are tasks of their own.
  const int64_t block = std::max<int64_t>(1, kRowsTogether / sharing);
  const auto for_tasks = [&](auto&& f) {
    for (const Sequence& text : texts) {
      const bool spread = text.length <= block;
      for (int64_t token = 0; token < text.length; token += block) {
        const int64_t tokens = std::min(block, text.length - token), end = text.past + token + tokens;
        const int64_t seen = std::max<int64_t>(0, text.past + token - options.window + 1);
        const int64_t begin = seen / kKeysTogether * kKeysTogether;
        for (int64_t head = 0; head < options.kv_heads; ++head)
          for (int64_t at = begin; at < end; at = spread ? at + kKeysTogether : end)
            f(AttendTask{&text, head, token, tokens, at, spread ? std::min(end, at + kKeysTogether) : end, 0,
                         !spread || end - begin <= kKeysTogether});
      }
    }
  };
  int64_t n_tasks = 0, n_rows = 0;
  for_tasks([&](const AttendTask& task) {
    ++n_tasks;
    n_rows += task.tokens * sharing;
  });
  AttendTask* const tasks = arena_.take<AttendTask>(n_tasks);
  n_tasks = n_rows = 0;
  for_tasks([&](const AttendTask& task) {
    tasks[n_tasks] = task;
    tasks[n_tasks++].state = n_rows;
    n_rows += task.tokens * sharing;
  });
  const States states{arena_.take<float>(n_rows), arena_.take<float>(n_rows), arena_.take<float>(n_rows * d), d};

  const auto finish = [&](const AttendTask& task) {
    for (int64_t r = 0; r < task.tokens * sharing; ++r) {
      const int64_t head = task.head * sharing + r % sharing;
      float* to = out.row(task.text->first + task.token + r / sharing) + head * d;
      const float* from = states.out + (task.state + r) * d;
      const float inverse = 1.0f / states.total[task.state + r];
      for (int64_t i = 0; i < d; ++i) to[i] = from[i] * inverse;
    }
  };
  for_each(n_tasks, [&](int64_t index, Arena& scratch) {
    Arena::Scope inner(scratch);
    const AttendTask& task = tasks[index];
    const int64_t rows = task.tokens * sharing;
    float* const queries = scratch.take<float>(rows * d);
    int32_t* const position = scratch.take<int32_t>(rows);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t token = task.token + r / sharing, head = task.head * sharing + r % sharing;
      const float* from = q.row(task.text->first + token) + head * d;
      for (int64_t i = 0; i < d; ++i) queries[r * d + i] = from[i] * options.scale;
      position[r] = static_cast<int32_t>(task.text->past + token);
    }
    void* const room = scratch.take_bytes(kernel.scratch_bytes(d));
    const auto attend = [&](const States& s, int64_t state, int64_t begin, int64_t end) {
      s.clear(state, rows);
      const int64_t first = std::max<int64_t>(begin, task.text->past + task.token - options.window + 1);
      kernel.attend({.q = queries,
                     .position = position,
                     .rows = rows,
                     .d = d,
                     .window = options.window,
                     .softcap = options.softcap,
                     .first = cache.page(layer, 0, task.head),
                     .pages = task.text->pages,
                     .page_stride = cache.page_stride(),
                     .begin = first / kPageTokens * kPageTokens,
                     .end = end,
                     .top = s.top + state,
                     .total = s.total + state,
                     .out = s.out + state * d},
                    room);
    };
    attend(states, task.state, task.begin, std::min(task.end, task.begin + kKeysTogether));
    if (task.end <= task.begin + kKeysTogether) {
      if (task.alone) finish(task);
      return;
    }
    const States more{scratch.take<float>(2 * rows), scratch.take<float>(2 * rows), scratch.take<float>(2 * rows * d),
                      d};
    std::copy_n(states.top + task.state, rows, more.top);
    std::copy_n(states.total + task.state, rows, more.total);
    std::copy_n(states.out + task.state * d, rows * d, more.out);
    for (int64_t at = task.begin + kKeysTogether; at < task.end; at += kKeysTogether) {
      attend(more, rows, at, std::min(task.end, at + kKeysTogether));
      for (int64_t r = 0; r < rows; ++r) merge(kernels_, more, r, rows + r);
    }
    std::copy_n(more.top, rows, states.top + task.state);
    std::copy_n(more.total, rows, states.total + task.state);
    std::copy_n(more.out, rows * d, states.out + task.state * d);
    finish(task);
  });
  // The stretches of one block of tokens follow one another.
  for (int64_t i = 0; i < n_tasks;) {
    const AttendTask& first = tasks[i];
    int64_t next = i + 1;
    for (; next < n_tasks && tasks[next].text == first.text && tasks[next].head == first.head &&
           tasks[next].token == first.token;
         ++next)
      for (int64_t r = 0; r < first.tokens * sharing; ++r)
        merge(kernels_, states, first.state + r, tasks[next].state + r);
    if (!first.alone) finish(first);
    i = next;
  }
  return out;
}

}  // namespace quern

// Attention over the KV cache.
#include <algorithm>
#include <cassert>
#include <cmath>

#include "host_kv_cache.h"
#include "host_ops.h"

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
  bool alone;                   // there is no other for these tokens and this head
  int64_t state;                // where its rows' states begin, if it is not alone

  bool same_rows(const AttendTask& t) const { return text == t.text && head == t.head && token == t.token; }
};

// f(task) for each task of all texts; those of the same rows follow one another, in the order of keys. Where a text has
// few tokens over many keys, the stretches of keys are tasks of their own. Returns how many rows have states.
template <class F>
int64_t for_tasks(std::span<const Sequence> texts, const PagedOptions& options, const F& f) {
  const int64_t sharing = options.heads / options.kv_heads;
  const int64_t block = std::max<int64_t>(1, kRowsTogether / sharing);
  int64_t state = 0;
  for (const Sequence& text : texts) {
    for (int64_t token = 0; token < text.length; token += block) {
      const int64_t tokens = std::min(block, text.length - token), end = text.past + token + tokens;
      const int64_t seen = std::max<int64_t>(0, text.past + token - options.window + 1);
      const int64_t begin = seen / kKeysTogether * kKeysTogether;
      const bool alone = text.length > block || end - begin <= kKeysTogether;
      for (int64_t head = 0; head < options.kv_heads; ++head) {
        for (int64_t at = begin, stop; at < end; at = stop) {
          stop = alone ? end : std::min(end, at + kKeysTogether);
          f(AttendTask{&text, head, token, tokens, at, stop, alone, state});
          if (!alone) state += tokens * sharing;
        }
      }
    }
  }
  return state;
}

// Of rows: largest score, sum and values so far.
struct States {
  float *top, *total, *out;
  int64_t d;

  States(Arena& arena, int64_t rows, int64_t width)
      : top(arena.take<float>(rows)), total(arena.take<float>(rows)), out(arena.take<float>(rows * width)), d(width) {}
  void clear(int64_t first, int64_t n) const {
    std::fill_n(top + first, n, -INFINITY);
    std::fill_n(total + first, n, 0.0f);
    std::fill_n(out + first * d, n * d, 0.0f);
  }
};

// One call's attention: what tasks read and where results go.
struct PagedWork {
  const KernelTable& kernels;
  const HostTensor &q, &out;
  const HostKvCache& cache;
  int layer;
  const PagedOptions& options;
  const States& states;

  int64_t sharing() const { return options.heads / options.kv_heads; }
  int64_t rows(const AttendTask& task) const { return task.tokens * sharing(); }
  // Where the values of row r of a task begin.
  float* place(const HostTensor& x, const AttendTask& task, int64_t r) const {
    const int64_t head = task.head * sharing() + r % sharing();
    return x.row(task.text->first + task.token + r / sharing()) + head * states.d;
  }

  // A task's rows from `to` on go on with those from `from` on, whose keys come after.
  void merge(const AttendTask& task, const States& s, int64_t to, int64_t from) const {
    for (const int64_t end = to + rows(task); to < end; ++to, ++from) {
      const float top = std::max(s.top[to], s.top[from]);
      if (top == -INFINITY) continue;
      const float a = kernels.exp(s.top[to] - top), b = kernels.exp(s.top[from] - top);
      float* sum = s.out + to * s.d;
      for (int64_t i = 0; i < s.d; ++i) sum[i] *= a;
      kernels.axpy(b, s.out + from * s.d, sum, s.d);
      s.total[to] = s.total[to] * a + s.total[from] * b;
      s.top[to] = top;
    }
  }

  // States of a task's rows → results.
  void put(const AttendTask& task, const States& s, int64_t state) const {
    for (int64_t r = 0; r < rows(task); ++r) {
      float* to = place(out, task, r);
      const float* from = s.out + (state + r) * s.d;
      const float inverse = 1.0f / s.total[state + r];
      for (int64_t i = 0; i < s.d; ++i) to[i] = from[i] * inverse;
    }
  }

  // A task's keys, stretch by stretch; the results too where no other task has these rows.
  void run(const AttendTask& task, Arena& scratch) const {
    Arena::Scope scope(scratch);
    const int64_t n = rows(task), d = states.d, first_place = task.text->past + task.token;
    float* const queries = scratch.take<float>(n * d);
    int32_t* const position = scratch.take<int32_t>(n);
    for (int64_t r = 0; r < n; ++r) {
      const float* from = place(q, task, r);
      for (int64_t i = 0; i < d; ++i) queries[r * d + i] = from[i] * options.scale;
      position[r] = static_cast<int32_t>(first_place + r / sharing());
    }
    void* const room = scratch.take_bytes(cache.kernel().scratch_bytes(d));
    const auto attend = [&](const States& s, int64_t state, int64_t begin) {
      s.clear(state, n);
      const int64_t seen = std::max<int64_t>(begin, first_place - options.window + 1);
      cache.kernel().attend({.q = queries,
                             .position = position,
                             .rows = n,
                             .d = d,
                             .window = options.window,
                             .softcap = options.softcap,
                             .first = cache.page(layer, 0, task.head),
                             .pages = task.text->pages,
                             .page_stride = cache.page_stride(),
                             .begin = seen / kPageTokens * kPageTokens,
                             .end = std::min(task.end, begin + kKeysTogether),
                             .top = s.top + state,
                             .total = s.total + state,
                             .out = s.out + state * d},
                            room);
    };
    if (!task.alone) return attend(states, task.state, task.begin);
    const States s(scratch, 2 * n, d);  // so far, and of one stretch
    attend(s, 0, task.begin);
    for (int64_t at = task.begin + kKeysTogether; at < task.end; at += kKeysTogether) {
      attend(s, n, at);
      merge(task, s, 0, n);
    }
    put(task, s, 0);
  }
};

}  // namespace

Tensor HostOps::paged_attention(const Tensor& q_in, const Tensor& k_in, const Tensor& v_in,
                                std::span<const Sequence> texts, KvCache& kept, int layer,
                                const PagedOptions& options) {
  const Tensor result = tensor(q_in.rows, q_in.cols);
  const HostTensor q(q_in), k(k_in), v(v_in), out(result);
  HostKvCache& cache = static_cast<HostKvCache&>(kept);
  Arena::Scope scope(arena_);
  const int64_t d = cache.shape().d;
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

  int64_t n_tasks = 0;
  const int64_t n_rows = for_tasks(texts, options, [&](const AttendTask&) { ++n_tasks; });
  AttendTask* const tasks = arena_.take<AttendTask>(n_tasks);
  n_tasks = 0;
  for_tasks(texts, options, [&](const AttendTask& task) { tasks[n_tasks++] = task; });
  const States states(arena_, n_rows, d);
  const PagedWork work{kernels_, q, out, cache, layer, options, states};
  for_each(n_tasks, [&](int64_t index, Arena& scratch) { work.run(tasks[index], scratch); });
  for (int64_t i = 0, next; i < n_tasks; i = next) {
    for (next = i + 1; next < n_tasks && tasks[next].same_rows(tasks[i]); ++next)
      work.merge(tasks[i], states, tasks[i].state, tasks[next].state);
    if (!tasks[i].alone) work.put(tasks[i], states, tasks[i].state);
  }
  return result;
}

}  // namespace quern

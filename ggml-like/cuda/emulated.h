// The vocabulary on a CPU, for tests: a thread of a block is a fiber, which runs until it meets a barrier or a step
// that the threads of its warp take together. Blocks run one after the other. What it finds: results, of course;
// barriers that not all threads reach; copies that are used before they are waited for, since they are carried out by
// the wait; reads of shared memory that nothing wrote, which is poisoned; and missing barriers, where the order of the
// threads matters: run each kernel in all of them. Included by vocabulary.h alone.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "cuda/runtime.h"
#include "quants/half.h"

#define QUERN_GPU [[maybe_unused]] static inline
#define QUERN_UNROLL_SOME
#define QUERN_NO_UNROLL_HERE

namespace quern {
namespace cuda {
namespace emulation {

// Which of a block's threads goes on first. warps: each warp as far as it comes before the next begins.
enum class Order { forward, backward, warps };

struct AsyncCopy {
  void* to;
  const void* from;  // null: zeros
};

struct Fiber {
  ucontext_t beginning;
  jmp_buf at;
  std::unique_ptr<char[]> stack;
  enum class Waits { no, warp, block } waits = Waits::no;
  bool begun = false, done = false;
  int turn = 0;  // which of the warp's two sets of words the next step takes
  std::vector<std::vector<AsyncCopy>> groups;
  std::vector<AsyncCopy> open;
};

class Machine {
 public:
  // body(arguments) for every thread of every block. One launch at a time.
  void run(void (*body)(const void*), const void* arguments, int threads, const Grid& grid, Order order) {
    body_ = body, arguments_ = arguments, n_ = threads, order_ = order;
    if (shared_.size() < static_cast<size_t>(grid.shared) + 256) shared_.resize(static_cast<size_t>(grid.shared) + 256);
    while (static_cast<int>(fibers_.size()) < threads) add_fiber();
    for (y_ = 0; y_ < grid.y; ++y_)
      for (x_ = 0; x_ < grid.x; ++x_) run_block();
  }

  int thread() const { return now_; }
  int64_t x() const { return x_; }
  int64_t y() const { return y_; }
  char* shared() {  // to 128 bytes
    return reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(shared_.data()) + 127) & ~uintptr_t{127});
  }
  Fiber& fiber() { return *fibers_[static_cast<size_t>(now_)]; }

  void wait(Fiber::Waits what) {
    Fiber& f = fiber();
    f.waits = what;
    if (_setjmp(f.at) == 0) _longjmp(scheduler_, 1);
  }
  // The words that all lanes of the warp have given; valid until the lane's next but one step.
  template <int N>
  const uint32_t (&together(const uint32_t (&mine)[N]))[32][8] {
    static_assert(N <= 8);
    uint32_t(&all)[32][8] = words_[now_ / 32][fiber().turn];
    fiber().turn ^= 1;
    for (int i = 0; i < N; ++i) all[now_ % 32][i] = mine[i];
    wait(Fiber::Waits::warp);
    return all;
  }

  static Machine& current() {
    static Machine machine;
    return machine;
  }

 private:
  static constexpr size_t kStack = 65536;

  static void enter() {
    for (;;) {
      Machine& m = current();
      m.body_(m.arguments_);
      m.fiber().done = true;
      m.wait(Fiber::Waits::no);
    }
  }
  void add_fiber() {
    fibers_.push_back(std::make_unique<Fiber>());
    Fiber& f = *fibers_.back();
    f.stack.reset(new char[kStack]);
    getcontext(&f.beginning);
    f.beginning.uc_stack.ss_sp = f.stack.get();
    f.beginning.uc_stack.ss_size = kStack;
    f.beginning.uc_link = nullptr;
    makecontext(&f.beginning, enter, 0);
  }
  void resume(int i) {
    now_ = i;
    Fiber& f = fiber();
    if (_setjmp(scheduler_) != 0) return;
    if (f.begun) _longjmp(f.at, 1);
    f.begun = true;
    setcontext(&f.beginning);
  }

  bool ready(int i) const {
    const Fiber& f = *fibers_[static_cast<size_t>(i)];
    return !f.done && f.waits == Fiber::Waits::no;
  }
  // Lets a warp go on whose threads all wait for it; false: some do not.
  bool release_warp(int first) {
    const int end = first + 32 < n_ ? first + 32 : n_;
    int waiting = 0;
    for (int i = first; i < end; ++i) {
      const Fiber& f = *fibers_[static_cast<size_t>(i)];
      if (f.waits == Fiber::Waits::warp)
        ++waiting;
      else if (!f.done)
        return false;
    }
    for (int i = first; i < end; ++i)
      if (fibers_[static_cast<size_t>(i)]->waits == Fiber::Waits::warp)
        fibers_[static_cast<size_t>(i)]->waits = Fiber::Waits::no;
    return waiting > 0;
  }
  bool run_warp(int first) {
    bool ran = false;
    for (int k = 0; k < 32; ++k) {
      const int i = order_ == Order::backward ? first + 31 - k : first + k;
      if (i < n_ && ready(i)) resume(i), ran = true;
    }
    return ran;
  }

  void run_block() {
    std::memset(shared_.data(), 0xcd, shared_.size());
    for (int i = 0; i < n_; ++i) {
      Fiber& f = *fibers_[static_cast<size_t>(i)];
      f.waits = Fiber::Waits::no, f.done = false, f.turn = 0;
      f.groups.clear(), f.open.clear();
    }
    const int warps = (n_ + 31) / 32;
    for (;;) {
      bool moved = false;
      for (int k = 0; k < warps; ++k) {
        const int first = 32 * (order_ == Order::backward ? warps - 1 - k : k);
        do {
          if (run_warp(first)) moved = true;
          if (!release_warp(first)) break;
          moved = true;
        } while (order_ == Order::warps);
      }
      int done = 0, waiting = 0;
      for (int i = 0; i < n_; ++i) {
        done += fibers_[static_cast<size_t>(i)]->done;
        waiting +=
            !fibers_[static_cast<size_t>(i)]->done && fibers_[static_cast<size_t>(i)]->waits == Fiber::Waits::block;
      }
      if (done == n_) return;
      if (waiting + done == n_ && done == 0) {
        for (int i = 0; i < n_; ++i) fibers_[static_cast<size_t>(i)]->waits = Fiber::Waits::no;
        continue;
      }
      if (!moved) {
        std::fprintf(stderr, "emulated kernel: %d of %d threads wait for others that never come\n", n_ - done, n_);
        std::abort();
      }
    }
  }

  void (*body_)(const void*) = nullptr;
  const void* arguments_ = nullptr;
  int n_ = 0, now_ = 0;
  int64_t x_ = 0, y_ = 0;
  Order order_ = Order::forward;
  jmp_buf scheduler_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<char> shared_;
  uint32_t words_[32][2][32][8];  // by warp, turn, lane
};

inline Machine& machine() {
  return Machine::current();
}

}  // namespace emulation

QUERN_GPU int thread() {
  return emulation::machine().thread();
}
QUERN_GPU int lane() {
  return thread() & 31;
}
QUERN_GPU int warp() {
  return thread() >> 5;
}
QUERN_GPU int64_t block_x() {
  return emulation::machine().x();
}
QUERN_GPU int64_t block_y() {
  return emulation::machine().y();
}
QUERN_GPU char* shared_memory() {
  return emulation::machine().shared();
}
QUERN_GPU void sync_block() {
  emulation::machine().wait(emulation::Fiber::Waits::block);
}
QUERN_GPU void sync_warp() {
  emulation::machine().wait(emulation::Fiber::Waits::warp);
}
QUERN_GPU int32_t shuffle_xor(int32_t v, int mask) {
  const uint32_t mine[1] = {static_cast<uint32_t>(v)};
  return static_cast<int32_t>(emulation::machine().together(mine)[lane() ^ mask][0]);
}
QUERN_GPU float float_of_bits(int32_t v) {
  return std::bit_cast<float>(v);
}
QUERN_GPU int32_t bits_of_float(float v) {
  return std::bit_cast<int32_t>(v);
}
QUERN_GPU float shuffle_xor(float v, int mask) {
  return float_of_bits(shuffle_xor(bits_of_float(v), mask));
}
QUERN_GPU void load_async16(void* shared, const void* global, bool there) {
  emulation::machine().fiber().open.push_back({shared, there ? global : nullptr});
}
QUERN_GPU void commit_async() {
  emulation::Fiber& f = emulation::machine().fiber();
  f.groups.push_back(std::move(f.open));
  f.open.clear();
}
template <int N>
QUERN_GPU void wait_async() {
  emulation::Fiber& f = emulation::machine().fiber();
  while (f.groups.size() > static_cast<size_t>(N)) {
    for (const emulation::AsyncCopy& copy : f.groups.front()) {
      if (copy.from)
        std::memcpy(copy.to, copy.from, 16);
      else
        std::memset(copy.to, 0, 16);
    }
    f.groups.erase(f.groups.begin());
  }
}
QUERN_GPU void load_matrix4(uint32_t (&r)[4], const void* shared) {
  const uint64_t address = reinterpret_cast<uint64_t>(shared);
  const uint32_t mine[2] = {static_cast<uint32_t>(address), static_cast<uint32_t>(address >> 32)};
  const auto& all = emulation::machine().together(mine);
  for (int i = 0; i < 4; ++i) {
    const uint32_t(&of)[8] = all[8 * i + lane() / 4];
    const char* const row = reinterpret_cast<const char*>(uint64_t{of[0]} | uint64_t{of[1]} << 32);
    std::memcpy(&r[i], row + lane() % 4 * 4, 4);
  }
}
QUERN_GPU void mma_s8(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const uint32_t mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
  const auto& all = emulation::machine().together(mine);
  const auto four = [](uint32_t x, uint32_t y) {
    int32_t sum = 0;
    for (int s = 0; s < 32; s += 8) sum += static_cast<int8_t>(x >> s) * static_cast<int8_t>(y >> s);
    return sum;
  };
  for (int i = 0; i < 4; ++i) {  // of row lane / 4 + 8 · (i / 2), column 2 · (lane % 4) + i % 2
    const int row = lane() / 4, col = lane() % 4 * 2 + i % 2;
    int32_t sum = 0;
    for (int half = 0; half < 2; ++half)
      for (int q = 0; q < 4; ++q) sum += four(all[row * 4 + q][half * 2 + i / 2], all[col * 4 + q][4 + half]);
    c[i] += sum;
  }
}
QUERN_GPU float fused(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
QUERN_GPU float square_root(float v) {
  return std::sqrt(v);
}
QUERN_GPU int32_t to_i32(float v) {
  return v >= -2147483648.0f && v < 2147483648.0f ? static_cast<int32_t>(__builtin_rintf(v)) : INT32_MIN;
}
QUERN_GPU float f16_value(uint16_t bits) {
  return f16_to_f32(bits);
}
QUERN_GPU void max_bits(int32_t* address, int32_t bits) {
  if (bits > *address) *address = bits;
}

}  // namespace cuda
}  // namespace quern

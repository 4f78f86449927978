#include "similarity.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "dispatch.h"
#include "parallel.h"

namespace quern {
namespace {

constexpr size_t kTileBytes = 64 << 10;   // of rows as floats: near while all queries pass
constexpr size_t kTileRows = 12;          // a multiple of so many, as kernels cut rows
constexpr size_t kTaskBytes = 512 << 10;  // of rows as they lie

// The number that these bits are; exact, infinities and what is no number too.
float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16, magnitude = half & 0x7FFF;
  const uint32_t finite = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112F);
  return std::bit_cast<float>(sign | (magnitude >= 0x7C00 ? 0x7F800000 | magnitude << 13 : finite));
}

void halves_to_floats(const uint16_t* from, size_t n, float* to) {
  for (size_t i = 0; i < n; ++i) to[i] = from_half(from[i]);
}

template <class Code>
void codes_to_floats(const Code* from, size_t n, float* to) {
  for (size_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]);
}

// The value that a code of 256 steps stands for: its step's lower end.
void spread(float* row, const float* least, const float* steps, float shift, size_t width) {
  for (size_t j = 0; j < width; ++j) row[j] = least[j] + (row[j] + shift) * steps[j];
}

std::vector<float> steps_of(const StoredRows& rows) {
  std::vector<float> steps;
  for (size_t j = 0; rows.ranges && j < rows.width; ++j)
    steps.push_back((rows.ranges[rows.width + j] - rows.ranges[j]) / 255);
  return steps;
}

void bits_to_floats(const unsigned char* from, size_t n, unsigned char flip, float* to) {
  for (size_t i = 0; i < n; ++i) to[i] = ((from[i / 8] ^ flip) >> (7 - i % 8) & 1) ? 1.0f : -1.0f;
}

// steps: steps_of(rows).
void decode(const StoredRows& rows, const float* steps, float* to) {
  const size_t n = rows.n * rows.width;
  const bool is_signed = rows.type == ValueType::int8;
  switch (rows.type) {
    case ValueType::f32:
      std::copy_n(static_cast<const float*>(rows.data), n, to);
      return;
    case ValueType::f16:
      return halves_to_floats(static_cast<const uint16_t*>(rows.data), n, to);
    case ValueType::binary:
      return bits_to_floats(static_cast<const unsigned char*>(rows.data), n, 0x80, to);
    case ValueType::ubinary:
      return bits_to_floats(static_cast<const unsigned char*>(rows.data), n, 0, to);
    case ValueType::int8:
      codes_to_floats(static_cast<const int8_t*>(rows.data), n, to);
      break;
    case ValueType::uint8:
      codes_to_floats(static_cast<const uint8_t*>(rows.data), n, to);
      break;
  }
  for (size_t i = 0; rows.ranges && i < rows.n; ++i)
    spread(to + i * rows.width, rows.ranges, steps, is_signed ? 128.0f : 0.0f, rows.width);
}

std::vector<uint64_t> bits_of(std::span<const float> row) {
  std::vector<uint64_t> words((row.size() + 63) / 64);
  for (size_t j = 0; j < row.size(); ++j)  // as bytes lie in memory, the first value highest
    if (row[j] > 0) reinterpret_cast<unsigned char*>(words.data())[j / 8] |= static_cast<unsigned char>(0x80 >> j % 8);
  return words;
}

// Without an instruction for it, which not every CPU has; the compiler's own is a call then.
int ones(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555;
  x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
  return static_cast<int>(((x + (x >> 4)) & 0x0F0F0F0F0F0F0F0F) * 0x0101010101010101 >> 56);
}

// Bits that differ between a row of so many bytes, xor-ed with `flip`, and a query's.
int differing(const char* row, size_t bytes, uint64_t flip, const uint64_t* query) {
  int differ = 0;
  size_t at = 0;
  for (; at + 8 <= bytes; at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, row + at, 8);
    differ += ones(word ^ flip ^ query[at / 8]);
  }
  if (at < bytes) {
    uint64_t word = 0, flips = 0;
    std::memcpy(&word, row + at, bytes - at);
    std::memcpy(&flips, &flip, bytes - at);
    differ += ones(word ^ flips ^ query[at / 8]);
  }
  return differ;
}

bool is_bits(ValueType type) {
  return type == ValueType::binary || type == ValueType::ubinary;
}

// Queries as the kernels of float rows take them.
class Prepared {
 public:
  Prepared(const TypeKernels& kernels, std::span<const float> queries, size_t width)
      : row_bytes_(kernels.row_bytes(static_cast<int64_t>(width))),
        n_(queries.size() / width),
        data_(static_cast<char*>(::operator new (row_bytes_* n_ + 64, std::align_val_t{64}))) {
    for (size_t q = 0; q < n_; ++q)
      kernels.prepare(queries.data() + q * width, nullptr, static_cast<int64_t>(width), data_.get() + q * row_bytes_);
  }
  const void* data() const { return data_.get(); }
  size_t size() const { return n_; }

 private:
  struct Free {
    void operator()(char* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  size_t row_bytes_, n_;
  std::unique_ptr<char, Free> data_;
};

// Scores of rows and queries, rows a tile at a time. Used by many threads at once, each with a place of its own.
class Scorer {
 public:
  Scorer(const StoredRows& rows, const Comparison& c)
      : rows_(rows),
        c_(c),
        kernels_(default_kernels()),
        // Lengths are of floats, which halves are read as by the products themselves.
        halves_(rows.type == ValueType::f16 && c.metric == Metric::dot),
        type_(*find_type(halves_ ? "f16" : "f32")),
        product_(kernels_.types[type_index(type_)]),
        queries_(product_, c.queries, rows.width),
        steps_(steps_of(rows)) {
    for (size_t q = 0; q < queries_.size(); ++q) {
      if (is_bits(rows.type))
        query_bits_.push_back(bits_of(query(q)));
      else if (c.metric == Metric::cosine)
        lengths_.push_back(length(query(q).data()));
    }
  }

  size_t queries() const { return queries_.size(); }
  size_t tile_rows() const {
    return std::max<size_t>(1, kTileBytes / (rows_.width * sizeof(float)) / kTileRows) * kTileRows;
  }
  struct Place {
    std::vector<float> floats, scores;
  };

  // f(q, i, score) for all queries and the rows [begin, end), at most tile_rows() of them; rows in order for each.
  template <class F>
  void tile(size_t begin, size_t end, Place& place, const F& f) const {
    if (is_bits(rows_.type)) return bits(begin, end, f);
    const size_t n = end - begin, width = rows_.width;
    const void* const x = values(begin, end, place);
    place.scores.resize(queries() * n);
    const Matrix matrix{&type_, static_cast<int64_t>(n), static_cast<int64_t>(width), {x}};
    product_.multiply(queries_.data(), static_cast<int64_t>(queries()), matrix, 0, static_cast<int64_t>(n), {},
                      place.scores.data(), static_cast<int64_t>(n), nullptr);
    if (c_.metric == Metric::cosine) divide(static_cast<const float*>(x), n, place.scores.data());
    for (size_t q = 0; q < queries(); ++q)
      for (size_t i = 0; i < n; ++i) f(q, begin + i, place.scores[q * n + i]);
  }

 private:
  std::span<const float> query(size_t q) const { return c_.queries.subspan(q * rows_.width, rows_.width); }
  float length(const float* x) const { return std::sqrt(kernels_.dot(x, x, static_cast<int64_t>(rows_.width))); }

  void divide(const float* x, size_t n, float* scores) const {
    for (size_t i = 0; i < n; ++i) {
      const float row = length(x + i * rows_.width);
      for (size_t q = 0; q < queries(); ++q) {
        const float both = lengths_[q] * row;
        float& score = scores[q * n + i];
        score = both > 0 ? score / both : 0;
      }
    }
  }

  // Of a type that there are products of.
  const void* values(size_t begin, size_t end, Place& place) const {
    StoredRows part = rows_;
    part.data = static_cast<const char*>(rows_.data) + begin * rows_.row_bytes();
    part.n = end - begin;
    if (halves_ || rows_.type == ValueType::f32) return part.data;
    place.floats.resize(part.n * rows_.width);
    decode(part, steps_.data(), place.floats.data());
    return place.floats.data();
  }

  template <class F>
  void bits(size_t begin, size_t end, const F& f) const {
    const size_t bytes = rows_.row_bytes();
    const uint64_t flip = rows_.type == ValueType::binary ? 0x8080808080808080 : 0;
    const auto width = static_cast<float>(rows_.width);
    for (size_t q = 0; q < queries(); ++q)
      for (size_t i = begin; i < end; ++i) {
        const char* const row = static_cast<const char*>(rows_.data) + i * bytes;
        const int differ = differing(row, bytes, flip, query_bits_[q].data());
        f(q, i, 1 - 2 * static_cast<float>(differ) / width);
      }
  }

  const StoredRows& rows_;
  const Comparison& c_;
  const KernelTable& kernels_;
  const bool halves_;
  const TypeInfo& type_;
  const TypeKernels& product_;
  const Prepared queries_;
  const std::vector<float> steps_;
  std::vector<std::vector<uint64_t>> query_bits_;
  std::vector<float> lengths_;
};

// work(begin, end, state) for all rows in parts, tile by tile, on all threads; then done(state) of each state, one at a
// time. A state belongs to one part at a time.
template <class State, class Work, class Done>
void for_tiles_of(const StoredRows& rows, const Scorer& scorer, int threads, const Work& work, const Done& done) {
  const size_t tile = scorer.tile_rows(), per_task = std::max(tile, kTaskBytes / rows.row_bytes() / tile * tile);
  const size_t tasks = (rows.n + per_task - 1) / per_task;
  std::mutex mutex;
  std::vector<std::unique_ptr<State>> free;
  const auto run = [&](size_t task) {
    std::unique_ptr<State> state;
    {
      const std::lock_guard lock(mutex);
      if (!free.empty()) {
        state = std::move(free.back());
        free.pop_back();
      }
    }
    if (!state) state = std::make_unique<State>();
    const size_t last = std::min(rows.n, (task + 1) * per_task);
    for (size_t i = task * per_task; i < last; i += tile) work(i, std::min(last, i + tile), *state);
    const std::lock_guard lock(mutex);
    free.push_back(std::move(state));
  };
  if (threads > 1 && tasks > 1) {
    Pool pool(static_cast<int>(std::min<size_t>(static_cast<size_t>(threads), tasks)));
    pool.run(static_cast<int64_t>(tasks), [&](int64_t task, Arena&) { run(static_cast<size_t>(task)); });
  } else {
    for (size_t task = 0; task < tasks; ++task) run(task);
  }
  for (const auto& state : free) done(*state);
}

bool nearer(const Match& a, const Match& b) {
  return a.score > b.score || (a.score == b.score && a.row < b.row);
}

// The k nearest so far, as a heap whose top is the farthest.
class Nearest {
 public:
  void add(const Match& m, size_t k) {
    if (heap_.size() == k) {
      if (!nearer(m, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), nearer);
      heap_.back() = m;
    } else {
      if (!(m.score == m.score)) return;
      heap_.push_back(m);
    }
    std::push_heap(heap_.begin(), heap_.end(), nearer);
  }
  std::vector<Match>& all() { return heap_; }

 private:
  std::vector<Match> heap_;
};

}  // namespace

size_t StoredRows::row_bytes() const {
  switch (type) {
    case ValueType::f32:
      return width * 4;
    case ValueType::f16:
      return width * 2;
    case ValueType::int8:
    case ValueType::uint8:
      return width;
    case ValueType::binary:
    case ValueType::ubinary:
      break;
  }
  return width / 8;
}

void to_floats(const StoredRows& rows, std::span<float> out) {
  decode(rows, steps_of(rows).data(), out.data());
}

float max_similarity(const StoredRows& rows, const Comparison& c, bool mean) {
  const size_t n = rows.width > 0 ? c.queries.size() / rows.width : 0;
  if (rows.n == 0 || n == 0) return 0;
  std::vector<Match> nearest(n);
  top_k(rows, c, 0, 1, nearest);
  double sum = 0;
  for (const Match& match : nearest) sum += static_cast<double>(match.score);
  return static_cast<float>(mean ? sum / static_cast<double>(n) : sum);
}

void similarities(const StoredRows& rows, const Comparison& c, std::span<float> scores) {
  const Scorer scorer(rows, c);
  for_tiles_of<Scorer::Place>(
      rows, scorer, c.threads,
      [&](size_t begin, size_t end, Scorer::Place& place) {
        scorer.tile(begin, end, place, [&](size_t q, size_t i, float score) { scores[q * rows.n + i] = score; });
      },
      [](Scorer::Place&) {});
}

void top_k(const StoredRows& rows, const Comparison& c, int64_t first_row, size_t k, std::span<Match> matches) {
  const Scorer scorer(rows, c);
  struct State {
    Scorer::Place place;
    std::vector<Nearest> nearest;
  };
  std::vector<Nearest> all(scorer.queries());
  for (size_t i = 0; i < matches.size(); ++i)
    if (matches[i].row >= 0) all[i / k].add(matches[i], k);
  for_tiles_of<State>(
      rows, scorer, c.threads,
      [&](size_t begin, size_t end, State& state) {
        state.nearest.resize(scorer.queries());
        scorer.tile(begin, end, state.place, [&](size_t q, size_t i, float score) {
          state.nearest[q].add({first_row + static_cast<int64_t>(i), score}, k);
        });
      },
      [&](State& state) {
        for (size_t q = 0; q < state.nearest.size(); ++q)
          for (const Match& m : state.nearest[q].all()) all[q].add(m, k);
      });
  for (size_t q = 0; q < all.size(); ++q) {
    std::vector<Match>& found = all[q].all();
    std::sort(found.begin(), found.end(), nearer);
    found.resize(k);
    std::copy(found.begin(), found.end(), matches.begin() + static_cast<std::ptrdiff_t>(q * k));
  }
}

}  // namespace quern

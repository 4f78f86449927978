// Attention in 16-bit integers (isa/attention.h says what they are), the host's bits. A value is two signed bytes, 256
// · high + low, so that a product of two values is four mma's of bytes, exactly. Sums over keys are integers in chunks
// of 256 keys, as the host has them, whatever the order within. Scores are computed twice: for the largest, then for
// the probabilities, which stay in registers: a thread's scores are those that the next product wants of it, once the
// values' keys have changed places (key_place).
#pragma once
#include "cuda/kernels_split.h"

namespace quern {
namespace cuda {

// 16 bytes change places within rows of `bytes`, so that eight rows of ldmatrix never meet in a bank.
template <int bytes>
QUERN_GPU int split_place(int row, int chunk) {
  const int turned = bytes % 128 == 0 ? (chunk & ~7) | ((chunk ^ row) & 7)
                     : bytes == 64    ? chunk ^ ((row >> 1) & 3)
                                      : chunk ^ ((row >> 2) & 1);
  return row * bytes + turned * 16;
}

template <int steps>
struct I16Attention {
  using P = AttendI16<steps>;
  static constexpr int tiles = P::cols / 8;  // of 8 columns of results
  static constexpr int chunk = 256;          // keys whose weighted values are summed up as integers
  static constexpr int planes = 2;           // high, low
  static constexpr int key_bytes = planes * P::keys * P::width, stage_bytes = key_bytes + planes * P::cols * P::keys;

  const P& a;
  const TextRange text;
  const int head, kv_head, column;  // the first of its results
  const int m0, begin, end;         // the block's first query; keys
  const float base;                 // what a unit of the scores is worth, base 2
  int row0;                         // of the warp's queries, in the block
  int first[2], last[2];            // keys that this thread's two queries see
  uint32_t q[planes][steps][4];

  // Places of this thread among a product's results: rows lane / 4 and 8 more; two columns.
  QUERN_GPU int row_of_half(const I16Attention& s, int half) { return s.row0 + (lane() >> 2) + 8 * half; }

  QUERN_GPU void load_queries(I16Attention& s) {
    const int64_t width = s.a.heads * s.a.padded_d;
    QUERN_UNROLL for (int half = 0; half < 2; ++half) {
      const int64_t row = s.m0 + row_of_half(s, half);
      const SeenKeys seen = keys_seen(s.a, s.text.length, row);
      s.first[half] = static_cast<int>(seen.first);
      s.last[half] = row < s.text.length ? static_cast<int>(seen.last) : 0;
    }
    QUERN_UNROLL for (int plane = 0; plane < planes; ++plane) {
      const int8_t* const codes = plane == 0 ? s.a.q_codes.high : s.a.q_codes.low;
      QUERN_UNROLL for (int step = 0; step < steps; ++step) {
        QUERN_UNROLL for (int i = 0; i < 4; ++i) {
          const int64_t row = s.m0 + row_of_half(s, i % 2);
          const int8_t* const at =
              codes + (s.text.first + row) * width + s.head * s.a.padded_d + 32 * step + i / 2 * 16 + (lane() & 3) * 4;
          s.q[plane][step][i] = row < s.text.length ? *reinterpret_cast<const uint32_t*>(at) : 0u;
        }
      }
    }
  }

  // Keys from j on, and, where values are wanted, theirs.
  QUERN_GPU void load(const I16Attention& s, char* stage, int j, bool values) {
    constexpr int chunks = P::width / 16;
    const int64_t width = s.a.kv_heads * s.a.padded_d;
    QUERN_NO_UNROLL_HERE for (int i = thread(); i < planes * P::keys * chunks; i += P::threads) {
      const int plane = i / (P::keys * chunks), row = i / chunks % P::keys, at = i % chunks;
      const bool there = j + row < s.text.length;
      const int8_t* const codes = plane == 0 ? s.a.k_codes.high : s.a.k_codes.low;
      load_async16(stage + plane * P::keys * P::width + split_place<P::width>(row, at),
                   codes + (s.text.first + (there ? j + row : 0)) * width + s.kv_head * s.a.padded_d + 16 * at, there);
    }
    QUERN_NO_UNROLL_HERE for (int i = thread(); values && i < planes * P::cols * (P::keys / 16); i += P::threads) {
      constexpr int per_row = P::keys / 16;
      const int plane = i / (P::cols * per_row), col = i / per_row % P::cols, at = i % per_row;
      const bool there = s.column + col < s.a.d && j + 16 * at < (s.text.length + 31) / 32 * 32;
      const int8_t* const codes = plane == 0 ? s.a.v_codes.high : s.a.v_codes.low;
      const int64_t row = s.kv_head * s.a.d + (there ? s.column + col : 0);
      load_async16(stage + key_bytes + plane * P::cols * P::keys + split_place<P::keys>(col, at),
                   codes + row * s.a.padded_T + s.text.padded + (there ? j + 16 * at : 0), there);
    }
    commit_async();
  }

  // high · high, both · low, low · low, as one number.
  QUERN_GPU int32_t whole(int32_t high, int32_t middle, int32_t low) {
    return static_cast<int32_t>((static_cast<uint32_t>(high) << 16) + (static_cast<uint32_t>(middle) << 8) +
                                static_cast<uint32_t>(low));
  }

  // Scores of the warp's queries with keys 16 · pair … 16 · pair + 15 of the stage.
  QUERN_GPU void scores(const I16Attention& s, const char* stage, int pair, int32_t (&out)[2][4]) {
    int32_t high[2][4] = {}, middle[2][4] = {}, low[2][4] = {};
    const int row = pair * 16 + (lane() & 7) + (lane() >> 4) * 8;
    QUERN_UNROLL for (int step = 0; step < steps; ++step) {
      uint32_t k[planes][4];
      QUERN_UNROLL for (int plane = 0; plane < planes; ++plane) load_matrix4(
          k[plane], stage + plane * P::keys * P::width + split_place<P::width>(row, 2 * step + ((lane() >> 3) & 1)));
      QUERN_UNROLL for (int t = 0; t < 2; ++t) {
        mma_s8(high[t], s.q[0][step], k[0][2 * t], k[0][2 * t + 1]);
        mma_s8(middle[t], s.q[0][step], k[1][2 * t], k[1][2 * t + 1]);
        mma_s8(middle[t], s.q[1][step], k[0][2 * t], k[0][2 * t + 1]);
        mma_s8(low[t], s.q[1][step], k[1][2 * t], k[1][2 * t + 1]);
      }
    }
    QUERN_UNROLL for (int t = 0; t < 2; ++t) {
      QUERN_UNROLL for (int i = 0; i < 4; ++i) out[t][i] = whole(high[t][i], middle[t][i], low[t][i]);
    }
  }

  QUERN_GPU bool plain(const I16Attention& s) { return !s.a.bias && s.a.softcap == 0; }

  // Of scores with a cap or a bias: what the probabilities are 2 to the power of, but for the largest.
  QUERN_GPU float level(const I16Attention& s, int32_t score, int row, int j) {
    float v = static_cast<float>(score) * s.base;
    if (s.a.softcap > 0) v = Lane::capped(v, s.a.softcap * kLogOfE);
    return s.a.bias ? v + s.a.bias[s.head * s.a.bias_stride + j - row] * kLogOfE : v;
  }

  // The largest of a row's scores and levels, over the four threads that share it.
  struct Tops {
    int32_t score[2] = {INT32_MIN, INT32_MIN};
    float level[2] = {-3.4e38f, -3.4e38f};
  };

  // f(its place, half, the query, the key, seen) for this thread's eight scores of 16 keys.
  template <class F>
  QUERN_GPU void for_scores(const I16Attention& s, int j, const F& f) {
    QUERN_UNROLL for (int half = 0; half < 2; ++half) {
      const int row = s.m0 + row_of_half(s, half);
      QUERN_UNROLL for (int t = 0; t < 2; ++t) {
        QUERN_UNROLL for (int i = 0; i < 2; ++i) {
          const int key = j + 8 * t + (lane() & 3) * 2 + i;
          f(t, 2 * half + i, half, row, key, key >= s.first[half] && key < s.last[half]);
        }
      }
    }
  }

  QUERN_GPU void find_tops(const I16Attention& s, const char* stage, int j, Tops& tops) {
    const bool is_plain = plain(s);
    QUERN_NO_UNROLL_HERE for (int pair = 0; pair < P::keys / 16; ++pair) {
      int32_t out[2][4];
      scores(s, stage, pair, out);
      for_scores(s, j + 16 * pair, [&](int t, int i, int half, int row, int key, bool seen) {
        if (!seen) return;
        if (is_plain) {
          tops.score[half] = out[t][i] > tops.score[half] ? out[t][i] : tops.score[half];
        } else {
          const float v = level(s, out[t][i], row, key);
          tops.level[half] = v > tops.level[half] ? v : tops.level[half];
        }
      });
    }
  }
  QUERN_GPU void share_tops(Tops& tops) {
    QUERN_UNROLL for (int half = 0; half < 2; ++half) {
      QUERN_UNROLL for (int mask = 1; mask < 4; mask *= 2) {
        const int32_t score = shuffle_xor(tops.score[half], mask);
        tops.score[half] = score > tops.score[half] ? score : tops.score[half];
        const float level = shuffle_xor(tops.level[half], mask);
        tops.level[half] = level > tops.level[half] ? level : tops.level[half];
      }
    }
  }

  // Probabilities of 32 keys as the left side of a product, and their sums.
  QUERN_GPU void probabilities(const I16Attention& s, const char* stage, int pair0, int j, const Tops& tops,
                               uint32_t (&p)[planes][4], int32_t (&totals)[2]) {
    const bool is_plain = plain(s);
    QUERN_UNROLL for (int i = 0; i < 4; ++i) p[0][i] = p[1][i] = 0;
    QUERN_UNROLL for (int h = 0; h < 2; ++h) {
      int32_t out[2][4];
      scores(s, stage, pair0 + h, out);
      for_scores(s, j + 16 * h, [&](int t, int i, int half, int row, int key, bool seen) {
        if (!seen) return;
        const float v = is_plain ? static_cast<float>(out[t][i] - tops.score[half]) * s.base
                                 : level(s, out[t][i], row, key) - tops.level[half];
        const int32_t probability = to_i32(Lane::exp2(v) * kMostProbability);
        totals[half] += probability;
        const TwoBytes two = two_bytes(probability);
        const int shift = 8 * (2 * t + i % 2);
        p[0][2 * h + half] |= static_cast<uint32_t>(static_cast<uint8_t>(two.high)) << shift;
        p[1][2 * h + half] |= static_cast<uint32_t>(static_cast<uint8_t>(two.low)) << shift;
      });
    }
  }

  // sums += probabilities · values of 32 keys.
  QUERN_GPU void weigh(const char* stage, int half, const uint32_t (&p)[planes][4], int32_t (&sums)[tiles][4]) {
    const char* const values = stage + key_bytes;
    QUERN_UNROLL for (int pair = 0; pair < tiles / 2; ++pair) {
      const int col = pair * 16 + (lane() & 7) + (lane() >> 4) * 8;
      uint32_t v[planes][4];
      QUERN_UNROLL for (int plane = 0; plane < planes; ++plane) load_matrix4(
          v[plane], values + plane * P::cols * P::keys + split_place<P::keys>(col, 2 * half + ((lane() >> 3) & 1)));
      QUERN_UNROLL for (int t = 0; t < 2; ++t) {
        int32_t high[4] = {}, middle[4] = {}, low[4] = {};
        mma_s8(high, p[0], v[0][2 * t], v[0][2 * t + 1]);
        mma_s8(middle, p[0], v[1][2 * t], v[1][2 * t + 1]);
        mma_s8(middle, p[1], v[0][2 * t], v[0][2 * t + 1]);
        mma_s8(low, p[1], v[1][2 * t], v[1][2 * t + 1]);
        QUERN_UNROLL for (int i = 0; i < 4; ++i) {
          int32_t& to = sums[2 * pair + t][i];
          to = GpuLane::add_i32(to, whole(high[i], middle[i], low[i]));
        }
      }
    }
  }

  // run(stage, j) for all tiles of keys, of which the next is on its way meanwhile.
  template <class Run>
  QUERN_GPU void for_keys(const I16Attention& s, bool values, const Run& run) {
    char* const shared = shared_memory();
    load(s, shared, s.begin, values);
    int at = 0;
    for (int j = s.begin; j < s.end; j += P::keys, at ^= 1) {
      if (j + P::keys < s.end)
        load(s, shared + (at ^ 1) * stage_bytes, j + P::keys, values);
      else
        commit_async();
      wait_async<1>();
      sync_block();
      run(shared + at * stage_bytes, j);
      sync_block();
    }
  }
};

template <int steps>
QUERN_GPU void compute(const AttendI16<steps>& a) {
  using P = AttendI16<steps>;
  using At = I16Attention<steps>;
  const QueryBlock block = a.blocks[block_x()];
  const TextRange text = a.texts[block.text];
  const int heads = static_cast<int>(a.heads), y = static_cast<int>(block_y());
  const int head = y % heads, kv_head = head / (heads / static_cast<int>(a.kv_heads));
  const int64_t last = block.first + kQueries < text.length ? block.first + kQueries : text.length;
  const float base = split_unit(a, a.q_peaks[block.text * a.heads + head]) *
                     split_unit(a, a.k_peaks[block.text * a.kv_heads + kv_head]) * a.scale * kLogOfE;
  At s = {a,
          text,
          head,
          kv_head,
          y / heads * P::cols,
          block.first,
          static_cast<int>(keys_seen(a, text.length, block.first).first / 32 * 32),
          static_cast<int>(keys_seen(a, text.length, last - 1).last),
          base,
          warp() * 16,
          {},
          {},
          {}};
  At::load_queries(s);
  typename At::Tops tops;
  At::for_keys(s, false, [&](const char* stage, int j) { At::find_tops(s, stage, j, tops); });
  At::share_tops(tops);

  float out[At::tiles][4] = {};
  int32_t sums[At::tiles][4] = {}, totals[2] = {};
  At::for_keys(s, true, [&](const char* stage, int j) {
    QUERN_NO_UNROLL_HERE for (int half = 0; half < P::keys / 32; ++half) {
      uint32_t p[2][4];
      At::probabilities(s, stage, 2 * half, j + 32 * half, tops, p, totals);
      At::weigh(stage, half, p, sums);
    }
    if ((j + P::keys - s.begin) % At::chunk != 0 && j + P::keys < s.end) return;
    QUERN_UNROLL for (int t = 0; t < At::tiles; ++t) {
      QUERN_UNROLL for (int i = 0; i < 4; ++i) {
        out[t][i] = out[t][i] + static_cast<float>(sums[t][i]);
        sums[t][i] = 0;
      }
    }
  });
  QUERN_UNROLL for (int half = 0; half < 2; ++half) {
    QUERN_UNROLL for (int mask = 1; mask < 4; mask *= 2) totals[half] += shuffle_xor(totals[half], mask);
  }
  const int32_t* const peaks = a.v_peaks + (block.text * a.kv_heads + kv_head) * a.d;
  QUERN_UNROLL for (int t = 0; t < At::tiles; ++t) {
    QUERN_UNROLL for (int i = 0; i < 4; ++i) {
      const int64_t row = block.first + At::row_of_half(s, i / 2);
      const int64_t col = s.column + 8 * t + (lane() & 3) * 2 + i % 2;
      if (row >= text.length || col >= a.d) continue;
      const float inverse = 1.0f / static_cast<float>(totals[i / 2]);
      const float scale = float_of_bits(peaks[col]) * (1.0f / kMostValue);
      a.out[(text.first + row) * a.out_stride + head * a.d + col] = out[t][i] * (inverse * scale);
    }
  }
}

}  // namespace cuda
}  // namespace quern

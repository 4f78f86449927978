// AVX2 with FMA and F16C.
#include "cpu.h"
#include "isa/avx2/vocabulary.h"
#include "isa/tables.h"

namespace quern {
namespace {

// 12 accumulators of 16 registers.
struct Avx2Tiles {
  static constexpr bool act8_centered = false, matrix8 = false;
  static constexpr int act8_offset = 0, cols8 = 4, rows8 = 6, vectors8 = 1;
  static constexpr int rows4 = 3, pieces4 = 2;
  static constexpr int row_tile_rows = 4, row_tile_cols = 3, gemm_rows = 6, gemm_cols = 2;
};

struct Avx2 : Avx2Family<Avx2Tiles> {
  // q8 as it lies in a file: maddubs would saturate, so both sides are widened to int16. A register holds four outputs
  // × four k, whose two partial sums meet in sums8.
  using Act8 = uint8_t;
  static A8 broadcast8(const uint8_t* p) {
    return _mm256_cvtepu8_epi16(_mm_castps_si128(_mm_broadcast_ss(reinterpret_cast<const float*>(p))));
  }
  static W8 load_w8(const int8_t* p) { return widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static Acc8 dot8(Acc8 acc, A8 a, W8 w) { return dot16(acc, a, w); }
  static I sums8(const Acc8* acc) {  // outputs 0 1 4 5 2 3 6 7, then in order
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[0], acc[1]), 0xD8);
  }

  // q8 as quants/q8/short_product.h wants it.
  static A8 bytes8(const uint8_t* p) {
    return _mm256_castps_si256(_mm256_broadcast_ss(reinterpret_cast<const float*>(p)));
  }
  static W8 load_bytes8(const int8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static I pairs16(A8 u, W8 w) { return _mm256_maddubs_epi16(u, w); }
  static I add16(I a, I b) { return _mm256_add_epi16(a, b); }
  static void add_pairs(I& acc, I sums) {  // in place: g++ 12 copies accumulators to and fro otherwise
    __asm__("vpaddd %1, %0, %0" : "+x"(acc) : "x"(_mm256_madd_epi16(sums, _mm256_set1_epi16(1))));
  }
  static uint64_t overflows(const int8_t* two_steps, int chain) noexcept {
    const I zero = _mm256_setzero_si256(), ones = _mm256_set1_epi8(1);
    const auto bits = [&](I more, I less) {  // a bit for each int16
      const I found = _mm256_or_si256(_mm256_cmpgt_epi16(more, _mm256_set1_epi16(128)),
                                      _mm256_cmpgt_epi16(_mm256_set1_epi16(-128), less));
      const auto bytes = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_packs_epi16(found, zero)));
      return uint64_t{(bytes & 0xFF) | (bytes >> 8 & 0xFF00)};
    };
    uint64_t all = 0;
    for (int v = 0; v < 2; ++v) {
      const I a = load_bytes8(two_steps + 32 * v), b = load_bytes8(two_steps + 64 + 32 * v);
      const I more_a = pairs16(ones, _mm256_max_epi8(a, zero)), less_a = pairs16(ones, _mm256_min_epi8(a, zero));
      const I more_b = pairs16(ones, _mm256_max_epi8(b, zero)), less_b = pairs16(ones, _mm256_min_epi8(b, zero));
      all |= chain == 4 ? bits(add16(more_a, more_b), add16(less_a, less_b)) << 16 * v
                        : bits(more_a, less_a) << 16 * v | bits(more_b, less_b) << (32 + 16 * v);
    }
    return all;
  }
  // Eight bytes from each of four places → out[8][4].
  static void interleave4(const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d, uint8_t* out) {
    const auto eight = [](const uint8_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); };
    const __m128i ab = _mm_unpacklo_epi8(eight(a), eight(b)), cd = _mm_unpacklo_epi8(eight(c), eight(d));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_unpacklo_epi16(ab, cd));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16), _mm_unpackhi_epi16(ab, cd));
  }
  // out[k · stride + i] = rows[i][k] for k < K rounded up to 16, which rows have to have.
  static void transpose8(const uint8_t* const (&rows)[8], int64_t K, uint8_t* out, int64_t stride) {
    for (int64_t k = 0; k < K; k += 16) {
      const auto row = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[i] + k)); };
      __m128i pairs[4][2];  // of rows i and i + 4: k 0–7, 8–15
      QUERN_UNROLL for (int i = 0; i < 4; ++i) {
        pairs[i][0] = _mm_unpacklo_epi8(row(i), row(i + 4));
        pairs[i][1] = _mm_unpackhi_epi8(row(i), row(i + 4));
      }
      QUERN_UNROLL for (int half = 0; half < 2; ++half) {
        const __m128i even[2] = {_mm_unpacklo_epi8(pairs[0][half], pairs[2][half]),
                                 _mm_unpackhi_epi8(pairs[0][half], pairs[2][half])};  // rows 0 2 4 6
        const __m128i odd[2] = {_mm_unpacklo_epi8(pairs[1][half], pairs[3][half]),
                                _mm_unpackhi_epi8(pairs[1][half], pairs[3][half])};
        QUERN_UNROLL for (int i = 0; i < 2; ++i) {
          uint8_t* to = out + (k + 8 * half + 4 * i) * stride;
          const __m128i low = _mm_unpacklo_epi8(even[i], odd[i]), high = _mm_unpackhi_epi8(even[i], odd[i]);
          _mm_storel_epi64(reinterpret_cast<__m128i*>(to), low);
          _mm_storel_epi64(reinterpret_cast<__m128i*>(to + stride), _mm_unpackhi_epi64(low, low));
          _mm_storel_epi64(reinterpret_cast<__m128i*>(to + 2 * stride), high);
          _mm_storel_epi64(reinterpret_cast<__m128i*>(to + 3 * stride), _mm_unpackhi_epi64(high, high));
        }
      }
    }
  }
};

}  // namespace

constinit const KernelTable avx2_kernels = make_kernel_table<Avx2>("avx2", cpu_has_avx2, QuantList{});

}  // namespace quern

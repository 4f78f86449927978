// q8's weights as a CPU multiplies them that has no four-way dot product of bytes but maddubs (AVX2): two products
// u8 · s8 are added up in int16, which saturates. A panel's codes are kept such that sums of four products, or of two,
// cannot leave int16 (255 · 128 < 2^15 for the positive and for the negative weights among them); what does not fit is
// moved to extra steps at the panel's end, whose activations are gathered: (w - d) · u + d · u, exact. A panel with too
// much of that is widened to int16 instead. Where codes end at 72 or so, 0.2 % of the weights need this
// (docs/quantization.md).
//
// The choice is a panel's own: `chain` products are added up in int16 before they are widened.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tensor.h"

namespace quern {

struct ShortSums {
  static constexpr int64_t kRows = 24;  // of a block whose activations are gathered together
  static constexpr int64_t kStep = 64;  // bytes of a step: 16 outputs × 4 k

  struct Panel {            // of 16 outputs
    const int8_t* weights;  // steps: [16 outputs][4 k], or with chain 1 twice [16 outputs][2 k]
    const int8_t* extra;    // extra steps, as with chain 2; their activation 4 i + j stands at k[4 i + j] of a row
    const uint16_t* k;
    int32_t n_extra;
    int32_t chain;  // 1, 2 or 4
  };

  int64_t steps = 0;  // of a panel: K / 4, made even by a step of zeros
  const Panel* panels = nullptr;
  int64_t most_extra = 0;  // of a panel
  bool any_wide = false;   // chain 1 occurs

  // What a block of rows needs beside them: activations by k, gathered ones, and widened ones; in this order.
  int64_t by_k_bytes(int64_t K) const { return most_extra > 0 ? round_up(K, 16) * kRows : 0; }
  int64_t gathered_bytes() const { return round_up(most_extra * 4 * kRows, 64); }
  int64_t widened_bytes() const { return any_wide ? steps * 4 * 2 * kRows : 0; }
};

// Which sums of `chain` products of two steps' weights could leave int16. With chain 4 bit 2 n + i is that of output n
// and its weights k = 2 i and 2 i + 1 of both steps; with chain 2 those of the first step, and from bit 32 on of the
// second.
using Overflows = uint64_t (*)(const int8_t* two_steps, int chain) noexcept;

// A ShortSums of a q8 matrix as its file has it. Throws std::bad_alloc.
std::shared_ptr<const void> make_short_sums(const Matrix& w, Overflows overflows);

}  // namespace quern

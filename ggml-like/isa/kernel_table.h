// Fills one ISA's KernelTable from its vocabulary S (isa/<name>/kernels.cpp). Every type and every element-wise kernel
// is written once against S, which offers:
//
//   floats    F (lanes floats, 16 or a fraction of 16): load store zero set1 add sub mul div max min fma · fold
//   max_lane · load_f16
//             load_bf16 store_f16 f16(bits) · range(x, smooth, n, low, high): min and max of x·smooth and 0
//   integers  I (lanes int32): set1_i32 load_i32 load_u8 load_s8 store_i32 broadcast_i32 add_i32 sub_i32 mul_i32
//   min_i32 max_i32
//             max_lane_i32 sum_i32 shift_left to_float round_i32 (to nearest even) from_bits
//             store_codes(i, p): each lane's low bits as Act8 or as int8
//             pack16(low, high): each lane's low 16 bits of both, side by side
//             dot16(acc, a, b): lanes of a and b are pairs of int16; adds both products to acc, wrapping
//             cheap_dot16: there where that costs less than mul_i32
//   q8        Act8, act8_centered, act8_offset: how activations are stored · A8 broadcast8: four of them
//             W8 load_w8: four k of cols8 outputs · Acc8 zero8, dot8(acc, a, w), sums8(lanes / cols8 of them) → I
//             tile: rows8 × vectors8 vectors of outputs
//             where sums of byte products fit int16: what quants/q8/short_product.h lists (isa/avx2/kernels.cpp)
//             with matrix8, in place of broadcast8, load_w8 and sums8: load_rows8, zip_w8, row_of8 (isa/neon_i8mm)
//   codes     W4 load_codes: four k of `lanes` outputs, a byte each · field<from, bits, to>: those bits of each byte,
//             moved · or_codes · look_up: codes below 16 → a table's bytes
//   small     codes below 128 as they are: A4 broadcast4 (int8) · Acc4 zero4, dot4(acc, w, a), sums4 → I · tile: rows4
//             × pieces4. Not wide4: the sum of a code's products must fit int16, products of more than rows4 rows are
//             quants/opened_panels.h, and chains begin with first4(w, a)
//   signed    WS signed_codes(W4) · ActS, AS broadcast_s · AccS zero_s (first_s), dot_s(acc, w, a), sums_s → I: the
//             sum of (w + lift_s) · a
//   limit     L8, limit_dot(acc, a, b): the fastest 8-bit dot product, limit_macs multiply-accumulates
//   tiles     row_tile_rows × row_tile_cols (row types), gemm_rows × gemm_cols vectors (gemm)
//
// S lives in an anonymous namespace, which gives every instance internal linkage: the linker can never hand one ISA's
// code to another. Nothing here may be an ordinary inline function or a template without S.
#pragma once
#include "isa/attention.h"
#include "isa/elementwise.h"
#include "isa/limit.h"
#include "isa/paged_attention.h"
#include "kernels.h"
#include "quants/list.h"

namespace quern {

template <class S, class... Types>
constexpr KernelTable make_kernel_table(const char* name, bool (*runs_here)() noexcept, TypeList<Types...>) {
  return {.name = name,
          .runs_here = runs_here,
          .types = {Types::template kernels<S>()...},
          .epilogue = Elementwise<S>::epilogue,
          .layer_norm = Elementwise<S>::layer_norm,
          .rms_norm = Elementwise<S>::rms_norm,
          .gate = Elementwise<S>::gate,
          .rotate = Elementwise<S>::rotate,
          .rotate_pairs = Elementwise<S>::rotate_pairs,
          .softmax = Elementwise<S>::softmax,
          .softcap = Elementwise<S>::softcap,
          .exp = Elementwise<S>::exp1,
          .attention_f32 = {AttentionF32<S>::scratch_bytes, AttentionF32<S>::run},
          .attention_i16 = {AttentionI16<S>::scratch_bytes, AttentionI16<S>::run},
          .kv = {paged_kernels<S, KeptAsF16>(), paged_kernels<S, KeptAsI8>(), paged_kernels<S, KeptAsF32>()},
          .gemm = Elementwise<S>::gemm,
          .int8_limit = Limit<S>::run,
          .axpy = Elementwise<S>::axpy,
          .dot = Elementwise<S>::dot,
          .range = Elementwise<S>::range};
}

}  // namespace quern

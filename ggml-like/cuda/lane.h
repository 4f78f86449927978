// One lane of a GPU as a vocabulary for isa/functions.h, and sums over 16 of them.
#pragma once
#include "cuda/vocabulary.h"
#include "isa/functions.h"

namespace quern {
namespace cuda {

struct GpuLane {
  using F = float;
  using I = int32_t;
  QUERN_GPU float zero() { return 0.0f; }
  QUERN_GPU float set1(float v) { return v; }
  QUERN_GPU float add(float a, float b) { return a + b; }
  QUERN_GPU float sub(float a, float b) { return a - b; }
  QUERN_GPU float mul(float a, float b) { return a * b; }
  QUERN_GPU float div(float a, float b) { return a / b; }
  QUERN_GPU float max(float a, float b) { return a > b ? a : b; }
  QUERN_GPU float min(float a, float b) { return a < b ? a : b; }
  QUERN_GPU float fma(float a, float b, float c) { return fused(a, b, c); }
  QUERN_GPU int32_t set1_i32(int32_t v) { return v; }
  QUERN_GPU int32_t round_i32(float v) { return to_i32(v); }
  QUERN_GPU float to_float(int32_t v) { return static_cast<float>(v); }
  QUERN_GPU int32_t add_i32(int32_t a, int32_t b) {
    return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
  }
  QUERN_GPU int32_t shift_left(int32_t v, int n) { return static_cast<int32_t>(static_cast<uint32_t>(v) << n); }
  QUERN_GPU float from_bits(int32_t v) { return float_of_bits(v); }
};
using Lane = Functions<GpuLane>;

QUERN_GPU float activated(Activation activation, float v) {
  switch (activation) {
    case Activation::gelu:
      return Lane::activate<Activation::gelu>(v);
    case Activation::gelu_tanh:
      return Lane::activate<Activation::gelu_tanh>(v);
    case Activation::relu:
      return Lane::activate<Activation::relu>(v);
    case Activation::silu:
      return Lane::activate<Activation::silu>(v);
    case Activation::tanh:
      return Lane::activate<Activation::tanh>(v);
    case Activation::sigmoid:
      return Lane::activate<Activation::sigmoid>(v);
    default:
      return v;
  }
}

// The sum of 16 neighbouring threads' lanes, in each of them, in the order of Elementwise::fold: halves of halves. It
// stays the same when the lanes are turned round, since each step adds lanes that are as far apart.
QUERN_GPU float fold16(float v) {
  v = v + shuffle_xor(v, 8);
  v = v + shuffle_xor(v, 4);
  v = v + shuffle_xor(v, 2);
  return v + shuffle_xor(v, 1);
}

}  // namespace cuda
}  // namespace quern

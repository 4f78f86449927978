#include "quants/q5_0/q5_0.h"

#include "quants/blocks_of_32.h"

namespace quern {
namespace {

void encode(const float* x, void* row, int64_t K) noexcept {
  uint8_t* block = static_cast<uint8_t*>(row);
  for (int64_t k = 0; k < K; k += 32, block += Q5_0::bytes) {
    uint8_t code[32];
    symmetric_codes(x + k, 16, block, code);
    put_five_bits(code, block + 2);
  }
}

}  // namespace

void Q5_0::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  take_five_bits(block + 2, p.code);
}

constinit const TypeInfo Q5_0::info = describe("q5_0", encode);

}  // namespace quern

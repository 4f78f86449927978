#include "quants/q4_1/q4_1.h"

#include "quants/blocks_of_32.h"

namespace quern {
namespace {

void encode(const float* x, void* row, int64_t K) noexcept {
  uint8_t* block = static_cast<uint8_t*>(row);
  for (int64_t k = 0; k < K; k += 32, block += Q4_1::bytes) {
    uint8_t code[32];
    range_codes(x + k, 15, block, code);
    put_nibbles(code, block + 4);
  }
}

}  // namespace

void Q4_1::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  __builtin_memcpy(&p.min, block + 2, 2);
  take_nibbles(block + 4, p.code);
}

constinit const TypeInfo Q4_1::info = describe("q4_1", encode);

}  // namespace quern

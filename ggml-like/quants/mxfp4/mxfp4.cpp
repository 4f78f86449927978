#include "quants/mxfp4/mxfp4.h"

#include "quants/blocks_of_32.h"

namespace quern {

void MXFP4::take_apart(const uint8_t* block, BlockParts& p) {
  const unsigned e = block[0];  // 2^(e - 128) as bf16, the two smallest of which are subnormal
  p.scale = static_cast<uint16_t>(e < 2 ? 0x20u << e : (e - 1) << 7);
  take_nibbles(block + 1, p.code);
}

constinit const TypeInfo MXFP4::info = describe("mxfp4", nullptr);

}  // namespace quern

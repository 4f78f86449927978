#include "quants/iq4_nl/iq4_nl.h"

namespace quern {

void IQ4_NL::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  for (int i = 0; i < 16; ++i) {
    p.code[i] = block[2 + i] & 15;
    p.code[i + 16] = block[2 + i] >> 4;
  }
}

constinit const TypeInfo IQ4_NL::info = describe("iq4_nl", 20, 25, nullptr);

}  // namespace quern

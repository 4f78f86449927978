#include "quants/iq4_nl/iq4_nl.h"

#include "quants/blocks_of_32.h"

namespace quern {

void IQ4_NL::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  take_nibbles(block + 2, p.code);
}

constinit const TypeInfo IQ4_NL::info = describe("iq4_nl", nullptr);

}  // namespace quern

// q4: 4-bit weights with a scale and a zero point for every 32 (group_panels.h): 4.75 bits a weight.
#pragma once
#include "quants/group_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q4 : GroupPanels<4> {
  static const TypeInfo info;
};

}  // namespace quern

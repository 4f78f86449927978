// q5: 5-bit weights with a scale and a zero point for every 32 (group_panels.h): 5.75 bits a weight.
#pragma once
#include "quants/group_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q5 : GroupPanels<5> {
  static const TypeInfo info;
};

}  // namespace quern

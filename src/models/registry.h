// The architectures' entries; each is defined in its own file. See registry.cpp.
#pragma once
#include "models/model.h"

namespace quern {

extern const Architecture bert_architecture;

}  // namespace quern

#include "quants/q5/q5.h"

#include "quants/group_codes.h"

namespace quern {

constinit const TypeInfo Q5::info = GroupCodes<5>::info({"q5", "q5.scale", "q5.zero", "q5.sum"});

}  // namespace quern

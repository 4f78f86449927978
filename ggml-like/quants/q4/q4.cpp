#include "quants/q4/q4.h"

#include "quants/group_codes.h"
#include "quants/q5/q5.h"

namespace quern {

constinit const TypeInfo Q4::info = [] {
  TypeInfo info = GroupCodes<4>::info({"q4", "q4.scale", "q4.zero", "q4.sum"});
  info.mix = {"q4_m", &Q5::info};
  return info;
}();

}  // namespace quern

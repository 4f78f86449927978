#include <mach/mach.h>

#include "os/process.h"

namespace os {

double resident_bytes() noexcept {
  mach_task_basic_info info{};
  mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
  const kern_return_t got =
      task_info(mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info), &count);
  return got == KERN_SUCCESS ? static_cast<double>(info.resident_size) : 0;
}

}  // namespace os

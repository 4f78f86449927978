// Where the system starts no thread at all.
#pragma once
#include <exception>
#include <string>

#include "error.h"

namespace quern {

[[noreturn]] inline void fail_without_thread(const std::exception& e) {
  throw Error(
      Status::out_of_memory,
      std::string("no thread can be started, the system allows no more (ulimit -u, or the limit of processes of "
                  "its control group): ") +
          e.what());
}

}  // namespace quern

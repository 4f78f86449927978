#include "os/poller.h"

namespace os {

std::unique_ptr<Poller> new_poller() {
  return new_portable_poller();
}

}  // namespace os

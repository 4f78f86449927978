// Devices that a plug-in brings: libquern-cuda.so, which is opened when a device is first asked for. Where there is
// none nothing else changes.
#pragma once
#include <memory>
#include <string>

#include "device.h"

namespace quern {

// What has to be the same in a plug-in: the headers that both are built from.
const char* cuda_build_id();

// CUDA device `index`. The plug-in is what the environment's QUERN_CUDA_LIBRARY names, else libquern-cuda.so in the
// folder of this library. Throws Error{unsupported} where there is no plug-in, none that fits, or no driver;
// Error{bad_argument} for an index that is out of range.
std::shared_ptr<const Device> open_cuda_device(int index);

}  // namespace quern

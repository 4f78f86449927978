// What a pass over weights costs in memory traffic, and what the machine gives.
#pragma once
#include <cstdint>

#include "loaded_model.h"
#include "parallel.h"

namespace quern {

uint64_t weight_bytes(const LoadedModel& model);  // of all linears, as they lie in memory

// Reads a buffer far larger than the caches again and again on all of the pool's threads: bytes per second.
double read_bandwidth(Pool& pool, double seconds);

}  // namespace quern

// Where a model's layers run: a device makes Ops over its own memory, takes over weights and keeps KV pages. A new one
// implements this, Ops and KvCache; models, heads and generation do not change.
#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "kv_cache.h"
#include "ops.h"
#include "parallel.h"

namespace quern {

struct OpsOptions {
  Precision precision = Precision::f32;
  // The host's: operators split their work over its threads; null: they run on the calling one. Either way the results
  // are the same to the bit.
  Pool* pool = nullptr;
  LinearObserver* observer = nullptr;
};

struct DeviceMemory {
  uint64_t total = 0, free = 0;  // bytes
};

// Immutable but for adopt(): any number of threads may use one.
class Device {
 public:
  virtual ~Device() = default;
  virtual const char* name() const = 0;  // of the device and its kernels, e.g. "avx2"
  // Called once with a model's linears after they are bound and before they are used: makes what the device needs of
  // their weights, on all CPUs. True: it keeps copies of some, and will read little of what was bound. Throws
  // Error{bad_argument}, std::bad_alloc.
  virtual bool adopt(std::span<Linear* const> linears) const = 0;
  virtual void adopt(const Table&) const {}  // likewise
  virtual std::unique_ptr<Ops> ops(const OpsOptions& options) const = 0;
  // Of a device with memory of its own: what it would take for its copy of these, and what it has.
  virtual size_t bytes_of(const Linear&) const { return 0; }
  virtual size_t bytes_of(const Table&) const { return 0; }
  virtual DeviceMemory memory() const { return {}; }
  // Bytes of one page in all layers and heads.
  virtual size_t kv_page_bytes(const KvShape& shape) const = 0;
  // Memory is reserved whole and costs nothing before it is written. Throws Error{out_of_memory}.
  virtual std::unique_ptr<KvCache> kv_cache(const KvShape& shape, int64_t pages) const = 0;
};

// Which operators run a model: all on the host, or its last layers, from `first_on_device` on, and what follows them on
// a device. The states cross over once.
struct Placement {
  Ops& host;
  Ops* device = nullptr;
  int first_on_device = 0;  // a layer; layers(): what follows the layers alone; -1: what comes before them too

  Ops& last() const { return device ? *device : host; }  // whose the last states are
};

}  // namespace quern

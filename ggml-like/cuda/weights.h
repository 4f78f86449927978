// A device's copies of weights, found by where the host has them: Linear, Norm and Table stay as they are.
#pragma once
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "cuda/arguments.h"
#include "cuda/memory.h"
#include "ops.h"

namespace quern::cuda {

// A matrix of q8 or q8_g256, as rows.
struct PlacedQ8 {
  CodedRows rows;
  int64_t padded_N, stride, groups;
};
struct PlacedTable {
  const void* data;
  TableValues values;
};

// Any number of threads may use one.
class DeviceWeights {
 public:
  explicit DeviceWeights(Runtime& runtime);

  // Throws Error{unsupported} where no kernel is for the type.
  static void require_kernels(const TypeInfo& type);
  static bool is_q8(const TypeInfo& type);
  static TableValues values_of(const TypeInfo& type);  // of a float type
  static size_t bytes_of(const Matrix& w);
  static size_t bytes_of(const Table& table);

  // They make the copy where there is none yet. `n` floats at `host`; null stays null.
  const float* floats(const float* host, int64_t n);
  const void* matrix(const Matrix& w);  // of a float type: its rows
  PlacedQ8 q8(const Matrix& w);
  PlacedTable table(const Table& table);

 private:
  struct Placed {
    std::vector<DeviceMemoryBlock> memory;
    PlacedQ8 q8 = {};
    PlacedTable table = {};
  };
  template <class Make>
  const Placed& find_or(const void* host, const Make& make);
  char* take(Placed& to, size_t bytes);
  void upload(char* to, const void* from, size_t bytes);
  void lay_panels(const Matrix& w, const PlacedQ8& to);
  void upload_decoded(const Table& table, char* to);

  Runtime& runtime_;
  std::shared_mutex mutex_;
  StreamOwner stream_;  // under the mutex
  std::unordered_map<const void*, Placed> placed_;
};

}  // namespace quern::cuda

// Writes GGUF v3 in one pass: keys and tensor infos first, then each tensor's bytes in the declared order. Holds the
// metadata in memory, never tensor data. What keys mean is the caller's matter.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/atomic_file.h"

namespace quern {

enum class GgufValueType : uint32_t;

// Order of calls: set_*() and add_tensor() in any order, begin(), write_tensor_data() until every tensor is complete,
// commit(). A call out of order, a duplicate or invalid name, or a wrong number of bytes throws Error bad_argument; a
// failed write throws Error io. A writer that is destroyed before commit() leaves nothing behind.
class GgufWriter {
 public:
  // Opens the file for writing at once, so that a path that cannot be written fails before any work is done.
  // alignment: a power of two, at least 8; the key general.alignment is written unless it is 32, GGUF's default.
  explicit GgufWriter(const std::string& path, uint32_t alignment = 64);

  void set_u8(std::string_view key, uint8_t value);
  void set_i8(std::string_view key, int8_t value);
  void set_u16(std::string_view key, uint16_t value);
  void set_i16(std::string_view key, int16_t value);
  void set_u32(std::string_view key, uint32_t value);
  void set_i32(std::string_view key, int32_t value);
  void set_u64(std::string_view key, uint64_t value);
  void set_i64(std::string_view key, int64_t value);
  void set_f32(std::string_view key, float value);
  void set_f64(std::string_view key, double value);
  void set_bool(std::string_view key, bool value);
  void set_string(std::string_view key, std::string_view value);
  void set_strings(std::string_view key, std::span<const std::string> values);
  void set_strings(std::string_view key, std::span<const std::string_view> values);
  void set_array(std::string_view key, std::span<const int32_t> values);
  void set_array(std::string_view key, std::span<const uint32_t> values);
  void set_array(std::string_view key, std::span<const float> values);
  void set_array(std::string_view key, std::span<const uint8_t> values);

  // ne[0] is the contiguous extent; 1 to 4 extents. type is an id of gguf/types.h.
  void add_tensor(std::string_view name, uint32_t type, std::span<const int64_t> ne);
  void add_tensor(std::string_view name, uint32_t type, std::initializer_list<int64_t> ne);

  void begin();

  // The next bytes of the tensor data, without padding: pieces of any size, but one call may not reach over the end of
  // a tensor.
  void write_tensor_data(const void* data, size_t size);

  // The tensor that the next bytes belong to, and how many it still lacks. Empty and 0 when all are complete.
  std::string_view current_tensor() const;
  uint64_t bytes_wanted() const;

  void commit();

 private:
  struct Tensor {
    std::string name;
    uint32_t type;
    std::vector<int64_t> ne;
    uint64_t bytes;
  };
  void start_key(std::string_view key, GgufValueType type);
  void start_array(std::string_view key, GgufValueType element, uint64_t count);
  template <class T>
  void set_scalar(std::string_view key, GgufValueType type, T value);
  template <class T>
  void set_scalars(std::string_view key, GgufValueType element, std::span<const T> values);
  template <class S>
  void set_string_array(std::string_view key, std::span<const S> values);
  void pad();
  [[noreturn]] void misuse(const std::string& problem) const;

  AtomicFile file_;
  uint32_t alignment_;
  std::string keys_;  // serialized
  std::set<std::string, std::less<>> key_names_, tensor_names_;
  std::vector<Tensor> tensors_;
  bool begun_ = false;
  size_t current_ = 0;     // tensor
  uint64_t received_ = 0;  // bytes of it
};

}  // namespace quern

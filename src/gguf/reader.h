// GGUF v2/v3 file -> metadata and tensor views, nothing copied. A trust boundary: the bytes may come from anyone, so
// every count and length is bounded by the bytes that remain before it is used. What keys mean is the caller's matter.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/types.h"

namespace quern {

enum class GgufValueType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

struct GgufKey {
  std::string_view name;
  GgufValueType type;
  GgufValueType element;             // of an array; else the same as type
  uint64_t count;                    // of an array; else 1
  std::span<const std::byte> value;  // scalars, elements, or the bytes of one string; unaligned, little-endian
};

struct TensorInfo {
  std::string_view name;
  uint32_t n_dims;
  std::array<int64_t, 4> ne;  // ne[0] is the contiguous extent; 1 from n_dims on
  uint32_t type;              // id in the table of gguf/types.h
  uint64_t offset;            // from the start of the data section
  uint64_t size;              // bytes
  std::span<const std::byte> data;
};

// A view on an array of scalars that need not be aligned.
template <class T>
class GgufArray {
 public:
  GgufArray() = default;
  GgufArray(const std::byte* data, size_t count) : data_(data), count_(count) {}
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  T operator[](size_t i) const {
    T value;
    std::memcpy(&value, data_ + i * sizeof(T), sizeof(T));
    return value;
  }
  std::span<const std::byte> bytes() const { return {data_, count_ * sizeof(T)}; }
  std::vector<T> to_vector() const {
    std::vector<T> values(count_);
    if (count_ != 0) std::memcpy(values.data(), data_, count_ * sizeof(T));
    return values;
  }

 private:
  const std::byte* data_ = nullptr;
  size_t count_ = 0;
};

class GgufReader {
 public:
  // Checks the whole of the metadata and of the tensor table. name is for messages; bytes must outlive the reader and
  // every view it gives. Throws Error bad_file, or unsupported for a version or byte order that quern does not read.
  GgufReader(std::span<const std::byte> bytes, std::string name);

  const std::string& name() const { return name_; }
  uint32_t version() const { return version_; }
  uint32_t alignment() const { return alignment_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  uint64_t data_offset() const { return data_offset_; }  // of the data section in the file

  bool has(std::string_view key) const { return find_key(key) != nullptr; }

  // Each throws Error bad_file when the key is missing or holds another type; the _or forms only for another type.
  uint64_t get_uint(std::string_view key) const;  // any integer type, value >= 0
  int64_t get_int(std::string_view key) const;    // any integer type that fits
  double get_float(std::string_view key) const;   // f32 or f64, finite
  bool get_bool(std::string_view key) const;
  std::string_view get_string(std::string_view key) const;
  std::vector<std::string_view> get_strings(std::string_view key) const;
  template <class T>  // int32_t, uint32_t, float, uint8_t (also reads an i8 array)
  GgufArray<T> get_array(std::string_view key) const;
  // An array of any integer type that fits: which one a writer takes is its own choice.
  std::vector<int64_t> get_integers(std::string_view key) const;

  uint64_t get_uint_or(std::string_view key, uint64_t fallback) const { return has(key) ? get_uint(key) : fallback; }
  int64_t get_int_or(std::string_view key, int64_t fallback) const { return has(key) ? get_int(key) : fallback; }
  double get_float_or(std::string_view key, double fallback) const { return has(key) ? get_float(key) : fallback; }
  bool get_bool_or(std::string_view key, bool fallback) const { return has(key) ? get_bool(key) : fallback; }
  std::string_view get_string_or(std::string_view key, std::string_view fallback) const {
    return has(key) ? get_string(key) : fallback;
  }

  const TensorInfo* find(std::string_view name) const;
  const TensorInfo& tensor(std::string_view name) const;  // throws Error bad_file when missing

  std::span<const TensorInfo> tensors() const { return tensors_; }  // in file order
  std::span<const GgufKey> keys() const { return keys_; }           // in file order

 private:
  const GgufKey* find_key(std::string_view key) const;
  const GgufKey& require_key(std::string_view key) const;
  void read_keys(class GgufCursor& cursor, uint64_t count);
  void read_tensor_table(class GgufCursor& cursor, uint64_t count);
  void read_alignment();
  void place_tensors(uint64_t end_of_table);
  // A number of a key, or of its array. Throws Error bad_file for another type and for what does not fit.
  int64_t as_int64(const GgufKey& key, GgufValueType type, const std::byte* bytes) const;
  [[noreturn]] void wrong_type(const GgufKey& key, const char* expected) const;

  std::span<const std::byte> bytes_;
  std::string name_;
  uint32_t version_ = 0;
  uint32_t alignment_ = 32;
  uint64_t data_offset_ = 0;
  std::vector<GgufKey> keys_;
  std::vector<TensorInfo> tensors_;
  std::vector<uint32_t> keys_by_name_;     // indices, sorted by name
  std::vector<uint32_t> tensors_by_name_;  // likewise
};

// For listings. "u32", "array of string"; the value on one line, arrays and long strings abbreviated.
std::string gguf_type_text(const GgufKey& key);
std::string gguf_value_text(const GgufKey& key);

}  // namespace quern

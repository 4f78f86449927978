// Serializes keys as they are set; the header and the tensor table are written by begin().
#include "gguf/writer.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "error.h"
#include "gguf/reader.h"
#include "gguf/types.h"
#include "io/json.h"

namespace quern {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written as they lie in memory");

template <class T>
void append(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void append_string(std::string& out, std::string_view text) {
  append<uint64_t>(out, text.size());
  out.append(text);
}

uint64_t padding(uint64_t position, uint64_t alignment) {
  return (alignment - position % alignment) % alignment;
}

}  // namespace

GgufWriter::GgufWriter(const std::string& path, uint32_t alignment) : file_(path), alignment_(alignment) {
  if (!std::has_single_bit(alignment) || alignment < 8 || alignment > 65536) {
    misuse("alignment " + std::to_string(alignment) + ", expected a power of two from 8 to 65536");
  }
  if (alignment != 32) set_u32("general.alignment", alignment);
}

void GgufWriter::misuse(const std::string& problem) const {
  throw Error(Status::bad_argument, file_.path() + ": " + problem);
}

void GgufWriter::start_key(std::string_view key, GgufValueType type) {
  if (begun_) misuse("key '" + printable(key) + "' set after begin()");
  if (key.empty() || key.size() > 65535) misuse("a key of " + std::to_string(key.size()) + " bytes");
  if (!key_names_.emplace(key).second) misuse("key '" + printable(key) + "' set twice");
  append_string(keys_, key);
  append(keys_, static_cast<uint32_t>(type));
}

void GgufWriter::start_array(std::string_view key, GgufValueType element, uint64_t count) {
  start_key(key, GgufValueType::array);
  append(keys_, static_cast<uint32_t>(element));
  append(keys_, count);
}

template <class T>
void GgufWriter::set_scalar(std::string_view key, GgufValueType type, T value) {
  start_key(key, type);
  append(keys_, value);
}

template <class T>
void GgufWriter::set_scalars(std::string_view key, GgufValueType element, std::span<const T> values) {
  start_array(key, element, values.size());
  keys_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

template <class S>
void GgufWriter::set_string_array(std::string_view key, std::span<const S> values) {
  start_array(key, GgufValueType::string, values.size());
  for (const S& value : values) append_string(keys_, value);
}

void GgufWriter::set_u8(std::string_view key, uint8_t value) {
  set_scalar(key, GgufValueType::u8, value);
}
void GgufWriter::set_i8(std::string_view key, int8_t value) {
  set_scalar(key, GgufValueType::i8, value);
}
void GgufWriter::set_u16(std::string_view key, uint16_t value) {
  set_scalar(key, GgufValueType::u16, value);
}
void GgufWriter::set_i16(std::string_view key, int16_t value) {
  set_scalar(key, GgufValueType::i16, value);
}
void GgufWriter::set_u32(std::string_view key, uint32_t value) {
  set_scalar(key, GgufValueType::u32, value);
}
void GgufWriter::set_i32(std::string_view key, int32_t value) {
  set_scalar(key, GgufValueType::i32, value);
}
void GgufWriter::set_u64(std::string_view key, uint64_t value) {
  set_scalar(key, GgufValueType::u64, value);
}
void GgufWriter::set_i64(std::string_view key, int64_t value) {
  set_scalar(key, GgufValueType::i64, value);
}
void GgufWriter::set_f32(std::string_view key, float value) {
  set_scalar(key, GgufValueType::f32, value);
}
void GgufWriter::set_f64(std::string_view key, double value) {
  set_scalar(key, GgufValueType::f64, value);
}
void GgufWriter::set_bool(std::string_view key, bool value) {
  set_scalar<uint8_t>(key, GgufValueType::boolean, value ? 1 : 0);
}

void GgufWriter::set_string(std::string_view key, std::string_view value) {
  start_key(key, GgufValueType::string);
  append_string(keys_, value);
}

void GgufWriter::set_strings(std::string_view key, std::span<const std::string> values) {
  set_string_array(key, values);
}
void GgufWriter::set_strings(std::string_view key, std::span<const std::string_view> values) {
  set_string_array(key, values);
}
void GgufWriter::set_array(std::string_view key, std::span<const int32_t> values) {
  set_scalars(key, GgufValueType::i32, values);
}
void GgufWriter::set_array(std::string_view key, std::span<const uint32_t> values) {
  set_scalars(key, GgufValueType::u32, values);
}
void GgufWriter::set_array(std::string_view key, std::span<const float> values) {
  set_scalars(key, GgufValueType::f32, values);
}
void GgufWriter::set_array(std::string_view key, std::span<const uint8_t> values) {
  set_scalars(key, GgufValueType::u8, values);
}

void GgufWriter::add_tensor(std::string_view name, uint32_t type, std::initializer_list<int64_t> ne) {
  add_tensor(name, type, std::span<const int64_t>(ne.begin(), ne.size()));
}

void GgufWriter::add_tensor(std::string_view name, uint32_t type, std::span<const int64_t> ne) {
  if (begun_) misuse("tensor '" + printable(name) + "' added after begin()");
  if (name.empty() || name.size() > 63) misuse("a tensor name of " + std::to_string(name.size()) + " bytes");
  if (!tensor_names_.emplace(name).second) misuse("tensor '" + printable(name) + "' added twice");
  const GgmlType* row = find_ggml_type(type);
  if (row == nullptr) misuse("tensor '" + printable(name) + "' has the unknown type " + std::to_string(type));
  uint64_t bytes = 0;
  if (ne.empty() || ne.size() > 4 || !tensor_bytes(*row, ne, &bytes)) {
    misuse("tensor '" + printable(name) + "' has extents that " + std::string(row->name) + " cannot hold");
  }
  tensors_.push_back({std::string(name), type, {ne.begin(), ne.end()}, bytes});
}

void GgufWriter::begin() {
  if (begun_) misuse("begin() called twice");
  std::string header = "GGUF";
  append<uint32_t>(header, 3);
  append<uint64_t>(header, tensors_.size());
  append<uint64_t>(header, key_names_.size());
  file_.write(header.data(), header.size());
  file_.write(keys_.data(), keys_.size());
  std::string table;
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    append_string(table, tensor.name);
    append(table, static_cast<uint32_t>(tensor.ne.size()));
    for (const int64_t extent : tensor.ne) append(table, extent);
    append(table, tensor.type);
    append(table, offset);
    offset += tensor.bytes + padding(tensor.bytes, alignment_);
  }
  file_.write(table.data(), table.size());
  pad();
  keys_ = {};
  begun_ = true;
}

void GgufWriter::pad() {
  const std::string zeros(padding(file_.size(), alignment_), '\0');
  file_.write(zeros.data(), zeros.size());
}

std::string_view GgufWriter::current_tensor() const {
  return current_ < tensors_.size() ? std::string_view(tensors_[current_].name) : std::string_view();
}

uint64_t GgufWriter::bytes_wanted() const {
  return current_ < tensors_.size() ? tensors_[current_].bytes - received_ : 0;
}

void GgufWriter::write_tensor_data(const void* data, size_t size) {
  if (!begun_) misuse("tensor data before begin()");
  if (size > bytes_wanted()) {
    misuse("tensor '" + printable(current_tensor()) + "' got " + std::to_string(size) + " bytes, it lacks " +
           std::to_string(bytes_wanted()));
  }
  file_.write(data, size);
  received_ += size;
  if (current_ == tensors_.size() || received_ != tensors_[current_].bytes) return;
  pad();
  ++current_;
  received_ = 0;
}

void GgufWriter::commit() {
  if (!begun_) misuse("commit() before begin()");
  if (current_ != tensors_.size()) {
    misuse("tensor '" + printable(current_tensor()) + "' lacks " + std::to_string(bytes_wanted()) +
           " bytes at commit()");
  }
  file_.commit();
}

}  // namespace quern

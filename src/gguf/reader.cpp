// Parses a GGUF file: header, keys, tensor table, places of the tensors. The getters are in reader_values.cpp.
//
// Memory: 64 bytes per key and 104 per tensor, both of which take at least 14 and 25 bytes of the file.
#include "gguf/reader.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "error.h"
#include "gguf/cursor.h"
#include "io/json.h"

namespace quern {
namespace {

constexpr uint64_t min_key_bytes = 8 + 1 + 4 + 1;         // length, one character, type, value
constexpr uint64_t min_tensor_bytes = 8 + 1 + 4 + 4 + 8;  // length, one character, n_dims, type, offset
constexpr uint64_t max_key_length = 65535;                // GGUF's own limit
constexpr uint64_t max_tensor_name_length = 63;           // what other readers hold
constexpr uint64_t max_records = uint64_t{1} << 31;       // the indices are 32 bits wide

// 0 for strings and arrays, whose size the file gives, and for unknown types.
uint64_t scalar_bytes(GgufValueType type) {
  switch (type) {
    case GgufValueType::u8:
    case GgufValueType::i8:
    case GgufValueType::boolean:
      return 1;
    case GgufValueType::u16:
    case GgufValueType::i16:
      return 2;
    case GgufValueType::u32:
    case GgufValueType::i32:
    case GgufValueType::f32:
      return 4;
    case GgufValueType::u64:
    case GgufValueType::i64:
    case GgufValueType::f64:
      return 8;
    case GgufValueType::string:
    case GgufValueType::array:
      break;
  }
  return 0;
}

// Positions sorted by name; throws on a name that comes twice.
template <class Record>
std::vector<uint32_t> sort_by_name(const std::vector<Record>& records, const std::string& file, const char* what) {
  std::vector<uint32_t> order(records.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return records[a].name < records[b].name; });
  const auto same = [&](uint32_t a, uint32_t b) { return records[a].name == records[b].name; };
  const auto twice = std::adjacent_find(order.begin(), order.end(), same);
  if (twice != order.end()) {
    throw Error(Status::bad_file, file + ": the " + what + " '" + printable(records[*twice].name) + "' comes twice");
  }
  return order;
}

template <class Record>
const Record* find_by_name(const std::vector<Record>& records, const std::vector<uint32_t>& order,
                           std::string_view name) {
  const auto found = std::lower_bound(order.begin(), order.end(), name,
                                      [&](uint32_t i, std::string_view wanted) { return records[i].name < wanted; });
  return found != order.end() && records[*found].name == name ? &records[*found] : nullptr;
}

// The bytes of a value that starts at the cursor; checks what is inside of it, too.
void read_value(GgufCursor& cursor, GgufKey& key, const std::string& file) {
  const std::string where = file + ": key '" + printable(key.name) + "'";
  if (key.type == GgufValueType::string) {
    const std::string_view text = cursor.string("a string value");
    key.value = std::as_bytes(std::span(text.data(), text.size()));
    return;
  }
  const bool is_array = key.type == GgufValueType::array;
  if (is_array) {
    key.element = static_cast<GgufValueType>(cursor.number<uint32_t>("an array's element type"));
    key.count = cursor.number<uint64_t>("an array's length");
    if (key.element == GgufValueType::array) throw Error(Status::bad_file, where + " is an array of arrays");
  }
  if (key.element == GgufValueType::string) {
    cursor.bound_count(key.count, sizeof(uint64_t), "the length of a string array");
    GgufCursor rest = cursor;
    for (uint64_t i = 0; i < key.count; ++i) rest.string("a string of an array");
    key.value = cursor.take(rest.position() - cursor.position(), "a string array");
    return;
  }
  const uint64_t bytes = scalar_bytes(key.element);
  if (bytes == 0) {
    throw Error(Status::bad_file, where + " has the unknown value type " +
                                      std::to_string(static_cast<uint32_t>(key.element)) + ", expected 0 to 12");
  }
  cursor.bound_count(key.count, bytes, "the length of an array");
  key.value = cursor.take(key.count * bytes, "a value");
  if (key.element != GgufValueType::boolean) return;
  const bool valid = std::all_of(key.value.begin(), key.value.end(), [](std::byte b) { return b <= std::byte{1}; });
  if (!valid) throw Error(Status::bad_file, where + " is a bool that is neither 0 nor 1");
}

uint64_t padded(uint64_t size, uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

}  // namespace

GgufReader::GgufReader(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {
  GgufCursor cursor(bytes_, name_);
  const auto magic = cursor.take(4, "the magic");
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) {
    throw Error(Status::bad_file, name_ + ": no GGUF file: it does not begin with \"GGUF\"");
  }
  version_ = cursor.number<uint32_t>("the version");
  if (version_ != 0 && (version_ & 0xffff) == 0) {
    throw Error(Status::unsupported, name_ + ": a big-endian GGUF file, quern reads little-endian ones");
  }
  if (version_ != 2 && version_ != 3) {
    throw Error(Status::unsupported, name_ + ": GGUF version " + std::to_string(version_) + ", quern reads 2 and 3");
  }
  const uint64_t n_tensors = cursor.number<uint64_t>("the number of tensors");
  const uint64_t n_keys = cursor.number<uint64_t>("the number of keys");
  read_keys(cursor, n_keys);
  read_alignment();
  read_tensor_table(cursor, n_tensors);
  place_tensors(cursor.position());
}

void GgufReader::read_keys(GgufCursor& cursor, uint64_t count) {
  cursor.bound_count(count, min_key_bytes, "the number of keys");
  if (count > max_records) throw Error(Status::bad_file, name_ + ": " + std::to_string(count) + " keys are too many");
  keys_.reserve(static_cast<size_t>(count));
  for (uint64_t i = 0; i < count; ++i) {
    GgufKey key = {};
    key.name = cursor.string("a key");
    if (key.name.empty() || key.name.size() > max_key_length) {
      throw Error(Status::bad_file, name_ + ": key " + std::to_string(i) + " has " + std::to_string(key.name.size()) +
                                        " bytes, expected 1 to " + std::to_string(max_key_length));
    }
    key.type = key.element = static_cast<GgufValueType>(cursor.number<uint32_t>("a value's type"));
    key.count = 1;
    read_value(cursor, key, name_);
    keys_.push_back(key);
  }
  keys_by_name_ = sort_by_name(keys_, name_, "key");
}

void GgufReader::read_alignment() {
  const GgufKey* key = find_key("general.alignment");
  if (key == nullptr) return;
  if (key->type != GgufValueType::u32) wrong_type(*key, "u32");
  const uint64_t value = get_uint(key->name);
  if (!std::has_single_bit(value)) {
    throw Error(Status::bad_file,
                name_ + ": general.alignment is " + std::to_string(value) + ", expected a power of two");
  }
  alignment_ = static_cast<uint32_t>(value);
}

void GgufReader::read_tensor_table(GgufCursor& cursor, uint64_t count) {
  cursor.bound_count(count, min_tensor_bytes, "the number of tensors");
  if (count > max_records)
    throw Error(Status::bad_file, name_ + ": " + std::to_string(count) + " tensors are too many");
  tensors_.reserve(static_cast<size_t>(count));
  for (uint64_t i = 0; i < count; ++i) {
    TensorInfo tensor = {};
    tensor.name = cursor.string("a tensor's name");
    if (tensor.name.empty() || tensor.name.size() > max_tensor_name_length) {
      throw Error(Status::bad_file, name_ + ": the name of tensor " + std::to_string(i) + " has " +
                                        std::to_string(tensor.name.size()) + " bytes, expected 1 to 63");
    }
    const std::string where = name_ + ": tensor '" + printable(tensor.name) + "'";
    tensor.n_dims = cursor.number<uint32_t>("a tensor's rank");
    if (tensor.n_dims > 4) {
      throw Error(Status::bad_file, where + " has rank " + std::to_string(tensor.n_dims) + ", expected at most 4");
    }
    tensor.ne = {1, 1, 1, 1};
    for (uint32_t d = 0; d < tensor.n_dims; ++d) tensor.ne[d] = cursor.number<int64_t>("a tensor's extent");
    tensor.type = cursor.number<uint32_t>("a tensor's type");
    tensor.offset = cursor.number<uint64_t>("a tensor's offset");
    const GgmlType* type = find_ggml_type(tensor.type);
    if (type == nullptr) throw Error(Status::bad_file, where + " has the unknown type " + std::to_string(tensor.type));
    if (!tensor_bytes(*type, tensor.ne, &tensor.size)) {
      std::string extents;
      for (const int64_t n : tensor.ne) extents += (extents.empty() ? "" : ", ") + std::to_string(n);
      throw Error(Status::bad_file, where + " has the extents [" + extents +
                                        "], expected positive ones that fit in 63 " + "bits, the first a multiple of " +
                                        std::to_string(type->block_elements) + " for " + std::string(type->name));
    }
    tensors_.push_back(tensor);
  }
  tensors_by_name_ = sort_by_name(tensors_, name_, "tensor");
}

// Tensors lie one after the other, each padded to the alignment; only the padding of the last one may be missing.
void GgufReader::place_tensors(uint64_t end_of_table) {
  data_offset_ = padded(end_of_table, alignment_);  // no wrap: below the file's length + 2^31
  const uint64_t available = bytes_.size() - std::min<uint64_t>(data_offset_, bytes_.size());
  uint64_t expected = 0;
  for (TensorInfo& tensor : tensors_) {
    const std::string where = name_ + ": tensor '" + printable(tensor.name) + "'";
    if (tensor.offset != expected) {
      throw Error(Status::bad_file, where + " has the offset " + std::to_string(tensor.offset) + ", expected " +
                                        std::to_string(expected) + ", where the one before it ends");
    }
    if (expected > available || tensor.size > available - expected) {
      throw Error(Status::bad_file, where + " reaches past the end of the file: it needs " +
                                        std::to_string(tensor.size) + " bytes at " + std::to_string(expected) +
                                        " of a data section of " + std::to_string(available));
    }
    tensor.data = bytes_.subspan(static_cast<size_t>(data_offset_ + expected), static_cast<size_t>(tensor.size));
    expected = padded(expected + tensor.size, alignment_);  // no wrap: at most the file's length + 2^31
  }
  if (available > expected) {
    throw Error(Status::bad_file,
                name_ + ": " + std::to_string(available - expected) + " bytes follow the last tensor, expected none");
  }
}

const GgufKey* GgufReader::find_key(std::string_view key) const {
  return find_by_name(keys_, keys_by_name_, key);
}

const TensorInfo* GgufReader::find(std::string_view name) const {
  return find_by_name(tensors_, tensors_by_name_, name);
}

const TensorInfo& GgufReader::tensor(std::string_view name) const {
  const TensorInfo* found = find(name);
  if (found == nullptr) throw Error(Status::bad_file, name_ + ": the tensor '" + printable(name) + "' is missing");
  return *found;
}

}  // namespace quern

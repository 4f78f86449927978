// The getters of GgufReader, and the text of keys for listings. Lengths were checked when the file was parsed.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "error.h"
#include "gguf/cursor.h"
#include "gguf/reader.h"
#include "io/json.h"

namespace quern {
namespace {

template <class T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

struct Integer {
  bool valid, negative;
  uint64_t bits;  // two's complement
};

Integer of_signed(int64_t value) {
  return {true, value < 0, static_cast<uint64_t>(value)};
}

Integer load_integer(GgufValueType type, const std::byte* bytes) {
  switch (type) {
    case GgufValueType::u8:
      return {true, false, load<uint8_t>(bytes)};
    case GgufValueType::u16:
      return {true, false, load<uint16_t>(bytes)};
    case GgufValueType::u32:
      return {true, false, load<uint32_t>(bytes)};
    case GgufValueType::u64:
      return {true, false, load<uint64_t>(bytes)};
    case GgufValueType::i8:
      return of_signed(load<int8_t>(bytes));
    case GgufValueType::i16:
      return of_signed(load<int16_t>(bytes));
    case GgufValueType::i32:
      return of_signed(load<int32_t>(bytes));
    case GgufValueType::i64:
      return of_signed(load<int64_t>(bytes));
    default:
      return {false, false, 0};
  }
}

const char* type_name(GgufValueType type) {
  static constexpr const char* names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                          "bool", "string", "array", "u64", "i64", "f64"};
  const auto i = static_cast<size_t>(type);
  return i < std::size(names) ? names[i] : "unknown";
}

uint64_t element_bytes(const GgufKey& key) {
  return key.count == 0 ? 0 : key.value.size() / key.count;
}

std::string float_text(double value, int digits) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::general, digits).ptr;
  return std::string(text, end);
}

std::string scalar_text(GgufValueType type, const std::byte* bytes) {
  const Integer integer = load_integer(type, bytes);
  if (integer.valid) {
    return integer.negative ? std::to_string(static_cast<int64_t>(integer.bits)) : std::to_string(integer.bits);
  }
  if (type == GgufValueType::f32) return float_text(load<float>(bytes), 7);
  if (type == GgufValueType::f64) return float_text(load<double>(bytes), 15);
  return bytes[0] == std::byte{1} ? "true" : "false";
}

std::string string_text(std::string_view text, size_t limit) {
  const std::string size = text.size() > limit ? " (" + std::to_string(text.size()) + " bytes)" : "";
  return "\"" + printable(text, limit) + "\"" + size;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
bool holds(GgufValueType element) {
  if constexpr (std::is_same_v<T, int32_t>) return element == GgufValueType::i32;
  if constexpr (std::is_same_v<T, uint32_t>) return element == GgufValueType::u32;
  if constexpr (std::is_same_v<T, float>) return element == GgufValueType::f32;
  return std::is_same_v<T, uint8_t> && (element == GgufValueType::u8 || element == GgufValueType::i8);
}

template <class T>
constexpr const char* array_name = std::is_same_v<T, int32_t>    ? "array of i32"
                                   : std::is_same_v<T, uint32_t> ? "array of u32"
                                   : std::is_same_v<T, float>    ? "array of f32"
                                                                 : "array of u8";

}  // namespace

void GgufReader::wrong_type(const GgufKey& key, const char* expected) const {
  throw Error(Status::bad_file,
              name_ + ": key '" + printable(key.name) + "' is " + gguf_type_text(key) + ", expected " + expected);
}

const GgufKey& GgufReader::require_key(std::string_view key) const {
  const GgufKey* found = find_key(key);
  if (found == nullptr) throw Error(Status::bad_file, name_ + ": the key '" + printable(key) + "' is missing");
  return *found;
}

uint64_t GgufReader::get_uint(std::string_view key) const {
  const GgufKey& found = require_key(key);
  const Integer value = load_integer(found.type, found.value.data());
  if (!value.valid) wrong_type(found, "an integer");
  if (value.negative) {
    throw Error(Status::bad_file, name_ + ": key '" + printable(key) + "' is " +
                                      std::to_string(static_cast<int64_t>(value.bits)) + ", expected at least 0");
  }
  return value.bits;
}

int64_t GgufReader::as_int64(const GgufKey& key, GgufValueType type, const std::byte* bytes) const {
  const Integer value = load_integer(type, bytes);
  if (!value.valid) wrong_type(key, key.type == GgufValueType::array ? "array of whole numbers" : "an integer");
  if (!value.negative && value.bits > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    throw Error(Status::bad_file, name_ + ": key '" + printable(key.name) + "' is " + std::to_string(value.bits) +
                                      ", expected less than 2^63");
  }
  return static_cast<int64_t>(value.bits);
}

int64_t GgufReader::get_int(std::string_view key) const {
  const GgufKey& found = require_key(key);
  return as_int64(found, found.type, found.value.data());
}

double GgufReader::get_float(std::string_view key) const {
  const GgufKey& found = require_key(key);
  if (found.type != GgufValueType::f32 && found.type != GgufValueType::f64) wrong_type(found, "f32 or f64");
  const double value =
      found.type == GgufValueType::f32 ? load<float>(found.value.data()) : load<double>(found.value.data());
  if (!std::isfinite(value)) {
    throw Error(Status::bad_file, name_ + ": key '" + printable(key) + "' is not a finite number");
  }
  return value;
}

bool GgufReader::get_bool(std::string_view key) const {
  const GgufKey& found = require_key(key);
  if (found.type != GgufValueType::boolean) wrong_type(found, "bool");
  return found.value[0] == std::byte{1};
}

std::string_view GgufReader::get_string(std::string_view key) const {
  const GgufKey& found = require_key(key);
  if (found.type != GgufValueType::string) wrong_type(found, "string");
  return as_text(found.value);
}

std::vector<std::string_view> GgufReader::get_strings(std::string_view key) const {
  const GgufKey& found = require_key(key);
  if (found.type != GgufValueType::array || found.element != GgufValueType::string)
    wrong_type(found, "array of string");
  std::vector<std::string_view> strings;
  strings.reserve(static_cast<size_t>(found.count));
  GgufCursor cursor(found.value, name_);
  for (uint64_t i = 0; i < found.count; ++i) strings.push_back(cursor.string("a string of an array"));
  return strings;
}

template <class T>
GgufArray<T> GgufReader::get_array(std::string_view key) const {
  const GgufKey& found = require_key(key);
  if (found.type != GgufValueType::array || !holds<T>(found.element)) wrong_type(found, array_name<T>);
  return {found.value.data(), static_cast<size_t>(found.count)};
}

template GgufArray<int32_t> GgufReader::get_array<int32_t>(std::string_view) const;
template GgufArray<uint32_t> GgufReader::get_array<uint32_t>(std::string_view) const;
template GgufArray<float> GgufReader::get_array<float>(std::string_view) const;
template GgufArray<uint8_t> GgufReader::get_array<uint8_t>(std::string_view) const;

std::vector<int64_t> GgufReader::get_integers(std::string_view key) const {
  const GgufKey& found = require_key(key);
  if (found.type != GgufValueType::array) wrong_type(found, "array of whole numbers");
  std::vector<int64_t> out(static_cast<size_t>(found.count));
  const uint64_t bytes = element_bytes(found);
  for (size_t i = 0; i < out.size(); ++i) out[i] = as_int64(found, found.element, found.value.data() + i * bytes);
  return out;
}

std::string gguf_type_text(const GgufKey& key) {
  if (key.type != GgufValueType::array) return type_name(key.type);
  return std::string("array of ") + type_name(key.element);
}

std::string gguf_value_text(const GgufKey& key) {
  constexpr uint64_t shown = 6;
  if (key.type == GgufValueType::string) return string_text(as_text(key.value), 100);
  if (key.type != GgufValueType::array) return scalar_text(key.type, key.value.data());
  std::string text = "[";
  const std::string file;
  GgufCursor cursor(key.value, file);
  for (uint64_t i = 0; i < std::min(key.count, shown); ++i) {
    if (i > 0) text += ", ";
    if (key.element == GgufValueType::string) {
      text += string_text(cursor.string("a string"), 24);
    } else {
      text += scalar_text(key.element, key.value.data() + i * element_bytes(key));
    }
  }
  if (key.count > shown) text += ", ...";
  return text + "] (" + std::to_string(key.count) + ")";
}

}  // namespace quern

// Arrays that a tokenizer runs on: made here, or used in place in a mapped file, where they need not be aligned.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "error.h"

namespace quern {

template <class T>
class PackedTable {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  PackedTable() = default;
  explicit PackedTable(std::vector<T> own)
      : own_(std::move(own)), data_(reinterpret_cast<const std::byte*>(own_.data())), size_(own_.size()) {}
  explicit PackedTable(std::span<const std::byte> bytes) : data_(bytes.data()), size_(bytes.size() / sizeof(T)) {}
  PackedTable(PackedTable&&) noexcept = default;  // a moved vector keeps its memory
  PackedTable& operator=(PackedTable&&) noexcept = default;

  size_t size() const noexcept { return size_; }
  T operator[](size_t i) const noexcept {
    T value;
    std::memcpy(&value, data_ + i * sizeof(T), sizeof(T));
    return value;
  }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_ * sizeof(T)}; }

 private:
  std::vector<T> own_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Where tables lie by name: a model file's keys. Whatever takes tables from it checks every number in them, so that a
// broken file is an Error and never a read out of bounds.
struct TableSource {
  std::string file, prefix;  // for messages: of the file, and of the names in it
  std::function<std::optional<std::span<const std::byte>>(std::string_view name)> find;

  template <class T>
  PackedTable<T> get(std::string_view name) const {
    const auto bytes = find(name);
    if (!bytes) fail(name, "is missing");
    if (bytes->size() % sizeof(T) != 0) {
      fail(name, "should hold entries of " + std::to_string(sizeof(T)) + " bytes, but has " +
                     std::to_string(bytes->size()) + " bytes");
    }
    return PackedTable<T>(*bytes);
  }
  [[noreturn]] void fail(std::string_view name, const std::string& what) const {
    throw Error(Status::bad_file, file + ": " + prefix + std::string(name) + " " + what);
  }
};

// Takes one table at a time, under the names that TableSource finds them by.
using TableSink = std::function<void(std::string_view name, std::span<const std::byte> bytes)>;

}  // namespace quern

// safetensors files and sharded folders -> tensor views, nothing copied. A trust boundary: every offset is checked
// against the file before a view is given. Not for pickle files, which are refused by name, nor for using the tensors.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/mapped_file.h"

namespace quern {

struct StTensor {
  std::string name;
  std::string dtype;                  // as the file spells it: "F32", "BF16", …; always one of the format's list
  std::vector<int64_t> shape;         // row-major, last extent contiguous; empty for a scalar
  std::span<const std::byte> data;    // little-endian, may be unaligned: read with memcpy
  const std::string* file = nullptr;  // path of the file that holds it, for messages

  int64_t elements() const;  // fits: checked when the file was read
};

class Safetensors {
 public:
  // DIR/model.safetensors, else the shards that DIR/model.safetensors.index.json lists. Throws Error: not_found when
  // there are no weights, unsupported when there are only pickle weights, bad_file.
  static Safetensors open_folder(const std::string& dir);
  static Safetensors open_file(const std::string& path);

  // One file's bytes, for tests and fuzzing; bytes must outlive the result.
  static Safetensors from_bytes(std::span<const std::byte> bytes, const std::string& name);

  // Tensors that another reader found; their bytes must outlive the result, or keep() holds them.
  static Safetensors from_tensors(std::vector<StTensor> tensors, const std::string& name);
  void keep(MappedFile map) { maps_.push_back(std::move(map)); }

  const StTensor* find(std::string_view name) const;
  const StTensor& tensor(std::string_view name) const;            // throws Error bad_file when missing
  std::span<const StTensor> tensors() const { return tensors_; }  // by file, in order of offset
  const std::map<std::string, std::string>& metadata() const { return metadata_; }  // of the first file
  const std::string& name() const { return name_; }                                 // the path given, for messages
  std::span<const std::string> files() const { return *paths_; }

  // Tells the system that the pages of a tensor's bytes, or of a part of them, will not be used again. Only a hint.
  void release(std::span<const std::byte> data) const noexcept;

 private:
  static Safetensors open_shards(const std::string& dir, const std::string& index);
  void add(std::span<const std::byte> bytes, const std::string& path);
  void index_names();

  std::string name_;
  std::unique_ptr<std::vector<std::string>> paths_;  // never resized after tensors point into it
  std::vector<MappedFile> maps_;
  std::vector<StTensor> tensors_;
  std::vector<uint32_t> by_name_;  // indices, sorted by name
  std::map<std::string, std::string> metadata_;
};

// Bits of one element of a safetensors dtype, 0 when the name is unknown.
unsigned safetensors_dtype_bits(std::string_view dtype) noexcept;

// Throws Error unsupported when the path is named like a pickle file (.bin .pt .pth .ckpt .pkl), or is a folder that
// holds such a file. Ask for a folder only when it has no safetensors weights.
void refuse_pickle(const std::string& path);

}  // namespace quern

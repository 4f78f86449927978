// The tensor types of GGUF: numbers, names and block sizes. No code that reads or computes with blocks.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace quern {

struct GgmlType {
  uint32_t id;
  std::string_view name;    // as GGUF tools print it, e.g. "Q8_0"
  uint32_t block_elements;  // consecutive elements of a row that share one block
  uint32_t block_bytes;
};

// The ids that quern itself writes; every other one is in the table too.
namespace ggml_type {
inline constexpr uint32_t f32 = 0, f16 = 1, q4_0 = 2, q8_0 = 8, i8 = 24, i16 = 25, i32 = 26, i64 = 27, f64 = 28,
                          bf16 = 30;
}

// nullptr when the id is unknown or was removed from GGUF.
const GgmlType* find_ggml_type(uint32_t id) noexcept;
const GgmlType* find_ggml_type(std::string_view name) noexcept;
std::span<const GgmlType> ggml_types() noexcept;

// Bytes of a tensor of this type and these extents (ne[0] is the contiguous one). False when an extent is below 1,
// ne[0] is no multiple of the block, or elements or bytes do not fit in int64.
bool tensor_bytes(const GgmlType& type, std::span<const int64_t> ne, uint64_t* bytes) noexcept;

}  // namespace quern

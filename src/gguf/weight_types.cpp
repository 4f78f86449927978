#include "gguf/weight_types.h"

#include <cassert>
#include <iterator>
#include <string_view>

#include "dispatch.h"
#include "gguf/types.h"

namespace quern {
namespace {

constexpr uint32_t kNoRows = UINT32_MAX;  // of panel types, whose arrays are tensors of numbers

struct GgufWeightType {
  std::string_view name;
  uint32_t rows;  // the tensor type of its rows
  uint32_t file;  // general.file_type
};
constexpr GgufWeightType kWeightTypes[] = {
    {"f32", 0, 0},      {"f16", 1, 1},      {"bf16", 30, 32},   {"q8", kNoRows, 7}, {"q8_g256", kNoRows, 7},
    {"q4", kNoRows, 2}, {"q5", kNoRows, 8}, {"q8_0", 8, 7},     {"q4_0", 2, 2},     {"q4_1", 3, 3},
    {"q5_0", 6, 8},     {"q5_1", 7, 9},     {"q2_k", 10, 10},   {"q3_k", 11, 12},   {"q4_k", 12, 15},
    {"q5_k", 13, 17},   {"q6_k", 14, 18},   {"iq4_nl", 20, 25}, {"mxfp4", 39, 38},
};
static_assert(std::size(kWeightTypes) == kTypes, "every type of quants/list.h has its numbers here");

const GgufWeightType& numbers_of(const TypeInfo& type) {
  for (const GgufWeightType& row : kWeightTypes)
    if (row.name == type.name) return row;
  assert(false);
  return kWeightTypes[0];
}

}  // namespace

uint32_t gguf_type_of(const TypeInfo& type, const ArraySpec& array) {
  switch (array.element) {
    case Element::f32:
      return ggml_type::f32;
    case Element::f16:
      return ggml_type::f16;
    case Element::i8:
      return ggml_type::i8;
    case Element::i32:
      return ggml_type::i32;
    case Element::rows:
      break;
  }
  return numbers_of(type).rows;
}

uint32_t gguf_file_type_of(const TypeInfo& type) {
  return numbers_of(type).file;
}

const TypeInfo* row_type_of_gguf(uint32_t id) {
  if (id == kNoRows) return nullptr;
  for (const TypeInfo* type : all_types())
    if (numbers_of(*type).rows == id) return type;
  return nullptr;
}

}  // namespace quern

// How each weight of a model is stored in a file of a given type: which tensors it becomes, in what order and shape.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dispatch.h"
#include "models/weight_map.h"

namespace quern {

struct StoredTensor {
  std::string name;
  uint32_t gguf_type;
  std::vector<int64_t> ne;
};

// A matrix of the file: a whole linear (panel types), one part of it (row types, as llama.cpp names them), or a table.
struct StoredMatrix {
  std::string name;  // without suffix
  const TypeInfo* type;
  size_t first_part, n_parts;
  int64_t N, K;
  std::vector<StoredTensor> tensors;  // the type's arrays, in order
};

struct Storage {
  std::vector<StoredMatrix> matrices;
  std::vector<StoredTensor> vectors;  // weight and bias of norms; smooth and bias of linears; after the matrices
};

// as: the type, and the finer one that some linears take in its place. groups_from: linears of more inputs are
// TypeInfo::in_groups of their type. rows: the table's rows in the source. The type of a linear falls back where its
// inputs do not divide: q4 to q8, q8_0 and q4_0 to f16. Tables of files of integer types are q8_0, or f16 where their
// width does not divide.
Storage storage_of(const WeightSpec& spec, const WrittenType& as, int64_t groups_from, int64_t rows);

}  // namespace quern

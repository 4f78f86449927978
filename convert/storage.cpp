#include "convert/storage.h"

#include <cassert>

#include "gguf/types.h"
#include "gguf/weight_types.h"

namespace quern {
namespace {

const TypeInfo& named(const char* name) {
  const TypeInfo* type = find_type(name);
  assert(type);
  return *type;
}

// A type that does not fit gives way to one that does: no shape keeps a model from being converted. What the conversion
// sees no inputs of has no smoothing factors and is rounded without compensation: q8 loses little by that, q4 would.
const TypeInfo& linear_type(const WeightSpec& spec, const TypeInfo& wanted, int64_t groups_from) {
  const int64_t K = spec.K;
  if (spec.always_f32) return named("f32");
  const auto sized = [&](const TypeInfo& type) -> const TypeInfo& {
    return type.in_groups && K > groups_from ? *type.in_groups : type;
  };
  if (!spec.calibrated && !wanted.rows) return sized(named("q8"));
  if (K % wanted.k_multiple == 0) return sized(wanted);
  return wanted.rows ? named("f16") : sized(named("q8"));
}

// Of a byte, the linears into the feed-forward network return half of what the others do (docs/lab/quantization.md).
bool repays_finer(const WeightSpec& spec) {
  const std::string last = spec.name.substr(spec.name.rfind('.') + 1);
  return spec.kind == WeightSpec::Kind::linear && (!last.starts_with("ffn_") || last.starts_with("ffn_down"));
}

// Rows are looked up one by one, which panels do not allow. Coarser blocks than q8_0 would save no time: a text reads
// few rows.
const TypeInfo& table_type(const WeightSpec& spec, const TypeInfo& wanted) {
  if (spec.always_f32) return named("f32");
  if (wanted.rows && wanted.k_multiple == 1) return wanted;
  return spec.K % 32 == 0 ? named("q8_0") : named("f16");
}

StoredMatrix matrix(std::string name, const TypeInfo& type, size_t first_part, size_t n_parts, int64_t N, int64_t K) {
  StoredMatrix m{std::move(name), &type, first_part, n_parts, N, K, {}};
  for (int i = 0; i < type.n_arrays; ++i) {
    int64_t ne[4] = {1, 1, 1, 1};
    type.arrays[i].shape(N, K, ne);
    size_t dims = 4;  // GGUF counts extents; a matrix of one row is still a matrix
    while (dims > 1 && ne[dims - 1] == 1) --dims;
    if (type.rows) dims = 2;
    m.tensors.push_back({m.name + '.' + type.arrays[i].suffix, gguf_type_of(type, type.arrays[i]), {ne, ne + dims}});
  }
  return m;
}

}  // namespace

Storage storage_of(const WeightSpec& spec, const WrittenType& as, int64_t groups_from, int64_t rows) {
  const TypeInfo& type = as.finer && repays_finer(spec) ? *as.finer : *as.type;
  Storage s;
  const auto vector = [&](const std::string& name, int64_t n) { s.vectors.push_back({name, ggml_type::f32, {n}}); };
  switch (spec.kind) {
    case WeightSpec::Kind::table:
      s.matrices.push_back(matrix(spec.name, table_type(spec, type), 0, 1, rows, spec.K));
      break;
    case WeightSpec::Kind::norm:
      vector(spec.name + ".weight", spec.N);
      if (spec.bias) vector(spec.name + ".bias", spec.N);
      break;
    case WeightSpec::Kind::linear: {
      const TypeInfo& stored = linear_type(spec, type, groups_from);
      if (!stored.rows) {
        s.matrices.push_back(matrix(spec.name, stored, 0, spec.parts.size(), spec.N, spec.K));
        if (spec.calibrated) vector(spec.name + ".smooth", spec.K);
        if (spec.bias) vector(spec.name + ".bias", spec.N);
        break;
      }
      // Row types keep the parts apart, under the names that llama.cpp looks for; panels are quern's own, and one
      // product.
      for (size_t i = 0; i < spec.parts.size(); ++i) {
        s.matrices.push_back(matrix(spec.parts[i].gguf, stored, i, 1, spec.parts[i].N, spec.K));
        if (spec.bias) vector(spec.parts[i].gguf + ".bias", spec.parts[i].N);
      }
      break;
    }
  }
  return s;
}

}  // namespace quern

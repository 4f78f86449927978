// Binds a model's weights to the tensors of a Hugging Face folder. Matrices of aligned F32, F16 and BF16 are used where
// they lie; the rest (vectors, biases in pieces) is copied as f32.
#include <cstring>

#include "dispatch.h"
#include "error.h"
#include "models/weight_map.h"
#include "quants/half.h"
#include "safetensors/safetensors.h"

namespace quern {
namespace {

struct FloatDtype {
  const char* dtype;
  const char* type;
  size_t bytes;
};
constexpr FloatDtype kFloats[] = {{"F32", "f32", 4}, {"F16", "f16", 2}, {"BF16", "bf16", 2}};

const FloatDtype& float_dtype(const StTensor& tensor) {
  for (const FloatDtype& d : kFloats)
    if (tensor.dtype == d.dtype) return d;
  throw Error(Status::unsupported, *tensor.file + ": tensor " + tensor.name + " has dtype " + tensor.dtype +
                                       "; quern reads F32, F16 and BF16");
}

void check_shape(const StTensor& tensor, std::initializer_list<int64_t> expected) {
  const std::vector<int64_t> shape(expected);
  if (tensor.shape != shape)
    throw Error(Status::bad_file, *tensor.file + ": tensor " + tensor.name + ": expected shape " +
                                      shape_text(shape.data(), shape.size()) + ", found " +
                                      shape_text(tensor.shape.data(), tensor.shape.size()));
  float_dtype(tensor);
}

const StTensor& find_either(const Safetensors& file, const std::string& name, const char* suffix,
                            const char* old_suffix) {
  const StTensor* tensor = file.find(name + suffix);
  if (!tensor) tensor = file.find(name + old_suffix);
  return tensor ? *tensor : file.tensor(name + suffix);  // throws, naming the present spelling
}

bool usable_in_place(const StTensor& t) {
  return reinterpret_cast<uintptr_t>(t.data.data()) % float_dtype(t).bytes == 0;
}

class Binder {
 public:
  Binder(const Safetensors& file, std::string prefix, WeightStore& store)
      : file_(file), prefix_(std::move(prefix)), store_(store) {}

  void bind(const WeightSpec& spec) {
    const HfTensors first = find_hf_tensors(file_, prefix_, spec, 0);
    switch (spec.kind) {
      case WeightSpec::Kind::linear:
        return linear(spec);
      case WeightSpec::Kind::norm:
        spec.norm->weight = vector(*first.weight);
        spec.norm->bias = first.bias ? vector(*first.bias) : nullptr;
        return;
      case WeightSpec::Kind::table: {
        const int64_t rows = first.weight->shape[0];
        const Matrix m = matrix(*first.weight, rows, spec.K, false);
        *spec.table = {m.type, m.arrays[0], rows, spec.K};
        return;
      }
    }
  }

 private:
  const float* vector(const StTensor& tensor) {
    float* out = store_.floats(static_cast<size_t>(tensor.elements()));
    read_floats(tensor, 0, tensor.elements(), out);
    return out;
  }

  Matrix matrix(const StTensor& tensor, int64_t N, int64_t K, bool as_f32) {
    Matrix m{.type = find_type(float_dtype(tensor).type), .N = N, .K = K, .arrays = {tensor.data.data()}};
    if (as_f32 || !usable_in_place(tensor)) {
      m.type = find_type("f32");
      m.arrays[0] = vector(tensor);
    }
    return m;
  }

  void linear(const WeightSpec& spec) {
    Linear& to = *spec.linear;
    to = {.N = spec.N, .K = spec.K, .parts = {}, .bias = nullptr, .smooth = nullptr};
    bool mixed = false;  // parts of different dtypes, or not all aligned: then all as f32
    const StTensor* first = find_hf_tensors(file_, prefix_, spec, 0).weight;
    for (size_t i = 0; i < spec.parts.size(); ++i) {
      const StTensor* w = find_hf_tensors(file_, prefix_, spec, i).weight;
      mixed = mixed || w->dtype != first->dtype || (!usable_in_place(*w) && spec.parts.size() > 1);
    }
    float* bias = spec.bias ? store_.floats(static_cast<size_t>(spec.N)) : nullptr;
    int64_t at = 0;
    for (size_t i = 0; i < spec.parts.size(); ++i) {
      const HfTensors t = find_hf_tensors(file_, prefix_, spec, i);
      to.parts.push_back({matrix(*t.weight, spec.parts[i].N, spec.K, mixed), at, nullptr, nullptr});
      if (bias) read_floats(*t.bias, 0, spec.parts[i].N, bias + at);
      at += spec.parts[i].N;
    }
    to.bias = bias;
  }

  const Safetensors& file_;
  std::string prefix_;
  WeightStore& store_;
};

}  // namespace

HfTensors find_hf_tensors(const Safetensors& file, const std::string& prefix, const WeightSpec& spec, size_t part) {
  const WeightSpec::Part& p = spec.parts[part];
  HfTensors found;
  found.weight = &find_either(file, prefix + p.hf, ".weight", ".gamma");
  if (spec.kind == WeightSpec::Kind::norm)
    check_shape(*found.weight, {p.N});
  else
    check_shape(*found.weight, {p.N == 0 && !found.weight->shape.empty() ? found.weight->shape[0] : p.N, spec.K});
  if (spec.bias) {
    found.bias = &find_either(file, prefix + p.hf, ".bias", ".beta");
    check_shape(*found.bias, {p.N});
  }
  return found;
}

std::string find_hf_prefix(const Safetensors& file, const std::vector<std::string>& prefixes,
                           const std::vector<WeightSpec>& specs) {
  for (const std::string& prefix : prefixes)
    if (file.find(prefix + specs[0].parts[0].hf + ".weight")) return prefix;
  file.tensor(prefixes[0] + specs[0].parts[0].hf + ".weight");  // throws, naming it
  return {};
}

void read_floats(const StTensor& tensor, int64_t first, int64_t n, float* out) {
  const FloatDtype& dtype = float_dtype(tensor);
  const std::byte* in = tensor.data.data() + static_cast<size_t>(first) * dtype.bytes;
  if (dtype.bytes == 4) {
    std::memcpy(out, in, static_cast<size_t>(n) * 4);
    return;
  }
  const bool bf16 = tensor.dtype == "BF16";
  for (int64_t i = 0; i < n; ++i) {
    uint16_t half;
    std::memcpy(&half, in + i * 2, 2);
    out[i] = bf16 ? bf16_to_f32(half) : f16_to_f32(half);
  }
}

void bind_weights(const Safetensors& file, const std::vector<std::string>& prefixes, std::vector<WeightSpec>& specs,
                  WeightStore& store) {
  Binder binder(file, find_hf_prefix(file, prefixes, specs), store);
  for (const WeightSpec& spec : specs) binder.bind(spec);
}

}  // namespace quern

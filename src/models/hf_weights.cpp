// Binds a model's weights to the tensors of a Hugging Face folder. Matrices of aligned F32, F16 and BF16 are used where
// they lie; the rest (vectors, biases in pieces) is copied as f32.
#include "models/hf_weights.h"

#include <algorithm>
#include <cstring>

#include "dispatch.h"
#include "error.h"
#include "models/chosen_rows.h"
#include "safetensors/torch_file.h"

namespace quern {
namespace {

WeightTensor view_of(const StTensor& t) {
  return {t.name, t.dtype, t.shape, t.data, t.file};
}

void check_shape(const WeightTensor& tensor, const std::vector<int64_t>& shape) {
  expect_shape(tensor, shape);
  float_dtype(tensor);
}

bool usable_in_place(const WeightTensor& t) {
  return float_dtype(t).bytes <= 4 && reinterpret_cast<uintptr_t>(t.data.data()) % float_dtype(t).bytes == 0;
}

size_t row_bytes_of(const WeightTensor& tensor) {
  const int64_t row = tensor.shape[0] > 0 ? tensor.elements() / tensor.shape[0] : 0;
  return static_cast<size_t>(row) * float_dtype(tensor).bytes;
}

class HfBinder {
 public:
  HfBinder(const HfWeights& file, WeightStore& store) : file_(file), store_(store) {}

  void bind(const WeightSpec& spec) {
    switch (spec.kind) {
      case WeightSpec::Kind::linear:
        return linear(spec);
      case WeightSpec::Kind::norm: {
        if (!spec.made.empty())
          return spec.bind(static_cast<const float*>(
              std::memcpy(store_.floats(spec.made.size()), spec.made.data(), spec.made.size() * sizeof(float))));
        if (spec.optional && !file_.has(spec)) return;
        const WeightTensors t = file_.tensors(spec, 0);
        return spec.bind(vector(t.weight, spec.hf_added), t.bias ? vector(*t.bias) : nullptr);
      }
      case WeightSpec::Kind::table: {
        const WeightTensor weight = file_.tensors(spec, 0).weight;
        const int64_t rows = weight.shape[0];
        const Matrix m = matrix(weight, rows, spec.K, spec.always_f32);
        *spec.table = {m.type, m.arrays[0], rows, spec.K};
        return;
      }
    }
  }

 private:
  const float* vector(const WeightTensor& tensor, float added = 0) {
    float* out = store_.floats(static_cast<size_t>(tensor.elements()));
    read_floats(tensor, 0, tensor.elements(), out);
    if (added != 0)
      for (int64_t i = 0; i < tensor.elements(); ++i) out[i] += added;
    return out;
  }

  Matrix matrix(const WeightTensor& tensor, int64_t N, int64_t K, bool as_f32) {
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
    std::vector<WeightTensors> tensors;
    for (size_t i = 0; i < spec.parts.size(); ++i) tensors.push_back(file_.tensors(spec, i));
    bool as_f32 = spec.always_f32;  // parts of different dtypes, or not all aligned: then all as f32
    for (const WeightTensors& t : tensors)
      as_f32 =
          as_f32 || t.weight.dtype != tensors[0].weight.dtype || (!usable_in_place(t.weight) && tensors.size() > 1);
    float* bias = spec.bias ? store_.floats(static_cast<size_t>(spec.N)) : nullptr;
    int64_t at = 0;
    for (size_t i = 0; i < spec.parts.size(); ++i) {
      to.parts.push_back({matrix(tensors[i].weight, spec.parts[i].N, spec.K, as_f32), at, nullptr, nullptr});
      if (bias) read_floats(*tensors[i].bias, 0, spec.parts[i].N, bias + at);
      at += spec.parts[i].N;
    }
    to.bias = bias;
  }

  const HfWeights& file_;
  WeightStore& store_;
};

// f(spelling) for each of "a|b" until it gives something.
template <class F>
const StTensor* first_of(const std::string& spellings, const F& f) {
  for (size_t begin = 0; begin <= spellings.size();) {
    const size_t end = std::min(spellings.find('|', begin), spellings.size());
    if (const StTensor* found = f(spellings.substr(begin, end - begin))) return found;
    begin = end + 1;
  }
  return nullptr;
}

std::string first_spelling(const std::string& spellings) {
  return spellings.substr(0, spellings.find('|'));
}

}  // namespace

HfWeights::HfWeights(std::string dir, const std::string& transformer, std::vector<std::string> prefixes,
                     WeightChanges* changes)
    : dir_(std::move(dir)),
      prefixes_(std::move(prefixes)),
      prefix_(prefixes_[0]),
      transformer_(Safetensors::open_folder(transformer.empty() ? dir_ : dir_ + '/' + transformer)),
      changes_(changes) {}

const StTensor* HfWeights::spelled(const Safetensors& file, const std::string& spellings,
                                   std::initializer_list<const char*> suffixes) const {
  return first_of(spellings, [&](const std::string& name) -> const StTensor* {
    for (const std::string& prefix : prefixes_)
      for (const char* suffix : suffixes)
        if (const StTensor* found = file.find(prefix + name + suffix)) return found;
    return nullptr;
  });
}

const Safetensors& HfWeights::open(const std::string& folder) {
  const auto found = folders_.find(folder);
  if (found != folders_.end()) return found->second;
  const std::string path = dir_ + '/' + folder;
  return folders_
      .emplace(folder, folder.ends_with(".pt") ? open_torch_file(path, "linear.") : Safetensors::open_folder(path))
      .first->second;
}

int64_t HfWeights::rows(const std::string& folder, const std::string& name) {
  const StTensor& tensor = (folder.empty() ? transformer_ : open(folder)).tensor(name + ".weight");
  return tensor.shape.empty() ? 0 : tensor.shape[0];
}

int64_t HfWeights::columns(const std::string& name) const {
  const StTensor* tensor = spelled(transformer_, name, {".weight", ""});
  return tensor && tensor->shape.size() == 2 ? tensor->shape[1] : 0;
}

// Some rows of a matrix, as whatever changed it has left it.
void HfWeights::pick_rows(const WeightSpec& spec) {
  const StTensor* found = spelled(transformer_, spec.parts[0].hf, {".weight"});
  if (!found) found = &transformer_.tensor(prefix_ + first_spelling(spec.parts[0].hf) + ".weight");  // throws
  WeightTensor matrix = view_of(*found);
  for (const auto& [part, tensors] : changed_)
    if (tensors.weight.name == matrix.name && tensors.weight.shape == matrix.shape) matrix = tensors.weight;
  const auto bytes = std::as_bytes(std::span(spec.hf_picked));
  const WeightTensor rows{"of its token ids", "I64", {spec.N}, bytes, matrix.file};
  WeightTensor picked = chosen_rows(matrix, rows, std::nullopt, changed_store_);
  expect_shape(picked, {spec.N, spec.K});
  changed_[{spec.name, 0}] = {picked, {}};
}

// A table whose rows the file has once for several tokens, or not yet scaled, or as whole numbers.
void HfWeights::choose_rows(const WeightSpec& spec) {
  const Safetensors& file = file_of(spec);
  const StTensor* table = spelled(file, spec.parts[0].hf, {".weight", ""});
  const StTensor *rows = file.find(spec.hf_rows), *scales = file.find(spec.hf_row_scales);
  if (!table || (!rows && !scales && table->dtype != "I8")) return;
  const auto view = [](const StTensor* t) { return t ? std::optional(view_of(*t)) : std::nullopt; };
  changed_[{spec.name, 0}] = {chosen_rows(view_of(*table), view(rows), view(scales), changed_store_), {}};
}

const Safetensors& HfWeights::file_of(const WeightSpec& spec) const {
  return spec.hf_folder.empty() ? transformer_ : folders_.at(spec.hf_folder);
}

bool HfWeights::has(const WeightSpec& spec) const {
  return spelled(file_of(spec), first_spelling(spec.parts[0].hf), {".weight"}) != nullptr;
}

WeightTensors HfWeights::tensors(const WeightSpec& spec, size_t index) const {
  const auto changed = changed_.find({spec.name, index});
  return changed == changed_.end() ? unchanged(spec, index) : changed->second;
}

void HfWeights::change(const WeightSpec& spec) {
  if (!spec.hf_folder.empty() || !spec.made.empty() || !spec.hf_picked.empty() || (spec.optional && !has(spec))) return;
  for (size_t i = 0; i < spec.parts.size(); ++i) {
    WeightTensors t = unchanged(spec, i);
    const std::string name = t.weight.name;
    const bool is_changed = changes_->change(spec, i, prefixes_, t, changed_store_);
    if (is_changed && spec.kind == WeightSpec::Kind::table) changed_tables_.insert(name);
    if (!spec.or_else.empty() && (is_changed || changed_tables_.count(name))) parted_.insert(spec.name);
    if (is_changed) changed_.insert_or_assign({spec.name, i}, std::move(t));
  }
}

WeightTensors HfWeights::unchanged(const WeightSpec& spec, size_t index) const {
  const Safetensors& file = file_of(spec);
  const WeightSpec::Part& part = spec.parts[index];
  const std::string first_name = first_spelling(part.hf);
  int64_t first = spec.hf_skip;
  const StTensor* whole = spec.hf_whole.empty() ? nullptr : spelled(file, spec.hf_whole, {".weight"});
  for (size_t i = 0; whole && i < index; ++i) first += spec.parts[i].N;
  const StTensor* weight = whole ? whole : spelled(file, part.hf, {".weight", ".gamma"});
  if (!weight && spec.kind == WeightSpec::Kind::table) weight = spelled(file, part.hf, {""});
  if (!weight) weight = &file.tensor(prefix_ + first_name + ".weight");  // throws, naming the present spelling
  const int64_t file_rows = weight->shape.empty() ? 0 : weight->shape[0];
  if (file_rows < first || (part.N == 0 && file_rows == first))
    throw Error(Status::bad_file, *weight->file + ": tensor " + weight->name + ": expected more than " +
                                      std::to_string(first) + " rows, found " + std::to_string(file_rows));
  const int64_t n = part.N == 0 ? file_rows - first : part.N;
  const int64_t rows = whole ? spec.N : first + n;
  const WeightTensor weights = view_of(*weight);
  check_shape(weights, spec.kind == WeightSpec::Kind::norm ? std::vector{rows} : std::vector{rows, spec.K});
  WeightTensors found{rows_of(weights, first, n, row_bytes_of(weights)), {}};
  if (!spec.bias) return found;
  const StTensor* bias = !spec.hf_bias.empty() ? spelled(file, spec.hf_bias, {""})
                         : whole               ? spelled(file, spec.hf_whole, {".bias"})
                                               : spelled(file, part.hf, {".bias", ".beta"});
  if (!bias) bias = &file.tensor(prefix_ + (spec.hf_bias.empty() ? first_name + ".bias" : spec.hf_bias));
  const WeightTensor biases = view_of(*bias);
  check_shape(biases, {rows});
  found.bias = rows_of(biases, first, n, row_bytes_of(biases));
  return found;
}

std::optional<WeightTensors> HfWeights::find(const WeightSpec& spec, size_t part) const {
  return tensors(spec, part);
}

void HfWeights::bind(std::span<const WeightSpec> specs, WeightStore& store) {
  for (const std::string& prefix : prefixes_)
    if (!specs.empty() && transformer_.find(prefix + specs[0].parts[0].hf + ".weight")) prefix_ = prefix;
  for (const WeightSpec& spec : specs)
    if (!spec.hf_folder.empty()) open(spec.hf_folder);
  for (const WeightSpec& spec : specs)
    if (!spec.hf_rows.empty()) choose_rows(spec);
  if (changes_)
    for (const WeightSpec& spec : specs) change(spec);
  for (const WeightSpec& spec : specs)
    if (!spec.hf_picked.empty()) pick_rows(spec);
  HfBinder binder(*this, store);
  for (const WeightSpec& spec : specs) binder.bind(spec);
}

void HfWeights::done_with(const WeightSpec& spec) const {
  if (!holds(spec)) return;
  for (size_t i = 0; i < spec.parts.size(); ++i) transformer_.release(tensors(spec, i).weight.data);
}

void HfWeights::each(const WeightMap& map, const std::function<void(const HashedWeight&)>& f) const {
  for (const WeightSpec& spec : map.specs) {
    for (size_t i = 0; i < spec.parts.size() && holds(spec); ++i) {
      const WeightTensors t = tensors(spec, i);
      HashedWeight weight{spec.name, {}};
      for (const WeightTensor* tensor : {&t.weight, t.bias ? &*t.bias : nullptr})
        if (tensor)
          weight.pieces.emplace_back(
              spec.parts[i].gguf + ' ' + tensor->dtype + ' ' + shape_text(tensor->shape.data(), tensor->shape.size()),
              tensor->data);
      f(weight);
      transformer_.release(t.weight.data);
    }
  }
}

SourceContents HfWeights::contents() const {
  SourceContents contents;
  for (const StTensor& t : transformer_.tensors()) {
    contents.tensors.push_back({t.name, t.dtype, t.shape, t.data.size()});
    contents.bytes += t.data.size();
  }
  return contents;
}

}  // namespace quern

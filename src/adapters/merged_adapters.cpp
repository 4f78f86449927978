#include "adapters/merged_adapters.h"

#include <algorithm>
#include <cmath>

#include "adapters/base_model.h"
#include "adapters/lora_matrices.h"
#include "adapters/module_names.h"
#include "cpu.h"
#include "dispatch.h"
#include "error.h"
#include "io/available_memory.h"
#include "io/json.h"
#include "loaded_model.h"

namespace quern {
namespace {

constexpr int64_t kRows = 64;  // of one task

// What a module adds to rows of a matrix of K columns before it is scaled, from `first` of left's on.
void product_rows(const KernelTable& kernels, const LoraMatrices& m, int64_t first, int64_t n, float* out) {
  kernels.gemm(n, m.K, m.r, m.left.data() + first * m.r, m.r, m.right.data(), m.K, out, m.K);
}

}  // namespace

// A part that changes.
struct MergedAdapters::Target {
  const WeightSpec& spec;
  WeightTensors& tensors;
  WeightStore& store;
  WeightTensor base = tensors.weight;  // as the folder has it, or an adapter in its place
  const int64_t rows = base.shape[0], K = spec.kind == WeightSpec::Kind::norm ? 1 : spec.K;
  NamedModule where = {};
  float *weight = nullptr, *bias = nullptr;  // of the store, once they differ

  float* floats(WeightTensor& tensor) const {
    const size_t n = static_cast<size_t>(tensor.elements());
    const uint64_t left = available_memory();
    if (left > 0 && n * sizeof(float) > left)
      throw Error(Status::out_of_memory, *tensor.file + ": merging an adapter into '" + printable(tensor.name) +
                                             "' takes " + std::to_string(n * sizeof(float) >> 20) +
                                             " MiB more, and there are " + std::to_string(left >> 20) +
                                             " MiB left; all layers that it changes are in memory as f32 meanwhile");
    float* const values = store.floats(n);
    read_floats(tensor, 0, tensor.elements(), values);
    tensor.dtype = "F32";
    tensor.data = std::as_bytes(std::span(values, n));
    return values;
  }
  float* weights() { return weight ? weight : weight = floats(tensors.weight); }
  float* biases(const WeightTensor& from) {
    if (!tensors.bias)
      throw Error(Status::bad_file, *from.file + ": tensor '" + printable(from.name) +
                                        "': the base model's layer has no bias; the adapter is of another model");
    return bias ? bias : bias = floats(*tensors.bias);
  }
  // Of the module's own values, the part's, in place of what is there.
  void replace(const WeightTensor& from, int64_t width, float* to) const {
    const std::vector<float> values = finite_values(from);
    const auto first = values.begin() + static_cast<ptrdiff_t>(where.first * width);
    std::copy(first, first + static_cast<ptrdiff_t>(rows * width), to);
  }
};

MergedAdapters::MergedAdapters(std::span<const AdapterToMerge> adapters, int threads)
    : pool_(threads > 0 ? threads : usable_cpus()) {
  for (const AdapterToMerge& a : adapters) {
    if (!std::isfinite(a.weight))
      throw Error(Status::bad_argument, a.dir + ": expected an adapter's weight that is a finite number");
    adapters_.push_back({PeftFolder::open(a.dir), a.weight, {}, {}, {}});
  }
  for (Adapter& a : adapters_)  // where they stay
    for (const auto& [name, module] : a.folder.modules()) a.modules.emplace(name, &module);
}

bool MergedAdapters::change(const WeightSpec& spec, size_t part, std::span<const std::string> prefixes,
                            WeightTensors& tensors, WeightStore& store) {
  Target target{spec, tensors, store};
  for (Adapter& a : adapters_)
    for (NamedModule& module : modules_of(spec, part, target.rows, a.tables, a.folder.config().tied)) {
      const std::string name = spelled_module(a.modules, module.name, prefixes);
      if (name.empty()) continue;
      a.used.insert(name);
      target.where = std::move(module);
      apply(a, name, *a.modules.at(name), target);
      break;  // its other names are other spellings
    }
  return target.weight || target.bias;
}

void MergedAdapters::apply(const Adapter& adapter, const std::string& name, const PeftModule& m, Target& t) {
  const PeftConfig& config = adapter.folder.config();
  if (adapter.weight != 1 && (m.weight || m.bias || m.magnitude))
    throw Error(Status::bad_argument, tensor_of_module(m.any(), name) +
                                          " takes the base model's place (modules_to_save, bias, use_dora); merge such "
                                          "an adapter with weight 1");
  if (m.weight) {
    if (t.spec.kind == WeightSpec::Kind::norm)
      expect_shape(*m.weight, {t.where.rows}, name);
    else
      expect_shape(*m.weight, {t.where.rows, t.K}, name);
    t.replace(*m.weight, t.K, t.weights());
    t.base = rows_of(*m.weight, t.where.first, t.rows, static_cast<size_t>(t.K) * float_dtype(*m.weight).bytes);
  }
  if (m.bias) {
    float* const bias = t.biases(*m.bias);
    expect_shape(*m.bias, {t.where.rows}, name);
    t.replace(*m.bias, 1, bias);
  }
  if (m.a || m.b || m.embedding_a || m.embedding_b) add_product(adapter, name, m, t);
  if (m.b_bias) {
    if (!config.lora_bias)
      throw Error(Status::bad_file, tensor_of_module(*m.b_bias, name) + " is a bias, which lora_bias of " +
                                        config.path + " says that there is not");
    float* const bias = t.biases(*m.b_bias);
    expect_shape(*m.b_bias, {t.where.rows}, name);
    const std::vector<float> values = finite_values(*m.b_bias);
    const float scale = static_cast<float>(config.scale_of(name)) * adapter.weight;
    for (int64_t i = 0; i < t.rows; ++i) bias[i] += scale * values[static_cast<size_t>(t.where.first + i)];
  }
}

// DoRA (Liu et al., 2024, arXiv 2402.09353): of a linear, each output's weights get the length that its magnitude says;
// of a table, each column. The length that they had is that of the base model with this adapter alone.
void MergedAdapters::add_product(const Adapter& adapter, const std::string& name, const PeftModule& m, Target& t) {
  const PeftConfig& config = adapter.folder.config();
  const LoraMatrices product = lora_matrices(config, name, m, t.where.rows, t.K);
  const float scale = static_cast<float>(config.scale_of(name)) * adapter.weight;
  if (config.dora != m.magnitude.has_value())
    throw Error(Status::bad_file, tensor_of_module(m.any(), name) + ": use_dora of " + config.path +
                                      " says that there is " + (config.dora ? "a" : "no") +
                                      " magnitude, but there is " + (config.dora ? "none" : "one"));
  const bool columns = config.dora && m.embedding_a;
  std::vector<float> magnitude;
  if (config.dora) {
    const int64_t n = columns ? t.K : t.where.rows;
    if (m.magnitude->elements() != n) refuse_shape(*m.magnitude, shape_text(&n, 1), name);
    if (columns && t.rows != t.where.rows)
      throw Error(Status::unsupported, tensor_of_module(*m.magnitude, name) +
                                           ": quern does not apply DoRA to this table, of "
                                           "which it keeps a part; merge it with peft");
    magnitude = finite_values(*m.magnitude);
  }
  float* const weights = t.weights();
  const int64_t K = t.K, tasks = (t.rows + kRows - 1) / kRows;
  const KernelTable& kernels = default_kernels();
  std::vector<double> squares(columns ? static_cast<size_t>(tasks * K) : 0);
  pool_.run(tasks, [&](int64_t task, Arena& scratch) {
    Arena::Scope scope(scratch);
    const int64_t first = task * kRows, n = std::min(kRows, t.rows - first);
    float *const delta = scratch.take<float>(n * K), *const alone = scratch.take<float>(K);
    product_rows(kernels, product, t.where.first + first, n, delta);
    for (int64_t i = 0; i < n; ++i) {
      float *const w = weights + (first + i) * K, *const d = delta + i * K;
      if (config.dora) read_floats(t.base, (first + i) * K, K, alone);
      for (int64_t k = 0; k < K; ++k) {
        const float change = scale * d[k];
        w[k] += change;
        if (config.dora) alone[k] += change;
      }
      if (!config.dora) continue;
      double* const sums = squares.data() + task * K;
      for (int64_t k = 0; columns && k < K; ++k) sums[k] += double{alone[k]} * double{alone[k]};
      if (columns) continue;
      const float length = std::sqrt(kernels.dot(alone, alone, K));
      const float factor = length > 0 ? magnitude[static_cast<size_t>(t.where.first + first + i)] / length : 0;
      for (int64_t k = 0; k < K; ++k) w[k] *= factor;
    }
  });
  for (int64_t k = 0; columns && k < K; ++k) {
    double sum = 0;
    for (int64_t task = 0; task < tasks; ++task) sum += squares[static_cast<size_t>(task * K + k)];
    const float factor = sum > 0 ? magnitude[static_cast<size_t>(k)] / static_cast<float>(std::sqrt(sum)) : 0;
    for (int64_t i = 0; i < t.rows; ++i) weights[i * K + k] *= factor;
  }
}

std::vector<std::string> MergedAdapters::finish(LoadedModel& model) const {
  std::vector<std::string> notes;
  for (const Adapter& a : adapters_) {
    for (std::string& note : notes_of(a.folder, a.used, model)) notes.push_back(std::move(note));
    std::string source = "merged when the model was converted";
    if (a.weight != 1) source += ", weight " + std::to_string(a.weight);
    model.decisions.push_back({"adapter", last_part(a.folder.dir()), source});
  }
  return notes;
}

std::vector<std::string> MergedAdapters::files() const {
  std::vector<std::string> all;
  for (const Adapter& a : adapters_) {
    all.insert(all.end(), a.folder.files().begin(), a.folder.files().end());
    all.push_back(a.folder.config().path);
  }
  return all;
}

}  // namespace quern

// Binds a model's weights to the tensors of a GGUF file, in place.
#include "models/gguf_weights.h"

#include <algorithm>
#include <cstring>

#include "cpu.h"
#include "dispatch.h"
#include "error.h"
#include "gguf/weight_types.h"
#include "parallel.h"

namespace quern {
namespace {

// The panel type that the file holds `name` in; null: none.
const TypeInfo* panel_type_of(const GgufReader& file, const std::string& name) {
  for (const TypeInfo* type : all_types())
    if (!type->rows && file.find(name + '.' + type->arrays[0].suffix)) return type;
  return nullptr;
}

class GgufBinder {
 public:
  GgufBinder(const GgufReader& file, WeightStore& store) : file_(file), store_(store) {}

  void bind(const WeightSpec& spec) {
    switch (spec.kind) {
      case WeightSpec::Kind::linear:
        return linear(spec);
      case WeightSpec::Kind::norm:
        if (spec.optional && !file_.find(spec.name + ".weight")) return;
        return spec.bind(vector(spec.name + ".weight", spec.N),
                         spec.bias ? vector(spec.name + ".bias", spec.N) : nullptr);
      case WeightSpec::Kind::table:
        return table(spec);
    }
  }

  // Panels of all matrices that were bound, on all CPUs.
  void make_panels() {
    if (jobs_.empty()) return;
    constexpr int64_t kOutputs = 256;  // of one task
    std::vector<int64_t> first_task;
    int64_t tasks = 0;
    for (const PanelJob& job : jobs_) {
      first_task.push_back(tasks);
      tasks += (job.N + kOutputs - 1) / kOutputs;
    }
    Pool pool(usable_cpus());
    pool.run(tasks, [&](int64_t task, Arena&) {
      const size_t i =
          static_cast<size_t>(std::upper_bound(first_task.begin(), first_task.end(), task) - first_task.begin()) - 1;
      const PanelJob& job = jobs_[i];
      const int64_t n = (task - first_task[i]) * kOutputs;
      job.type->make_panels(job.rows, job.N, job.K, n, std::min(job.N, n + kOutputs), job.panels);
    });
  }

  // f(rows) of each matrix that got panels.
  template <class F>
  void each_rows(const F& f) const {
    for (const PanelJob& job : jobs_)
      f({static_cast<const std::byte*>(job.rows), job.type->arrays[0].bytes(job.N, job.K)});
  }

 private:
  [[noreturn]] void wrong(const TensorInfo& tensor, const std::string& expected, const std::string& found) const {
    throw Error(Status::bad_file,
                file_.name() + ": tensor " + std::string(tensor.name) + ": expected " + expected + ", found " + found);
  }

  const TypeInfo& row_type(const TensorInfo& tensor) const {
    if (const TypeInfo* type = row_type_of_gguf(tensor.type)) return *type;
    std::string known;
    for (const TypeInfo* type : all_types()) known += (known.empty() ? "" : ", ") + std::string(type->name);
    throw Error(Status::unsupported, file_.name() + ": tensor " + std::string(tensor.name) + " has type " +
                                         std::string(find_ggml_type(tensor.type)->name) +
                                         ", which quern does not run (it runs " + known + ")");
  }

  // The data of one of a type's arrays, after its type and shape are checked.
  const void* array(const std::string& name, const TypeInfo& type, int i, int64_t N, int64_t K) const {
    const ArraySpec& spec = type.arrays[i];
    const TensorInfo& tensor = file_.tensor(name + '.' + spec.suffix);
    const uint32_t expected = gguf_type_of(type, spec);
    if (tensor.type != expected)
      wrong(tensor, "type " + std::string(find_ggml_type(expected)->name),
            std::string(find_ggml_type(tensor.type)->name));
    int64_t ne[4] = {1, 1, 1, 1};
    spec.shape(N, K, ne);
    if (!std::equal(ne, ne + 4, tensor.ne.begin())) wrong(tensor, shape_text(ne, 4), shape_text(tensor.ne.data(), 4));
    if (reinterpret_cast<uintptr_t>(tensor.data.data()) % 4 != 0)
      wrong(tensor, "data aligned to 4 bytes", "an odd address");
    return tensor.data.data();
  }

  const float* vector(const std::string& name, int64_t n) const {
    const TensorInfo& tensor = file_.tensor(name);
    const int64_t ne[4] = {n, 1, 1, 1};
    if (tensor.type != ggml_type::f32) wrong(tensor, "type F32", std::string(find_ggml_type(tensor.type)->name));
    if (!std::equal(ne, ne + 4, tensor.ne.begin()))
      wrong(tensor, shape_text(ne, 1), shape_text(tensor.ne.data(), tensor.n_dims));
    return reinterpret_cast<const float*>(tensor.data.data());
  }

  void table(const WeightSpec& spec) const {
    const TensorInfo& tensor = file_.tensor(spec.name + ".weight");
    const TypeInfo& type = row_type(tensor);
    const int64_t rows = spec.N > 0 ? spec.N : tensor.ne[1];
    *spec.table = {&type, array(spec.name, type, 0, rows, spec.K), rows, spec.K};
  }

  // The panel type that the file holds `name` in, else its row type; null when it is not there.
  const TypeInfo* type_of(const std::string& name) const {
    if (const TypeInfo* panels = panel_type_of(file_, name)) return panels;
    const TensorInfo* tensor = file_.find(name + ".weight");
    return tensor ? &row_type(*tensor) : nullptr;
  }

  void part(Linear& to, const std::string& name, const TypeInfo& type, int64_t first, int64_t N, int64_t K) {
    if (K % type.k_multiple != 0)
      throw Error(Status::bad_file, file_.name() + ": " + name + " is of type " + type.name +
                                        ", which needs a multiple of " + std::to_string(type.k_multiple) +
                                        " inputs, and has " + std::to_string(K));
    Linear::Part part{{&type, N, K, {}}, first, nullptr, nullptr};
    for (int i = 0; i < type.n_arrays; ++i) part.w.arrays[i] = array(name, type, i, N, K);
    if (type.make_panels) {
      PanelJob job{&type, part.w.arrays[0], N, K, {}};
      for (int i = 0; i < 4 && type.panel_bytes(N, K, i) > 0; ++i)
        part.w.arrays[i] = job.panels[i] = store_.aligned(type.panel_bytes(N, K, i));
      jobs_.push_back(job);
    }
    to.parts.push_back(part);
  }

  void linear(const WeightSpec& spec) {
    Linear& to = *spec.linear;
    to = {.N = spec.N, .K = spec.K, .parts = {}, .bias = nullptr, .smooth = nullptr};
    std::string name = spec.name;
    const TypeInfo* whole = type_of(name);
    if (!whole && !spec.or_else.empty()) whole = type_of(name = spec.or_else);
    if (whole) {
      part(to, name, *whole, 0, spec.N, spec.K);
      to.bias = spec.bias ? vector(spec.name + ".bias", spec.N) : nullptr;
      if (file_.find(spec.name + ".smooth")) to.smooth = vector(spec.name + ".smooth", spec.K);
      return;
    }
    float* bias = spec.bias ? store_.floats(static_cast<size_t>(spec.N)) : nullptr;
    int64_t first = 0;
    for (const WeightSpec::Part& p : spec.parts) {
      const TypeInfo* type = type_of(p.gguf);
      if (!type) file_.tensor(p.gguf + ".weight");  // throws, naming what is missing
      part(to, p.gguf, *type, first, p.N, spec.K);
      if (bias) std::memcpy(bias + first, vector(p.gguf + ".bias", p.N), static_cast<size_t>(p.N) * sizeof(float));
      first += p.N;
    }
    to.bias = bias;
  }

  const GgufReader& file_;
  WeightStore& store_;
  struct PanelJob {
    const TypeInfo* type;
    const void* rows;
    int64_t N, K;
    void* panels[4];
  };
  std::vector<PanelJob> jobs_;
};

// f(tensor) for each tensor of a spec that the file has: of the whole, or of its parts.
template <class F>
void each_tensor(const GgufReader& file, const WeightSpec& spec, const F& f) {
  const auto visit = [&](const std::string& name) {
    const TypeInfo* panels = panel_type_of(file, name);
    for (int i = 0; panels && i < panels->n_arrays; ++i)
      if (const TensorInfo* tensor = file.find(name + '.' + panels->arrays[i].suffix)) f(*tensor);
    for (const char* suffix : {".weight", ".bias", ".smooth"})
      if (const TensorInfo* tensor = file.find(name + suffix)) f(*tensor);
  };
  visit(spec.name);
  for (const WeightSpec::Part& part : spec.parts)
    if (part.gguf != spec.name) visit(part.gguf);
}

// Of a tensor's outermost extent; all of a vector's elements are rows.
size_t bytes_of_row(const TensorInfo& tensor) {
  const int64_t rows = tensor.n_dims < 2 ? tensor.ne[0] : tensor.ne[1];
  return static_cast<size_t>(tensor.size) / static_cast<size_t>(rows);
}

}  // namespace

void GgufWeights::bind(std::span<const WeightSpec> specs, WeightStore& store) {
  GgufBinder binder(file_, store);
  for (const WeightSpec& spec : specs) binder.bind(spec);
  binder.make_panels();
  binder.each_rows([&](std::span<const std::byte> rows) { release(rows); });
}

bool GgufWeights::holds(const WeightSpec& spec) const {
  bool any = false;
  each_tensor(file_, spec, [&](const TensorInfo&) { any = true; });
  return any;
}

std::optional<WeightTensors> GgufWeights::find(const WeightSpec& spec, size_t index) const {
  const WeightSpec::Part& part = spec.parts[index];
  if (panel_type_of(file_, spec.name) || panel_type_of(file_, part.gguf)) return {};
  const TensorInfo* whole = part.gguf == spec.name ? nullptr : file_.find(spec.name + ".weight");
  int64_t first = 0;
  for (size_t i = 0; whole && i < index; ++i) first += spec.parts[i].N;
  const auto rows = [&](const TensorInfo& tensor) {
    const int64_t n = whole ? part.N : tensor.n_dims < 2 ? tensor.ne[0] : tensor.ne[1];
    return rows_of(view_of(tensor), first, n, bytes_of_row(tensor));
  };
  WeightTensors found{rows(whole ? *whole : file_.tensor(part.gguf + ".weight")), {}};
  if (spec.bias) found.bias = rows(file_.tensor((whole ? spec.name : part.gguf) + ".bias"));
  return found;
}

void GgufWeights::done_with(const WeightSpec& spec) const {
  each_tensor(file_, spec, [&](const TensorInfo& tensor) { release(tensor.data); });
}

void GgufWeights::each(const WeightMap&, const std::function<void(const HashedWeight&)>& f) const {
  for (const TensorInfo& t : file_.tensors())
    f({std::string(t.name), {{std::string(t.name) + ' ' + std::to_string(t.type), t.data}}});
}

SourceContents GgufWeights::contents() const {
  SourceContents contents{file_.bytes().size(), std::vector<SourceContents::Key>(), {}};
  for (const GgufKey& key : file_.keys())
    contents.keys->push_back({std::string(key.name), gguf_type_text(key), gguf_value_text(key)});
  for (const TensorInfo& t : file_.tensors())
    contents.tensors.push_back({std::string(t.name),
                                std::string(find_ggml_type(t.type)->name),
                                {t.ne.begin(), t.ne.begin() + t.n_dims},
                                t.size});
  return contents;
}

WeightTensor GgufWeights::view_of(const TensorInfo& tensor) const {
  std::vector<int64_t> shape(tensor.ne.begin(), tensor.ne.begin() + std::max(tensor.n_dims, 1u));
  std::reverse(shape.begin(), shape.end());
  return {std::string(tensor.name), std::string(find_ggml_type(tensor.type)->name), std::move(shape), tensor.data,
          &file_.name()};
}

void GgufWeights::release(std::span<const std::byte> data) const noexcept {
  map_.dont_need(static_cast<size_t>(data.data() - map_.bytes().data()), data.size());
}

}  // namespace quern

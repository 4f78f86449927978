#include "adapters/adapter.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "adapters/base_model.h"
#include "adapters/lora_matrices.h"
#include "adapters/module_names.h"
#include "adapters/peft_folder.h"
#include "error.h"
#include "fingerprint.h"
#include "io/json.h"
#include "io/sha256.h"

namespace quern {

// Puts an adapter's matrices together linear by linear.
class AdapterBinder {
 public:
  AdapterBinder(Adapter& to, const PeftFolder& folder)
      : to_(to), folder_(folder), model_(*to.model_), prefixes_(model_.architecture->prefixes) {}

  void run() {
    if (model_.model->derives())
      throw Error(Status::unsupported, model_.path +
                                           ": this architecture computes some values from its weights once (" +
                                           model_.architecture->gguf +
                                           "), which an adapter beside them would not change; merge the adapter: quern "
                                           "convert BASE --adapter " +
                                           folder_.dir());
    for (const auto& [name, module] : folder_.modules()) refuse_others(name, module);
    const WeightMap& map = model_.weights;
    std::set<std::string> tables;
    for (const WeightMap::Range& layer : map.layers)
      for (size_t i = layer.begin; i < layer.end; ++i)
        if (map.specs[i].linear) bind(map.specs[i], tables);
    refuse_heads(tables);
    to_.notes_ = notes_of(folder_, used_, model_);
    to_.hash_ = hash();
  }

 private:
  // What is no product beside a linear's.
  void refuse_others(const std::string& name, const PeftModule& m) const {
    for (const auto* tensor : {&m.magnitude, &m.weight, &m.bias, &m.embedding_a, &m.embedding_b})
      if (*tensor)
        refuse(**tensor, name,
               "in place of the base model's weights (use_dora, modules_to_save, bias), or of "
               "an embedding");
    if (m.b_bias && !folder_.config().lora_bias) refuse(*m.b_bias, name, "a bias that lora_bias does not announce");
  }
  [[noreturn]] void refuse(const WeightTensor& tensor, const std::string& name, const std::string& what) const {
    throw Error(Status::unsupported,
                *tensor.file + ": tensor '" + printable(tensor.name) + "' of " + printable(name) + " is " + what +
                    ", which quern does not apply beside a model; merge the adapter: quern convert BASE --adapter " +
                    folder_.dir());
  }

  // Layers behind the last, which run over rows of their own: a decoder's head, a classifier.
  void refuse_heads(std::set<std::string>& tables) const {
    const auto refuse_module = [&](const std::string& name) {
      refuse(folder_.modules().at(name).any(), name, "of a layer behind the transformer's");
    };
    const WeightMap& map = model_.weights;
    for (size_t i = map.layers.empty() ? 0 : map.layers.back().end; i < map.specs.size(); ++i)
      for (size_t part = 0; part < map.specs[i].parts.size(); ++part)
        for (const NamedModule& where : modules_of(map.specs[i], part, map.specs[i].parts[part].N, tables, false))
          if (const std::string name = spelled_module(folder_.modules(), where.name, prefixes_); !name.empty())
            refuse_module(name);
    const Pipeline& p = model_.pipeline;
    if (!p.classifier && !(p.sparse && p.sparse->over_vocabulary)) return;
    const std::set<std::string> heads = head_modules(model_);
    for (const auto& [name, module] : folder_.modules())
      if (is_among(name, heads, model_)) refuse_module(name);
  }

  void bind(const WeightSpec& spec, std::set<std::string>& tables) {
    std::vector<LowRank::Part> parts;
    std::map<std::string, LoraMatrices> found;
    std::map<std::string, int64_t> column_of;
    int64_t first = 0, columns = 0;
    float* bias = nullptr;
    for (size_t i = 0; i < spec.parts.size(); first += spec.parts[i].N, ++i) {
      const int64_t N = spec.parts[i].N;
      for (const NamedModule& where : modules_of(spec, i, N, tables, false)) {
        const std::string name = spelled_module(folder_.modules(), where.name, prefixes_);
        if (name.empty()) continue;
        used_.insert(name);
        const PeftModule& module = folder_.modules().at(name);
        if (!found.count(name)) {
          found.emplace(name, lora_matrices(folder_.config(), name, module, where.rows, spec.K));
          column_of[name] = columns;
          columns += found.at(name).r;
        }
        const LoraMatrices& m = found.at(name);
        const float scale = static_cast<float>(folder_.config().scale_of(name));
        parts.push_back({first, N, column_of[name], m.r, outputs(m, where.first, N, spec.parts[i].pair_heads, scale)});
        if (module.b_bias) add_bias(spec, module, where, i, first, scale, bias);
        break;  // its other names are other spellings
      }
    }
    if (parts.empty()) return;
    columns = (columns + 15) / 16 * 16;
    float* const a = to_.store_.floats(static_cast<size_t>(spec.K * columns));
    for (const auto& [name, m] : found)
      for (int64_t r = 0; r < m.r; ++r)
        for (int64_t k = 0; k < spec.K; ++k)
          a[k * columns + column_of[name] + r] = m.right[static_cast<size_t>(r * spec.K + k)];
    to_.changes_.add(*spec.linear, {.columns = columns, .a = a, .parts = std::move(parts), .bias = bias});
  }

  // The row of the model's n-th output in Hugging Face's files: others than those have heads' halves interleaved.
  int64_t row_of(int64_t n, int64_t N, int64_t pair_heads) const {
    if (pair_heads == 0 || model_.source->weights().as_trained()) return n;
    const int64_t d = N / pair_heads, in_head = n % d;
    return n / d * d + in_head % 2 * (d / 2) + in_head / 2;
  }

  // B of outputs [first, first + N), times the scale: (r, N).
  const float* outputs(const LoraMatrices& m, int64_t first, int64_t N, int64_t pair_heads, float scale) {
    float* const b = to_.store_.floats(static_cast<size_t>(m.r * N));
    for (int64_t n = 0; n < N; ++n)
      for (int64_t r = 0; r < m.r; ++r)
        b[r * N + n] = scale * m.left[static_cast<size_t>((first + row_of(n, N, pair_heads)) * m.r + r)];
    return b;
  }

  void add_bias(const WeightSpec& spec, const PeftModule& module, const NamedModule& where, size_t part, int64_t first,
                float scale, float*& bias) {
    const std::vector<float> values = finite_values(*module.b_bias);
    if (static_cast<int64_t>(values.size()) != where.rows)
      refuse_shape(*module.b_bias, shape_text(&where.rows, 1), where.name);
    if (!bias) bias = to_.store_.floats(static_cast<size_t>(spec.N));  // zeros
    const int64_t N = spec.parts[part].N;
    for (int64_t n = 0; n < N; ++n)
      bias[first + n] = scale * values[static_cast<size_t>(where.first + row_of(n, N, spec.parts[part].pair_heads))];
  }

  // Over what was read, module by module, under its name and scale.
  std::string hash() const {
    Sha256 hash;
    for (const auto& [name, m] : folder_.modules()) {
      if (!used_.count(name)) continue;
      const std::string head = name + ' ' + std::to_string(folder_.config().scale_of(name));
      hash.update(head.data(), head.size() + 1);
      for (const auto* tensor : {&m.a, &m.b, &m.b_bias}) {
        if (!*tensor) continue;
        const std::string what = (*tensor)->dtype + ' ' + shape_text((*tensor)->shape.data(), (*tensor)->shape.size());
        hash.update(what.data(), what.size() + 1);
        hash.update((*tensor)->data.data(), (*tensor)->data.size());
      }
    }
    return hash.hex();
  }

  Adapter& to_;
  const PeftFolder& folder_;
  const LoadedModel& model_;
  const std::vector<std::string>& prefixes_;
  std::set<std::string> used_;
};

uint64_t Adapter::next_number() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

std::string Adapter::fingerprint() const {
  return sha256_hex(fingerprint_of(*model_) + ':' + hash_).substr(0, 32);
}

std::shared_ptr<const Adapter> Adapter::load(std::shared_ptr<const LoadedModel> model, const std::string& dir) {
  const PeftFolder folder = PeftFolder::open(dir);
  std::shared_ptr<Adapter> adapter(new Adapter(std::move(model)));
  AdapterBinder(*adapter, folder).run();
  return adapter;
}

}  // namespace quern

#include "heads/head_weights.h"

#include "heads/vector_modules.h"

namespace quern {
namespace {

void declare_layers(WeightMap& map, HeadWeights::Layers& to, const HeadLayers& layers, const std::string& name,
                    int64_t D, int64_t N) {
  if (layers.dense) keep_exact(map.linear(to.dense, name, layers.hf.dense, D, D, layers.dense_bias));
  if (layers.norm) map.norm(to.norm, name + ".norm", layers.hf.norm, D, layers.norm_bias);
  WeightSpec& out = map.linear(to.out, name + ".output", layers.hf.out, N, D, layers.out_bias);
  out.hf_bias = layers.hf.out_bias;
  out.calibrated = false;
}

}  // namespace

void keep_exact(WeightSpec& spec, const std::string& folder) {
  spec.always_f32 = true;
  spec.calibrated = false;
  spec.hf_folder = folder;
}

void HeadWeights::declare(WeightMap& map, const Pipeline& pipeline, int64_t D, int64_t vocabulary) {
  modules.resize(pipeline.modules.size());
  for (size_t i = 0; i < modules.size(); ++i) {
    const Pipeline::Module& module = pipeline.modules[i];
    const std::string number = std::to_string(i + 1);  // as sentence-transformers numbers their folders
    const VectorModule* row = find_vector_module(module.type);
    if (row && row->declare) row->declare(map, modules[i], module, number);
  }
  if (const auto& c = pipeline.classifier) {
    declare_layers(map, classifier, c->layers, "cls", D, c->outputs());
    keep_exact(map.specs.back());
    if (const auto& t = c->next_token)
      map.specs.back().hf_picked = t->no < 0 ? std::vector{t->yes} : std::vector{t->yes, t->no};
  }
  if (const auto& s = pipeline.sparse; s && s->over_vocabulary)
    declare_layers(map, sparse, s->layers, "mlm", D, vocabulary);
  else if (s)
    keep_exact(map.linear(sparse.out, "sparse", "linear", 1, D), s->hf_folder);
  if (const auto& m = pipeline.multi_vector; m && m->late) {
    tokens.resize(m->late->modules.size());
    for (size_t i = 0; i < tokens.size(); ++i) {
      const Pipeline::Module& module = m->late->modules[i];
      const VectorModule* row = find_vector_module(module.type);
      if (row && row->declare) row->declare(map, tokens[i], module, "token_" + std::to_string(i + 1));
    }
  } else if (m) {
    keep_exact(map.linear(multi_vector, "colbert", "linear", m->width, D), m->hf_folder);
  }
}

}  // namespace quern

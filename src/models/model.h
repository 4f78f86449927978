// What an architecture provides: its hyper-parameters, its weights, and its forward pass layer by layer. One .cpp each,
// and one line in registry.cpp.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "device.h"
#include "models/config_map.h"
#include "models/head_layers.h"
#include "models/weight_map.h"

namespace quern {

// Texts packed end to end, without padding. ids and types have one entry per token; types are 0 for a single text.
struct Batch {
  std::span<const int32_t> ids, types;
  std::span<const Sequence> texts;
  // What Model::prepare made, for all layers: rotary positions of one kind of layer or two, attention's bias.
  Rotary rotary[2] = {};
  Tensor bias = {};
  KvCache* cache = nullptr;  // decoders: where the texts' pasts are; null: all texts are whole
  int64_t growing_to = 0;    // decoders: tokens that these texts may come to

  int64_t longest() const;  // tokens of the longest text
};

// What a decoder predicts tokens with.
struct LanguageHead {
  const Linear* linear = nullptr;  // (vocabulary, D), of finished states; null: the model is no decoder
  float softcap = 0;               // 0: none; else logits become softcap · tanh(logit / softcap)
  KvShape kv = {};                 // what it keeps of each token, but for the type
};

// What a layer's attention looks at: a token sees so many before and after it; width: all heads' queries together.
struct AttentionReach {
  int64_t width, before = INT32_MAX, after = INT32_MAX;
};

class Model {
 public:
  virtual ~Model() = default;

  virtual void config(ConfigMap& map) = 0;
  virtual void weights(WeightMap& map) = 0;  // after config()

  virtual int64_t width() const = 0;       // D
  virtual int64_t vocabulary() const = 0;  // ids must be below
  virtual int64_t positions() const = 0;   // tokens of the longest text
  virtual int64_t types() const = 0;       // segment types must be below
  virtual int layers() const = 0;

  virtual AttentionReach reach(int /*layer*/) const { return {width()}; }

  virtual LanguageHead language_head() const { return {}; }
  // The head that the architecture's Hugging Face classes have for a task. Throws Error{unsupported}.
  virtual HeadLayers head(Task task) const;

  // Whether it has what derive() makes; then changes to its linears beside them would be forgotten there.
  virtual bool derives() const { return false; }
  // Once, after the weights are bound and before anything runs: what follows from them alone.
  virtual void derive(Ops&) {}

  // What all layers of a pass share, into batch.
  virtual void prepare(Ops&, Batch&) const {}
  // (T, D) each. The layers are the graph: embed, then layer(0) … layer(layers() - 1), then output_norm.
  virtual Tensor embed(Ops& op, const Batch& batch) const = 0;
  virtual Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const = 0;
  virtual Tensor output_norm(Ops&, const Tensor& x) const { return x; }
};

// Last hidden states (T, D), of placement.last(). `after`, when given, sees the states after embed (layer -1) and after
// each layer, and whose they are.
using AfterLayer = std::function<void(int layer, Ops& op, const Tensor& states)>;
Tensor forward(const Model& model, const Placement& placement, const Batch& batch, const AfterLayer& after = {});

struct Architecture {
  const char* gguf;                      // general.architecture
  std::vector<std::string> model_types;  // config.json's model_type
  std::vector<std::string> prefixes;     // before every tensor name in safetensors; "" among them
  std::unique_ptr<Model> (*make)();
};

// Throw Error{unsupported} naming what is supported. `file` is for the message.
const Architecture& architecture_of_gguf(const std::string& name, const std::string& file);
const Architecture& architecture_of_hf(const std::string& model_type, const std::string& file);

}  // namespace quern

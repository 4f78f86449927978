#include "fingerprint.h"

#include "io/sha256.h"

namespace quern {
namespace {

void add_tensor(Sha256& hash, const std::string& head, std::span<const std::byte> data) {
  hash.update(head.data(), head.size() + 1);
  hash.update(data.data(), data.size());
}

}  // namespace

std::string hash_weights(const LoadedModel& m, const std::function<void(const std::string&, double)>& after) {
  Sha256 hash;
  if (m.gguf) {
    for (const TensorInfo& t : m.gguf->tensors()) {
      add_tensor(hash, std::string(t.name) + ' ' + std::to_string(t.type), t.data);
      if (after) after(std::string(t.name), static_cast<double>(t.data.size()));
    }
    return hash.hex();
  }
  for (const WeightSpec& spec : m.weights.specs) {
    for (size_t i = 0; i < spec.parts.size() && m.hf->holds(spec); ++i) {
      const HfTensors t = m.hf->find(spec, i);
      for (const StTensor* tensor : {&t.weight, t.bias ? &*t.bias : nullptr})
        if (tensor)
          add_tensor(
              hash,
              spec.parts[i].gguf + ' ' + tensor->dtype + ' ' + shape_text(tensor->shape.data(), tensor->shape.size()),
              tensor->data);
      m.hf->release(t);
      if (after) after(spec.name, static_cast<double>(t.weight.data.size()));
    }
  }
  return hash.hex();
}

std::string make_fingerprint(const std::string& weights_sha256, const std::string& type, const LoadedModel& s) {
  const std::string parts[] = {weights_sha256,
                               type,
                               sha256_hex(s.tokenizer_json),
                               to_json(s.pipeline),
                               std::to_string(s.max_length),
                               prompts_to_json(s.prompts),
                               s.default_prompt};
  std::string all;
  for (const std::string& part : parts) all += std::to_string(part.size()) + ':' + part;
  return sha256_hex(all).substr(0, 32);
}

std::string fingerprint_of(const LoadedModel& model) {
  return model.fingerprint.empty() ? make_fingerprint(hash_weights(model), model.type, model) : model.fingerprint;
}

}  // namespace quern

#include "fingerprint.h"

#include "io/sha256.h"

namespace quern {

// Over the source's own bytes, each tensor under a heading that ends in a zero: equal data under another name, or cut
// elsewhere, is another hash. A model that was converted keeps the hash of what it was made from.
std::string hash_weights(const LoadedModel& m, const std::function<void(const std::string&, double)>& after) {
  Sha256 hash;
  m.source->weights().each(m.weights, [&](const HashedWeight& weight) {
    for (const auto& [heading, data] : weight.pieces) {
      hash.update(heading.data(), heading.size() + 1);
      hash.update(data.data(), data.size());
    }
    if (after) after(weight.name, static_cast<double>(weight.pieces[0].second.size()));
  });
  return hash.hex();
}

// Each part with its length before it, so that no two lists of parts read alike. The type is among them because
// rounding decides vectors; what changes none of them (similarity, decisions, where the model came from) is not.
std::string make_fingerprint(const std::string& weights_sha256, const std::string& type, const ModelSettings& s) {
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

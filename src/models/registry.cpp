// The list of architectures. A new one: its .cpp beside this file, and its line here and in registry.h.
#include "models/registry.h"

#include "error.h"
#include "io/json.h"

namespace quern {
namespace {

const Architecture* const kArchitectures[] = {
    &bert_architecture,       &roberta_architecture,         &distilbert_architecture,
    &mpnet_architecture,      &nomic_bert_architecture,      &gte_architecture,
    &modernbert_architecture, &t5_encoder_architecture,      &deberta_architecture,
    &llama_architecture,      &qwen2_architecture,           &qwen3_architecture,
    &phi3_architecture,       &gemma_architecture,           &gemma2_architecture,
    &gemma3_architecture,     &gemma_embedding_architecture, &static_embedding_architecture,
};

}  // namespace

const Architecture& architecture_of_gguf(const std::string& name, const std::string& file) {
  std::string known;
  for (const Architecture* a : kArchitectures) {
    if (name == a->gguf) return *a;
    if (known.find(a->gguf) == std::string::npos) known += (known.empty() ? "" : ", ") + std::string(a->gguf);
  }
  throw Error(Status::unsupported,
              file + ": general.architecture \"" + printable(name) + "\" is not supported (supported: " + known + ")");
}

const Architecture& architecture_of_hf(const std::string& model_type, const std::string& file) {
  std::string known;
  for (const Architecture* a : kArchitectures) {
    for (const std::string& type : a->model_types) {
      if (model_type == type) return *a;
      known += (known.empty() ? "" : ", ") + type;
    }
  }
  throw Error(Status::unsupported,
              file + ": model_type \"" + printable(model_type) + "\" is not supported (supported: " + known + ")");
}

}  // namespace quern

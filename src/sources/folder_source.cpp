#include "sources/folder_source.h"

#include "error.h"

namespace quern {

FolderSource::FolderSource(std::string path, WeightChanges* changes)
    : ModelSource(std::move(path)),
      folder_(HfFolder::open(this->path())),
      architecture_(architecture_of_hf(folder_.model_type, this->path() + "/config.json")),
      weights_(folder_.dir, folder_.transformer_folder, architecture_.prefixes, changes),
      config_(folder_.config_json, folder_.weights_dir() + "/config.json",
              [this](const char* tensor) { return weights_.columns(tensor); }) {}

// The folder's own, and the layers of its heads, which its architecture knows and its tensors complete.
ModelSettings FolderSource::settings(const Model& model) {
  Pipeline& p = folder_.pipeline;
  if (p.classifier && p.classifier->next_token) {
    const LanguageHead head = model.language_head();
    if (!head.linear)
      throw Error(Status::unsupported, path() + ": LogitScore needs a language model that predicts tokens, and " +
                                           folder_.model_type + " is none");
    p.classifier->next_token->softcap = head.softcap;
    p.classifier->layers = {.out_bias = false, .last = true, .hf = {"", "", "lm_head|embed_tokens", ""}};
  } else if (p.classifier) {
    p.classifier->layers =
        model.head(p.classifier->per_token ? Task::token_classification : Task::sequence_classification);
  }
  if (p.sparse && p.sparse->over_vocabulary) p.sparse->layers = model.head(Task::masked_lm);
  if (p.multi_vector && p.multi_vector->late)
    complete_token_modules(*p.multi_vector, model.width());
  else if (p.multi_vector)
    p.multi_vector->width = weights_.rows(p.multi_vector->hf_folder, "linear");
  return std::move(static_cast<ModelSettings&>(folder_));
}

// The width of tokens' vectors; and, of a layer that lies among the transformer's own tensors, of its result.
void FolderSource::complete_token_modules(MultiVectorConfig& head, int64_t width) {
  for (Pipeline::Module& module : head.late->modules) {
    if (module.type == "Normalize") continue;
    if (module.folder.empty() && module.dense.in_features == 0)
      module.dense.in_features = width, module.dense.out_features = weights_.rows("", "linear");
    width = module.dense.out_features;
  }
  head.width = width;
}

std::unique_ptr<const Tokenizer> FolderSource::tokenizer(const ModelSettings& settings) const {
  return Tokenizer::parse(settings.tokenizer_json, path() + ": tokenizer.json");
}

}  // namespace quern

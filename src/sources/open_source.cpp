#include "error.h"
#include "hub/snapshot.h"
#include "io/mapped_file.h"
#include "safetensors/safetensors.h"
#include "sources/folder_source.h"
#include "sources/gguf_source.h"

namespace quern {

std::unique_ptr<ModelSource> open_source(const std::string& spec, WeightChanges* changes) {
  std::string path = resolve_model_path(spec);
  if (is_folder(path))
    return std::make_unique<FolderSource>(std::move(path), changes);  // refuses pickle where it has no others
  refuse_pickle(path);  // by name, before its bytes are taken for a broken model file
  if (changes)
    throw Error(Status::unsupported, path +
                                         ": adapters are merged into a Hugging Face folder with safetensors weights, "
                                         "and this is a model file; convert the folder that it came from");
  return std::make_unique<GgufSource>(std::move(path));
}

}  // namespace quern

#include "hub/snapshot.h"
#include "io/mapped_file.h"
#include "safetensors/safetensors.h"
#include "sources/folder_source.h"
#include "sources/gguf_source.h"

namespace quern {

std::unique_ptr<ModelSource> open_source(const std::string& spec) {
  std::string path = resolve_model_path(spec);
  if (is_folder(path)) return std::make_unique<FolderSource>(std::move(path));  // refuses pickle where it has no others
  refuse_pickle(path);  // by name, before its bytes are taken for a broken model file
  return std::make_unique<GgufSource>(std::move(path));
}

}  // namespace quern

// Refuses pickle files by name. They are programs for an interpreter that may call any function, so quern never opens
// one.
#include <algorithm>
#include <filesystem>
#include <string_view>

#include "error.h"
#include "io/json.h"
#include "io/safe_path.h"
#include "os/files.h"
#include "safetensors/safetensors.h"

namespace quern {
namespace {

constexpr const char* advice =
    " pickle files can run code when they are read, so quern does not read them; convert them to safetensors, for "
    "example with save_pretrained(..., safe_serialization=True) where you trust them";

}  // namespace

void refuse_pickle(const std::string& path) {
  if (!is_folder(path)) {
    if (is_pickle_name(path)) throw Error(Status::unsupported, path + ": a pickle file by its name;" + advice);
    return;
  }
  std::string found;
  std::error_code error;
  for (std::filesystem::directory_iterator i(os::path_of(path), error), end; !error && i != end; i.increment(error)) {
    const std::string name = os::text_of(i->path().filename());
    if (name == "training_args.bin") continue;  // settings, no weights
    if (is_pickle_name(name) && (found.empty() || name < found)) found = name;
  }
  if (found.empty()) return;
  throw Error(Status::unsupported, path + ": only pickle weights (" + printable(found) + ") were found;" + advice);
}

}  // namespace quern

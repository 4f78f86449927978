#include "device_plugin.h"

#include <filesystem>

#include "cuda/cuda_device.h"
#include "cuda/runtime.h"
#include "error.h"
#include "os/files.h"
#include "os/library.h"
#include "os/process.h"

namespace quern {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Status::unsupported, message + "; or run on the CPU (--device cpu)");
}

// In the folder of this library, or of the program that it is linked into; of a program in bin, in the lib beside that.
std::filesystem::path default_place() {
  namespace fs = std::filesystem;
  std::error_code error;
  const std::string name = std::string("libquern-cuda") + os::kPluginEnding;
  const fs::path file =
      fs::canonical(os::path_of(os::file_of(reinterpret_cast<const void*>(&open_cuda_device))), error);
  if (error) return name;
  const fs::path folder = file.parent_path(), beside = folder / name;
  const fs::path in_lib = folder.parent_path() / "lib" / name;
  return folder.filename() == "bin" && !fs::exists(beside, error) ? in_lib : beside;
}

struct Plugin {
  std::string path;
  cuda::OpenRuntime open;
  std::string build_id;
};

// It stays open as long as the process lives.
Plugin find_plugin() {
  const std::string named = os::variable_or_empty("QUERN_CUDA_LIBRARY");
  Plugin plugin{.path = named.empty() ? os::text_of(default_place()) : named, .open = nullptr, .build_id = {}};
  if (!os::exists(plugin.path))
    refuse("CUDA: the plug-in " + plugin.path +
           (!named.empty() ? ", which QUERN_CUDA_LIBRARY names, is not there: build it with make cuda"
                           : " is not there: build it with make cuda, or name it in QUERN_CUDA_LIBRARY"));
  std::string why;
  void* const library = os::open_library(plugin.path, why);
  if (!library)
    refuse("CUDA: " + plugin.path + " cannot be opened (" + why + "): expected the plug-in that make cuda builds");
  plugin.open = reinterpret_cast<cuda::OpenRuntime>(os::symbol_of(library, cuda::kEntry));
  const auto build_id = reinterpret_cast<cuda::BuildId>(os::symbol_of(library, cuda::kBuildIdEntry));
  if (!plugin.open || !build_id)
    refuse("CUDA: " + plugin.path + " is no plug-in of quern: it has no " + cuda::kEntry +
           "; QUERN_CUDA_LIBRARY has to name the one that make cuda builds");
  plugin.build_id = build_id();
  if (plugin.build_id != cuda_build_id())
    refuse("CUDA: " + plugin.path + " belongs to another build of quern: expected " + cuda_build_id() + ", found " +
           plugin.build_id + "; build both from the same sources (make cuda)");
  return plugin;
}

}  // namespace

const char* cuda_build_id() {
  return QUERN_CUDA_BUILD_ID;
}

std::shared_ptr<const Device> open_cuda_device(int index) {
  const Plugin plugin = find_plugin();
  cuda::Runtime* runtime = nullptr;
  char why[512] = "no reason given";
  const cuda::Outcome outcome = plugin.open(cuda_build_id(), index, &runtime, why, sizeof why);
  switch (outcome) {
    case cuda::Outcome::ok:
      break;
    case cuda::Outcome::no_such_device:
      throw Error(Status::bad_argument, std::string("device: ") + why);
    case cuda::Outcome::no_memory:
      throw Error(Status::out_of_memory, std::string("CUDA: ") + why);
    default:
      refuse(std::string("CUDA: ") + why);
  }
  const std::shared_ptr<cuda::Runtime> owner(runtime, [](cuda::Runtime* r) { r->release(); });
  return std::make_shared<cuda::CudaDevice>(owner);
}

}  // namespace quern

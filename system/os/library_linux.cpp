#include <unistd.h>

#include "os/library.h"

namespace os {

const char* const kPluginEnding = ".so";

std::vector<std::string> library_files(const std::string& name, const std::string& version) {
  return {"lib" + name + ".so." + version};
}

std::string file_of_program() {
  char path[4096];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  return {path, n > 0 ? static_cast<size_t>(n) : 0};
}

}  // namespace os

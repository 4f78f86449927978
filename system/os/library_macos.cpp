#include <mach-o/dyld.h>

#include "os/library.h"

namespace os {

const char* const kPluginEnding = ".dylib";

std::vector<std::string> library_files(const std::string& name, const std::string& version) {
  return {"lib" + name + "." + version + ".dylib"};
}

std::string file_of_program() {
  char path[4096];
  uint32_t size = sizeof path;
  return _NSGetExecutablePath(path, &size) == 0 ? path : "";
}

}  // namespace os

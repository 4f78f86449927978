#include <dlfcn.h>

#include "os/library.h"

namespace os {

void* open_library(const std::string& file, std::string& why) {
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const reason = ::dlerror();
    why = reason ? reason : "no reason given";
  }
  return library;
}

void* symbol_of(void* library, const char* name) noexcept {
  return ::dlsym(library, name);
}

std::string how_to_get(const std::string& package, const std::string&) {
  return "install " + package;
}

std::string file_of(const void* function) {
  Dl_info here{};
  return ::dladdr(function, &here) != 0 && here.dli_fname ? here.dli_fname : "";
}

}  // namespace os

// A shared library that is opened when it is first needed: quern starts and links without it, and programs that never
// need it do not pay for loading it and what it depends on (libcurl: 4 ms of each start).
#pragma once
#include <dlfcn.h>

#include <string>

#include "error.h"

// The file of a library: QUERN_LIBRARY("curl", "4") is libcurl.so.4 on Linux.
#if defined(__APPLE__)
#define QUERN_LIBRARY(name, version) "lib" name "." version ".dylib"
#else
#define QUERN_LIBRARY(name, version) "lib" name ".so." version
#endif

namespace quern {

class SharedLibrary {
 public:
  // For the message: `who` needs it, `package` provides it, `or_else` is another way. Throws Error unsupported. It
  // stays open as long as the process lives.
  SharedLibrary(const char* name, const char* who, const char* package, const char* or_else)
      : name_(name), handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr)
      throw Error(Status::unsupported,
                  std::string(who) + " " + name + ", which is not here: install " + package + ", or " + or_else);
  }

  // What becomes a pointer to any function.
  struct Function {
    void* address;
    template <class F>
    operator F*() const {
      return reinterpret_cast<F*>(address);
    }
  };
  // The function of this name. Throws Error unsupported.
  Function operator[](const char* symbol) const {
    void* const address = ::dlsym(handle_, symbol);
    if (address == nullptr)
      throw Error(Status::unsupported, name_ + " has no " + symbol + ": it is another version than expected");
    return {address};
  }

 private:
  std::string name_;
  void* handle_;
};

}  // namespace quern

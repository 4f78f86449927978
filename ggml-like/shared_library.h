// A shared library that is opened when it is first needed: quern starts and links without it, and programs that never
// need it do not pay for loading it and what it depends on (libcurl: 4 ms of each start).
#pragma once
#include <string>

#include "error.h"
#include "os/library.h"

namespace quern {

class SharedLibrary {
 public:
  // name and version: as in os::library_files(). For the message: `who` needs it, `package` provides it, `or_else` is
  // another way. Throws Error unsupported. It stays open as long as the process lives.
  SharedLibrary(const char* name, const char* version, const char* who, const char* package, const char* or_else) {
    const std::vector<std::string> files = os::library_files(name, version);
    std::string why;
    for (size_t i = 0; i < files.size() && handle_ == nullptr; ++i) {
      name_ = files[i];
      handle_ = os::open_library(name_, why);
    }
    if (handle_ == nullptr)
      throw Error(Status::unsupported, std::string(who) + " " + files[0] + ", which is not here: " +
                                           os::how_to_get(package, files[0]) + ", or " + or_else);
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
    void* const address = os::symbol_of(handle_, symbol);
    if (address == nullptr)
      throw Error(Status::unsupported, name_ + " has no " + symbol + ": it is another version than expected");
    return {address};
  }

 private:
  std::string name_;
  void* handle_ = nullptr;
};

}  // namespace quern

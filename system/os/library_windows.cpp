#include <windows.h>

#include "os/files.h"
#include "os/library.h"
#include "os/process.h"
#include "os/wide_windows.h"

namespace os {
namespace {

std::string file_of_module(HMODULE module) {
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size())));
  std::string text = utf8_of(path);
  for (char& c : text)
    if (c == '\\') c = '/';
  return text;
}

bool is_absolute(const std::string& path) {
  return path.size() > 2 &&
         ((path[1] == ':' && ends_folder(path[2])) || (ends_folder(path[0]) && ends_folder(path[1])));
}

HMODULE load(const std::string& path) {
  return LoadLibraryExW(wide_path(path).c_str(), nullptr,
                        LOAD_WITH_ALTERED_SEARCH_PATH);  // what it needs lies beside it
}

// f(folder) of each absolute one of PATH, until it gives something.
template <class F>
HMODULE of_path(const F& f) {
  const std::string path = variable_or_empty("PATH");
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find(';', begin), path.size());
    const std::string folder = path.substr(begin, end - begin);
    if (is_absolute(folder))
      if (const HMODULE found = f(folder)) return found;
    begin = end + 1;
  }
  return nullptr;
}

}  // namespace

const char* const kPluginEnding = ".dll";

std::vector<std::string> library_files(const std::string& name, const std::string& version) {
  // As their own builds, vcpkg and MSYS2 call them.
  return {"lib" + name + "-" + version + "-x64.dll", "lib" + name + "-x64.dll", "lib" + name + "-" + version + ".dll",
          "lib" + name + ".dll", name + ".dll"};
}

void* open_library(const std::string& file, std::string& why) {
  HMODULE library = nullptr;
  DWORD error = ERROR_MOD_NOT_FOUND;
  const auto take = [&](HMODULE module) {
    if (module == nullptr) error = GetLastError();
    return module;
  };
  if (is_absolute(file)) {
    library = take(load(file));
  } else if (last_part(file) > 0) {
    library = take(load(text_of(std::filesystem::absolute(path_of(file)))));
  } else {
    const std::string own = folder_of(file_of(reinterpret_cast<const void*>(&open_library))) + '/' + file;
    if (exists(own)) library = take(load(own));
    if (library == nullptr)
      library = LoadLibraryExW(wide_of(file).c_str(), nullptr,
                               LOAD_LIBRARY_SEARCH_APPLICATION_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (library == nullptr)
      library = of_path([&](const std::string& folder) {
        const std::string path = folder + '/' + file;
        return exists(path) ? take(load(path)) : nullptr;
      });
  }
  if (library == nullptr) why = error_text(error);
  return reinterpret_cast<void*>(library);
}

void* symbol_of(void* library, const char* name) noexcept {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

std::string how_to_get(const std::string&, const std::string& file) {
  return "put " + file + " and what it needs beside quern.exe, or into a folder of PATH";
}

std::string file_of(const void* function) {
  HMODULE module = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                     static_cast<const wchar_t*>(function), &module);
  return module == nullptr ? "" : file_of_module(module);
}

std::string file_of_program() {
  return file_of_module(nullptr);
}

}  // namespace os

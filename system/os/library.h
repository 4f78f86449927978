// Shared libraries, opened while the program runs.
#pragma once
#include <string>
#include <vector>

namespace os {

// The files of a library that may have it: "curl", "4" is libcurl.so.4 on Linux. The first is its name in messages.
std::vector<std::string> library_files(const std::string& name, const std::string& version);

// A path, or a name as the system looks for libraries (on Windows: beside the program, in the system's folder and in
// those of PATH, never in the working folder). Null: why says the reason. It stays open as long as the process lives.
void* open_library(const std::string& file, std::string& why);
void* symbol_of(void* library, const char* name) noexcept;  // null: it has none of the name

std::string file_of(const void* function);  // the path of the library or program that it lies in; "" if unknown
std::string file_of_program();              // likewise
extern const char* const kPluginEnding;     // ".so"
// What to do about a library that is not here: `package` is Debian's.
std::string how_to_get(const std::string& package, const std::string& file);

}  // namespace os

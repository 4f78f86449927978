// What the files for Windows share: its texts are UTF-16, its errors numbers of its own.
#pragma once
#include <string>
#include <string_view>

namespace os {

std::wstring wide_of(std::string_view utf8);    // what is no UTF-8 becomes U+FFFD
std::string utf8_of(std::wstring_view wide);    // likewise
std::wstring wide_path(std::string_view utf8);  // for calls of the system: with '\', and a prefix where it is long
void take_error(unsigned long windows_error) noexcept;  // into errno
std::string error_text(unsigned long windows_error);    // a sentence without its point

}  // namespace os

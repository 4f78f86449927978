#include "os/wide_windows.h"

#include <errno.h>
#include <windows.h>

#include <algorithm>

namespace os {

std::wstring wide_of(std::string_view utf8) {
  const int size = static_cast<int>(std::min<size_t>(utf8.size(), 1 << 28));
  const int n = MultiByteToWideChar(CP_UTF8, 0, utf8.data(), size, nullptr, 0);
  std::wstring wide(static_cast<size_t>(n), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, utf8.data(), size, wide.data(), n);
  return wide;
}

std::string utf8_of(std::wstring_view wide) {
  const int size = static_cast<int>(std::min<size_t>(wide.size(), 1 << 28));
  const int n = WideCharToMultiByte(CP_UTF8, 0, wide.data(), size, nullptr, 0, nullptr, nullptr);
  std::string utf8(static_cast<size_t>(n), '\0');
  WideCharToMultiByte(CP_UTF8, 0, wide.data(), size, utf8.data(), n, nullptr, nullptr);
  return utf8;
}

// The calls take 260 characters unless the path is absolute and begins with \\?\, which leaves '/' and ".." as they
// are: so a long one is made whole first.
std::wstring wide_path(std::string_view utf8) {
  std::wstring path = wide_of(utf8);
  std::replace(path.begin(), path.end(), L'/', L'\\');
  if (path.size() < 240 || path.starts_with(L"\\\\?\\") || path.starts_with(L"\\\\.\\")) return path;
  const DWORD n = GetFullPathNameW(path.c_str(), 0, nullptr, nullptr);
  std::wstring whole(n, L'\0');
  whole.resize(GetFullPathNameW(path.c_str(), n, whole.data(), nullptr));
  if (whole.empty() || whole.size() >= n) return path;
  return whole.starts_with(L"\\\\") ? L"\\\\?\\UNC\\" + whole.substr(2) : L"\\\\?\\" + whole;
}

void take_error(unsigned long windows_error) noexcept {
  switch (windows_error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_DRIVE:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
      errno = ENOENT;
      return;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
      errno = EEXIST;
      return;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      errno = ENOSPC;
      return;
    case ERROR_LOCK_VIOLATION:
      errno = EWOULDBLOCK;
      return;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_USER_MAPPED_FILE:
    case ERROR_DELETE_PENDING:
    case ERROR_WRITE_PROTECT:
      errno = EACCES;
      return;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
      errno = ENOMEM;
      return;
    case ERROR_TOO_MANY_OPEN_FILES:
      errno = EMFILE;
      return;
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
      errno = EPIPE;
      return;
    case ERROR_INVALID_FUNCTION:
    case ERROR_NOT_SUPPORTED:
      errno = ENOTSUP;
      return;
    case ERROR_FILENAME_EXCED_RANGE:
      errno = ENAMETOOLONG;
      return;
    case ERROR_OPERATION_ABORTED:
      errno = EINTR;
      return;
    default:
      errno = EIO;
  }
}

std::string error_text(unsigned long windows_error) {
  wchar_t text[512];
  const DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, windows_error, 0,
                                 text, 512, nullptr);
  std::string said = utf8_of({text, n});
  while (!said.empty() && (said.back() == '.' || said.back() <= ' ')) said.pop_back();
  return said.empty() ? "Windows' error " + std::to_string(windows_error) : said;
}

}  // namespace os

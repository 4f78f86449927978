#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>
#include <windows.h>

#include <algorithm>
#include <random>

#include "os/console.h"
#include "os/files.h"
#include "os/wide_windows.h"

namespace os {
namespace {

constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
constexpr size_t kMostAtOnce = size_t{1} << 30;

HANDLE handle_of(int file) {
  return reinterpret_cast<HANDLE>(_get_osfhandle(file));
}

bool failed() {
  take_error(GetLastError());
  return false;
}

// A descriptor of the C library for what was opened; -1 with errno.
int descriptor_of_handle(HANDLE handle, int flags) {
  if (handle == INVALID_HANDLE_VALUE) {
    failed();
    return -1;
  }
  const int file = _open_osfhandle(reinterpret_cast<intptr_t>(handle), flags | _O_BINARY | _O_NOINHERIT);
  if (file < 0) CloseHandle(handle);
  return file;
}

int64_t nanoseconds_of(const FILETIME& time) {
  const uint64_t ticks = uint64_t{time.dwHighDateTime} << 32 | time.dwLowDateTime;  // of 100 ns, since 1601
  return static_cast<int64_t>(ticks - 116'444'736'000'000'000) * 100;
}

bool info_of_handle(HANDLE handle, FileInfo& info) {
  info = {};
  const DWORD type = GetFileType(handle);
  if (type == FILE_TYPE_UNKNOWN && GetLastError() != NO_ERROR) return failed();
  BY_HANDLE_FILE_INFORMATION told{};
  if (type != FILE_TYPE_DISK || !GetFileInformationByHandle(handle, &told)) return true;  // a pipe, a console, NUL
  info.folder = (told.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  info.regular = !info.folder;
  info.size = uint64_t{told.nFileSizeHigh} << 32 | told.nFileSizeLow;
  info.changed = nanoseconds_of(told.ftLastWriteTime);
  return true;
}

OVERLAPPED at_offset(uint64_t offset) {
  OVERLAPPED at{};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return at;
}

DWORD part(size_t size) {
  return static_cast<DWORD>(std::min(size, kMostAtOnce));
}

bool is_drive_colon(std::string_view path, size_t at) {
  return at == 1 && path[1] == ':' && ((path[0] | 32) >= 'a' && (path[0] | 32) <= 'z');
}

}  // namespace

std::filesystem::path path_of(std::string_view utf8) {
  return wide_of(utf8);
}

std::string text_of(const std::filesystem::path& path) {
  return utf8_of(path.generic_wstring());
}

size_t last_part(std::string_view path) noexcept {
  for (size_t i = path.size(); i > 0; --i)
    if (ends_folder(path[i - 1]) || is_drive_colon(path, i - 1)) return i;
  return 0;
}

std::string folder_of(const std::string& path) {
  const size_t last = last_part(path);
  if (last == 0) return ".";
  const bool root = last == 1 || path[last - 1] == ':' || is_drive_colon(path, last - 2);
  return path.substr(0, root ? last : last - 1);
}

bool ends_folder(char c) noexcept {
  return c == '/' || c == '\\';
}

bool info_of(const std::string& path, FileInfo& info) noexcept {
  const HANDLE handle = CreateFileW(wide_path(path).c_str(), FILE_READ_ATTRIBUTES, kShareAll, nullptr, OPEN_EXISTING,
                                    FILE_FLAG_BACKUP_SEMANTICS, nullptr);
  if (handle == INVALID_HANDLE_VALUE) return failed();
  const bool known = info_of_handle(handle, info);
  CloseHandle(handle);
  return known;
}

bool info_of(int file, FileInfo& info) noexcept {
  return info_of_handle(handle_of(file), info);
}

int open_file(const std::string& path, unsigned how, unsigned) noexcept {
  const DWORD access = ((how & kRead) != 0 ? GENERIC_READ : 0) | ((how & kWrite) != 0 ? GENERIC_WRITE : 0);
  const DWORD action = (how & kNew) != 0 ? CREATE_NEW : (how & kCreate) != 0 ? OPEN_ALWAYS : OPEN_EXISTING;
  const std::wstring wide = wide_path(path);
  const DWORD attributes = GetFileAttributesW(wide.c_str());
  if (attributes != INVALID_FILE_ATTRIBUTES) {
    if ((how & kNoLink) != 0 && (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
      errno = EACCES;
      return -1;
    }
    // A folder can be opened to see that it is one; to write it, it cannot.
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 && (how & kWrite) != 0) {
      errno = EISDIR;
      return -1;
    }
  }
  return descriptor_of_handle(CreateFileW(wide.c_str(), access, kShareAll, nullptr, action,
                                          FILE_ATTRIBUTE_NORMAL | FILE_FLAG_BACKUP_SEMANTICS, nullptr),
                              ((how & kAppend) != 0 ? _O_APPEND : 0) | ((how & kWrite) == 0 ? _O_RDONLY : 0));
}

bool close_file(int file) noexcept {
  return _close(file) == 0;
}

std::FILE* open_stream(const std::string& path, const char* mode) noexcept {
  const bool reads = mode[0] == 'r', both = std::string_view(mode).find('+') != std::string_view::npos;
  const unsigned how =
      (reads ? kRead : kWrite) | (both ? kRead | kWrite : 0) | (reads ? 0 : kCreate) | (mode[0] == 'a' ? kAppend : 0);
  const int file = open_file(path, how);
  if (file < 0) return nullptr;
  if (mode[0] == 'w' && GetFileType(handle_of(file)) == FILE_TYPE_DISK && !cut(file, 0)) {
    close_file(file);
    return nullptr;
  }
  std::FILE* const stream = stream_of(file, mode);
  if (stream == nullptr) close_file(file);
  return stream;
}

std::FILE* stream_of(int file, const char* mode) noexcept {
  char binary[8] = {};
  size_t n = 0;
  for (; mode[n] != '\0' && n < 5; ++n) binary[n] = mode[n];
  if (std::string_view(mode).find('b') == std::string_view::npos) binary[n] = 'b';
  return _fdopen(file, binary);
}

int descriptor_of(std::FILE* stream) noexcept {
  return _fileno(stream);
}

std::FILE* copy_of(int file) noexcept {
  const int copy = _dup(file);
  std::FILE* const stream = copy < 0 ? nullptr : _fdopen(copy, "rb");
  if (copy >= 0 && stream == nullptr) _close(copy);
  return stream;
}

bool seek(std::FILE* stream, uint64_t offset) noexcept {
  return _fseeki64(stream, static_cast<int64_t>(offset), SEEK_SET) == 0;
}

int64_t read_some(int file, void* to, size_t size) noexcept {
  if (file == 0 && is_terminal(Stream::in)) return read_console(to, size);
  DWORD n = 0;
  if (ReadFile(handle_of(file), to, part(size), &n, nullptr)) return n;
  const DWORD error = GetLastError();
  if (error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF) return 0;  // who wrote has gone: the end
  take_error(error);
  return -1;
}

int64_t read_at(int file, void* to, size_t size, uint64_t offset) noexcept {
  OVERLAPPED at = at_offset(offset);
  DWORD n = 0;
  if (ReadFile(handle_of(file), to, part(size), &n, &at)) return n;
  if (GetLastError() == ERROR_HANDLE_EOF) return 0;
  failed();
  return -1;
}

int64_t write_some(int file, const void* from, size_t size) noexcept {
  return _write(file, from, part(size));  // which knows of kAppend
}

int64_t write_at(int file, const void* from, size_t size, uint64_t offset) noexcept {
  OVERLAPPED at = at_offset(offset);
  const int64_t before = _lseeki64(file, 0, SEEK_CUR);
  DWORD n = 0;
  const bool written = WriteFile(handle_of(file), from, part(size), &n, &at);
  if (!written) failed();
  if (before >= 0) _lseeki64(file, before, SEEK_SET);  // the call has moved it
  return written ? static_cast<int64_t>(n) : -1;
}

bool cut(int file, uint64_t size) noexcept {
  const errno_t error = _chsize_s(file, static_cast<int64_t>(size));
  if (error != 0) errno = error;
  return error == 0;
}

bool sync(int file) noexcept {
  return FlushFileBuffers(handle_of(file)) || failed();
}

bool sync_data(int file) noexcept {
  return sync(file);
}

void begin_writing(int, uint64_t, uint64_t) noexcept {}

void sync_folder(const std::string&) noexcept {}  // NTFS keeps a journal of its names

void set_mode(int, unsigned) noexcept {}

unsigned mode_of_new_files() noexcept {
  return 0;
}

bool rename_file(const std::string& from, const std::string& to) noexcept {
  return MoveFileExW(wide_path(from).c_str(), wide_path(to).c_str(), MOVEFILE_REPLACE_EXISTING) || failed();
}

bool remove_file(const std::string& path) noexcept {
  return DeleteFileW(wide_path(path).c_str()) || failed();
}

// They want rights that few users have; huggingface_hub's caches do without too then.
bool make_link(const std::string&, const std::string&) noexcept {
  errno = ENOTSUP;
  return false;
}

bool exists(const std::string& path) noexcept {
  return GetFileAttributesW(wide_path(path).c_str()) != INVALID_FILE_ATTRIBUTES;
}

bool may_read(const std::string& path) noexcept {
  const int file = open_file(path, kRead);
  if (file >= 0) close_file(file);
  return file >= 0;
}

// Of a folder: whether a file can be made in it.
bool may_write(const std::string& path) noexcept {
  FileInfo info;
  if (!info_of(path, info)) return false;
  const std::string probe = path + "/.quern-" + std::to_string(GetCurrentProcessId());
  const int file = info.folder ? open_file(probe, kWrite | kCreate) : open_file(path, kWrite);
  if (file < 0) return false;
  close_file(file);
  if (info.folder) remove_file(probe);
  return true;
}

int open_unnamed(const std::string&, unsigned) noexcept {
  errno = ENOTSUP;
  return -1;
}

bool give_name(int, const std::string&) noexcept {
  errno = ENOTSUP;
  return false;
}

int open_passing(const std::string& folder, std::string& path) {
  std::random_device random;
  path = folder + "/quern." + std::to_string(random()) + std::to_string(random());
  return descriptor_of_handle(
      CreateFileW(wide_path(path).c_str(), GENERIC_READ | GENERIC_WRITE | DELETE, kShareAll, nullptr, CREATE_NEW,
                  FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr),
      0);
}

void close_passing(int file, const std::string&) noexcept {
  _close(file);
}

// The first byte, as Python's filelock has it, which huggingface_hub uses.
bool lock(int file) noexcept {
  OVERLAPPED at{};
  return LockFileEx(handle_of(file), LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at) || failed();
}

// What lies on another machine.
bool is_shared(int file) noexcept {
  FILE_REMOTE_PROTOCOL_INFO info{};
  return GetFileInformationByHandleEx(handle_of(file), FileRemoteProtocolInfo, &info, sizeof info) != 0;
}

bool free_space(const std::string& folder, double& bytes) noexcept {
  ULARGE_INTEGER mine{};
  if (!GetDiskFreeSpaceExW(wide_path(folder).c_str(), &mine, nullptr, nullptr)) return failed();
  bytes = static_cast<double>(mine.QuadPart);
  return true;
}

bool is_full(int error) noexcept {
  return error == ENOSPC;
}

bool is_denied(int error) noexcept {
  return error == EACCES || error == EPERM || error == EROFS;
}

bool is_special(const std::string& path) noexcept {
  return path.starts_with("\\\\.\\") || path.starts_with("//./");
}

}  // namespace os

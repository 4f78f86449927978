// Files, by paths in UTF-8 whatever the system's own are. Descriptors are those of the C library. What can fail says so
// and leaves the reason in errno (read it by std::strerror); nothing here throws but for memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace os {

// For std::filesystem and std::fstream, and back, with '/' between the parts.
std::filesystem::path path_of(std::string_view utf8);
std::string text_of(const std::filesystem::path& path);

// Where in a path its last part begins: behind the last '/', or what else the system takes for one (a drive's colon).
size_t last_part(std::string_view path) noexcept;
inline std::string base_name(const std::string& path) {
  return path.substr(last_part(path));
}
std::string folder_of(const std::string& path);  // "." where the path names none
bool ends_folder(char c) noexcept;               // '/' and what else stands between parts

struct FileInfo {
  bool regular = false, folder = false;
  uint64_t size = 0;    // bytes
  int64_t changed = 0;  // nanoseconds since 1970
  unsigned mode = 0;    // who may do what, for set_mode(); 0 where the system has nothing of the kind
};
bool info_of(const std::string& path, FileInfo& info) noexcept;  // of what a link leads to
bool info_of(int file, FileInfo& info) noexcept;

enum Opening : unsigned {
  kRead = 1,
  kWrite = 2,         // with kRead: both
  kCreate = 4,        // where there is none
  kNew = 8,           // with kCreate: fails with EEXIST where there is one
  kAppend = 16,       // what is written goes to the end
  kNoLink = 32,       // fails where the path itself is a link
  kWithoutWait = 64,  // does not wait for a FIFO's writer
};
// -1: failed. Others may read, write, rename and remove it meanwhile. Not inherited by programs that are started.
int open_file(const std::string& path, unsigned how, unsigned mode = 0666) noexcept;
bool close_file(int file) noexcept;
std::FILE* open_stream(const std::string& path, const char* mode) noexcept;  // as fopen; binary wherever that differs
std::FILE* stream_of(int file, const char* mode) noexcept;                   // takes it over, unless it fails
int descriptor_of(std::FILE* stream) noexcept;
std::FILE* copy_of(int file) noexcept;  // a stream to read the same file; they share the place in it
bool seek(std::FILE* stream, uint64_t offset) noexcept;

// Bytes read or written, perhaps fewer than asked for; 0 at the end; -1: failed.
int64_t read_some(int file, void* to, size_t size) noexcept;
int64_t read_at(int file, void* to, size_t size, uint64_t offset) noexcept;
int64_t write_some(int file, const void* from, size_t size) noexcept;
int64_t write_at(int file, const void* from, size_t size, uint64_t offset) noexcept;

bool cut(int file, uint64_t size) noexcept;
bool sync(int file) noexcept;                                           // all of it is on the disk
bool sync_data(int file) noexcept;                                      // likewise, its times perhaps not
void begin_writing(int file, uint64_t offset, uint64_t size) noexcept;  // to the disk; a hint
void sync_folder(const std::string& folder) noexcept;                   // its names too, where the system can
void set_mode(int file, unsigned mode) noexcept;
unsigned mode_of_new_files() noexcept;

bool rename_file(const std::string& from, const std::string& to) noexcept;  // takes the place of what is there
bool remove_file(const std::string& path) noexcept;
bool make_link(const std::string& target, const std::string& path) noexcept;  // ENOTSUP where there are none
bool exists(const std::string& path) noexcept;
bool may_read(const std::string& path) noexcept;
bool may_write(const std::string& path) noexcept;

// A file that has no name, and goes with the process however that ends; -1 with ENOTSUP where there are none.
int open_unnamed(const std::string& folder, unsigned mode) noexcept;
bool give_name(int unnamed, const std::string& path) noexcept;  // EEXIST where there is one

// A file for what passes through this process, which goes when it is closed. path: where others open it meanwhile.
int open_passing(const std::string& folder, std::string& path);
void close_passing(int file, const std::string& path) noexcept;

// A whole file's lock among processes, until it is closed. Fails with EWOULDBLOCK where another has it, with others
// where the file system knows none.
bool lock(int file) noexcept;
// Whether other machines may have it too: some file systems let everybody have a lock then.
bool is_shared(int file) noexcept;

bool free_space(const std::string& folder, double& bytes) noexcept;  // for this user
bool is_full(int error) noexcept;                                    // the disk, or what the user may have of it
bool is_denied(int error) noexcept;
// Whether it is a name of something else, such as a descriptor: no other file can take its place.
bool is_special(const std::string& path) noexcept;

}  // namespace os

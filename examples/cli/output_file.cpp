#include "output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "common.h"

namespace cli {
namespace {

// The temporary name, for the signals that end the program.
char doomed[4096];

void unlink_doomed(int signal) {
  unlink(doomed);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void unlink_when_ended(const std::string& name) {
  if (name.size() >= sizeof doomed) return;
  std::memcpy(doomed, name.c_str(), name.size() + 1);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_DFL) std::signal(signal, unlink_doomed);
  }
}

std::string link_to(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

uint32_t crc_of(uint32_t before, const void* data, size_t size) {
  return static_cast<uint32_t>(crc32_z(before, static_cast<const Bytef*>(data), size));
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
  struct stat info {};
  if (path == "-") {
    path_ = "stdout";
    file_ = stdout;
  } else if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    if (S_ISDIR(info.st_mode)) throw Failure{1, path + ": expected a file to write, found a folder"};
    file_ = std::fopen(path.c_str(), "wb");  // a device or a FIFO: nothing to rename
  } else {
    regular_ = true;
    open_unnamed(info.st_mode);
  }
  if (!file_) fail("open");
}

OutputFile::~OutputFile() {
  if (file_ && file_ != stdout) std::fclose(file_);
  if (!temporary_.empty() && !kept_) unlink(temporary_.c_str());
}

// A file without a name goes with the process however that ends. Where the file system has none, it has one of its own
// beside the path meanwhile. mode: of the file that is replaced, or 0.
void OutputFile::open_unnamed(unsigned mode) {
  int descriptor = open(folder_of(path_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  unnamed_ = descriptor >= 0 && access(link_to(descriptor).c_str(), F_OK) == 0;
  if (!unnamed_) {
    if (descriptor >= 0) close(descriptor);
    temporary_ = path_ + ".XXXXXX";
    descriptor = mkstemp(temporary_.data());
    if (descriptor < 0) {
      temporary_.clear();
      return;
    }
    unlink_when_ended(temporary_);
    const mode_t mask = umask(0);
    umask(mask);
    fchmod(descriptor, 0666 & ~mask);
  }
  if (mode != 0) fchmod(descriptor, mode & 0777);
  file_ = fdopen(descriptor, "wb+");
  if (!file_) close(descriptor);
}

void OutputFile::go_on(const std::string& unfinished, uint64_t length) {
  std::FILE* const file = std::fopen(unfinished.c_str(), "rb+");
  if (!file) throw Failure{1, unfinished + ": cannot open: " + std::strerror(errno)};
  std::fclose(file_);
  file_ = file;
  if (!temporary_.empty()) unlink(temporary_.c_str());
  temporary_ = unfinished;
  unnamed_ = false;
  kept_ = true;
  size_ = length;
  chunk_ = {length, length, 0};
  const auto end = static_cast<off_t>(length);
  if (ftruncate(fileno(file_), end) != 0 || fseeko(file_, end, SEEK_SET) != 0) fail("go on with");
}

void OutputFile::fail(const char* action) const {
  throw Failure{1, path_ + ": cannot " + action + ": " + std::strerror(errno)};
}

void OutputFile::put(const void* data, size_t size) {
  if (std::fwrite(data, 1, size, file_) != size) fail("write");
  size_ += size;
  if (regular_) chunk_.crc = crc_of(chunk_.crc, data, size);
}

void OutputFile::put_head(const void* data, size_t size) {
  if (size_ > 0 && fseeko(file_, 0, SEEK_SET) != 0) fail("write");
  if (std::fwrite(data, 1, size, file_) != size) fail("write");
  if (size_ > 0) return;
  size_ = size;
  chunk_.from = size;
}

bool OutputFile::can_seek() const {
  return std::fseek(file_, 0, SEEK_CUR) == 0;
}

OutputFile::Chunk OutputFile::take_chunk() {
  Chunk done = chunk_;
  done.end = size_;
  chunk_ = {size_, size_, 0};
  return done;
}

int OutputFile::descriptor() const {
  return fileno(file_);
}

void OutputFile::discard() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
  temporary_.clear();
}

// A link takes no other file's place: where there is one, another name comes first.
void OutputFile::link_as(const std::string& name) {
  const std::string here = link_to(fileno(file_));
  const auto link = [&](const std::string& as) {
    if (linkat(AT_FDCWD, here.c_str(), AT_FDCWD, as.c_str(), AT_SYMLINK_FOLLOW) == 0) temporary_ = as;
    return !temporary_.empty();
  };
  if (unnamed_ && temporary_.empty() && link(name)) return;
  for (unsigned i = 0; unnamed_ && temporary_.empty(); ++i)
    if (!link(path_ + '.' + std::to_string(getpid()) + '-' + std::to_string(i) + ".tmp") &&
        (errno != EEXIST || i > 1000))
      fail("give a name to");
  if (std::rename(temporary_.c_str(), name.c_str()) != 0) fail("rename to");
  temporary_ = name;
  doomed[0] = '\0';
}

void OutputFile::keep(const std::string& unfinished) {
  if (temporary_ != unfinished) link_as(unfinished);
  kept_ = true;
}

void OutputFile::sync() {
  if (std::fflush(file_) != 0 || fdatasync(fileno(file_)) != 0) fail("write");
}

void OutputFile::finish() {
  if (std::fflush(file_) != 0) fail("write");
  if (!regular_) return;
  if (fsync(fileno(file_)) != 0) fail("write");
  link_as(path_);
  temporary_.clear();
  std::fclose(file_);
  file_ = nullptr;
}

namespace {

struct Crc {
  uint32_t value = 0;
  uint64_t size = 0;
};

// Of at most so many bytes of a file; none where it cannot be read.
std::optional<Crc> crc_of_file(const std::string& path, uint64_t from, uint64_t most) {
  const auto close = [](std::FILE* f) { std::fclose(f); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  if (!file || fseeko(file.get(), static_cast<off_t>(from), SEEK_SET) != 0) return std::nullopt;
  std::vector<char> block(size_t{1} << 20);
  Crc crc;
  while (crc.size < most) {
    const auto want = static_cast<size_t>(std::min<uint64_t>(most - crc.size, block.size()));
    const size_t n = std::fread(block.data(), 1, want, file.get());
    if (n == 0) break;
    crc.value = crc_of(crc.value, block.data(), n);
    crc.size += n;
  }
  if (std::ferror(file.get())) return std::nullopt;
  return crc;
}

}  // namespace

bool has_chunk(const std::string& path, const OutputFile::Chunk& chunk) {
  const std::optional<Crc> crc = crc_of_file(path, chunk.from, chunk.end - chunk.from);
  return crc && crc->size == chunk.end - chunk.from && crc->value == chunk.crc;
}

std::string file_digest(const std::string& path) {
  const std::optional<Crc> crc = crc_of_file(path, 0, UINT64_MAX);
  if (!crc) throw Failure{1, path + ": cannot read: " + std::strerror(errno)};
  char text[64];
  std::snprintf(text, sizeof text, "%08x of %llu bytes", crc->value, static_cast<unsigned long long>(crc->size));
  return text;
}

void sync_folder_of(const std::string& path) {
  const int folder = open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

}  // namespace cli

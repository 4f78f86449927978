#include "output_file.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "common.h"
#include "os/files.h"
#include "os/process.h"
#include "os/signals.h"

namespace cli {
namespace {

constexpr unsigned kMostNames = 1000;  // tried before it is an error that they are taken

// The temporary name, for the signals that end the program.
char doomed[4096];

void unlink_doomed(int signal) {
  os::remove_file(doomed);
  os::end_by_signal(signal);
}

void unlink_when_ended(const std::string& name) {
  if (name.size() >= sizeof doomed) return;
  std::memcpy(doomed, name.c_str(), name.size() + 1);
  os::on_end_by_stop(unlink_doomed);
}

uint32_t crc_of(uint32_t before, const void* data, size_t size) {
  return static_cast<uint32_t>(crc32_z(before, static_cast<const Bytef*>(data), size));
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
  os::FileInfo info;
  if (path == "-") {
    path_ = "stdout";
    file_ = stdout;
  } else if (os::info_of(path, info) && !info.regular) {
    if (info.folder) throw Failure{1, path + ": expected a file to write, found a folder"};
    file_ = os::open_stream(path, "wb");  // a device or a FIFO: nothing to rename
  } else {
    regular_ = true;
    open_unnamed(info.mode);
  }
  if (!file_) fail("open");
}

OutputFile::~OutputFile() {
  if (file_ && file_ != stdout) std::fclose(file_);
  if (!temporary_.empty() && !kept_) os::remove_file(temporary_);
}

// A file without a name goes with the process however that ends. Where the file system has none, it has one of its own
// beside the path meanwhile. mode: of the file that is replaced, or 0.
void OutputFile::open_unnamed(unsigned mode) {
  int descriptor = os::open_unnamed(os::folder_of(path_), 0666);
  unnamed_ = descriptor >= 0;
  for (unsigned i = 0; descriptor < 0 && i < kMostNames; ++i) {
    temporary_ = name_beside(i);
    descriptor = os::open_file(temporary_, os::kRead | os::kWrite | os::kCreate | os::kNew);
    if (descriptor < 0 && errno != EEXIST) break;
  }
  if (descriptor < 0) {
    temporary_.clear();
    return;
  }
  if (!unnamed_) unlink_when_ended(temporary_);
  if (mode != 0) os::set_mode(descriptor, mode);
  file_ = os::stream_of(descriptor, "wb+");
  if (!file_) os::close_file(descriptor);
}

void OutputFile::go_on(const std::string& unfinished, uint64_t length) {
  std::FILE* const file = os::open_stream(unfinished, "rb+");
  if (!file) throw Failure{1, unfinished + ": cannot open: " + std::strerror(errno)};
  std::fclose(file_);
  file_ = file;
  if (!temporary_.empty()) os::remove_file(temporary_);
  temporary_ = unfinished;
  unnamed_ = false;
  kept_ = true;
  size_ = length;
  chunk_ = {length, length, 0};
  if (!os::cut(descriptor(), length) || !os::seek(file_, length)) fail("go on with");
}

std::string OutputFile::name_beside(unsigned i) const {
  return path_ + '.' + std::to_string(os::process_id()) + '-' + std::to_string(i) + ".tmp";
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
  if (size_ > 0 && !os::seek(file_, 0)) fail("write");
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
  return os::descriptor_of(file_);
}

void OutputFile::discard() {
  if (!temporary_.empty()) os::remove_file(temporary_);
  temporary_.clear();
}

// A link takes no other file's place: where there is one, another name comes first.
void OutputFile::link_as(const std::string& name) {
  const auto link = [&](const std::string& as) {
    if (os::give_name(descriptor(), as)) temporary_ = as;
    return !temporary_.empty();
  };
  if (unnamed_ && temporary_.empty() && link(name)) return;
  for (unsigned i = 0; unnamed_ && temporary_.empty(); ++i)
    if (!link(name_beside(i)) && (errno != EEXIST || i > kMostNames)) fail("give a name to");
  if (!os::rename_file(temporary_, name)) fail("rename to");
  temporary_ = name;
  doomed[0] = '\0';
}

void OutputFile::keep(const std::string& unfinished) {
  if (temporary_ != unfinished) link_as(unfinished);
  kept_ = true;
}

void OutputFile::sync() {
  if (std::fflush(file_) != 0 || !os::sync_data(descriptor())) fail("write");
}

void OutputFile::finish() {
  if (std::fflush(file_) != 0) fail("write");
  if (!regular_) return;
  if (!os::sync(descriptor())) fail("write");
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
  const std::unique_ptr<std::FILE, decltype(close)> file(os::open_stream(path, "rb"), close);
  if (!file || !os::seek(file.get(), from)) return std::nullopt;
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
  os::sync_folder(os::folder_of(path));
}

}  // namespace cli

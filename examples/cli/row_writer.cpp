#include "row_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "common.h"

namespace cli {
namespace {

constexpr size_t kNpyHeader = 128;  // magic, version, length and a padded dictionary

void append_number(std::string& line, float value) {  // shortest form that reads back the same
  char text[32];
  line.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace

RowFormat row_format(const std::string& path, const std::string& wanted) {
  const std::string name = wanted.empty() ? path : '.' + wanted;
  if (name.ends_with(".npy")) return RowFormat::npy;
  if (name.ends_with(".jsonl") || (wanted.empty() && path == "-")) return RowFormat::jsonl;
  if (name.ends_with(".csv")) return RowFormat::csv;
  if (wanted.empty() && path.starts_with("/dev/")) return RowFormat::jsonl;
  throw Failure{2, "-o " + path + ": expected a name in .npy, .jsonl or .csv, or - for stdout (or give --format)"};
}

RowWriter::RowWriter(const std::string& path, RowFormat format, int64_t width)
    : path_(path), format_(format), width_(width) {
  struct stat info {};
  if (path == "-") {
    path_ = "stdout";
    file_ = stdout;
  } else if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    if (S_ISDIR(info.st_mode)) throw Failure{1, path + ": expected a file to write, found a folder"};
    file_ = std::fopen(path.c_str(), "wb");  // a device or a FIFO: nothing to rename
  } else {
    temporary_ = path + '.' + std::to_string(getpid()) + ".tmp";
    file_ = std::fopen(temporary_.c_str(), "wbx");
  }
  if (!file_) {
    temporary_.clear();
    fail("open");
  }
  if (format_ == RowFormat::npy) {
    if (std::fseek(file_, 0, SEEK_CUR) != 0)
      throw Failure{1, path_ + ": .npy needs an output that can be rewound, such as a file"};
    put_header();
  }
}

RowWriter::~RowWriter() {
  if (file_ && file_ != stdout) std::fclose(file_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void RowWriter::fail(const char* action) const {
  throw Failure{1, path_ + ": cannot " + action + ": " + std::strerror(errno)};
}

void RowWriter::put(const void* data, size_t size) {
  if (std::fwrite(data, 1, size, file_) != size) fail("write");
}

void RowWriter::put_header() {
  char header[kNpyHeader];
  std::memset(header, ' ', sizeof header);
  const unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, kNpyHeader - 10, 0};
  std::memcpy(header, magic, sizeof magic);
  const int n = std::snprintf(header + 10, sizeof header - 10,
                              "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }",
                              static_cast<long long>(rows_), static_cast<long long>(width_));
  header[10 + n] = ' ';
  header[kNpyHeader - 1] = '\n';
  put(header, sizeof header);
}

void RowWriter::write(const float* rows, int64_t n) {
  rows_ += n;
  if (format_ == RowFormat::npy) {
    put(rows, static_cast<size_t>(n * width_) * sizeof(float));
    return;
  }
  const bool json = format_ == RowFormat::jsonl;
  for (int64_t i = 0; i < n; ++i) {
    line_.assign(json ? "[" : "");
    for (int64_t j = 0; j < width_; ++j) {
      if (j) line_ += ',';
      append_number(line_, rows[i * width_ + j]);
    }
    line_ += json ? "]\n" : "\n";
    put(line_.data(), line_.size());
  }
}

void RowWriter::write_line(const std::string& line) {
  put(line.data(), line.size());
  put("\n", 1);
}

void RowWriter::finish() {
  if (format_ == RowFormat::npy) {
    if (std::fseek(file_, 0, SEEK_SET) != 0) fail("write");
    put_header();
  }
  if (std::fflush(file_) != 0) fail("write");
  if (temporary_.empty()) return;
  if (fsync(fileno(file_)) != 0) fail("write");
  std::fclose(file_);
  file_ = nullptr;
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename to");
  temporary_.clear();
}

}  // namespace cli

// Rows of floats to a file or stdout, as .npy, JSON lines or CSV. A file appears under its name only once it is
// complete.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>

#include "bulk.h"

namespace cli {

enum class RowFormat { npy, jsonl, csv };

class RowWriter final : public RowSink {
 public:
  // path: "-" for stdout. width: floats a row. Throws Failure.
  RowWriter(const std::string& path, RowFormat format, int64_t width);
  ~RowWriter() override;
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

  void write(const float* rows, int64_t n) override;
  void write_line(const std::string& line) override;
  void finish() override;  // gives the file its name

 private:
  void put(const void* data, size_t size);
  void put_header();
  [[noreturn]] void fail(const char* action) const;

  std::string path_, temporary_;
  RowFormat format_;
  int64_t width_, rows_ = 0;
  std::FILE* file_ = nullptr;
  std::string line_;
};

// By the file's extension; stdout gets JSON lines. Throws Failure{2} for another one.
RowFormat row_format(const std::string& path, const std::string& wanted);

}  // namespace cli

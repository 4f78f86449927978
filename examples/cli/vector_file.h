// Vectors that quern embed has written, as they lie in a file: .npy, mapped; or JSON lines, read into memory.
#pragma once
#include <quern.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cli {

class VectorFile {
 public:
  // width: values of a vector, where that is known, else 0; it tells bits from bytes. precision: of --precision, which
  // says it too; empty: by the file. ranges: a file of --ranges, or empty. Throws Failure.
  VectorFile(const std::string& path, const std::string& precision, const std::string& ranges, size_t width);
  ~VectorFile();
  VectorFile(const VectorFile&) = delete;
  VectorFile& operator=(const VectorFile&) = delete;

  int type() const { return type_; }
  size_t rows() const { return rows_; }
  size_t width() const { return width_; }  // values of a vector
  const std::string& path() const { return path_; }
  const float* ranges() const { return ranges_.empty() ? nullptr : ranges_.data(); }
  const char* row(size_t i) const { return data_ + i * row_bytes_; }
  // Rows of a part that is worth a call, and the system told that the next one is wanted.
  size_t part_rows() const;
  void expect(size_t first, size_t n) const;
  void floats(size_t first, size_t n, float* out) const;

 private:
  void map(int descriptor, size_t size);
  void read_header(const std::string& precision, size_t width);
  void read_lines();
  void choose_type(const std::string& descr, const std::string& precision, size_t stored, size_t width);
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  int type_ = QUERN_VALUES_F32;
  size_t rows_ = 0, width_ = 0, row_bytes_ = 0;
  const char* data_ = nullptr;
  const void* mapped_ = nullptr;
  size_t mapped_bytes_ = 0;
  std::vector<float> read_, ranges_;
};

// The k nearest rows of each query: matches of k each, as quern_top_k has them.
std::vector<quern_match> nearest_rows(const VectorFile& file, const float* queries, size_t n_queries, size_t k,
                                      const quern_compare_options& options);

}  // namespace cli

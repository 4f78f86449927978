// Rows as Parquet or an Arrow file, by the plug-in: a column for each field, then "embedding", a fixed_size_list. A
// Parquet file cannot be gone on with, and what type a field has is known behind the last row: rows are written to a
// file as they are, of which the output is made at the end.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "../arrow/quern_arrow.h"
#include "bulk.h"
#include "output_file.h"
#include "value_coder.h"

namespace cli {

class ArrowWriter final : public RowSink {
 public:
  // format: of quern_arrow_format. Throws Failure.
  ArrowWriter(const std::string& path, int format, std::string precision, std::string ranges, int64_t width,
              std::vector<std::string> names);

  void write(const float* rows, int64_t n, const KeptFields& kept) override;
  void write_line(const std::string& line) override;
  void complete() override {}
  void finish() override;
  bool staged() const override { return true; }
  std::string note() const override { return note_; }
  OutputFile& file() override { return file_; }
  std::string state() const override;
  void restore(const std::string& state) override;

 private:
  std::unique_ptr<ValueCoder> coder() const;  // that has seen the first rows

  const std::string path_;
  OutputFile file_;  // of rows as they are
  const int format_;
  const std::string precision_, ranges_;
  const int64_t width_;
  const std::vector<std::string> names_;
  std::vector<unsigned> seen_;  // kinds of JSON in each field, or-ed
  uint64_t rows_ = 0;
  std::string buffer_;
  mutable std::string note_;
};

}  // namespace cli

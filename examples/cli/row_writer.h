// Rows of floats to a file or stdout, as .npy, JSON lines or CSV.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bulk.h"
#include "output_file.h"
#include "value_coder.h"

namespace cli {

enum class RowFormat { npy, jsonl, csv, pgcopy, parquet, arrow };

class RowWriter final : public RowSink {
 public:
  // path: "-" for stdout. width: floats a row.
  // names: of the fields that go before a row's floats, as members of an object or columns. coder: of
  // .npy's values; null for floats. first: a .csv begins with the row of names. Throws Failure.
  RowWriter(const std::string& path, RowFormat format, int64_t width, std::vector<std::string> names = {},
            std::unique_ptr<ValueCoder> coder = nullptr, bool first = true);
  void write(const float* rows, int64_t n, const KeptFields& kept) override;
  void write_line(const std::string& line) override;
  void complete() override;
  OutputFile& file() override { return file_; }
  std::string state() const override;
  void restore(const std::string& state) override;
  std::string note() const override;

 private:
  void put_header();
  void put_names();

  OutputFile file_;
  RowFormat format_;
  int64_t width_, rows_ = 0;
  const std::vector<std::string> names_, prefixes_;
  const std::unique_ptr<ValueCoder> coder_;
  std::string line_;
};

// "id":1,"title":"a", of values as JSON.
std::string json_members(const std::vector<std::string>& prefixes, const std::vector<std::string>& values);
// `"name":` of each, for json_members.
std::vector<std::string> json_prefixes(const std::vector<std::string>& names);

// Names of --format.
std::vector<std::string> row_formats();

// By the file's extension; stdout gets JSON lines. Throws Failure{2} for another one.
RowFormat row_format(const std::string& path, const std::string& wanted);

}  // namespace cli

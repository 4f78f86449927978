// Rows as PostgreSQL's COPY ... (FORMAT binary) takes them, vectors as pgvector's types have them: vector of f32,
// halfvec of f16, bit of ubinary. Fields that go with a row come before it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "bulk.h"
#include "output_file.h"
#include "value_coder.h"

namespace cli {

class PgCopyWriter final : public RowSink {
 public:
  // names: of the fields; types: "id=bigint" of some of them, which are text else. Throws Failure.
  PgCopyWriter(const std::string& path, const std::string& precision, int64_t width,
               const std::vector<std::string>& names, const std::vector<std::string>& types, bool first, bool last);

  void write(const float* rows, int64_t n, const KeptFields& kept) override;
  void write_line(const std::string& line) override;
  void complete() override;
  OutputFile& file() override { return file_; }
  std::string state() const override;
  void restore(const std::string& state) override;

 private:
  // Appends a field's bytes. Throws Failure, without the row.
  using Put = void (*)(const std::string& json, std::string& out);
  struct Column {
    std::string name, type;
    Put put;
  };
  void put_vector(const float* row, std::string& out);

  OutputFile file_;
  const std::string precision_;
  const int64_t width_;
  const bool last_;
  const std::unique_ptr<ValueCoder> coder_;
  std::vector<Column> columns_;
  uint64_t rows_ = 0;
  std::string buffer_, values_;
};

// Of --pg-types.
std::vector<std::string> pg_types();

}  // namespace cli

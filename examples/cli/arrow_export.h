// Columns handed over by the Arrow C data interface.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../arrow/quern_arrow.h"

namespace cli {

// A column that grows by a value. format: of the C data interface: b, l, g, U, or values of a fixed_size_list.
class ArrowColumn {
 public:
  // list: 0, or how many values each row has.
  ArrowColumn(std::string name, std::string format, size_t list = 0)
      : name_(std::move(name)), format_(std::move(format)), list_(list) {}

  const std::string& format() const { return format_; }
  void append_null();
  void append_bool(bool value);
  void append_text(const std::string& text);
  template <class T>
  void append_value(T value) {
    data_.append(reinterpret_cast<const char*>(&value), sizeof value);
    mark(true);
  }
  std::string& data() { return data_; }  // of a list, whose rows are appended whole

  void export_schema(ArrowSchema& to) const;
  void export_rows(int64_t n, ArrowArray& to);  // and is empty

 private:
  void mark(bool valid);

  std::string name_, format_;
  size_t list_;
  std::string data_, valid_;
  std::vector<int64_t> offsets_{0};
  int64_t rows_ = 0, nulls_ = 0;
};

// What makes batches of rows.
class ArrowExport {
 public:
  virtual ~ArrowExport() = default;
  virtual std::vector<ArrowColumn> columns() const = 0;             // empty ones
  virtual bool next(std::vector<ArrowColumn>& to, int64_t& n) = 0;  // appends n rows; false at the end. Throws
};

void export_stream(std::unique_ptr<ArrowExport> from, ArrowArrayStream& to);

}  // namespace cli

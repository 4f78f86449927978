// CSV and TSV with a line of names before the rows, as RFC 4180 has them, by libcsv.
#include <csv.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <new>
#include <optional>

#include "common.h"
#include "records.h"
#include "texts.h"

namespace cli {
namespace {

using Row = std::vector<std::string>;

class TableReader final : public RecordReader {
 public:
  TableReader(ByteSource& source, char delimiter, Fields fields) : source_(source), fields_(std::move(fields)) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
    csv_set_delim(&parser_, static_cast<unsigned char>(delimiter));
    csv_set_space_func(&parser_, [](unsigned char) { return 0; });  // spaces are part of a field
    csv_set_blk_size(&parser_, 1 << 20);                            // by which a long field grows
  }
  ~TableReader() override { csv_free(&parser_); }
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;

  bool next(Record& record) override {
    if (names_.empty()) {
      std::optional<Row> names = read();
      if (!names) return false;
      choose(*std::move(names));
    }
    std::optional<Row> row = read();
    if (!row) return false;
    if (row->size() != names_.size())
      throw Failure{
          1, where() + ": expected " + fields(names_.size()) + ", as the first row has, found " + fields(row->size())};
    record.kept.clear();
    for (const size_t i : kept_) record.kept.push_back(json_string((*row)[i]));
    record.text = std::move((*row)[text_]);
    return true;
  }
  std::string where() const override { return source_.name() + ": row " + std::to_string(count_); }

 private:
  static std::string fields(size_t n) { return std::to_string(n) + (n == 1 ? " field" : " fields"); }

  void choose(Row names) {
    names_ = std::move(names);
    if (fields_.text.empty() && names_.size() == 1)
      text_ = 0;
    else
      text_ = column(fields_.text.empty() ? "text" : fields_.text, "--field");
    for (const std::string& name : fields_.kept) kept_.push_back(column(name, "--keep or --id"));
  }

  size_t column(const std::string& name, const char* flag) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end())
      throw Failure{1, source_.name() + ": there is no column \"" + one_line(name, 64) + "\" (name another with " +
                           flag + ")" + there_are(names_)};
    if (std::find(found + 1, names_.end(), name) != names_.end())
      throw Failure{1, source_.name() + ": there are two columns \"" + one_line(name, 64) + "\""};
    return static_cast<size_t>(found - names_.begin());
  }

  std::optional<Row> read() {
    while (rows_.empty() && !ended_) parse();
    if (rows_.empty()) {
      if (failed_) std::rethrow_exception(failed_);
      return std::nullopt;
    }
    Row row = std::move(rows_.front());
    rows_.pop_front();
    ++count_;
    return row;
  }

  // One block. What is wrong in it is thrown once the rows before it are read.
  void parse() {
    const std::string_view bytes = source_.next();
    const bool good = bytes.empty()
                          ? csv_fini(&parser_, on_field, on_row, this) == 0
                          : csv_parse(&parser_, bytes.data(), bytes.size(), on_field, on_row, this) == bytes.size();
    ended_ = bytes.empty() || !good;
    if (!failed_ && !good && csv_error(&parser_) == CSV_ENOMEM) failed_ = std::make_exception_ptr(std::bad_alloc());
    if (!failed_ && !good)
      fail(bytes.empty() ? "the file ends within a quoted field"
                         : "a quote stands where none may (a field with quotes is quoted, each quote in it doubled)");
    if (!failed_ && pending_bytes_ + parser_.entry_pos > kMaxRecord)
      fail("expected at most 64 MiB (is a quote not closed?)");
    ended_ = ended_ || failed_;
  }

  void fail(const char* what) {
    failed_ = std::make_exception_ptr(
        Failure{1, source_.name() + ": row " + std::to_string(count_ + rows_.size() + 1) + ": " + what});
  }

  // libcsv knows no exceptions.
  template <class F>
  static void guarded(void* user, const F& f) {
    auto& self = *static_cast<TableReader*>(user);
    if (self.failed_) return;
    try {
      f(self);
    } catch (...) {
      self.failed_ = std::current_exception();
    }
  }
  static void on_field(void* data, size_t size, void* user) {
    guarded(user, [&](TableReader& self) {
      self.pending_.emplace_back(static_cast<const char*>(data), size);
      self.pending_bytes_ += size + sizeof(std::string);
    });
  }
  static void on_row(int, void* user) {
    guarded(user, [](TableReader& self) {
      self.rows_.push_back(std::move(self.pending_));
      self.pending_.clear();
      self.pending_bytes_ = 0;
    });
  }

  ByteSource& source_;
  const Fields fields_;
  csv_parser parser_{};
  Row names_, pending_;
  size_t pending_bytes_ = 0, text_ = 0;
  std::vector<size_t> kept_;
  std::deque<Row> rows_;
  std::exception_ptr failed_;
  bool ended_ = false;
  uint64_t count_ = 0;  // rows read, that of the names too
};

}  // namespace

std::unique_ptr<RecordReader> open_table(ByteSource& source, char delimiter, const Fields& fields) {
  return std::make_unique<TableReader>(source, delimiter, fields);
}

}  // namespace cli

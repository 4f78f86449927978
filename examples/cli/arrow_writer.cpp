#include "arrow_writer.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "arrow_export.h"
#include "arrow_plugin.h"
#include "common.h"
#include "os/files.h"

namespace cli {
namespace {

constexpr uint64_t kRowsAtOnce = 4096, kBytesAtOnce = uint64_t{64} << 20;
constexpr uint64_t kRowsOfRanges = 8192;

enum Kind : unsigned { kNull = 1, kBool = 2, kInteger = 4, kReal = 8, kString = 16, kOther = 32 };

Kind kind_of(const std::string& json) {
  switch (json[0]) {
    case 'n':
      return kNull;
    case 't':
    case 'f':
      return kBool;
    case '"':
      return kString;
    case '[':
    case '{':
      return kOther;
    default:
      break;
  }
  int64_t value = 0;
  const char* const end = json.data() + json.size();
  const auto [at, error] = std::from_chars(json.data(), end, value);
  if (error == std::errc() && at == end) return kInteger;
  return json.find_first_of(".eE") == std::string::npos ? kOther : kReal;  // an integer of more than 63 bits
}

// The column of values that were of these kinds. What JSON mixes becomes text.
ArrowColumn column_for(const std::string& name, unsigned seen) {
  const unsigned kinds = seen & ~unsigned{kNull};
  if (kinds == kBool) return ArrowColumn(name, "b");
  if (kinds == kInteger) return ArrowColumn(name, "l");
  if (kinds == kReal || kinds == (kReal | kInteger)) return ArrowColumn(name, "g");
  return ArrowColumn(name, "U");
}

void append(const std::string& json, ArrowColumn& to) {
  if (json == "null") return to.append_null();
  if (to.format() == "b") return to.append_bool(json == "true");
  if (to.format() == "l") return to.append_value(int64_t{std::stoll(json)});
  if (to.format() == "g") return to.append_value(std::stod(json));
  to.append_text(json.starts_with('"') ? nlohmann::json::parse(json).get<std::string>() : json);
}

const char* format_of(const ValueCoder& coder) {
  const std::string descr = coder.descr();
  return descr == "<f4" ? "f" : descr == "<f2" ? "e" : descr == "|i1" ? "c" : "C";
}

// Rows as write() has left them.
class StagedRows {
 public:
  StagedRows(int descriptor, size_t fields, size_t width) : fields_(fields), width_(width) {
    file_.reset(os::copy_of(descriptor));
    if (!file_ || !os::seek(file_.get(), 0)) fail();
  }
  void next(std::vector<std::string>& fields, float* row) {
    fields.resize(fields_);
    for (std::string& field : fields) {
      uint32_t size = 0;
      read(&size, sizeof size);
      field.resize(size);
      read(field.data(), size);
    }
    read(row, width_ * sizeof(float));
  }

 private:
  void read(void* to, size_t size) {
    if (std::fread(to, 1, size, file_.get()) != size) fail();
  }
  [[noreturn]] static void fail() {
    throw Failure{1, std::string("the unfinished output cannot be read: ") + std::strerror(errno)};
  }
  struct Close {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  const size_t fields_, width_;
};

// Staged rows as a stream, a batch at a time.
class RowStream final : public ArrowExport {
 public:
  RowStream(StagedRows rows, uint64_t n, std::vector<std::string> names, std::vector<unsigned> seen,
            std::unique_ptr<ValueCoder> coder, size_t width)
      : rows_(std::move(rows)),
        left_(n),
        names_(std::move(names)),
        seen_(std::move(seen)),
        coder_(std::move(coder)),
        row_(width) {}

  std::vector<ArrowColumn> columns() const override {
    std::vector<ArrowColumn> all;
    for (size_t k = 0; k < names_.size(); ++k) all.push_back(column_for(names_[k], seen_[k]));
    all.emplace_back("embedding", format_of(*coder_), static_cast<size_t>(coder_->width()));
    return all;
  }
  bool next(std::vector<ArrowColumn>& to, int64_t& n) override {
    uint64_t bytes = 0;
    for (n = 0; left_ > 0 && static_cast<uint64_t>(n) < kRowsAtOnce && bytes < kBytesAtOnce; ++n, --left_) {
      rows_.next(fields_, row_.data());
      for (size_t k = 0; k < fields_.size(); ++k) {
        append(fields_[k], to[k]);
        bytes += fields_[k].size();
      }
      coder_->encode(row_.data(), 1, to.back().data());
      bytes += row_.size() * sizeof(float);
    }
    return n > 0;
  }

 private:
  StagedRows rows_;
  uint64_t left_;
  const std::vector<std::string> names_;
  const std::vector<unsigned> seen_;
  const std::unique_ptr<ValueCoder> coder_;
  std::vector<float> row_;
  std::vector<std::string> fields_;
};

}  // namespace

ArrowWriter::ArrowWriter(const std::string& path, int format, std::string precision, std::string ranges, int64_t width,
                         std::vector<std::string> names)
    : path_(path),
      file_(path),
      format_(format),
      precision_(std::move(precision)),
      ranges_(std::move(ranges)),
      width_(width),
      names_(std::move(names)),
      seen_(names_.size()) {
  if (!file_.renamed()) throw Failure{2, "-o " + path + ": Parquet and Arrow are written to files alone"};
  arrow_plugin(path);
  value_coder(precision_, ranges_, width);
}

void ArrowWriter::write(const float* rows, int64_t n, const KeptFields& kept) {
  buffer_.clear();
  for (int64_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < names_.size(); ++k) {
      const std::string& value = kept[static_cast<size_t>(i)][k];
      seen_[k] |= kind_of(value);
      const auto size = static_cast<uint32_t>(value.size());
      buffer_.append(reinterpret_cast<const char*>(&size), sizeof size);
      buffer_ += value;
    }
    buffer_.append(reinterpret_cast<const char*>(rows + i * width_), static_cast<size_t>(width_) * sizeof(float));
  }
  rows_ += static_cast<uint64_t>(n);
  file_.put(buffer_.data(), buffer_.size());
}

void ArrowWriter::write_line(const std::string&) {
  throw Failure{2, "-o: sparse weights, token vectors and pieces have no fixed width; write them to a .jsonl"};
}

std::unique_ptr<ValueCoder> ArrowWriter::coder() const {
  std::unique_ptr<ValueCoder> first = value_coder(precision_, ranges_, width_);
  if (!ranges_.empty() || (precision_ != "int8" && precision_ != "uint8") || rows_ == 0) return first;
  StagedRows staged(file_.descriptor(), names_.size(), static_cast<size_t>(width_));
  std::vector<std::string> fields;
  std::vector<float> row(static_cast<size_t>(width_));
  std::string unused;
  for (uint64_t i = 0; i < std::min(rows_, kRowsOfRanges); ++i) {
    staged.next(fields, row.data());
    first->encode(row.data(), 1, unused);
  }
  first->flush(unused);
  note_ = first->note();
  return first;
}

void ArrowWriter::finish() {
  file_.sync();
  OutputFile output(path_);
  auto stream = std::make_unique<RowStream>(StagedRows(file_.descriptor(), names_.size(), static_cast<size_t>(width_)),
                                            rows_, names_, seen_, coder(), static_cast<size_t>(width_));
  ArrowArrayStream exported{};
  export_stream(std::move(stream), exported);
  char error[2000] = "";
  const int failed = arrow_plugin(path_).write(output.descriptor(), format_, &exported, error, sizeof error);
  if (exported.release) exported.release(&exported);
  if (failed) throw Failure{1, path_ + ": cannot write: " + error};
  output.finish();
  file_.discard();
}

std::string ArrowWriter::state() const {
  return nlohmann::json({{"rows", rows_}, {"seen", seen_}}).dump();
}

void ArrowWriter::restore(const std::string& state) {
  const nlohmann::json value = nlohmann::json::parse(state);
  rows_ = value.at("rows");
  seen_ = value.at("seen").get<std::vector<unsigned>>();
}

}  // namespace cli

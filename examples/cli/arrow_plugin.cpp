#include "arrow_plugin.h"

#include "common.h"
#include "os/files.h"
#include "os/library.h"
#include "os/process.h"

namespace cli {
namespace {

std::string plugin_name() {
  return std::string("libquern_arrow") + os::kPluginEnding;
}

// QUERN_ARROW alone, if it is set: a file or its folder. Else where scripts/setup arrow puts it, and beside the
// program.
std::vector<std::string> plugin_places() {
  if (const std::string given = os::variable_or_empty("QUERN_ARROW"); !given.empty())
    return {given.ends_with(os::kPluginEnding) ? given : given + '/' + plugin_name()};
  std::vector<std::string> places;
  std::string data = os::variable_or_empty("XDG_DATA_HOME");
  if (data.empty()) data = os::user_data_folder();
  if (!data.empty()) places.push_back(data + "/quern/arrow/" + plugin_name());
  const std::string self = os::file_of_program();
  if (!self.empty()) places.push_back(os::folder_of(self) + "/../lib/quern/" + plugin_name());
  return places;
}

const quern_arrow* open_plugin(std::string& why) {
  for (const std::string& path : plugin_places()) {
    if (!os::exists(path)) continue;
    void* const library = os::open_library(path, why);
    if (!library) return nullptr;
    const auto entry = reinterpret_cast<quern_arrow_entry>(os::symbol_of(library, "quern_arrow_plugin"));
    if (!entry) {
      why = path + " has no quern_arrow_plugin";
      return nullptr;
    }
    const quern_arrow* const plugin = entry();
    if (plugin->version == QUERN_ARROW_VERSION) return plugin;
    why = path + " is of another version";
    return nullptr;
  }
  return nullptr;
}

// Columns of large_utf8, batch by batch.
class ArrowReader final : public RecordReader {
 public:
  ArrowReader(const std::string& path, const std::string& name, const Fields& fields, bool nulls)
      : name_(name), nulls_(nulls) {
    const quern_arrow& plugin = arrow_plugin(name);
    std::vector<const char*> kept;
    for (const std::string& field : fields.kept) kept.push_back(field.c_str());
    char error[2000] = "";
    if (plugin.read(path.c_str(), fields.text.empty() ? nullptr : fields.text.c_str(), kept.data(), kept.size(),
                    &stream_, &rows_, error, sizeof error) != 0)
      throw Failure{1, name + ": " + error};
    columns_ = fields.kept.size() + 1;
  }
  ~ArrowReader() override {
    drop();
    if (stream_.release) stream_.release(&stream_);
  }
  ArrowReader(const ArrowReader&) = delete;
  ArrowReader& operator=(const ArrowReader&) = delete;

  bool next(Record& record) override {
    while (!batch_.release || at_ == batch_.length)
      if (!read()) return false;
    const int64_t i = at_++;
    ++row_;
    if (is_null(*batch_.children[0], i)) {
      if (!nulls_)
        throw Failure{1, where() + ": the text is null (--on-empty skip or zero says what else to do with such)"};
      record.text.clear();
    } else {
      take(*batch_.children[0], i, record.text);
    }
    record.kept.resize(columns_ - 1);
    for (size_t k = 1; k < columns_; ++k) take(*batch_.children[k], i, record.kept[k - 1]);
    return true;
  }
  std::string where() const override { return name_ + ": row " + std::to_string(row_); }
  double fraction() const override { return rows_ > 0 ? static_cast<double>(row_) / static_cast<double>(rows_) : 0; }

 private:
  bool read() {
    drop();
    if (stream_.get_next(&stream_, &batch_) != 0) {
      const char* why = stream_.get_last_error(&stream_);
      throw Failure{1, name_ + ": " + (why ? why : "cannot be read")};
    }
    at_ = 0;
    return batch_.release != nullptr;
  }
  void drop() {
    if (batch_.release) batch_.release(&batch_);
    batch_ = {};
  }

  static bool is_null(const ArrowArray& column, int64_t i) {
    const auto* const valid = static_cast<const unsigned char*>(column.buffers[0]);
    const int64_t at = column.offset + i;
    return valid && !(valid[at / 8] >> at % 8 & 1);
  }

  void take(const ArrowArray& column, int64_t i, std::string& to) const {
    const int64_t* const offsets = static_cast<const int64_t*>(column.buffers[1]) + column.offset + i;
    const auto size = static_cast<size_t>(offsets[1] - offsets[0]);
    if (size > kMaxRecord) throw Failure{1, where() + ": expected at most 64 MiB"};
    to.assign(size == 0 ? "" : static_cast<const char*>(column.buffers[2]) + offsets[0], size);
  }

  const std::string name_;
  const bool nulls_;
  size_t columns_ = 0;
  ArrowArrayStream stream_{};
  ArrowArray batch_{};
  int64_t at_ = 0, row_ = 0, rows_ = -1;
};

}  // namespace

const quern_arrow& arrow_plugin(const std::string& what) {
  static std::string why;
  static const quern_arrow* const plugin = open_plugin(why);
  if (!plugin)
    throw Failure{
        1, what + ": Parquet and Arrow take a plug-in, which scripts/setup arrow makes (pip and a C++ compiler)" +
               (why.empty() ? "" : "; the one that is there cannot be used: " + why)};
  return *plugin;
}

std::unique_ptr<RecordReader> open_arrow(const std::string& path, const std::string& name, const Fields& fields,
                                         bool nulls) {
  return std::make_unique<ArrowReader>(path, name, fields, nulls);
}

}  // namespace cli

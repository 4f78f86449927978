// The plug-in for Parquet and Arrow: quern_arrow.h over Arrow's C++ libraries. Built by scripts/setup arrow.
#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <arrow/io/api.h>
#include <arrow/ipc/api.h>
#include <arrow/util/config.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "quern_arrow.h"

namespace {

using arrow::Result;
using arrow::Status;
using nlohmann::json;

constexpr int64_t kBatchRows = 1024;
constexpr int kMaxDepth = 100;  // of lists and structs in one another

Result<json> json_of(const arrow::Array& array, int64_t i, int depth);

Result<json> list_of(const arrow::Array& values, int64_t begin, int64_t end, int depth) {
  json list = json::array();
  for (int64_t i = begin; i < end; ++i) {
    ARROW_ASSIGN_OR_RAISE(json value, json_of(values, i, depth + 1));
    list.push_back(std::move(value));
  }
  return list;
}

Result<json> struct_of(const arrow::StructArray& array, int64_t i, int depth) {
  json object = json::object();
  for (int k = 0; k < array.num_fields(); ++k) {
    ARROW_ASSIGN_OR_RAISE(object[array.struct_type()->field(k)->name()], json_of(*array.field(k), i, depth + 1));
  }
  return object;
}

template <class Array>
json value_of(const arrow::Array& array, int64_t i) {
  return static_cast<const Array&>(array).Value(i);
}

template <class Array>
json string_of(const arrow::Array& array, int64_t i) {
  return std::string(static_cast<const Array&>(array).GetView(i));
}

template <class Array>
Result<json> slice_of(const arrow::Array& array, int64_t i, int depth) {
  const auto& list = static_cast<const Array&>(array);
  return list_of(*list.values(), list.value_offset(i), list.value_offset(i) + list.value_length(i), depth);
}

// Row i as JSON; dates, times and decimals as text.
Result<json> json_of(const arrow::Array& array, int64_t i, int depth) {
  if (depth > kMaxDepth) return Status::Invalid("expected at most 100 lists and structs in one another");
  if (array.IsNull(i)) return json(nullptr);
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return value_of<arrow::BooleanArray>(array, i);
    case arrow::Type::INT8:
      return value_of<arrow::Int8Array>(array, i);
    case arrow::Type::INT16:
      return value_of<arrow::Int16Array>(array, i);
    case arrow::Type::INT32:
      return value_of<arrow::Int32Array>(array, i);
    case arrow::Type::INT64:
      return value_of<arrow::Int64Array>(array, i);
    case arrow::Type::UINT8:
      return value_of<arrow::UInt8Array>(array, i);
    case arrow::Type::UINT16:
      return value_of<arrow::UInt16Array>(array, i);
    case arrow::Type::UINT32:
      return value_of<arrow::UInt32Array>(array, i);
    case arrow::Type::UINT64:
      return value_of<arrow::UInt64Array>(array, i);
    case arrow::Type::FLOAT:
      return value_of<arrow::FloatArray>(array, i);
    case arrow::Type::DOUBLE:
      return value_of<arrow::DoubleArray>(array, i);
    case arrow::Type::STRING:
      return string_of<arrow::StringArray>(array, i);
    case arrow::Type::LARGE_STRING:
      return string_of<arrow::LargeStringArray>(array, i);
    case arrow::Type::STRING_VIEW:
      return string_of<arrow::StringViewArray>(array, i);
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      return json_of(*coded.dictionary(), coded.GetValueIndex(i), depth + 1);
    }
    case arrow::Type::LIST:
      return slice_of<arrow::ListArray>(array, i, depth);
    case arrow::Type::LARGE_LIST:
      return slice_of<arrow::LargeListArray>(array, i, depth);
    case arrow::Type::FIXED_SIZE_LIST:
      return slice_of<arrow::FixedSizeListArray>(array, i, depth);
    case arrow::Type::STRUCT:
      return struct_of(static_cast<const arrow::StructArray&>(array), i, depth);
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::FIXED_SIZE_BINARY:
      return Status::Invalid("expected a value that JSON has, found ", array.type()->ToString());
    default:
      break;
  }
  ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Scalar> scalar, array.GetScalar(i));
  return scalar->ToString();
}

bool is_text(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return true;
    case arrow::Type::DICTIONARY:
      return is_text(*static_cast<const arrow::DictionaryType&>(type).value_type());
    default:
      return false;
  }
}

std::string_view text_of(const arrow::Array& array, int64_t i) {
  switch (array.type_id()) {
    case arrow::Type::STRING:
      return static_cast<const arrow::StringArray&>(array).GetView(i);
    case arrow::Type::LARGE_STRING:
      return static_cast<const arrow::LargeStringArray&>(array).GetView(i);
    case arrow::Type::STRING_VIEW:
      return static_cast<const arrow::StringViewArray&>(array).GetView(i);
    default:
      break;
  }
  const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
  return text_of(*coded.dictionary(), coded.GetValueIndex(i));
}

// Record batches of a file's chosen columns, in the file's order.
struct Batches {
  std::shared_ptr<arrow::Schema> schema;  // of the whole file
  int64_t rows = -1;
  std::function<Result<std::shared_ptr<arrow::RecordBatch>>()> next;  // null at the end
  std::function<Status(const std::vector<int>& columns)> choose;      // before the first next
};

Result<Batches> open_parquet(std::shared_ptr<arrow::io::RandomAccessFile> file) {
  parquet::ReaderProperties properties;
  properties.enable_buffered_stream();  // pages as they are needed, not whole columns of a row group
  parquet::ArrowReaderProperties arrow_properties;
  arrow_properties.set_batch_size(kBatchRows);
  arrow_properties.set_pre_buffer(false);
  arrow_properties.set_use_threads(false);
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(file, properties));
  builder.properties(arrow_properties);
  std::unique_ptr<parquet::arrow::FileReader> made;
  ARROW_RETURN_NOT_OK(builder.Build(&made));
  const std::shared_ptr<parquet::arrow::FileReader> reader = std::move(made);
  Batches b;
  ARROW_RETURN_NOT_OK(reader->GetSchema(&b.schema));
  b.rows = reader->parquet_reader()->metadata()->num_rows();
  auto batches = std::make_shared<std::shared_ptr<arrow::RecordBatchReader>>();
  b.choose = [reader, batches](const std::vector<int>& columns) -> Status {
    std::vector<int> groups(static_cast<size_t>(reader->num_row_groups())), leaves;
    for (size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<int>(i);
    const parquet::SchemaDescriptor& schema = *reader->parquet_reader()->metadata()->schema();
    for (int leaf = 0; leaf < schema.num_columns(); ++leaf) {
      const int field = schema.group_node()->FieldIndex(*schema.GetColumnRoot(leaf));
      if (std::find(columns.begin(), columns.end(), field) != columns.end()) leaves.push_back(leaf);
    }
    ARROW_ASSIGN_OR_RAISE(*batches, reader->GetRecordBatchReader(groups, leaves));
    return Status::OK();
  };
  b.next = [batches]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
    std::shared_ptr<arrow::RecordBatch> batch;
    ARROW_RETURN_NOT_OK((*batches)->ReadNext(&batch));
    return batch;
  };
  return b;
}

Result<Batches> open_ipc_file(std::shared_ptr<arrow::io::RandomAccessFile> file) {
  ARROW_ASSIGN_OR_RAISE(auto reader, arrow::ipc::RecordBatchFileReader::Open(file));
  Batches b;
  b.schema = reader->schema();
  b.choose = [](const std::vector<int>&) { return Status::OK(); };
  ARROW_ASSIGN_OR_RAISE(b.rows, reader->CountRows());
  b.next = [reader, i = 0]() mutable -> Result<std::shared_ptr<arrow::RecordBatch>> {
    if (i == reader->num_record_batches()) return nullptr;
    return reader->ReadRecordBatch(i++);
  };
  return b;
}

Result<Batches> open_ipc_stream(std::shared_ptr<arrow::io::InputStream> file) {
  ARROW_ASSIGN_OR_RAISE(auto reader, arrow::ipc::RecordBatchStreamReader::Open(file));
  Batches b;
  b.schema = reader->schema();
  b.choose = [](const std::vector<int>&) { return Status::OK(); };
  b.next = [reader]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
    std::shared_ptr<arrow::RecordBatch> batch;
    ARROW_RETURN_NOT_OK(reader->ReadNext(&batch));
    return batch;
  };
  return b;
}

Result<Batches> open_batches(const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(auto file, arrow::io::ReadableFile::Open(path));
  ARROW_ASSIGN_OR_RAISE(auto head, file->ReadAt(0, 8));
  const std::string magic = head->ToString();
  if (magic.rfind("PAR1", 0) == 0) return open_parquet(file);
  if (magic.rfind("ARROW1", 0) == 0) return open_ipc_file(file);
  ARROW_RETURN_NOT_OK(file->Seek(0));
  return open_ipc_stream(file);
}

// A column by its name. flag: that names another.
Result<int> column(const arrow::Schema& schema, const std::string& name, const char* flag) {
  const std::vector<int> found = schema.GetAllFieldIndices(name);
  if (found.size() > 1) return Status::Invalid("there are two columns \"", name, "\"");
  if (found.size() == 1) return found[0];
  std::string list;
  for (const std::string& other : schema.field_names()) list += (list.empty() ? "; there are: " : ", ") + other;
  if (list.size() > 400) list = list.substr(0, 400) + " ...";
  return Status::Invalid("there is no column \"", name, "\" (name another with ", flag, ")", list);
}

// Batches as the stream that `read` promises.
class Texts final : public arrow::RecordBatchReader {
 public:
  static Result<std::shared_ptr<Texts>> open(const std::string& path, const char* text,
                                             const std::vector<std::string>& kept, int64_t& rows) {
    auto self = std::make_shared<Texts>();
    ARROW_ASSIGN_OR_RAISE(self->batches_, open_batches(path));
    const arrow::Schema& schema = *self->batches_.schema;
    const bool only = !text && schema.num_fields() == 1;
    ARROW_ASSIGN_OR_RAISE(const int at, column(schema,
                                               text   ? text
                                               : only ? schema.field(0)->name()
                                                      : "text",
                                               "--field"));
    if (!is_text(*schema.field(at)->type()))
      return Status::Invalid("column \"", schema.field(at)->name(), "\": expected strings, found ",
                             schema.field(at)->type()->ToString());
    std::vector<int> columns = {at};
    self->names_ = {schema.field(at)->name()};
    arrow::FieldVector fields = {arrow::field("text", arrow::large_utf8())};
    for (const std::string& name : kept) {
      ARROW_ASSIGN_OR_RAISE(const int k, column(schema, name, "--keep or --id"));
      columns.push_back(k);
      self->names_.push_back(name);
      fields.push_back(arrow::field(name, arrow::large_utf8()));
    }
    ARROW_RETURN_NOT_OK(self->batches_.choose(columns));
    self->schema_ = arrow::schema(fields);
    rows = self->batches_.rows;
    return self;
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  Status ReadNext(std::shared_ptr<arrow::RecordBatch>* out) override {
    try {
      return read(out);
    } catch (const parquet::ParquetException& e) {
      return Status::IOError("row ", row_ + 1, ": ", e.what());
    }
  }

 private:
  // Parts of a batch, for a file's own may hold a million rows.
  Status read(std::shared_ptr<arrow::RecordBatch>* out) {
    while (!batch_ || at_ == batch_->num_rows()) {
      const auto next = batches_.next();
      if (!next.ok()) return next.status().WithMessage("behind row ", row_, ": ", next.status().message());
      batch_ = *next;
      at_ = 0;
      if (!batch_) {
        *out = nullptr;
        return Status::OK();
      }
      ARROW_RETURN_NOT_OK(batch_->Validate());
    }
    const int64_t n = std::min(kBatchRows, batch_->num_rows() - at_);
    arrow::ArrayVector columns;
    for (size_t k = 0; k < names_.size(); ++k) {
      const auto part = batch_->GetColumnByName(names_[k])->Slice(at_, n);
      ARROW_RETURN_NOT_OK(part->ValidateFull());
      arrow::LargeStringBuilder builder;
      for (int64_t i = 0; i < n; ++i) ARROW_RETURN_NOT_OK(append(*part, i, k, builder));
      ARROW_ASSIGN_OR_RAISE(auto made, builder.Finish());
      columns.push_back(made);
    }
    at_ += n;
    row_ += n;
    *out = arrow::RecordBatch::Make(schema_, n, columns);
    return Status::OK();
  }

  Status append(const arrow::Array& array, int64_t i, size_t k, arrow::LargeStringBuilder& to) const {
    if (k == 0 && array.IsNull(i)) return to.AppendNull();
    if (k == 0) return to.Append(text_of(array, i));
    const Result<json> value = json_of(array, i, 0);
    if (!value.ok())
      return value.status().WithMessage("row ", row_ + i + 1, ": column \"", names_[k],
                                        "\": ", value.status().message());
    return to.Append(value->dump(-1, ' ', false, json::error_handler_t::replace));
  }

  Batches batches_;
  std::vector<std::string> names_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  int64_t at_ = 0, row_ = 0;
};

Status write_parquet(arrow::RecordBatchReader& from, std::shared_ptr<arrow::io::OutputStream> to) {
  parquet::WriterProperties::Builder builder;
  builder.compression(parquet::Compression::ZSTD)->max_row_group_length(64 << 10);
  for (const auto& field : from.schema()->fields())
    if (field->type()->id() == arrow::Type::FIXED_SIZE_LIST)  // floats neither repeat nor pack
      builder.compression(field->name() + ".list.element", parquet::Compression::UNCOMPRESSED)
          ->disable_dictionary(field->name() + ".list.element");
  const auto kept = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  ARROW_ASSIGN_OR_RAISE(auto writer, parquet::arrow::FileWriter::Open(*from.schema(), arrow::default_memory_pool(), to,
                                                                      builder.build(), kept));
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    ARROW_RETURN_NOT_OK(from.ReadNext(&batch));
    if (!batch) return writer->Close();
    ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(*batch));
  }
}

Status write_ipc(arrow::RecordBatchReader& from, std::shared_ptr<arrow::io::OutputStream> to) {
  ARROW_ASSIGN_OR_RAISE(auto writer, arrow::ipc::MakeFileWriter(to, from.schema()));
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    ARROW_RETURN_NOT_OK(from.ReadNext(&batch));
    if (!batch) return writer->Close();
    ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(*batch));
  }
}

// Nothing is thrown into C.
template <class F>
int guarded(char* error, size_t error_size, const F& f) {
  std::string message;
  try {
    const Status status = f();
    if (status.ok()) return 0;
    message = status.message();
  } catch (const std::exception& e) {
    message = e.what();
  }
  for (char& c : message)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  std::snprintf(error, error_size, "%s", message.c_str());
  return 1;
}

int read(const char* path, const char* text, const char* const* kept, size_t n_kept, ArrowArrayStream* out,
         int64_t* rows, char* error, size_t error_size) {
  return guarded(error, error_size, [&]() -> Status {
    ARROW_ASSIGN_OR_RAISE(auto texts, Texts::open(path, text, std::vector<std::string>(kept, kept + n_kept), *rows));
    return arrow::ExportRecordBatchReader(texts, out);
  });
}

int write(int descriptor, int format, ArrowArrayStream* in, char* error, size_t error_size) {
  return guarded(error, error_size, [&]() -> Status {
    ARROW_ASSIGN_OR_RAISE(auto from, arrow::ImportRecordBatchReader(in));
    ARROW_ASSIGN_OR_RAISE(auto to, arrow::io::FileOutputStream::Open(dup(descriptor)));
    ARROW_RETURN_NOT_OK(format == QUERN_ARROW_PARQUET ? write_parquet(*from, to) : write_ipc(*from, to));
    return to->Close();
  });
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const quern_arrow* quern_arrow_plugin() {
  static const quern_arrow table = {QUERN_ARROW_VERSION, "arrow " ARROW_VERSION_STRING, read, write};
  return &table;
}

// Header: u64 length, JSON of {name: {dtype, shape, data_offsets}}, then the data without holes. The JSON goes through
// a SAX handler, so that memory stays in proportion to the tensors that are really listed.
#include "safetensors/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "error.h"
#include "io/json.h"
#include "io/safe_path.h"

namespace quern {
namespace {

constexpr uint64_t max_header_bytes = 100'000'000;  // the format's limit
constexpr size_t max_index_bytes = 64 << 20;
constexpr size_t max_shards = 4096;
constexpr int max_depth = 64;

static_assert(std::endian::native == std::endian::little, "the length is read in place");

struct Entry {
  std::string name, dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // in the data section
};

// Follows the header's JSON. Fields of a tensor that the format does not know are skipped, as its specification asks.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderHandler(const std::string& file, std::vector<Entry>& entries, std::map<std::string, std::string>& metadata)
      : file_(file), entries_(entries), metadata_(metadata) {}

  bool null() override {
    if (depth_ == 1 && in_metadata_) return true;
    return other_value("null");
  }
  bool boolean(bool) override { return other_value("a boolean"); }
  bool number_integer(int64_t) override { return other_value("a negative number"); }
  bool number_float(double, const std::string&) override { return other_value("a fraction or a huge number"); }
  bool binary(nlohmann::json::binary_t&) override { return other_value("binary data"); }

  bool number_unsigned(uint64_t value) override {
    if (skipping() || depth_ != 3 || field_ == Field::dtype) return other_value("a number");
    if (field_ == Field::offsets) {
      if (n_offsets_ == 2) fail("data_offsets has more than two numbers");
      (n_offsets_++ == 0 ? entry_.begin : entry_.end) = value;
      return true;
    }
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) fail("an extent of 2^63 or more");
    entry_.shape.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(std::string& value) override {
    if (depth_ == 2 && in_metadata_) {
      if (!metadata_.emplace(field_name_, value).second) fail("__metadata__ has the key twice");
      return true;
    }
    if (depth_ != 2 || field_ != Field::dtype) return other_value("a string");
    entry_.dtype = value;
    return true;
  }

  bool start_object(size_t) override {
    if (depth_ == 1) {
      entry_ = {};
      entry_.name = name_;
      n_offsets_ = 0;
      seen_ = 0;
      field_ = Field::unknown;
    } else if (depth_ > 1) {
      other_value("an object");
    }
    return deeper();
  }

  bool start_array(size_t) override {
    const bool expected = depth_ == 2 && !in_metadata_ && (field_ == Field::shape || field_ == Field::offsets);
    if (!expected) other_value("an array");
    return deeper();
  }

  bool end_array() override {
    --depth_;
    return true;
  }

  bool end_object() override {
    --depth_;
    if (depth_ != 1 || in_metadata_) return true;
    if (seen_ != 7) fail("dtype, shape and data_offsets are not all given");
    if (n_offsets_ != 2) fail("data_offsets has not two numbers");
    entries_.push_back(std::move(entry_));
    return true;
  }

  bool key(std::string& text) override {
    if (depth_ == 1) {
      name_ = text;
      in_metadata_ = text == "__metadata__";
      if (in_metadata_ && std::exchange(metadata_seen_, true)) fail("it comes twice");
    } else if (depth_ == 2) {
      field_name_ = text;
      if (!in_metadata_) start_field(text);
    }
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& e) override {
    throw Error(Status::bad_file, file_ + ": invalid JSON in the header at byte " + std::to_string(position) + ": " +
                                      printable(e.what()));
  }

 private:
  enum class Field : unsigned { unknown = 0, dtype = 1, shape = 2, offsets = 4 };

  void start_field(const std::string& text) {
    field_ = text == "dtype"          ? Field::dtype
             : text == "shape"        ? Field::shape
             : text == "data_offsets" ? Field::offsets
                                      : Field::unknown;
    const auto bit = static_cast<unsigned>(field_);
    if ((seen_ & bit) != 0) fail(text + " is given twice");
    seen_ |= bit;
  }

  bool skipping() const { return depth_ >= 2 && !in_metadata_ && field_ == Field::unknown; }

  // A value that only an unknown field may have.
  bool other_value(const char* what) const {
    if (depth_ == 0) throw Error(Status::bad_file, file_ + ": the header is " + what + ", expected an object");
    if (!skipping()) fail(std::string("unexpected ") + what + (depth_ >= 2 ? " in " + printable(field_name_) : ""));
    return true;
  }

  bool deeper() {
    if (depth_ == max_depth) fail("JSON nested deeper than 64 levels");
    ++depth_;
    return true;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(Status::bad_file, file_ + ": header entry '" + printable(name_) + "': " + problem);
  }

  const std::string& file_;
  std::vector<Entry>& entries_;
  std::map<std::string, std::string>& metadata_;
  int depth_ = 0;  // open objects and arrays
  bool in_metadata_ = false, metadata_seen_ = false;
  std::string name_, field_name_;
  Field field_ = Field::unknown;
  unsigned seen_ = 0;  // fields of the entry
  Entry entry_;
  int n_offsets_ = 0;
};

// The extents' product times the element's size, in bytes. Zero extents count as one in the overflow check, so that
// any part of the product fits as well.
uint64_t checked_bytes(const Entry& entry, const std::string& where) {
  const unsigned bits = safetensors_dtype_bits(entry.dtype);
  if (bits == 0) throw Error(Status::bad_file, where + " has the unknown dtype '" + printable(entry.dtype) + "'");
  uint64_t product = bits;
  bool empty = false;
  for (const int64_t extent : entry.shape) {
    const uint64_t factor = extent == 0 ? 1 : static_cast<uint64_t>(extent);
    empty = empty || extent == 0;
    if (product > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / factor) {
      throw Error(Status::bad_file, where + " has a shape whose size does not fit in 63 bits");
    }
    product *= factor;
  }
  if (empty) return 0;
  if (product % 8 != 0) throw Error(Status::bad_file, where + " does not end on a byte");
  return product / 8;
}

// Sorts by offset and holds that the entries cover [0, data_bytes) without holes or overlaps.
void check_entries(std::vector<Entry>& entries, uint64_t data_bytes, const std::string& file) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t expected = 0;
  for (const Entry& entry : entries) {
    const std::string where = file + ": tensor '" + printable(entry.name) + "'";
    const std::string range = "[" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + ")";
    if (entry.begin != expected) {
      throw Error(Status::bad_file, where + " has the data_offsets " + range + ", expected them to begin at " +
                                        std::to_string(expected) + ", where the one before it ends");
    }
    if (entry.end < entry.begin || entry.end > data_bytes) {
      throw Error(Status::bad_file, where + " has the data_offsets " + range + ", the file has " +
                                        std::to_string(data_bytes) + " bytes of data");
    }
    const uint64_t bytes = checked_bytes(entry, where);
    if (entry.end - entry.begin != bytes) {
      throw Error(Status::bad_file, where + " has " + std::to_string(entry.end - entry.begin) + " bytes, expected " +
                                        std::to_string(bytes) + " from its dtype and shape");
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    throw Error(Status::bad_file,
                file + ": " + std::to_string(data_bytes - expected) + " bytes follow the last tensor, expected none");
  }
}

std::vector<Entry> read_header(std::span<const std::byte> bytes, const std::string& file,
                               std::map<std::string, std::string>& metadata, uint64_t* data_begin) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length) {
    throw Error(Status::bad_file, file + ": " + std::to_string(bytes.size()) + " bytes are too few for safetensors");
  }
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > max_header_bytes || length > bytes.size() - sizeof length) {
    throw Error(Status::bad_file, file + ": the header's length is " + std::to_string(length) +
                                      ", expected at most 100000000 and at most the " +
                                      std::to_string(bytes.size() - sizeof length) + " bytes that follow it");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof length, static_cast<size_t>(length));
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') {
    throw Error(Status::bad_file, file + ": no safetensors file: the header is no JSON object");
  }
  // The parser takes a NUL byte for the end of the text and would ignore what follows it.
  if (text.find('\0') != std::string_view::npos) throw Error(Status::bad_file, file + ": a NUL byte in the header");
  std::vector<Entry> entries;
  HeaderHandler handler(file, entries, metadata);
  nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
  *data_begin = sizeof length + length;
  check_entries(entries, bytes.size() - *data_begin, file);
  return entries;
}

}  // namespace

unsigned safetensors_dtype_bits(std::string_view dtype) noexcept {
  struct Row {
    std::string_view name;
    unsigned bits;
  };
  static constexpr Row rows[] = {
      {"F32", 32}, {"F16", 16},    {"BF16", 16},   {"I8", 8},          {"U8", 8},      {"BOOL", 8},
      {"I16", 16}, {"U16", 16},    {"I32", 32},    {"U32", 32},        {"I64", 64},    {"U64", 64},
      {"F64", 64}, {"C64", 64},    {"F8_E5M2", 8}, {"F8_E4M3", 8},     {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
      {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E5M2FNUZ", 8},
  };
  const auto* row = std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return r.name == dtype; });
  return row == std::end(rows) ? 0 : row->bits;
}

int64_t StTensor::elements() const {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

void Safetensors::add(std::span<const std::byte> bytes, const std::string& path) {
  std::map<std::string, std::string> metadata;
  uint64_t data_begin = 0;
  std::vector<Entry> entries = read_header(bytes, path, metadata, &data_begin);
  if (tensors_.empty() && metadata_.empty()) metadata_ = std::move(metadata);
  for (Entry& entry : entries) {
    StTensor& tensor = tensors_.emplace_back();
    tensor.name = std::move(entry.name);
    tensor.dtype = std::move(entry.dtype);
    tensor.shape = std::move(entry.shape);
    tensor.data =
        bytes.subspan(static_cast<size_t>(data_begin + entry.begin), static_cast<size_t>(entry.end - entry.begin));
    tensor.file = &path;
  }
}

void Safetensors::index_names() {
  if (tensors_.size() > std::numeric_limits<uint32_t>::max())
    throw Error(Status::bad_file, name_ + ": too many tensors");
  by_name_.resize(tensors_.size());
  for (size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = static_cast<uint32_t>(i);
  const auto name = [&](uint32_t i) -> const std::string& { return tensors_[i].name; };
  std::sort(by_name_.begin(), by_name_.end(), [&](uint32_t a, uint32_t b) { return name(a) < name(b); });
  const auto twice =
      std::adjacent_find(by_name_.begin(), by_name_.end(), [&](uint32_t a, uint32_t b) { return name(a) == name(b); });
  if (twice == by_name_.end()) return;
  const StTensor &first = tensors_[twice[0]], &second = tensors_[twice[1]];
  const std::string places = first.file == second.file ? " comes twice" : " is in this file and in " + *second.file;
  throw Error(Status::bad_file, *first.file + ": the tensor '" + printable(first.name) + "'" + places);
}

Safetensors Safetensors::from_bytes(std::span<const std::byte> bytes, const std::string& name) {
  Safetensors result;
  result.name_ = name;
  result.paths_ = std::make_unique<std::vector<std::string>>(1, name);
  result.add(bytes, result.paths_->front());
  result.index_names();
  return result;
}

Safetensors Safetensors::from_tensors(std::vector<StTensor> tensors, const std::string& name) {
  Safetensors result;
  result.name_ = name;
  result.paths_ = std::make_unique<std::vector<std::string>>(1, name);
  result.tensors_ = std::move(tensors);
  for (StTensor& tensor : result.tensors_) tensor.file = &result.paths_->front();
  result.index_names();
  return result;
}

Safetensors Safetensors::open_file(const std::string& path) {
  refuse_pickle(path);
  MappedFile map = MappedFile::open(path);
  Safetensors result = from_bytes(map.bytes(), path);
  result.maps_.push_back(std::move(map));
  return result;
}

Safetensors Safetensors::open_folder(const std::string& dir) {
  const std::string single = dir + "/model.safetensors", index = single + ".index.json";
  if (is_regular_file(single)) return open_file(single);
  if (is_regular_file(index)) return open_shards(dir, index);
  refuse_pickle(dir);
  throw Error(Status::not_found,
              dir + ": no weights: expected model.safetensors, or model.safetensors.index.json and the files it lists");
}

Safetensors Safetensors::open_shards(const std::string& dir, const std::string& index) {
  const nlohmann::json json = read_json_file(index, max_index_bytes);
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (map == json.end() || !map->is_object() || map->empty()) {
    throw Error(Status::bad_file, index + ": weight_map is no object of tensor names and files");
  }
  std::set<std::string> files;
  for (const auto& [tensor, file] : map->items()) {
    const std::string* name = file.get_ptr<const std::string*>();
    if (name == nullptr || !is_safe_relative_path(*name) || name->find('/') != std::string::npos) {
      throw Error(Status::bad_file, index + ": the file of tensor '" + printable(tensor) + "' is no plain file name: " +
                                        (name == nullptr ? "no string" : printable(*name)));
    }
    refuse_pickle(*name);
    files.insert(*name);
    if (files.size() > max_shards) throw Error(Status::bad_file, index + ": more than 4096 files");
  }
  Safetensors result;
  result.name_ = dir;
  result.paths_ = std::make_unique<std::vector<std::string>>();
  for (const std::string& file : files) result.paths_->push_back(dir + "/" + file);
  for (const std::string& path : *result.paths_) {
    result.maps_.push_back(MappedFile::open(path));
    result.add(result.maps_.back().bytes(), path);
  }
  result.index_names();
  for (const auto& [name, file] : map->items()) {
    const StTensor* tensor = result.find(name);
    if (tensor != nullptr && *tensor->file == dir + "/" + file.get_ref<const std::string&>()) continue;
    throw Error(Status::bad_file, index + ": the tensor '" + printable(name) + "' is not in " +
                                      printable(file.get_ref<const std::string&>()) + ", where the index places it");
  }
  return result;
}

const StTensor* Safetensors::find(std::string_view name) const {
  const auto found = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                      [&](uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  return found != by_name_.end() && tensors_[*found].name == name ? &tensors_[*found] : nullptr;
}

const StTensor& Safetensors::tensor(std::string_view name) const {
  const StTensor* found = find(name);
  if (found == nullptr) throw Error(Status::bad_file, name_ + ": the tensor '" + printable(name) + "' is missing");
  return *found;
}

void Safetensors::release(std::span<const std::byte> data) const noexcept {
  for (const MappedFile& map : maps_) {
    const std::byte *begin = map.bytes().data(), *end = begin + map.bytes().size();
    if (data.data() < begin || data.data() >= end) continue;
    map.dont_need(static_cast<size_t>(data.data() - begin), data.size());
  }
}

}  // namespace quern

#include "vector_file.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common.h"
#include "line_source.h"
#include "os/files.h"
#include "os/memory.h"
#include "records.h"
#include "value_coder.h"

namespace cli {
namespace {

constexpr size_t kPartBytes = size_t{256} << 20;
constexpr size_t kMaxWidth = size_t{1} << 20;

struct Stored {
  const char *precision, *descr;
  int type;
};
constexpr Stored kStored[] = {{"f32", "<f4", QUERN_VALUES_F32},       {"f16", "<f2", QUERN_VALUES_F16},
                              {"int8", "|i1", QUERN_VALUES_INT8},     {"uint8", "|u1", QUERN_VALUES_UINT8},
                              {"binary", "|i1", QUERN_VALUES_BINARY}, {"ubinary", "|u1", QUERN_VALUES_UBINARY}};

// What follows 'name': in a dictionary as numpy writes it, up to the next comma outside of brackets.
std::string entry(const std::string& header, const std::string& name) {
  const size_t at = header.find('\'' + name + "':");
  if (at == std::string::npos) return {};
  size_t begin = at + name.size() + 3, depth = 0, end = begin;
  for (; end < header.size(); ++end) {
    if (header[end] == '(') ++depth;
    if (header[end] == ')' && depth > 0) --depth;
    if ((header[end] == ',' && depth == 0) || header[end] == '}') break;
  }
  while (begin < end && header[begin] == ' ') ++begin;
  return header.substr(begin, end - begin);
}

// "(rows, width)"
bool read_shape(const std::string& text, size_t& rows, size_t& width) {
  if (!text.starts_with('(')) return false;
  const char *at = text.data() + 1, *const end = text.data() + text.size();
  auto [next, error] = std::from_chars(at, end, rows);
  if (error != std::errc() || end - next < 3 || next[0] != ',' || next[1] != ' ') return false;
  const auto [last, second] = std::from_chars(next + 2, end, width);
  return second == std::errc() && last != end && *last == ')';
}

}  // namespace

VectorFile::VectorFile(const std::string& path, const std::string& precision, const std::string& ranges, size_t width)
    : path_(path) {
  const int descriptor = os::open_file(path, os::kRead);
  os::FileInfo info;
  if (descriptor < 0 || !os::info_of(descriptor, info)) fail(std::strerror(errno));
  char magic[6] = {};
  const bool npy = info.regular && os::read_at(descriptor, magic, sizeof magic, 0) == sizeof magic &&
                   std::memcmp(magic, "\x93NUMPY", sizeof magic) == 0;
  if (npy) map(descriptor, static_cast<size_t>(info.size));
  os::close_file(descriptor);
  if (npy)
    read_header(precision, width);
  else if (text_format(path, "") == TextFormat::jsonl)
    read_lines();
  else
    fail("expected vectors: a .npy, or a .jsonl with an array or an \"embedding\" a line");
  if (!ranges.empty()) {
    if (type_ != QUERN_VALUES_INT8 && type_ != QUERN_VALUES_UINT8)
      throw Failure{2, "--ranges: only int8 and uint8 have ranges; " + path_ + " holds something else"};
    ranges_ = read_ranges(ranges, static_cast<int64_t>(width_));
  }
}

VectorFile::~VectorFile() {
  if (mapped_) os::unmap_file(mapped_, mapped_bytes_);
}

void VectorFile::fail(const std::string& what) const {
  throw Failure{1, path_ + ": " + what};
}

void VectorFile::map(int descriptor, size_t size) {
  mapped_ = os::map_file(descriptor, size);
  if (!mapped_) fail(std::string("cannot map: ") + std::strerror(errno));
  mapped_bytes_ = size;
}

void VectorFile::choose_type(const std::string& descr, const std::string& precision, size_t stored, size_t width) {
  const auto bits = [](const Stored& s) { return s.type >= QUERN_VALUES_BINARY; };
  const Stored* chosen = nullptr;
  std::string known;
  for (const Stored& s : kStored) {
    if (descr != '\'' + std::string(s.descr) + '\'') continue;
    known = "known";
    const bool fits =
        !precision.empty() ? precision == s.precision : width == 0 || (bits(s) ? stored * 8 : stored) == width;
    if (fits && !chosen) chosen = &s;
  }
  if (known.empty())
    fail("expected float32, float16, int8 or uint8 (little-endian), found " + (descr.empty() ? "no type" : descr));
  if (!chosen && !precision.empty()) fail("expected " + precision + ", by --precision; found values of type " + descr);
  if (!chosen)
    fail("expected vectors of " + std::to_string(width) + " values, as the model's are; found " +
         std::to_string(stored) + " (--dimensions makes the model's shorter)");
  type_ = chosen->type;
  width_ = bits(*chosen) ? stored * 8 : stored;
  if (width != 0 && width_ != width)
    fail("expected vectors of " + std::to_string(width) + " values, as the model's are; found " +
         std::to_string(width_) + " (--dimensions makes the model's shorter)");
}

void VectorFile::read_header(const std::string& precision, size_t width) {
  const auto* const bytes = static_cast<const unsigned char*>(mapped_);
  if (mapped_bytes_ < 12) fail("the .npy ends early");
  const size_t begin = bytes[6] == 1 ? 10 : 12;
  size_t length = bytes[8] | size_t{bytes[9]} << 8;
  if (begin == 12) length |= size_t{bytes[10]} << 16 | size_t{bytes[11]} << 24;
  if (bytes[6] < 1 || bytes[6] > 3 || length > mapped_bytes_ - begin) fail("the .npy's header is broken");
  const std::string header(static_cast<const char*>(mapped_) + begin, length);
  size_t stored = 0;
  if (entry(header, "fortran_order") != "False") fail("expected rows one after another (fortran_order False)");
  if (!read_shape(entry(header, "shape"), rows_, stored) || stored == 0 || stored > kMaxWidth)
    fail("expected an array of rows, each of 1 to 1048576 values; found the shape " + entry(header, "shape"));
  choose_type(entry(header, "descr"), precision, stored, width);
  row_bytes_ = quern_rows_bytes(type_, 1, width_);
  const size_t there = mapped_bytes_ - begin - length;
  if (rows_ > there / row_bytes_ || rows_ * row_bytes_ != there)
    fail("expected " + std::to_string(rows_) + " rows of " + std::to_string(row_bytes_) +
         " bytes, by the header; found " + std::to_string(there) + " bytes");
  if ((begin + length) % 4 != 0) fail("the .npy's values are not aligned to 4 bytes");
  data_ = static_cast<const char*>(mapped_) + begin + length;
}

void VectorFile::read_lines() {
  ByteSource source(path_);
  LineSource lines(source, kMaxJson);
  std::string line;
  while (lines.next(line)) {
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const nlohmann::json value = nlohmann::json::parse(line, nullptr, false);
    const nlohmann::json& row = value.is_object() && value.contains("embedding") ? value["embedding"] : value;
    if (!row.is_array() || row.empty() || row.size() > kMaxWidth || (width_ != 0 && row.size() != width_))
      throw Failure{1, lines.where() + ": expected an array of " + (width_ ? std::to_string(width_) + " " : "") +
                           "numbers, or an object with one as \"embedding\""};
    width_ = row.size();
    for (const nlohmann::json& number : row) {
      if (!number.is_number()) throw Failure{1, lines.where() + ": expected numbers, found " + number.type_name()};
      read_.push_back(number.get<float>());
    }
    ++rows_;
  }
  if (rows_ == 0) fail("expected vectors, found none");
  row_bytes_ = width_ * sizeof(float);
  data_ = reinterpret_cast<const char*>(read_.data());
}

size_t VectorFile::part_rows() const {
  return std::max<size_t>(1, kPartBytes / row_bytes_);
}

void VectorFile::expect(size_t first, size_t n) const {
  if (!mapped_ || first >= rows_) return;
  const auto* const all = static_cast<const char*>(mapped_);
  const size_t page = os::page_bytes(), begin = static_cast<size_t>(row(first) - all) / page * page;
  const size_t end = static_cast<size_t>(row(std::min(rows_, first + n)) - all);
  os::will_need(all + begin, end - begin);
}

void VectorFile::floats(size_t first, size_t n, float* out) const {
  quern_compare_options options = quern_compare_options_default();
  options.ranges = ranges();
  check(quern_rows_to_floats(row(first), type_, n, width_, &options, out, n * width_));
}

std::vector<quern_match> nearest_rows(const VectorFile& file, const float* queries, size_t n_queries, size_t k,
                                      const quern_compare_options& given) {
  std::vector<quern_match> matches(n_queries * k, quern_match{-1, 0});
  quern_compare_options options = given;
  options.ranges = file.ranges();
  const size_t part = file.part_rows();
  for (size_t first = 0; first < file.rows(); first += part) {
    file.expect(first + part, part);
    options.first_row = static_cast<int64_t>(first);
    check(quern_top_k(file.row(first), file.type(), std::min(part, file.rows() - first), file.width(), queries,
                      n_queries, &options, k, matches.data()));
  }
  return matches;
}

}  // namespace cli

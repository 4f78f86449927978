#include "pgcopy_writer.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common.h"
#include "texts.h"

namespace cli {
namespace {

// PostgreSQL's numbers are big-endian.
template <class T>
void put_number(T value, std::string& out) {
  for (int shift = (static_cast<int>(sizeof(T)) - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<uint64_t>(value) >> shift & 0xFF);
}

void put_bytes(std::string_view bytes, std::string& out) {
  put_number(static_cast<int32_t>(bytes.size()), out);
  out += bytes;
}

// What a string holds, or the JSON itself.
std::string plain(const std::string& json) {
  return json.starts_with('"') ? nlohmann::json::parse(json).get<std::string>() : json;
}

[[noreturn]] void refuse(const std::string& json, const char* expected) {
  throw Failure{1, std::string("expected ") + expected + ", found " + one_line(json, 64)};
}

template <class T>
T number_of(const std::string& json, const char* expected) {
  const std::string text = plain(json);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) refuse(json, expected);
  return value;
}

void put_text(const std::string& json, std::string& out) {
  const std::string text = plain(json);
  if (text.find('\0') != std::string::npos) refuse(json, "text without NUL, which PostgreSQL does not keep");
  put_bytes(text, out);
}

void put_bigint(const std::string& json, std::string& out) {
  const auto value = number_of<int64_t>(json, "an integer of 64 bits");
  put_number(int32_t{8}, out);
  put_number(value, out);
}

void put_integer(const std::string& json, std::string& out) {
  const auto value = number_of<int32_t>(json, "an integer of 32 bits");
  put_number(int32_t{4}, out);
  put_number(value, out);
}

void put_double(const std::string& json, std::string& out) {
  const auto value = number_of<double>(json, "a number");
  put_number(int32_t{8}, out);
  put_number(std::bit_cast<uint64_t>(value), out);
}

void put_boolean(const std::string& json, std::string& out) {
  const std::string text = plain(json);
  if (text != "true" && text != "false") refuse(json, "true or false");
  put_bytes(text == "true" ? std::string_view("\1", 1) : std::string_view("\0", 1), out);
}

void put_uuid(const std::string& json, std::string& out) {
  std::string digits = plain(json), bytes;
  std::erase(digits, '-');
  for (size_t i = 0; digits.size() == 32 && i < 32; i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(&digits[i], &digits[i] + 2, value, 16);
    if (error == std::errc() && end == &digits[i] + 2) bytes += static_cast<char>(value);
  }
  if (bytes.size() != 16) refuse(json, "a UUID");
  put_bytes(bytes, out);
}

void put_jsonb(const std::string& json, std::string& out) {
  put_bytes('\1' + json, out);
}

struct PgType {
  const char* name;
  void (*put)(const std::string& json, std::string& out);
};
constexpr PgType kPgTypes[] = {{"text", put_text},     {"bigint", put_bigint},   {"integer", put_integer},
                               {"double", put_double}, {"boolean", put_boolean}, {"uuid", put_uuid},
                               {"jsonb", put_jsonb}};

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);

std::string there_are_types() {
  std::string list;
  for (const std::string& type : pg_types()) list += (list.empty() ? "" : ", ") + type;
  return list;
}

}  // namespace

std::vector<std::string> pg_types() {
  std::vector<std::string> names;
  for (const PgType& type : kPgTypes) names.emplace_back(type.name);
  return names;
}

PgCopyWriter::PgCopyWriter(const std::string& path, const std::string& precision, int64_t width,
                           const std::vector<std::string>& names, const std::vector<std::string>& types, bool first,
                           bool last)
    : file_(path), precision_(precision), width_(width), last_(last), coder_(value_coder(precision, "", width)) {
  if (precision != "f32" && precision != "f16" && precision != "ubinary")
    throw Failure{2, "--precision " + precision + ": pgvector has f32 (vector), f16 (halfvec) and ubinary (bit)"};
  const int64_t most = precision == "ubinary" ? 64000 : 16000;
  if (width > most)
    throw Failure{2, "-o " + path + ": pgvector's vectors have at most " + std::to_string(most) + " values, not " +
                         std::to_string(width) + " (--dimensions makes them shorter)"};
  for (const std::string& name : names) columns_.push_back({name, "text", put_text});
  for (const std::string& given : types) {
    const size_t at = given.rfind('=');
    const std::string name = given.substr(0, at), type = at == std::string::npos ? "" : given.substr(at + 1);
    const auto column = std::find_if(columns_.begin(), columns_.end(), [&](const Column& c) { return c.name == name; });
    const auto* const known =
        std::find_if(std::begin(kPgTypes), std::end(kPgTypes), [&](const PgType& t) { return type == t.name; });
    if (known == std::end(kPgTypes))
      throw Failure{2, "--pg-types: expected NAME=TYPE with a type of " + there_are_types() + ", found \"" +
                           one_line(given, 64) + '"'};
    if (column == columns_.end())
      throw Failure{2,
                    "--pg-types: \"" + one_line(name, 64) + "\" is not among --id and --keep (the first is called id)"};
    column->type = type;
    column->put = known->put;
  }
  if (!first) return;
  file_.put(kSignature.data(), kSignature.size());
  const char zeros[8] = {};  // flags, length of an extension
  file_.put(zeros, sizeof zeros);
}

void PgCopyWriter::put_vector(const float* row, std::string& out) {
  const auto n = static_cast<size_t>(width_);
  values_.clear();
  coder_->encode(row, 1, values_);
  if (precision_ == "ubinary") {
    put_number(static_cast<int32_t>(4 + values_.size()), out);
    put_number(static_cast<int32_t>(n), out);
    out += values_;
    return;
  }
  const size_t size = values_.size() / n;
  put_number(static_cast<int32_t>(4 + values_.size()), out);
  put_number(static_cast<int16_t>(n), out);
  put_number(int16_t{0}, out);
  for (size_t i = 0; i < values_.size(); i += size)
    out.append(std::make_reverse_iterator(values_.begin() + static_cast<std::ptrdiff_t>(i + size)),
               std::make_reverse_iterator(values_.begin() + static_cast<std::ptrdiff_t>(i)));
}

void PgCopyWriter::write(const float* rows, int64_t n, const KeptFields& kept) {
  buffer_.clear();
  for (int64_t i = 0; i < n; ++i) {
    ++rows_;
    put_number(static_cast<int16_t>(columns_.size() + 1), buffer_);
    for (size_t c = 0; c < columns_.size(); ++c) {
      const std::string& value = kept[static_cast<size_t>(i)][c];
      if (value == "null") {
        put_number(int32_t{-1}, buffer_);
        continue;
      }
      try {
        columns_[c].put(value, buffer_);
      } catch (const Failure& e) {
        throw Failure{1, "row " + std::to_string(rows_) + ": \"" + one_line(columns_[c].name, 64) + "\" as " +
                             columns_[c].type + ": " + e.message};
      }
    }
    put_vector(rows + i * width_, buffer_);
  }
  file_.put(buffer_.data(), buffer_.size());
}

void PgCopyWriter::write_line(const std::string&) {
  throw Failure{2, "-o: sparse weights, token vectors and pieces have no fixed width; write them to a .jsonl"};
}

void PgCopyWriter::complete() {
  if (last_) file_.put("\377\377", 2);
}

std::string PgCopyWriter::state() const {
  return std::to_string(rows_);
}

void PgCopyWriter::restore(const std::string& state) {
  rows_ = std::stoull(state);
}

}  // namespace cli

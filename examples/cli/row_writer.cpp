#include "row_writer.h"

#include <csv.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "common.h"
#include "texts.h"

namespace cli {
namespace {

constexpr size_t kNpyHeader = 128;  // magic, version, length and a padded dictionary

void append_number(std::string& line, float value) {  // shortest form that reads back the same
  char text[32];
  line.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_quoted(std::string& line, const std::string& text) {
  std::string quoted(text.size() * 2 + 2, '\0');
  quoted.resize(csv_write(quoted.data(), quoted.size(), text.data(), text.size()));
  line += quoted + ',';
}

// A value as JSON becomes a field: a string what it is, null nothing, numbers as they are written.
void append_value(std::string& line, const std::string& json) {
  if (json.starts_with('"'))
    append_quoted(line, nlohmann::json::parse(json).get<std::string>());
  else if (json.starts_with('{') || json.starts_with('['))
    append_quoted(line, json);
  else
    line += (json == "null" ? "" : json) + ',';
}

}  // namespace

std::string json_members(const std::vector<std::string>& prefixes, const std::vector<std::string>& values) {
  std::string members;
  for (size_t i = 0; i < prefixes.size(); ++i) members += prefixes[i] + values[i] + ',';
  return members;
}

std::vector<std::string> json_prefixes(const std::vector<std::string>& names) {
  std::vector<std::string> prefixes;
  for (const std::string& name : names) prefixes.push_back(json_string(name) + ':');
  return prefixes;
}

namespace {

struct FormatName {
  const char* name;
  RowFormat format;
};
constexpr FormatName kRowFormats[] = {{"npy", RowFormat::npy},         {"jsonl", RowFormat::jsonl},
                                      {"csv", RowFormat::csv},         {"pgcopy", RowFormat::pgcopy},
                                      {"parquet", RowFormat::parquet}, {"arrow", RowFormat::arrow},
                                      {"feather", RowFormat::arrow}};

}  // namespace

std::vector<std::string> row_formats() {
  std::vector<std::string> names;
  for (const FormatName& f : kRowFormats) names.emplace_back(f.name);
  return names;
}

RowFormat row_format(const std::string& path, const std::string& wanted) {
  const std::string name = wanted.empty() ? path : '.' + wanted;
  for (const FormatName& f : kRowFormats)
    if (name.ends_with('.' + std::string(f.name))) return f.format;
  if (wanted.empty() && (path == "-" || path.starts_with("/dev/"))) return RowFormat::jsonl;
  throw Failure{
      2,
      "-o " + path +
          ": expected a name in .npy, .jsonl, .csv, .pgcopy, .parquet or .arrow, or - for stdout (or give --format)"};
}

RowWriter::RowWriter(const std::string& path, RowFormat format, int64_t width, std::vector<std::string> names,
                     std::unique_ptr<ValueCoder> coder, bool first)
    : file_(path),
      format_(format),
      width_(width),
      names_(std::move(names)),
      prefixes_(json_prefixes(names_)),
      coder_(coder ? std::move(coder) : value_coder("f32", "", width)) {
  if (format == RowFormat::npy && !names_.empty())
    throw Failure{2, "-o " + path + ": .npy holds numbers alone; --keep and --id need .jsonl or .csv"};
  if (format_ == RowFormat::npy) {
    if (!file_.can_seek())
      throw Failure{1, file_.name() + ": .npy needs an output that can be rewound, such as a file"};
    put_header();
  }
  if (format_ == RowFormat::csv && !names_.empty() && first) put_names();
}

void RowWriter::put_header() {
  char header[kNpyHeader];
  std::memset(header, ' ', sizeof header);
  const unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, kNpyHeader - 10, 0};
  std::memcpy(header, magic, sizeof magic);
  const int n =
      std::snprintf(header + 10, sizeof header - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (%lld, %lld), }",
                    coder_->descr(), static_cast<long long>(rows_), static_cast<long long>(coder_->width()));
  header[10 + n] = ' ';
  header[kNpyHeader - 1] = '\n';
  file_.put_head(header, sizeof header);
}

// Columns of numbers are named by their place.
void RowWriter::put_names() {
  line_.clear();
  for (const std::string& name : names_) append_quoted(line_, name);
  for (int64_t j = 0; j < width_; ++j) line_ += (j ? "," : "") + std::to_string(j);
  line_ += '\n';
  file_.put(line_.data(), line_.size());
}

void RowWriter::write(const float* rows, int64_t n, const KeptFields& kept) {
  rows_ += n;
  if (format_ == RowFormat::npy) {
    line_.clear();
    coder_->encode(rows, n, line_);
    file_.put(line_.data(), line_.size());
    return;
  }
  const bool json = format_ == RowFormat::jsonl;
  for (int64_t i = 0; i < n; ++i) {
    line_.clear();
    const bool named = !names_.empty();
    if (named && json) line_ = '{' + json_members(prefixes_, kept[static_cast<size_t>(i)]) + "\"embedding\":";
    if (named && !json)
      for (const std::string& value : kept[static_cast<size_t>(i)]) append_value(line_, value);
    line_ += json ? "[" : "";
    for (int64_t j = 0; j < width_; ++j) {
      if (j) line_ += ',';
      append_number(line_, rows[i * width_ + j]);
    }
    line_ += !json ? "\n" : named ? "]}\n" : "]\n";
    file_.put(line_.data(), line_.size());
  }
}

void RowWriter::write_line(const std::string& line) {
  file_.put(line.data(), line.size());
  file_.put("\n", 1);
}

std::string RowWriter::note() const {
  return coder_->note();
}

void RowWriter::complete() {
  if (format_ != RowFormat::npy) return;
  line_.clear();
  coder_->flush(line_);
  file_.put(line_.data(), line_.size());
  put_header();
}

std::string RowWriter::state() const {
  const std::optional<std::vector<float>> ranges = coder_->learned();
  return ranges ? nlohmann::json({{"rows", rows_}, {"ranges", *ranges}}).dump() : "";
}

void RowWriter::restore(const std::string& state) {
  const nlohmann::json value = nlohmann::json::parse(state);
  rows_ = value.at("rows");
  coder_->learn(value.at("ranges"));
}

}  // namespace cli

#include "records.h"

#include <algorithm>
#include <cstring>
#include <istream>
#include <nlohmann/json.hpp>
#include <streambuf>

#include "common.h"
#include "line_source.h"
#include "texts.h"

namespace cli {
namespace {

class LineReader final : public RecordReader {
 public:
  explicit LineReader(ByteSource& source) : lines_(source, kMaxRecord) {}
  bool next(Record& record) override { return lines_.next(record.text); }
  std::string where() const override { return lines_.where(); }

 private:
  LineSource lines_;
};

std::vector<std::string> keys_of(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

const nlohmann::json& field_of(const nlohmann::json& object, const std::string& name, const char* flag,
                               const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end())
    throw Failure{1, where + ": there is no field \"" + one_line(name, 64) + "\" (name another with " + flag + ")" +
                         there_are(keys_of(object))};
  return *found;
}

constexpr int kMaxDepth = 100;  // of what is written again: the writer calls itself for each level

bool deeper_than(int levels, const nlohmann::json& value) {
  if (!value.is_structured()) return false;
  return levels == 0 || std::any_of(value.begin(), value.end(),
                                    [&](const nlohmann::json& part) { return deeper_than(levels - 1, part); });
}

std::string kept_field(const nlohmann::json& object, const std::string& name, const std::string& where) {
  const nlohmann::json& value = field_of(object, name, "--keep or --id", where);
  if (deeper_than(kMaxDepth, value))
    throw Failure{1, where + ": field \"" + one_line(name, 64) + "\": expected at most " + std::to_string(kMaxDepth) +
                         " arrays and objects in one another"};
  return value.dump();
}

void take_fields(const nlohmann::json& object, const Fields& fields, const std::string& where, Record& record) {
  if (!object.is_object()) throw Failure{1, where + ": expected a JSON object"};
  const std::string name = fields.text.empty() ? "text" : fields.text;
  const nlohmann::json& text = field_of(object, name, "--field", where);
  if (!text.is_string())
    throw Failure{1, where + ": field \"" + name + "\": expected a string, found " + text.type_name()};
  record.text = text.get<std::string>();
  record.kept.clear();
  for (const std::string& kept : fields.kept) record.kept.push_back(kept_field(object, kept, where));
}

class JsonLineReader final : public RecordReader {
 public:
  JsonLineReader(ByteSource& source, Fields fields) : lines_(source, kMaxJson), fields_(std::move(fields)) {}
  bool next(Record& record) override {
    do {
      if (!lines_.next(line_)) return false;
    } while (line_.find_first_not_of(" \t") == std::string::npos);  // no object, so no text
    take_fields(nlohmann::json::parse(line_, nullptr, false), fields_, lines_.where(), record);
    return true;
  }
  std::string where() const override { return lines_.where(); }

 private:
  LineSource lines_;
  const Fields fields_;
  std::string line_;
};

// A source as a stream; counts what is read of one value.
class SourceBuffer final : public std::streambuf {
 public:
  explicit SourceBuffer(ByteSource& source) : source_(source) {}
  void begin_value() { read_ = 0; }
  bool ended() const { return ended_; }
  // The next character but white space; eof() at the end.
  int skip_space() {
    for (int c = sgetc();; c = snextc())
      if (c == traits_type::eof() || !std::strchr(" \t\r\n", c)) return c;
  }

 private:
  int underflow() override {
    if (read_ > kMaxJson) throw Failure{1, source_.name() + ": a value of the JSON array: " + too_long(kMaxJson)};
    const std::string_view bytes = source_.next();
    ended_ = bytes.empty();
    if (ended_) return traits_type::eof();
    read_ += bytes.size();
    block_.assign(bytes.begin(), bytes.end());
    setg(block_.data(), block_.data(), block_.data() + block_.size());
    return traits_type::to_int_type(block_[0]);
  }

  ByteSource& source_;
  std::vector<char> block_;
  size_t read_ = 0;
  bool ended_ = false;
};

// [ "text", … ] or [ {"text": …}, … ], one element at a time; objects one after another without an array, too.
class JsonReader final : public RecordReader {
 public:
  JsonReader(ByteSource& source, Fields fields)
      : name_(source.name()), buffer_(source), stream_(&buffer_), fields_(std::move(fields)) {}

  bool next(Record& record) override {
    buffer_.begin_value();
    if (!find_value()) return false;
    ++count_;
    const nlohmann::json value = parse();
    if (!value.is_string()) {
      if (!value.is_object())
        throw Failure{1, where() + ": expected a string or an object, found " + value.type_name()};
      take_fields(value, fields_, where(), record);
      return true;
    }
    if (fields_.wanted()) throw Failure{1, where() + ": --field, --keep and --id: a string has no fields"};
    record.text = value.get<std::string>();
    return true;
  }
  std::string where() const override { return name_ + ": value " + std::to_string(count_); }

 private:
  bool find_value() {
    int c = buffer_.skip_space();
    if (count_ == 0 && !array_ && c == '[') {
      array_ = true;
      buffer_.sbumpc();
      if (buffer_.skip_space() == ']') return end_array();
      return true;
    }
    if (!array_ && c == std::char_traits<char>::eof()) return false;
    if (!array_ && c == '{') return true;
    if (!array_) fail("expected a JSON array of strings or objects", c);
    if (c == ']') return end_array();
    if (c != ',') fail("expected , or ] behind it", c);
    buffer_.sbumpc();
    return true;
  }

  bool end_array() {
    buffer_.sbumpc();
    const int c = buffer_.skip_space();
    if (c != std::char_traits<char>::eof()) fail("expected the end of the file behind the array", c);
    return false;
  }

  [[noreturn]] void fail(const char* what, int c) const {
    const std::string found =
        c == std::char_traits<char>::eof() ? "the end" : one_line(std::string(1, static_cast<char>(c)), 1);
    throw Failure{1, (count_ ? where() : name_) + ": " + what + ", found " + found};
  }

  nlohmann::json parse() {
    nlohmann::json value;
    try {
      stream_.clear();
      stream_ >> value;
    } catch (const nlohmann::json::exception&) {
      throw Failure{1, where() + (buffer_.ended() ? ": the file ends within it" : ": it is not JSON")};
    }
    return value;
  }

  std::string name_;
  SourceBuffer buffer_;
  std::istream stream_;
  const Fields fields_;
  bool array_ = false;
  uint64_t count_ = 0;
};

}  // namespace

std::string there_are(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "; there are: " : ", ") + one_line(name, 64);
  return one_line(list, 400);
}

std::unique_ptr<RecordReader> open_records(ByteSource& source, TextFormat format, const Fields& fields) {
  switch (format) {
    case TextFormat::jsonl:
      return std::make_unique<JsonLineReader>(source, fields);
    case TextFormat::json:
      return std::make_unique<JsonReader>(source, fields);
    case TextFormat::csv:
      return open_table(source, ',', fields);
    case TextFormat::tsv:
      return open_table(source, '\t', fields);
    case TextFormat::lines:
      break;
  }
  if (fields.wanted())
    throw Failure{2, source.name() +
                         ": --field, --keep and --id: lines of plain text have no fields (if it is something "
                         "else, say what with --input-format)"};
  return std::make_unique<LineReader>(source);
}

}  // namespace cli

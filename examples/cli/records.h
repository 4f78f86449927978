// One text after another out of an input's bytes: lines, JSON lines, a JSON array, CSV. A format is a RecordReader and
// a line in open_records. Each holds one record, of at most kMaxRecord bytes.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "byte_source.h"
#include "content.h"

namespace cli {

constexpr size_t kMaxRecord = size_t{64} << 20;
constexpr size_t kMaxJson = size_t{16} << 20;  // of which nested brackets, the worst, become 1.1 GB

struct Record {
  std::string text;
  std::vector<std::string> kept;  // of each of Fields::kept, as JSON
};

// Of inputs that have fields.
struct Fields {
  std::string text;               // empty: "text", or the only column
  std::vector<std::string> kept;  // that go with the text
  bool wanted() const { return !text.empty() || !kept.empty(); }
};

class RecordReader {
 public:
  virtual ~RecordReader() = default;
  virtual bool next(Record& record) = 0;         // false at the end. Throws Failure, which names file and row
  virtual std::string where() const = 0;         // of the last one: "a.csv: row 3"
  virtual double fraction() const { return 0; }  // how much was read of a source that no ByteSource reads, 0 to 1
};

// Throws Failure where fields are wanted of what has none.
std::unique_ptr<RecordReader> open_records(ByteSource& source, TextFormat format, const Fields& fields);

std::unique_ptr<RecordReader> open_table(ByteSource& source, char delimiter, const Fields& fields);

// "; there are: a, b", for messages about a missing one.
std::string there_are(const std::vector<std::string>& names);

}  // namespace cli

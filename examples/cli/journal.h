// What a long run has done so far, in a file beside its output, so that another run goes on where it was ended, by
// whatever. Lines of JSON, each with its CRC-32: a header that says what the output depends on, then a record every few
// seconds, which is written only once the output's bytes that it tells of are on the disk. What follows the last whole
// line counts for nothing.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bulk.h"
#include "output_file.h"

namespace cli {

// What must be the same for a run to go on: what a user calls it → its value.
using RunIdentity = std::map<std::string, nlohmann::json>;

struct Checkpoint {
  ReadMark read;            // of the inputs
  OutputFile::Chunk chunk;  // of the output: what came since the one before, and how much there is
  bool whole = false;       // nothing is left but to give the file its name
  std::string state;        // JSON, of whoever writes the rows
};

class Journal {
 public:
  // output: of the run. Nothing is opened yet.
  explicit Journal(const std::string& output) : path_(output + ".journal"), unfinished_(output + ".part") {}
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const std::string& path() const { return path_; }
  const std::string& unfinished() const { return unfinished_; }
  bool begun() const { return descriptor_ >= 0; }

  // The last checkpoint of an earlier run; false where none was written. From here on the journal belongs to this
  // process. Throws Failure for one that another process is writing, and one of another identity, of which it names
  // what differs.
  bool read(const RunIdentity& identity, Checkpoint& last);
  // Throws Failure where there is one with something to go on with.
  void require_none();
  void remove_all();  // also the unfinished output

  void begin(const RunIdentity& identity);
  void append(const Checkpoint& checkpoint);
  void remove();

 private:
  void open_locked(bool create);
  void write_line(const nlohmann::json& value);
  [[noreturn]] void fail(const char* action) const;

  std::string path_, unfinished_;
  int descriptor_ = -1;
};

}  // namespace cli

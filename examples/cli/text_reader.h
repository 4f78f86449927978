// InputTexts from -p, then of files and stdin, whatever is in them (records.h). Streams; holds one batch.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bulk.h"
#include "hub_dataset.h"
#include "inputs.h"
#include "records.h"

namespace cli {

// What becomes of texts of nothing but white space.
enum class OnEmpty { keep, error, skip, zero };

// Of all texts, the part `index` of `count` (from 1) of nearly equal ones, in order.
struct Shard {
  uint64_t index = 1, count = 1;
  bool whole() const { return count == 1; }
};

// "2/4". Throws Failure.
Shard shard_of(const std::string& text);

struct ReadOptions {
  std::string format;  // of every file; empty: by its name
  Fields fields;
  OnEmpty on_empty = OnEmpty::keep;
  Shard shard;
};

// Read by one thread while another counts.
struct InputCounts {
  std::atomic<uint64_t> empty{0};
};

class TextReader final : public TextSource {
 public:
  // prompts come first. Throws Failure.
  TextReader(std::vector<std::string> prompts, Inputs inputs, ReadOptions options, std::shared_ptr<InputCounts> counts);

  InputTexts next(size_t max_texts, size_t max_bytes) override;
  double fraction() const override;  // of the files' bytes
  ReadMark skip(const ReadMark& to) override;
  // Goes on at the beginning of this input, where those up to it are of the Hub: what is in them is known by hashes.
  // Before skip().
  void begin_at(const FileMark& mark);
  const Inputs& inputs() const { return inputs_; }

 private:
  bool read(Record& record);
  bool read_some(Record& record);
  // Counts a record. False where it is passed over.
  bool take(const Record& record, bool& empty);
  void begin_shard();
  bool open_next();
  std::string path_of(const Input& input);
  std::string where() const;

  const std::vector<std::string> prompts_;
  const Inputs inputs_;
  const ReadOptions options_;
  const std::shared_ptr<InputCounts> counts_;
  size_t next_prompt_ = 0, next_file_ = 0;
  ReadMark mark_;
  FileMark file_mark_;
  bool begun_ = false;
  uint64_t limit_ = UINT64_MAX;                 // of mark_.records
  size_t end_file_;                             // no text of the part is in this one or behind it
  std::shared_ptr<const PassingFile> fetched_;  // what is read now, where it came from the Hub
  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<RecordReader> records_;
};

}  // namespace cli

// Work over many texts: reading, the model and writing at the same time. A format of input is a TextSource, one of
// output a RowSink; neither knows of the other nor of the model.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cli {

class OutputFile;

// Fields of some texts, as JSON; none at all where none were asked for.
using KeptFields = std::vector<std::vector<std::string>>;

// How far inputs are read, and a hash of that.
struct ReadMark {
  uint64_t records = 0;  // that were read
  uint64_t texts = 0;    // that were given; a source may pass over some
  uint64_t bytes = 0;    // of texts and fields
  uint32_t crc = 0;      // of them
  bool operator==(const ReadMark&) const = default;
};

// Where one of the inputs begins, for a run that goes on in it without reading those before.
struct FileMark {
  size_t file = 0;      // which one
  ReadMark before;      // of all that was read before it
  uint64_t empty = 0;   // texts of it that were so
  uint64_t limit = 0;   // records to be read in all
  size_t end_file = 0;  // of the inputs, the first with none of them
  bool known = false;
};

// Some texts, and what goes with them.
struct InputTexts {
  ReadMark read;  // behind them
  FileMark file;  // that the last of them is in
  std::vector<std::string> texts;
  KeptFields kept;
  std::vector<size_t> zeros;  // those of them that get a vector of zeros
};

// InputTexts in order, a batch at a time. Used by one thread, not always the one that made it.
class TextSource {
 public:
  virtual ~TextSource() = default;
  // Up to max_texts more texts, fewer once they hold max_bytes; none at the end. Throws Failure.
  virtual InputTexts next(size_t max_texts, size_t max_bytes) = 0;
  // How much of it has been read, 0 to 1; negative when the whole is unknown.
  virtual double fraction() const = 0;
  // Reads up to the mark, of which only `records` is believed; returns what was found. Before the first next().
  virtual ReadMark skip(const ReadMark& to) = 0;
};

// Rows in order. Used by one thread, not always the one that made it.
class RowSink {
 public:
  virtual ~RowSink() = default;
  // n rows of the sink's width. Throws Failure.
  virtual void write(const float* rows, int64_t n, const KeptFields& kept) = 0;
  virtual void write_line(const std::string& line) = 0;  // as it is; for outputs without a fixed width
  virtual void complete() = 0;                           // writes what is left
  virtual std::string note() const { return {}; }        // what a user should know of the values; behind complete
  virtual OutputFile& file() = 0;
  virtual void finish();  // behind complete: the output has its name
  // Whether file() is no output, but what finish makes it of.
  virtual bool staged() const { return false; }
  // What another run needs to go on behind the rows written so far, as JSON; "" while some of them are held back.
  virtual std::string state() const = 0;
  virtual void restore(const std::string& state) = 0;  // in place of the first write. Throws Failure
};

// Some of the texts, as the library takes them.
struct TextBatch : InputTexts {
  std::vector<const char*> pointers;
  std::vector<size_t> lengths;
  size_t first = 0;      // number of the first one in all, from 0
  double fraction = -1;  // of the source, behind this batch
};

// Puts off writing until the model works on the next batch.
using Write = std::function<void()>;

// work(batch) for all batches in order on the calling thread, while another thread reads ahead and a third one calls
// the writes that work returned, in order too; a null one is nothing to write. At most two batches and two writes wait.
// The first exception of any of the three ends all and is thrown here, without waiting for a source that blocks. Where
// no thread can be made, its part is done here.
void for_each_overlapped(std::shared_ptr<TextSource> source, const std::function<Write(const TextBatch&)>& work);

}  // namespace cli

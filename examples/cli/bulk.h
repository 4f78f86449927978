// Work over many texts: reading, the model and writing at the same time. A format of input is a TextSource, one of
// output a RowSink; neither knows of the other nor of the model.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cli {

// Texts in order, a batch at a time. Used by one thread, not always the one that made it.
class TextSource {
 public:
  virtual ~TextSource() = default;
  // Up to max_texts more texts, fewer once they hold max_bytes; none at the end. Throws Failure.
  virtual std::vector<std::string> next(size_t max_texts, size_t max_bytes) = 0;
  // How much of it has been read, 0 to 1; negative when the whole is unknown.
  virtual double fraction() const = 0;
};

// Rows in order. Used by one thread, not always the one that made it.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void write(const float* rows, int64_t n) = 0;  // n rows of the sink's width. Throws Failure.
  virtual void write_line(const std::string& line) = 0;  // as it is; for outputs without a fixed width
  virtual void finish() = 0;                             // writes what is left; only then is the output there
};

// Some of the texts, as the library takes them.
struct TextBatch {
  std::vector<std::string> texts;
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

#include "bulk.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace cli {
namespace {

constexpr size_t kTexts = 2048, kBytes = size_t{1} << 20;  // of a batch
constexpr size_t kWaiting = 2;

// Between two threads: at most kWaiting of T, and the end, of which an exception is one kind.
template <class T>
class Channel {
 public:
  // False once the other side has closed it.
  bool put(T value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || waiting_.size() < kWaiting; });
    if (closed_) return false;
    waiting_.push_back(std::move(value));
    changed_.notify_all();
    return true;
  }
  // nullopt at the end. Throws the exception that ended it.
  std::optional<T> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    if (error_) std::rethrow_exception(error_);
    if (waiting_.empty()) return std::nullopt;
    T value = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    return value;
  }
  void close(std::exception_ptr error = nullptr) {
    std::lock_guard lock(mutex_);
    closed_ = true;
    if (!error_) error_ = error;
    changed_.notify_all();
  }
  // What ended it, if not its own end.
  void check() {
    std::lock_guard lock(mutex_);
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> waiting_;
  bool closed_ = false;
  std::exception_ptr error_;
};

class Batches {
 public:
  explicit Batches(TextSource& source) : source_(source) {}
  // Null at the end. A batch stays where it is: pointers into short texts would not survive a move.
  std::unique_ptr<TextBatch> next() {
    auto batch = std::make_unique<TextBatch>();
    batch->texts = source_.next(kTexts, kBytes);
    if (batch->texts.empty()) return nullptr;
    for (const std::string& text : batch->texts) {
      batch->pointers.push_back(text.data());
      batch->lengths.push_back(text.size());
    }
    batch->first = first_;
    batch->fraction = source_.fraction();
    first_ += batch->texts.size();
    return batch;
  }

 private:
  TextSource& source_;
  size_t first_ = 0;
};

// f() on a thread of its own, if one can be made.
template <class F>
std::thread try_thread(const F& f) {
  try {
    return std::thread(f);
  } catch (const std::system_error&) {
    return {};
  }
}

}  // namespace

void for_each_overlapped(std::shared_ptr<TextSource> source, const std::function<Write(const TextBatch&)>& work) {
  // The reader's own, for it may be left behind in a read that does not end.
  struct Reading {
    explicit Reading(std::shared_ptr<TextSource> from) : source(std::move(from)), batches(*source) {}
    std::shared_ptr<TextSource> source;
    Batches batches;
    Channel<std::unique_ptr<TextBatch>> read;
  };
  const auto reading = std::make_shared<Reading>(std::move(source));
  std::thread reader = try_thread([reading] {
    try {
      while (std::unique_ptr<TextBatch> batch = reading->batches.next())
        if (!reading->read.put(std::move(batch))) return;
      reading->read.close();
    } catch (...) {
      reading->read.close(std::current_exception());
    }
  });
  Channel<Write> written;
  std::thread writer = try_thread([&] {
    try {
      while (std::optional<Write> write = written.take()) (*write)();
    } catch (...) {
      written.close(std::current_exception());
    }
  });
  const auto next = [&]() -> std::unique_ptr<TextBatch> {
    if (!reader.joinable()) return reading->batches.next();
    return reading->read.take().value_or(nullptr);
  };
  std::exception_ptr failed;
  try {
    while (const std::unique_ptr<TextBatch> batch = next()) {
      Write write = work(*batch);
      if (!write) continue;
      if (!writer.joinable())
        write();
      else if (!written.put(std::move(write)))
        break;  // the writer has failed
    }
  } catch (...) {
    failed = std::current_exception();
  }
  reading->read.close();
  written.close();
  if (reader.joinable()) reader.detach();  // it ends at its next batch
  if (writer.joinable()) writer.join();
  if (failed) std::rethrow_exception(failed);
  written.check();
}

}  // namespace cli

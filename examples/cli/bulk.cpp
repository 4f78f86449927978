#include "bulk.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "output_file.h"

namespace cli {
namespace {

constexpr size_t kMostTexts = 2048, kBytes = size_t{1} << 20;  // of a batch
constexpr size_t kLeastTexts = 32;  // of the first one; each has twice as many, so that something is known soon
// A batch that took longer is followed by smaller ones: being told to stop is obeyed between two.
constexpr double kLongest = 4;
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
    static_cast<InputTexts&>(*batch) = source_.next(std::min(texts_, most.load()), kBytes);
    texts_ = std::min(texts_ * 2, kMostTexts);
    if (batch->texts.empty()) return nullptr;
    for (const std::string& text : batch->texts) {
      batch->pointers.push_back(text.data());
      batch->lengths.push_back(text.size());
    }
    batch->first = static_cast<size_t>(batch->read.texts) - batch->texts.size();
    batch->fraction = source_.fraction();
    return batch;
  }
  std::atomic<size_t> most{kMostTexts};  // texts of the next one

 private:
  TextSource& source_;
  size_t texts_ = kLeastTexts;
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

void RowSink::finish() {
  file().finish();
}

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
      const auto begin = std::chrono::steady_clock::now();
      Write write = work(*batch);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      if (took.count() > kLongest)
        reading->batches.most = std::max(kLeastTexts, batch->texts.size() / 2);
      else if (took.count() < kLongest / 4)
        reading->batches.most = std::min(kMostTexts, std::max(reading->batches.most.load(), kLeastTexts) * 2);
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

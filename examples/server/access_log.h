// A line for each request on standard output, and the histograms of what requests took.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "log.h"
#include "metrics.h"

namespace server {

// Lines on their way to standard output, by a thread of their own: a reader that stalls holds up no request, but misses
// lines, which are counted.
class AccessLog {
 public:
  enum class Format { off, text, json };
  // A thread is started unless it is off. Throws std::system_error.
  AccessLog(Format format, Metrics& metrics);
  ~AccessLog();  // writes what there is, as long as it is taken

  Format format() const { return format_; }
  void write(std::string line) noexcept;

 private:
  void run();
  bool send(std::string_view line);

  const Format format_;
  Counter& lost_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  size_t bytes_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

// The request's own id where it is one: 1 to 128 letters, digits and ._:/+=@-; else a new one.
std::string request_id(std::string_view given);

// What is known of one request. Whoever answers it keeps it until the answer is made; it is logged when the last lets
// go.
class RequestRecord {
 public:
  RequestRecord(AccessLog& log, Metrics& metrics) : log_(log), metrics_(metrics) {}
  ~RequestRecord();
  RequestRecord(const RequestRecord&) = delete;
  RequestRecord& operator=(const RequestRecord&) = delete;

  std::string id, client, method, path, model;
  std::chrono::steady_clock::time_point arrived = std::chrono::steady_clock::now();
  std::atomic<int> status{0};
  std::atomic<size_t> bytes{0};  // of the answer's body
  // Until it ran, of the tokenizer, and of the model.
  std::atomic<double> queue_ms{0}, tokenize_ms{0}, work_ms{0};
  std::atomic<bool> worked{false};  // a model did something for it
  double total_ms() const;

 private:
  std::string text() const;
  std::string json() const;
  AccessLog& log_;
  Metrics& metrics_;
};

}  // namespace server

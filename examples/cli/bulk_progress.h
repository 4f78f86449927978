// How far a long job is, by time rather than by batch: on a terminal a line that is drawn anew each second, the first
// within one; elsewhere a line every ten seconds, so that a job that ends before says nothing.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace cli {

class BulkProgress {
 public:
  explicit BulkProgress(bool wanted);
  ~BulkProgress() { end(); }
  BulkProgress(const BulkProgress&) = delete;
  BulkProgress& operator=(const BulkProgress&) = delete;

  // All in all until now. fraction: 0 to 1, or negative when the whole is unknown.
  void update(uint64_t texts, uint64_t tokens, double fraction);
  void begin_at(uint64_t texts, uint64_t tokens, double fraction);  // done by an earlier run: not of the rates
  void end();                                                       // takes the line off the terminal
  double seconds() const;  // since the beginning, an earlier run's part left out

 private:
  using Clock = std::chrono::steady_clock;
  void run();
  void show();
  std::string line() const;

  Clock::time_point start_ = Clock::now();
  const bool terminal_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t texts_ = 0, tokens_ = 0, first_texts_ = 0, first_tokens_ = 0;
  double fraction_ = -1, first_fraction_ = 0;
  bool ended_ = false, drawn_ = false;
  std::thread thread_;  // without one, where none can be made, nothing is shown
};

// 75 → "1m15s".
std::string duration(double seconds);

}  // namespace cli

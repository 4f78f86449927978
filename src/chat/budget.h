// What one rendering may cost. Work is counted in steps; memory by the objects that are alive.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "error.h"

namespace quern::chat {

class Budget {
 public:
  Budget(uint64_t steps, size_t bytes) : steps_(steps), bytes_(bytes) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // Throws Error bad_argument when there are no more.
  void step(uint64_t n = 1) {
    if (n > steps_) fail("takes more steps than a chat template may");
    steps_ -= n;
  }
  // For work that grows with bytes: copying, searching.
  void work(size_t bytes) { step(bytes / 256 + 1); }
  void take(size_t bytes) {
    if (bytes > bytes_) fail("needs more memory than a chat template may");
    bytes_ -= bytes;
  }
  void give_back(size_t bytes) { bytes_ += bytes; }

 private:
  [[noreturn]] static void fail(const char* what) {
    throw Error(Status::bad_argument, std::string("the rendering ") + what);
  }
  uint64_t steps_;
  size_t bytes_;
};

// Memory taken from a budget for as long as this lives. The budget must outlive it; null: not counted.
class Charge {
 public:
  Charge(Budget* budget, size_t bytes) : budget_(budget), bytes_(bytes) {
    if (budget_) budget_->take(bytes_);
  }
  ~Charge() {
    if (budget_) budget_->give_back(bytes_);
  }
  Budget* budget() const { return budget_; }
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;

 private:
  Budget* budget_;
  size_t bytes_;
};

}  // namespace quern::chat

#include "bulk_progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <new>
#include <system_error>

#include "common.h"

namespace cli {

using namespace std::chrono_literals;

std::string duration(double seconds) {
  const auto whole = static_cast<long long>(std::ceil(std::clamp(seconds, 0.0, 1e9)));
  const long long hours = whole / 3600, minutes = whole / 60 % 60;
  char text[48];
  if (hours > 0)
    std::snprintf(text, sizeof text, "%lldh%02lldm", hours, minutes);
  else if (minutes > 0)
    std::snprintf(text, sizeof text, "%lldm%02llds", minutes, whole % 60);
  else
    std::snprintf(text, sizeof text, "%llds", whole);
  return text;
}

BulkProgress::BulkProgress(bool wanted) : terminal_(stderr_is_terminal()) {
  if (!wanted) return;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
  }
}

double BulkProgress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void BulkProgress::update(uint64_t texts, uint64_t tokens, double fraction) {
  const std::lock_guard lock(mutex_);
  texts_ = texts;
  tokens_ = tokens;
  fraction_ = fraction;
}

void BulkProgress::begin_at(uint64_t texts, uint64_t tokens, double fraction) {
  const std::lock_guard lock(mutex_);
  first_texts_ = texts_ = texts;
  first_tokens_ = tokens_ = tokens;
  first_fraction_ = std::clamp(fraction, 0.0, 1.0);
  fraction_ = fraction;
  start_ = Clock::now();
}

void BulkProgress::run() {
  std::unique_lock lock(mutex_);
  Clock::time_point next = start_ + (terminal_ ? 500ms : 10s);
  while (!changed_.wait_until(lock, next, [&] { return ended_; })) {
    try {
      show();
    } catch (const std::bad_alloc&) {  // the job goes on without a line
    }
    next += terminal_ ? 1s : 10s;
  }
}

std::string BulkProgress::line() const {
  const double passed = seconds();
  char text[120];
  std::snprintf(text, sizeof text, "%llu texts, %.0f texts/s, %.0f tokens/s", static_cast<unsigned long long>(texts_),
                static_cast<double>(texts_ - first_texts_) / passed,
                static_cast<double>(tokens_ - first_tokens_) / passed);
  std::string line = text;
  if (fraction_ >= 0) {
    const double done = std::min(fraction_, 1.0);
    std::snprintf(text, sizeof text, "%3.0f%% ", done * 100);
    line = text + line;
    if (done > first_fraction_) line += ", " + duration(passed * (1 - done) / (done - first_fraction_)) + " left";
  }
  return line;
}

void BulkProgress::show() {
  drawn_ = terminal_;
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", line().c_str());
  std::fflush(stderr);
}

void BulkProgress::end() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace cli

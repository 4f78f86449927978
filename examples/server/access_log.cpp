#include "access_log.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <random>

#include "os/console.h"
#include "os/files.h"
#include "wording.h"

namespace server {
namespace {

constexpr int kStdout = 1;
constexpr size_t kMostWaiting = size_t{4} << 20;  // bytes of lines that wait
constexpr int kPollMs = 200,
              kLastMs = 1000;  // how often an end is looked for; how long a stalled reader is waited for then
constexpr size_t kMostId = 128;

std::string now_in_log() {
  return time_text(std::chrono::system_clock::now(), 3);
}

}  // namespace

std::string escaped(std::string_view text, size_t most) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, most)) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F && c != '"' && c != '\\') {
      out += c;
    } else if (c == ' ') {
      out += ' ';
    } else {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return text.size() > most ? out + "..." : out;
}

AccessLog::AccessLog(Format format, Metrics& metrics)
    : format_(format), lost_(metrics.counter("quern_access_log_lost_total")) {
  if (format_ != Format::off) thread_ = std::thread([this] { run(); });
}

AccessLog::~AccessLog() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AccessLog::write(std::string line) noexcept {
  try {
    line += '\n';
    std::lock_guard lock(mutex_);
    if (bytes_ + line.size() > kMostWaiting) return lost_.add();
    bytes_ += line.size();
    lines_.push_back(std::move(line));
    changed_.notify_all();
  } catch (...) {
    lost_.add();
  }
}

// A whole line, or none where its reader is gone or stalls at the end.
bool AccessLog::send(std::string_view line) {
  int waited = 0;
  while (!line.empty()) {
    if (!os::wait_for_output(kPollMs)) {
      std::lock_guard lock(mutex_);
      if (ending_ && (waited += kPollMs) >= kLastMs) return false;
      continue;
    }
    // What a pipe that takes something takes at once.
    const int64_t n = os::write_some(kStdout, line.data(), std::min<size_t>(line.size(), 4096));
    if (n < 0 && errno != EAGAIN) return false;
    if (n > 0) line.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void AccessLog::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ending_ || !lines_.empty(); });
    if (lines_.empty()) return;
    const std::string line = std::move(lines_.front());
    lines_.pop_front();
    lock.unlock();
    const bool sent = send(line);
    if (!sent) lost_.add();
    lock.lock();
    bytes_ -= line.size();
    if (!sent && ending_) return;
  }
}

std::string request_id(std::string_view given) {
  const auto sane = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("._:/+=@-").find(c) != std::string_view::npos;
  };
  if (!given.empty() && given.size() <= kMostId && std::all_of(given.begin(), given.end(), sane))
    return std::string(given);
  static std::mutex mutex;
  static std::mt19937_64 random{std::random_device{}()};
  uint64_t high = 0, low = 0;
  {
    std::lock_guard lock(mutex);
    high = random();
    low = random();
  }
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

double RequestRecord::total_ms() const {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - arrived).count();
}

std::string RequestRecord::text() const {
  const auto part = [](const std::string& s) { return s.empty() ? std::string("-") : escaped(s); };
  const std::string target = '"' + part(method) + ' ' + escaped(path) + '"';
  return now_in_log() + ' ' + part(id) + ' ' + part(client) + ' ' + target + ' ' + std::to_string(status) + ' ' +
         std::to_string(bytes) + " model=" + part(model) + " queue=" + ms_text(queue_ms) +
         " tokenize=" + ms_text(tokenize_ms) + " work=" + ms_text(work_ms) + " total=" + ms_text(total_ms());
}

std::string RequestRecord::json() const {
  const auto rounded = [](double ms) { return static_cast<double>(static_cast<int64_t>(ms * 1000 + 0.5)) / 1000; };
  nlohmann::ordered_json line = {
      {"time", now_in_log()},        {"request_id", id},        {"client", client},     {"method", method},
      {"path", path.substr(0, 300)}, {"status", status.load()}, {"bytes", bytes.load()}};
  line["model"] = model.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(model);
  line["queue_ms"] = rounded(queue_ms);
  line["tokenize_ms"] = rounded(tokenize_ms);
  line["work_ms"] = rounded(work_ms);
  line["total_ms"] = rounded(total_ms());
  return line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

RequestRecord::~RequestRecord() {
  try {
    if (worked) {
      const auto observe = [&](const char* stage, double ms) {
        metrics_.seconds("quern_request_seconds", label("stage", stage)).observe(ms / 1000);
      };
      observe("queue", queue_ms);
      observe("tokenize", tokenize_ms);
      observe("work", work_ms);
      observe("total", total_ms());
    }
    if (log_.format() == AccessLog::Format::off) return;
    log_.write(log_.format() == AccessLog::Format::json ? json() : text());
  } catch (...) {  // no memory for a line
  }
}

}  // namespace server

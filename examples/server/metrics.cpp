#include "metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace server {
namespace {

std::string number(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end);
}

std::string series(const std::string& name, const std::string& labels) {
  return labels.empty() ? name : name + '{' + labels + '}';
}

void head(const std::string& name, const char* type, std::string& out) {
  out += "# TYPE " + name + ' ' + type + '\n';
}

}  // namespace

void Histogram::observe(double value) {
  const size_t at = static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
  counts_[at].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

void Histogram::write(const std::string& name, const std::string& labels, std::string& out) const {
  uint64_t count = 0;
  const std::string before = labels.empty() ? "" : labels + ',';
  for (size_t i = 0; i < counts_.size(); ++i) {
    count += counts_[i].load(std::memory_order_relaxed);
    const std::string bound = i < bounds_.size() ? number(bounds_[i]) : "+Inf";
    out += series(name + "_bucket", before + "le=\"" + bound + '"') + ' ' + std::to_string(count) + '\n';
  }
  out += series(name + "_sum", labels) + ' ' + number(sum_.load(std::memory_order_relaxed)) + '\n';
  out += series(name + "_count", labels) + ' ' + std::to_string(count) + '\n';
}

Counter& Metrics::counter(const std::string& name, const std::string& labels) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<Counter>& at = counters_[name][labels];
  if (!at) at = std::make_unique<Counter>();
  return *at;
}

Histogram& Metrics::histogram(const std::string& name, const std::string& labels, double least, double most) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<Histogram>& at = histograms_[name][labels];
  if (!at) {
    std::vector<double> bounds;
    for (double decade = least; decade < most; decade *= 10)
      for (const double step : {1.0, 2.0, 5.0}) bounds.push_back(decade * step);
    bounds.push_back(most);
    at = std::make_unique<Histogram>(std::move(bounds));
  }
  return *at;
}

Histogram& Metrics::seconds(const std::string& name, const std::string& labels) {
  return histogram(name, labels, 1e-4, 100);
}
Histogram& Metrics::sizes(const std::string& name, const std::string& labels) {
  return histogram(name, labels, 1, 1e6);
}

void Metrics::gauge(const std::string& name, const std::string& labels, double value) {
  std::lock_guard lock(mutex_);
  gauges_[name][labels] = value;
}

std::string Metrics::text() const {
  std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, all] : counters_) {
    head(name, "counter", out);
    for (const auto& [labels, c] : all) out += series(name, labels) + ' ' + number(c->value()) + '\n';
  }
  for (const auto& [name, all] : gauges_) {
    head(name, "gauge", out);
    for (const auto& [labels, value] : all) out += series(name, labels) + ' ' + number(value) + '\n';
  }
  for (const auto& [name, all] : histograms_) {
    head(name, "histogram", out);
    for (const auto& [labels, h] : all) h->write(name, labels, out);
  }
  return out;
}

double resident_bytes() {
  long total = 0, resident = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &total, &resident) != 2) resident = 0;
    std::fclose(f);
  }
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

}  // namespace server

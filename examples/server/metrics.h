// Counters as Prometheus reads them (text format 0.0.4). Each is registered where it is used first; all are
// thread-safe.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace server {

// `name="value"`, escaped.
std::string label(const char* name, std::string_view value);

class Counter {
 public:
  void add(double n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void observe(double value);
  void write(const std::string& name, const std::string& labels, std::string& out) const;

 private:
  const std::vector<double> bounds_;
  std::vector<std::atomic<uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

class Metrics {
 public:
  // labels: `method="single"`, or empty.
  Counter& counter(const std::string& name, const std::string& labels = {});
  Histogram& seconds(const std::string& name, const std::string& labels = {});   // 0.1 ms to 100 s
  Histogram& sizes(const std::string& name, const std::string& labels = {});     // 1 to a million
  void gauge(const std::string& name, const std::string& labels, double value);  // in place of what it was
  std::string text() const;

 private:
  template <class T>
  using Family = std::map<std::string, std::map<std::string, T>>;  // by name, by labels
  Histogram& histogram(const std::string& name, const std::string& labels, double least, double most);

  mutable std::mutex mutex_;
  Family<std::unique_ptr<Counter>> counters_;
  Family<std::unique_ptr<Histogram>> histograms_;
  Family<double> gauges_;
};

}  // namespace server

#include "metrics.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

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

// What each is, for those who read the text.
constexpr std::pair<std::string_view, const char*> helps[] = {
    {"process_cpu_seconds_total", "CPU time of this process, in seconds."},
    {"process_resident_memory_bytes", "Resident memory of this process."},
    {"quern_access_log_lost_total", "Lines of the access log that nobody took in time."},
    {"quern_batch_texts", "Texts that went through a model together."},
    {"quern_batch_tokens", "Tokens that went through a model together."},
    {"quern_connections", "Connections that are open."},
    {"quern_first_token_seconds", "From a prompt's submission to its first token."},
    {"quern_generated_tokens_total", "Tokens that were generated."},
    {"quern_kv_bytes", "Memory that keys and values may come to."},
    {"quern_kv_tokens", "Tokens that there is room for in keys and values."},
    {"quern_model_bytes", "Memory of a model that is loaded: weights, keys and values."},
    {"quern_model_loaded", "Whether a model is loaded."},
    {"quern_model_loads_total", "How often a model was loaded."},
    {"quern_output_token_seconds", "Time for each token after the first, by request."},
    {"quern_prompt_tokens_total", "Tokens of texts and prompts that were read."},
    {"quern_queue_requests", "Requests that wait for a model or run."},
    {"quern_queue_tokens", "Tokens, about, of requests that wait for a model."},
    {"quern_received_bytes", "Memory that requests take."},
    {"quern_request_seconds", "What requests took that a model worked for, by stage: queue, tokenize, work, total."},
    {"quern_requests_total", "Answers by route and status."},
    {"quern_reused_tokens_total", "Tokens of prompts whose keys and values were still kept."},
    {"quern_running_sequences", "Sequences that are being generated."},
    {"quern_unsent_bytes", "Bytes of answers that their clients have not read."},
    {"te_embed_count", "Texts that were to be embedded."},
    {"te_embed_success", "Texts that were embedded."},
    {"te_predict_count", "Texts that were to be classified."},
    {"te_predict_success", "Texts that were classified."},
    {"te_queue_size", "Requests that wait for any model or run."},
    {"te_request_count", "Requests with texts."},
    {"te_request_duration", "Seconds of requests with texts, in all."},
    {"te_request_failure", "Requests that were refused or failed, by why."},
    {"te_request_inference_duration", "Seconds of requests with texts in the model."},
    {"te_request_input_length", "Tokens of requests with texts."},
    {"te_request_queue_duration", "Seconds of requests with texts until the first ran."},
    {"te_request_success", "Requests with texts that were answered."},
    {"te_request_tokenization_duration", "Seconds of requests with texts in the tokenizer."},
};

void head(const std::string& name, const char* type, std::string& out) {
  const auto* const found =
      std::find_if(std::begin(helps), std::end(helps), [&](const auto& help) { return help.first == name; });
  out += "# HELP " + name + ' ' + (found == std::end(helps) ? name : found->second) + '\n';
  out += "# TYPE " + name + ' ' + type + '\n';
}

}  // namespace

std::string label(const char* name, std::string_view value) {
  std::string text = std::string(name) + "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    c == '\n' ? text += "\\n" : text += c;
  }
  return text += '"';
}

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

}  // namespace server

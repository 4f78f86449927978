#include "text_queue.h"

#include <algorithm>

namespace server {
namespace {

// A batch should take no longer, so that a short request does not wait long behind large ones.
constexpr double kBatchSeconds = 0.04;
constexpr int64_t kLeastBudget = 384;
constexpr size_t kShare = 32;  // texts of one request in a turn

double ms_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double, std::milli>(b - a).count();
}

}  // namespace

Refusal refusal_of(const QuernError& e) {
  switch (e.status) {
    case QUERN_BAD_ARGUMENT:
    case QUERN_UNSUPPORTED:
      return {Reason::validation, e.message};
    case QUERN_OUT_OF_MEMORY:
      return {Reason::overloaded, e.message};
    default:
      return {Reason::failed, e.message};
  }
}

void enter_queue(std::atomic<size_t>& waiting, size_t most) {
  if (waiting >= most)
    throw Refusal{Reason::overloaded, "the model is overloaded: " + std::to_string(waiting) + " requests are waiting"};
  ++waiting;
}

TextQueue::TextQueue(const quern_model* model, const TextQueueLimits& limits, Metrics& metrics, const std::string& name)
    : limits_(limits),
      max_length_(quern_model_max_length(model)),
      batch_texts_(metrics.sizes("quern_batch_texts", "model=\"" + name + '"')),
      batch_tokens_(metrics.sizes("quern_batch_tokens", "model=\"" + name + '"')),
      tokens_(metrics.counter("quern_prompt_tokens_total", "model=\"" + name + '"')) {
  const auto open = [&](int n) {
    quern_session* session = nullptr;
    check(quern_session_new(model, n, &session));
    return SessionHandle(session);
  };
  wide_ = open(limits.threads);
  for (int i = 0; i < quern_session_threads(wide_.get()); ++i) narrow_.push_back(open(1));
  for (const SessionHandle& own : narrow_) threads_.emplace_back([this, session = own.get()] { loop(session); });
}

TextQueue::~TextQueue() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void TextQueue::run(const std::shared_ptr<TextJob>& job, const Patience& patience) {
  job->outputs.resize(job->texts.size());
  if (job->texts.empty()) return;
  job->queued = Clock::now();
  bool alone = false;
  {
    std::lock_guard lock(mutex_);
    enter_queue(waiting_, limits_.requests);
    alone = busy_ == 0 && jobs_.empty() && job->texts.size() == 1;
    if (alone) {
      ++busy_;
    } else {
      jobs_.push_back(job);
      queued_tokens_ += tokens_left(*job);
    }
  }
  if (alone) return run_alone(job);
  wake_.notify_one();
  std::unique_lock lock(job->mutex);
  while (job->done < job->texts.size()) {
    job->wake.wait_until(lock, std::min(Clock::now() + kLook, patience.until));
    if (job->done == job->texts.size()) break;
    const bool late = Clock::now() >= patience.until;
    if (!late && !patience.gone()) continue;
    job->abandoned = true;
    --waiting_;
    throw Refusal{Reason::deadline, late ? "the request took longer than the deadline" : "the client has gone"};
  }
  --waiting_;
}

// On the caller's thread, which saves waking another.
void TextQueue::run_alone(const std::shared_ptr<TextJob>& job) {
  std::vector<Item> batch = {{job, 0}};
  const Cost cost = run_batch(wide_.get(), batch);
  job->compute_ms = cost.ms;
  std::lock_guard lock(mutex_);
  --busy_;
  --waiting_;
}

int64_t TextQueue::tokens_of(const TextInput& text) const {  // about; the library counts
  const size_t bytes = text.text.size() + (text.pair ? text.pair->size() : 0);
  return std::min<int64_t>(static_cast<int64_t>(bytes / 4) + 3, max_length_);
}

int64_t TextQueue::tokens_left(const TextJob& job) const {
  int64_t n = 0;
  for (size_t i = job.taken; i < job.texts.size(); ++i) n += tokens_of(job.texts[i]);
  return n;
}

int64_t TextQueue::budget() const {
  if (tokens_per_second_ == 0) return std::min(kLeastBudget, limits_.batch_tokens);
  return std::clamp(static_cast<int64_t>(tokens_per_second_ * kBatchSeconds),
                    std::min(kLeastBudget, limits_.batch_tokens), limits_.batch_tokens);
}

// Texts of one operation: the first request's.
std::vector<TextQueue::Item> TextQueue::take() {
  std::vector<Item> batch;
  std::deque<std::shared_ptr<TextJob>> later;  // other operations, in order
  // What the other threads that are free can take is theirs.
  const int64_t idle = std::max<int64_t>(1, static_cast<int64_t>(threads_.size()) - static_cast<int64_t>(busy_));
  int64_t left = std::min(budget(), queued_tokens_ / idle);
  while (!jobs_.empty() && (left > 0 || batch.empty())) {
    const std::shared_ptr<TextJob> job = std::move(jobs_.front());
    jobs_.pop_front();
    if (job->abandoned) {
      queued_tokens_ -= tokens_left(*job);
      continue;
    }
    if (!batch.empty() && !(batch[0].job->operation == job->operation)) {
      later.push_back(job);
      continue;
    }
    if (job->taken == 0) job->queue_ms = ms_between(job->queued, Clock::now());
    const size_t end = std::min(job->texts.size(), job->taken + kShare);
    while (job->taken < end && (left > 0 || batch.empty())) {
      const int64_t n = tokens_of(job->texts[job->taken]);
      left -= n;
      queued_tokens_ -= n;
      batch.push_back({job, job->taken++});
    }
    if (job->taken < job->texts.size()) jobs_.push_back(job);  // its next turn
  }
  jobs_.insert(jobs_.begin(), later.begin(), later.end());
  return batch;
}

void TextQueue::loop(quern_session* own) {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    if (ending_) return;
    std::vector<Item> batch = take();
    if (batch.empty()) continue;
    ++busy_;
    if (!jobs_.empty()) wake_.notify_one();
    lock.unlock();
    const Cost cost = run_batch(own, batch);
    lock.lock();
    --busy_;  // before the answers: who asks again at once may be alone
    if (cost.tokens > 0 && cost.ms > 0) {
      const double rate = static_cast<double>(cost.tokens) / cost.ms * 1000;
      tokens_per_second_ = tokens_per_second_ == 0 ? rate : 0.8 * tokens_per_second_ + 0.2 * rate;
    }
    lock.unlock();
    deliver(batch, cost.ms);
    batch.clear();
    lock.lock();
  }
}

TextQueue::Cost TextQueue::run_batch(quern_session* session, std::vector<Item>& batch) {
  const Clock::time_point start = Clock::now();
  std::vector<const TextInput*> texts;
  std::vector<TextOutput*> outputs;
  for (const Item& item : batch) {
    texts.push_back(&item.job->texts[item.index]);
    outputs.push_back(&item.job->outputs[item.index]);
  }
  const Operation& operation = batch[0].job->operation;
  try {
    server::run(session, operation, texts, outputs);
  } catch (const QuernError&) {  // one of them is at fault: each alone
    for (size_t i = 0; i < batch.size(); ++i) {
      try {
        server::run(session, operation, {&texts[i], 1}, {&outputs[i], 1});
      } catch (const QuernError& e) {
        outputs[i]->error = e;
      }
    }
  }
  const double ms = ms_between(start, Clock::now());
  uint64_t tokens = 0;
  for (const TextOutput* out : outputs) tokens += out->info.tokens;
  batch_texts_.observe(static_cast<double>(batch.size()));
  batch_tokens_.observe(static_cast<double>(tokens));
  tokens_.add(static_cast<double>(tokens));
  return {ms, tokens};
}

void TextQueue::deliver(const std::vector<Item>& batch, double ms) {
  for (size_t i = 0; i < batch.size();) {  // items of one request are side by side
    TextJob& job = *batch[i].job;
    std::lock_guard lock(job.mutex);
    for (; i < batch.size() && batch[i].job.get() == &job; ++i) ++job.done;
    job.compute_ms += ms;
    if (job.done == job.texts.size()) job.wake.notify_one();
  }
}

}  // namespace server

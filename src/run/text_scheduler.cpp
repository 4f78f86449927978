#include "run/text_scheduler.h"

#include <algorithm>
#include <new>

#include "run/no_thread.h"

namespace quern {
namespace {

// A call should take no longer, so that a short request does not wait long behind large ones.
constexpr double kBatchSeconds = 0.04;
constexpr int64_t kLeastBudget = 384;
constexpr size_t kShare = 32;  // texts of one request in a turn

double seconds_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

class SessionEngine final : public TextEngine {
 public:
  SessionEngine(const std::shared_ptr<const LoadedModel>& model, int n_threads)
      : max_length_(static_cast<int64_t>(model->max_length)), wide_(model, n_threads) {
    for (int i = 0; i < wide_.threads(); ++i) narrow_.push_back(std::make_unique<Session>(model, 1));
  }
  int threads() const override { return static_cast<int>(narrow_.size()); }
  int64_t max_length() const override { return max_length_; }
  void run(int thread, const TextWork& work, std::span<const TextInput* const> texts,
           std::span<TextResult> results) override {
    run_texts(thread == kAll ? wide_ : *narrow_[static_cast<size_t>(thread)], work, texts, results);
  }

 private:
  const int64_t max_length_;
  Session wide_;
  std::vector<std::unique_ptr<Session>> narrow_;
};

}  // namespace

std::unique_ptr<TextEngine> make_text_engine(std::shared_ptr<const LoadedModel> model, int n_threads) {
  return std::make_unique<SessionEngine>(model, n_threads);
}

// Texts of one work that go through together. A thread keeps its own, so that most calls need no memory for it.
struct TextScheduler::Batch {
  struct Item {
    std::shared_ptr<ScheduledTexts> request;
    size_t index;
  };
  std::vector<Item> items;
  std::vector<const TextInput*> inputs;
  std::vector<TextResult> results;
  Outcome failure;     // of all of them
  bool alone = false;  // a single text, and nothing beside it
  double seconds = 0;
  uint64_t tokens = 0;

  void clear() {
    items.clear();
    inputs.clear();
    results.clear();
    failure = {};
    tokens = 0;
  }
};

TextScheduler::TextScheduler(std::unique_ptr<TextEngine> engine, TextSchedulerOptions options)
    : engine_(std::move(engine)), options_(std::move(options)), max_length_(engine_->max_length()) {
  threads_.reserve(static_cast<size_t>(engine_->threads()));
  try {
    for (int i = 0; i < engine_->threads(); ++i) threads_.emplace_back([this, i] { loop(i); });
  } catch (const std::exception& e) {
    if (threads_.empty()) fail_without_thread(e);
  }
}

void TextScheduler::stop() noexcept {
  Queue left;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    for (auto at = queue_.begin(); at != queue_.end();) {
      const auto next = std::next(at);
      left.splice(left.end(), queue_, at);
      (*at)->queued_ = false;
      at = next;
    }
    waiting_tokens_ = 0;
  }
  wake_.notify_all();
  for (const auto& request : left) finish(*request, kFreed);
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();  // its call has an end
  engine_.reset();
}

void TextScheduler::submit(const std::shared_ptr<ScheduledTexts>& request) {
  ScheduledTexts& r = *request;
  Queue node{request};
  {
    std::lock_guard lock(mutex_);
    enter(ending_, requests_, options_.max_requests);
    if (!r.texts.empty()) {
      r.queued_at_ = Clock::now();
      r.queued_ = true;
      r.place_ = node.begin();
      queue_.splice(queue_.end(), node);
      waiting_tokens_ += tokens_left(r);
    }
  }
  if (r.texts.empty()) return finish(r, kServed);
  wake_.notify_one();
}

bool TextScheduler::wait(ScheduledTexts& r, Clock::time_point until) {
  {
    std::unique_lock lock(r.mutex_);
    if (r.wait_locked(lock, std::min(until, r.until()), [&] { return r.done_; })) return true;
  }
  if (!r.late(Clock::now())) return false;
  finish(r, kLate);
  return true;
}

void TextScheduler::cancel(ScheduledTexts& r) noexcept {
  std::lock_guard lock(mutex_);
  end(r, kCancelled);
}

// Ends a request wherever it is, and counts it no more; whether this call did. mutex_ is held.
bool TextScheduler::end(ScheduledTexts& r, const Outcome& outcome) noexcept {
  if (r.queued_) {
    r.queued_ = false;
    waiting_tokens_ -= tokens_left(r);
    queue_.erase(r.place_);
  }
  return r.end(outcome, requests_);
}

void TextScheduler::finish(ScheduledTexts& r, const Outcome& outcome) noexcept {
  {
    std::lock_guard lock(mutex_);
    if (!end(r, outcome)) return;
  }
  r.announce();
}

double ScheduledTexts::tokenize_seconds() const {
  double all = 0;
  for (const TextResult& result : results_) all += static_cast<double>(result.info.seconds);
  return all;
}

int64_t TextScheduler::tokens_of(const TextInput& text) const {  // about; the tokenizer counts
  const size_t bytes = text.text.size() + (text.pair ? text.pair->size() : 0);
  return std::min<int64_t>(static_cast<int64_t>(bytes / 4) + 3, max_length_);
}

int64_t TextScheduler::tokens_left(const ScheduledTexts& r) const {
  int64_t n = 0;
  for (size_t i = r.taken_; i < r.texts.size(); ++i) n += tokens_of(r.texts[i]);
  return n;
}

int64_t TextScheduler::budget() const {
  if (tokens_per_second_ == 0) return std::min(kLeastBudget, options_.batch_tokens);
  return std::clamp(static_cast<int64_t>(tokens_per_second_ * kBatchSeconds),
                    std::min(kLeastBudget, options_.batch_tokens), options_.batch_tokens);
}

// Ends queued requests whose deadline has passed; they are to be told once mutex_ is not held any more.
void TextScheduler::expire(Queue& late) {
  const Clock::time_point now = Clock::now();
  for (auto at = queue_.begin(); at != queue_.end();) {
    const auto next = std::next(at);
    if ((*at)->late(now)) {
      late.splice(late.end(), queue_, at);
      ScheduledTexts& r = **at;
      r.queued_ = false;
      waiting_tokens_ -= tokens_left(r);
      end(r, kLate);
    }
    at = next;
  }
}

// A request's share of a batch; whether there was memory for some of it. mutex_ is held.
bool TextScheduler::take_share(Batch& batch, Queue::iterator at, int64_t& left) {
  ScheduledTexts& r = **at;
  if (r.taken_ == 0) r.queue_seconds_ = seconds_between(r.queued_at_, Clock::now());
  const size_t end = std::min(r.texts.size(), r.taken_ + kShare);
  while (r.taken_ < end && (left > 0 || batch.items.empty())) {
    try {
      batch.items.push_back({*at, r.taken_});
    } catch (const std::bad_alloc&) {
      return !batch.items.empty();
    }
    const int64_t n = tokens_of(r.texts[r.taken_++]);
    left -= n;
    waiting_tokens_ -= n;
  }
  return true;
}

// Texts of one work: the first request's. mutex_ is held.
void TextScheduler::take(Batch& batch, Queue& late) {
  expire(late);
  // What the other threads that are free can take is theirs.
  const int64_t idle = std::max<int64_t>(1, static_cast<int64_t>(threads_.size()) - static_cast<int64_t>(busy_));
  int64_t left = std::min(budget(), waiting_tokens_ / idle);
  for (auto at = queue_.begin(); at != queue_.end() && (left > 0 || batch.items.empty());) {
    if (!batch.items.empty() && !same_work(batch.items[0].request->work, (*at)->work)) {
      ++at;
      continue;
    }
    ScheduledTexts& r = **at;
    const auto next = std::next(at);
    if (!take_share(batch, at, left)) {
      late.splice(late.end(), queue_, at);
      r.queued_ = false;
      waiting_tokens_ -= tokens_left(r);
      end(r, kNoMemory);
    } else if (r.taken_ == r.texts.size()) {
      r.queued_ = false;
      queue_.erase(at);
    } else {  // its next turn
      queue_.splice(queue_.end(), queue_, at);
      if (next == queue_.end()) continue;
    }
    at = next;
  }
  batch.alone = busy_ == 0 && queue_.empty() && batch.items.size() == 1;
}

void TextScheduler::loop(int thread) {
  Batch batch;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    if (ending_) return;
    Queue late;
    take(batch, late);
    const bool any = !batch.items.empty();
    busy_ += any;
    if (!queue_.empty()) wake_.notify_one();
    lock.unlock();
    for (const auto& request : late) request->announce();
    late.clear();
    if (any) {
      run(batch.alone ? TextEngine::kAll : thread, batch);
      lock.lock();
      --busy_;  // before the results: who asks again at once may be alone
      learn(batch);
      lock.unlock();
      deliver(batch);
      batch.clear();
    }
    lock.lock();
  }
}

void TextScheduler::learn(const Batch& batch) {
  if (batch.alone || batch.tokens == 0 || batch.seconds <= 0) return;
  const double rate = static_cast<double>(batch.tokens) / batch.seconds;
  tokens_per_second_ = tokens_per_second_ == 0 ? rate : 0.8 * tokens_per_second_ + 0.2 * rate;
}

void TextScheduler::run(int thread, Batch& batch) noexcept {
  const Clock::time_point start = Clock::now();
  const size_t n = batch.items.size();
  try {
    batch.results.resize(n);
    for (const Batch::Item& item : batch.items) batch.inputs.push_back(&item.request->texts[item.index]);
  } catch (...) {
    batch.failure = outcome_of_current();
    return;
  }
  if (n == 1) {
    run_alone(thread, batch, 0);
  } else {
    try {
      engine_->run(thread, batch.items[0].request->work, batch.inputs, batch.results);
    } catch (...) {  // one of them may be at fault: each alone
      for (size_t i = 0; i < n; ++i) run_alone(thread, batch, i);
    }
  }
  batch.seconds = seconds_between(start, Clock::now());
  for (const TextResult& result : batch.results) batch.tokens += result.info.tokens;
  if (options_.on_batch) options_.on_batch(n, batch.tokens, batch.seconds);
}

// One text of a batch, with its number in its request for messages.
void TextScheduler::run_alone(int thread, Batch& batch, size_t i) noexcept {
  TextResult& result = batch.results[i];
  try {
    result = {};
    TextWork work = batch.items[i].request->work;
    work.options.first_text += batch.items[i].index;
    engine_->run(thread, work, {&batch.inputs[i], 1}, {&result, 1});
  } catch (...) {
    result.outcome = outcome_of_current();
  }
}

void TextScheduler::deliver(Batch& batch) noexcept {
  for (size_t i = 0; i < batch.items.size();) {
    const std::shared_ptr<ScheduledTexts>& request = batch.items[i].request;
    ScheduledTexts& r = *request;
    bool whole = false;
    {
      std::lock_guard lock(r.mutex_);
      const size_t first = i;
      for (; i < batch.items.size() && batch.items[i].request == request; ++i)
        if (!r.done_ && i < batch.results.size()) r.results_[batch.items[i].index] = std::move(batch.results[i]);
      r.left_ -= i - first;
      r.compute_seconds_ += batch.seconds;
      whole = r.left_ == 0;
    }
    if (batch.failure.status != Status::ok)
      finish(r, batch.failure);
    else if (whole)
      finish(r, kServed);
  }
}

}  // namespace quern

#include "run/generation_scheduler.h"

#include <algorithm>
#include <utility>

#include "run/no_thread.h"

namespace quern {
namespace {

constexpr auto kPassed = std::chrono::seconds(2);  // how long smaller requests may pass one that waits for room

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class TextGeneratorEngine final : public SequenceEngine {
 public:
  TextGeneratorEngine(std::shared_ptr<const LoadedModel> model, const GeneratorOptions& options)
      : sequences_(options.sequences), rep_(std::move(model), options) {}
  KvPlan plan() const override { return rep_.generator().plan(); }
  int64_t sequences() const override { return sequences_; }
  GeneratorStats stats() const override { return rep_.generator().stats(); }
  int64_t add(TextRequest request) override { return rep_.add(std::move(request)); }
  void cancel(int64_t sequence) override { rep_.cancel(sequence); }
  void step(std::vector<TextEvent>& out) override { rep_.step(out); }

 private:
  const int64_t sequences_;
  TextGenerator rep_;
};

}  // namespace

std::unique_ptr<SequenceEngine> make_sequence_engine(std::shared_ptr<const LoadedModel> model,
                                                     const GeneratorOptions& options) {
  return std::make_unique<TextGeneratorEngine>(std::move(model), options);
}

GenerationScheduler::GenerationScheduler(std::unique_ptr<SequenceEngine> engine, GenerationSchedulerOptions options)
    : engine_(std::move(engine)),
      options_(options),
      plan_(engine_->plan()),
      sequences_(engine_->sequences()),
      free_pages_(plan_.pages) {
  try {
    thread_ = std::thread([this] { loop(); });
  } catch (const std::exception& e) {
    fail_without_thread(e);
  }
}

void GenerationScheduler::stop() noexcept {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();  // its step has an end
  fail_running(kFreed);
  while (true) {
    Shared request;
    {
      std::lock_guard lock(mutex_);
      if (queue_.empty()) break;
      request = queue_.front();
    }
    finish(*request, kFreed);
  }
  engine_.reset();
}

void GenerationScheduler::submit(const Shared& request) {
  ScheduledGeneration& r = *request;
  if (static_cast<int64_t>(r.prompt_tokens) >= plan_.context)
    throw Error(Status::bad_argument, "the prompt has " + std::to_string(r.prompt_tokens) +
                                          " tokens, and the context of " + std::to_string(plan_.context) +
                                          " has to hold the answer too");
  Queue node{request};
  {
    std::lock_guard lock(mutex_);
    enter(ending_, requests_, options_.max_requests);
    waiting_tokens_ += r.prompt_tokens;
    r.queued_at_ = Clock::now();
    r.queued_ = true;
    r.place_ = node.begin();
    queue_.splice(queue_.end(), node);
  }
  wake_.notify_one();
}

std::optional<ChoiceEvent> GenerationScheduler::next(ScheduledGeneration& r, Clock::time_point until, bool& done) {
  done = false;
  const auto ready = [&] { return !r.events_.empty() || r.done_; };
  std::unique_lock lock(r.mutex_);
  if (!r.wait_locked(lock, std::min(until, r.until()), ready) && r.late(Clock::now())) {
    lock.unlock();
    finish(r, kLate);
    lock.lock();
  }
  if (r.events_.empty()) {
    done = r.done_;
    return std::nullopt;
  }
  std::optional<ChoiceEvent> event = std::move(r.events_.front());
  r.events_.pop_front();
  --events_;
  return event;
}

void GenerationScheduler::cancel(ScheduledGeneration& r) noexcept {
  {
    std::lock_guard lock(mutex_);
    if (!end(r, kCancelled)) return;
  }
  wake_.notify_one();
}

void GenerationScheduler::drop_events(ScheduledGeneration& r) noexcept {
  std::lock_guard lock(r.mutex_);
  events_ -= r.events_.size();
  r.events_.clear();
}

GenerationSchedulerStats GenerationScheduler::stats() const {
  std::lock_guard lock(mutex_);
  return {requests_,       waiting_tokens_, n_running_, events_, plan_.tokens() - free_pages_ * kPageTokens,
          generator_stats_};
}

// mutex_ is held.
void GenerationScheduler::unqueue(ScheduledGeneration& r) noexcept {
  if (!std::exchange(r.queued_, false)) return;
  if (r.started_ == 0) waiting_tokens_ -= r.prompt_tokens;
  queue_.erase(r.place_);
}

// Ends a request, and counts it no more; whether this call did. What runs of it, the thread drops. mutex_ is held.
bool GenerationScheduler::end(ScheduledGeneration& r, const Outcome& outcome) noexcept {
  unqueue(r);
  r.over_ = true;
  return r.end(outcome, requests_);
}

void GenerationScheduler::finish(ScheduledGeneration& r, const Outcome& outcome) noexcept {
  {
    std::lock_guard lock(mutex_);
    if (!end(r, outcome)) return;
  }
  r.announce();
}

// Of the longest that one of its choices may become.
int64_t GenerationScheduler::pages_for(const ScheduledGeneration& r) const {
  int64_t most = plan_.context;
  const int64_t prompt = static_cast<int64_t>(r.prompt_tokens);
  if (r.request_.max_tokens >= 0) most = std::min(most - prompt, r.request_.max_tokens) + prompt;
  return pages_of(most);
}

void GenerationScheduler::loop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return ending_ || !queue_.empty() || !running_.empty(); });
      if (ending_) return;
    }
    expire();
    drop_ended();
    admit();
    if (!running_.empty()) step();
  }
}

// Ends what waits or runs beyond its deadline.
void GenerationScheduler::expire() noexcept {
  const Clock::time_point now = Clock::now();
  while (true) {
    Shared late;
    {
      std::lock_guard lock(mutex_);
      const auto at = std::find_if(queue_.begin(), queue_.end(), [&](const Shared& r) { return r->late(now); });
      if (at == queue_.end()) break;
      late = *at;
    }
    finish(*late, kLate);
  }
  for (auto& [sequence, r] : running_)
    if (r.request->late(now)) finish(*r.request, kLate);
}

void GenerationScheduler::cancel_running(Sequences::iterator at) noexcept {
  engine_->cancel(at->first);
  free_pages_ += at->second.pages;
  running_.erase(at);
  n_running_ = running_.size();
}

void GenerationScheduler::drop_ended() noexcept {
  for (auto at = running_.begin(); at != running_.end();) {
    const auto next = std::next(at);
    if (at->second.request->over_) cancel_running(at);
    at = next;
  }
}

void GenerationScheduler::admit() noexcept {
  while (const Shared request = next_to_start()) start(request);
}

// The first in line that there is room for. What needs more room than there is is passed by others for a while, but not
// for ever.
GenerationScheduler::Shared GenerationScheduler::next_to_start() {
  if (static_cast<int64_t>(running_.size()) >= sequences_) return nullptr;
  std::lock_guard lock(mutex_);
  for (const Shared& r : queue_) {
    if (r->started_ > 0 && !r->answered_) continue;  // further choices find the prompt kept once the first has read it
    if (pages_for(*r) <= free_pages_) return r;
    if (Clock::now() - r->queued_at_ >= kPassed) return nullptr;
  }
  return nullptr;
}

// Begins a request's next choice. If it is refused, so is the request.
void GenerationScheduler::start(const Shared& request) noexcept {
  ScheduledGeneration& r = *request;
  try {
    TextRequest text = r.request_;
    text.sampling.seed += static_cast<uint64_t>(r.started_);
    const uint64_t before = engine_->stats().reused_tokens;
    const int64_t sequence = engine_->add(std::move(text));
    const int64_t pages = pages_for(r);
    try {
      running_.emplace(sequence, Running{request, r.started_, pages});
    } catch (...) {
      engine_->cancel(sequence);
      throw;
    }
    free_pages_ -= pages;
    n_running_ = running_.size();
    if (r.started_ == 0) {
      std::lock_guard lock(r.mutex_);
      r.usage_.reused_tokens = engine_->stats().reused_tokens - before;
      r.usage_.queue_seconds = seconds_since(r.queued_at_);
    }
  } catch (...) {
    return finish(r, outcome_of_current());
  }
  std::lock_guard lock(mutex_);
  if (r.queued_ && r.started_ == 0) waiting_tokens_ -= r.prompt_tokens;
  ++r.started_;
  if (r.started_ == r.choices) unqueue(r);
}

void GenerationScheduler::step() noexcept {
  generated_.clear();
  try {
    engine_->step(generated_);
  } catch (...) {
    fail_running(outcome_of_current());
  }
  {
    std::lock_guard lock(mutex_);
    generator_stats_ = engine_->stats();
  }
  for (TextEvent& event : generated_) take(event);
}

void GenerationScheduler::fail_running(const Outcome& outcome) noexcept {
  generated_.clear();
  while (!running_.empty()) {
    const Shared request = running_.begin()->second.request;
    cancel_running(running_.begin());
    finish(*request, outcome);
  }
}

void GenerationScheduler::take(TextEvent& event) noexcept {
  const auto at = running_.find(event.token.sequence);
  if (at == running_.end()) return;
  const Shared request = at->second.request;
  const int choice = at->second.choice;
  if (event.token.finish != Finish::none) {
    free_pages_ += at->second.pages;
    running_.erase(at);
    n_running_ = running_.size();
  }
  give(*request, {choice, std::move(event)});
}

void GenerationScheduler::give(ScheduledGeneration& r, ChoiceEvent&& event) noexcept {
  const bool last = event.event.token.finish != Finish::none;
  const bool token = event.event.token.token >= 0;
  const double seconds = r.answered_ ? 0 : seconds_since(r.queued_at_);
  Outcome outcome;
  bool whole = false;
  try {
    std::lock_guard lock(r.mutex_);
    if (r.done_) return;
    const bool behind = r.events_.size() >= options_.max_events / options_.max_requests;
    if (events_ >= options_.max_events && (behind || events_ >= 2 * options_.max_events))
      throw Error(Status::overloaded, "too many tokens wait to be taken: " + std::to_string(events_));
    r.events_.push_back(std::move(event));
    ++events_;
    r.usage_.generated_tokens += token;
    if (!r.answered_) r.usage_.first_token_seconds = seconds;
    whole = last && ++r.ended_ == r.choices;
    r.changed_.notify_all();
  } catch (...) {
    outcome = outcome_of_current();
  }
  r.answered_ = true;
  if (outcome.status != Status::ok) return finish(r, outcome);
  if (whole) return finish(r, kServed);
  r.announce();
}

}  // namespace quern

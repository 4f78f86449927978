#include "generation_queue.h"

#include <algorithm>

namespace server {
namespace {

constexpr auto kPassed = std::chrono::seconds(2);  // how long smaller requests may pass one that waits for room
constexpr int64_t kPage = 32;                      // tokens; the cache has no smaller parts

}  // namespace

void GenerationJob::point() {
  stop_pointers.clear();
  for (const std::string& s : stop) stop_pointers.push_back(s.c_str());
  options.stop = stop_pointers.data();
  options.n_stop = stop_pointers.size();
  options.bias_ids = bias_ids.data();
  options.bias = bias.data();
  options.n_bias = bias_ids.size();
  options.grammar = grammar.empty() ? nullptr : grammar.c_str();
  options.json_schema = json_schema.empty() ? nullptr : json_schema.c_str();
}

GenerationQueue::GenerationQueue(const quern_model* model, const GenerationLimits& limits, Metrics& metrics,
                                 const std::string& name)
    : limits_(limits),
      prompt_tokens_(metrics.counter("quern_prompt_tokens_total", "model=\"" + name + '"')),
      reused_tokens_(metrics.counter("quern_reused_tokens_total", "model=\"" + name + '"')),
      generated_tokens_(metrics.counter("quern_generated_tokens_total", "model=\"" + name + '"')),
      first_token_(metrics.seconds("quern_first_token_seconds", "model=\"" + name + '"')) {
  quern_generator* generator = nullptr;
  check(quern_generator_new(model, &limits.generator, &generator));
  generator_.reset(generator);
  context_ = quern_generator_context(generator);
  uint64_t kept = 0;
  check(quern_model_token_bytes(model, nullptr, &kept));
  kv_bytes_ = quern_generator_kv_bytes(generator);
  // The cache's pages may hold 8-bit values, which take less: then this is on the safe side.
  room_ = kept == 0 ? INT64_MAX : static_cast<int64_t>(kv_bytes_ / kept);
  room_ = std::max(room_, context_ + kPage);
  thread_ = std::thread([this] { loop(); });
}

GenerationQueue::~GenerationQueue() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void GenerationQueue::submit(const std::shared_ptr<GenerationJob>& job) {
  if (static_cast<int64_t>(job->prompt.size()) >= context_)
    throw Refusal{Reason::validation, "the prompt has " + std::to_string(job->prompt.size()) +
                                          " tokens, and the context of " + std::to_string(context_) +
                                          " has to hold the answer too"};
  job->queued = Clock::now();
  {
    std::lock_guard lock(mutex_);
    enter_queue(waiting_, limits_.requests);
    jobs_.push_back(job);
  }
  wake_.notify_one();
}

std::optional<GenerationEvent> GenerationQueue::next(GenerationJob& job, const Patience& patience) {
  std::unique_lock lock(job.mutex);
  while (job.events.empty()) {
    if (job.ended == job.choices) return std::nullopt;
    const bool late = Clock::now() >= patience.until;
    if (late || patience.gone()) {
      lock.unlock();
      abandon(job);
      throw Refusal{Reason::deadline, late ? "the request took longer than the deadline" : "the client has gone"};
    }
    job.wake.wait_until(lock, std::min(Clock::now() + kLook, patience.until));
  }
  GenerationEvent event = std::move(job.events.front());
  job.events.pop_front();
  return event;
}

void GenerationQueue::abandon(GenerationJob& job) {
  job.abandoned = true;
  wake_.notify_one();
}

int64_t GenerationQueue::reservation(const GenerationJob& job) const {
  const int64_t prompt = static_cast<int64_t>(job.prompt.size());
  int64_t most = context_;
  if (job.options.max_tokens >= 0) most = std::min(most, prompt + job.options.max_tokens);
  return (most + kPage - 1) / kPage * kPage;
}

void GenerationQueue::loop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return ending_ || !jobs_.empty() || !running_.empty(); });
      if (ending_) return;
      admit();
    }
    cancel_abandoned();
    if (running_.empty()) continue;
    const auto on_token = [](void* user, const quern_token_event* event) {
      static_cast<GenerationQueue*>(user)->take(*event);
      return 0;
    };
    size_t left = 0;
    if (quern_generator_step(generator_.get(), on_token, this, &left) == QUERN_OK) continue;
    const QuernError error{QUERN_INTERNAL, quern_last_error()};  // concerns all
    for (auto& [sequence, r] : running_) {
      quern_generator_cancel(generator_.get(), sequence);
      room_ += r.reserved;
      give(*r.job, {.choice = r.choice, .finish = QUERN_FINISH_ERROR, .error = error});
    }
    running_.clear();
    n_running_ = 0;
  }
}

// Lets in what there is room for, in order. What needs more room than there is is passed by others for a while, but not
// for ever. mutex_ is held.
void GenerationQueue::admit() {
  std::deque<std::shared_ptr<GenerationJob>> later;
  bool passing = true;
  for (; !jobs_.empty(); jobs_.pop_front()) {
    const std::shared_ptr<GenerationJob>& job = jobs_.front();
    if (job->abandoned) {
      leave(*job);
      continue;
    }
    bool runs = true;
    while (runs && passing && job->started < job->choices &&
           running_.size() < static_cast<size_t>(limits_.generator.sequences)) {
      if (job->started > 0 && !job->answered) break;  // further texts find the prompt kept once the first has read it
      if (reservation(*job) > room_) {
        passing = Clock::now() - job->queued < kPassed;
        break;
      }
      runs = start(job);
    }
    if (runs && job->started < job->choices) later.push_back(job);
  }
  jobs_.swap(later);
}

int64_t GenerationQueue::waiting_tokens() {
  std::lock_guard lock(mutex_);
  int64_t n = 0;
  for (const auto& job : jobs_)
    if (job->started == 0 && !job->abandoned) n += static_cast<int64_t>(job->prompt.size());
  return n;
}

// Begins a job's next text. False if the library refuses it, and with it the job.
bool GenerationQueue::start(const std::shared_ptr<GenerationJob>& job) {
  quern_generation_options options = job->options;
  options.seed += static_cast<uint64_t>(job->started);
  quern_generator_stats before{}, after{};
  quern_generator_stats_of(generator_.get(), &before);
  int64_t sequence = 0;
  const quern_status status =
      quern_generator_add(generator_.get(), job->prompt.data(), job->prompt.size(), &options, &sequence);
  if (status != QUERN_OK) {
    const QuernError error{status, quern_last_error()};
    const int first = job->started;
    job->started = job->choices;
    for (int choice = first; choice < job->choices; ++choice)
      give(*job, {.choice = choice, .finish = QUERN_FINISH_ERROR, .error = error});
    return false;
  }
  quern_generator_stats_of(generator_.get(), &after);
  const uint64_t reused = after.reused_tokens - before.reused_tokens;
  prompt_tokens_.add(static_cast<double>(job->prompt.size()));
  reused_tokens_.add(static_cast<double>(reused));
  if (job->started == 0) {
    job->reused = reused;
    job->queue_ms = std::chrono::duration<double, std::milli>(Clock::now() - job->queued).count();
  }
  const int64_t reserved = reservation(*job);
  room_ -= reserved;
  running_[sequence] = {job, job->started++, reserved};
  n_running_ = running_.size();
  return true;
}

void GenerationQueue::cancel_abandoned() {
  for (auto at = running_.begin(); at != running_.end();) {
    if (!at->second.job->abandoned) {
      ++at;
      continue;
    }
    quern_generator_cancel(generator_.get(), at->first);
    room_ += at->second.reserved;
    leave(*at->second.job);
    at = running_.erase(at);
  }
  n_running_ = running_.size();
}

void GenerationQueue::take(const quern_token_event& e) {
  const auto at = running_.find(e.sequence);
  if (at == running_.end()) return;
  Running& r = at->second;
  GenerationJob& job = *r.job;
  if (e.token >= 0) generated_tokens_.add();
  if (!job.answered) {
    first_token_.observe(std::chrono::duration<double>(Clock::now() - job.queued).count());
  }
  GenerationEvent event{r.choice, e.token, std::string(e.text, e.length), e.logprob, {e.top, e.top + e.n_top},
                        e.finish, {}};
  if (e.finish == QUERN_FINISH_ERROR)
    event.error = QuernError{QUERN_INTERNAL, e.error ? e.error : "the sequence failed"};
  give(job, std::move(event));
  if (e.finish == QUERN_FINISH_NONE) return;
  room_ += r.reserved;
  running_.erase(at);
  n_running_ = running_.size();
}

void GenerationQueue::give(GenerationJob& job, GenerationEvent event) {
  job.answered = true;
  std::lock_guard lock(job.mutex);
  if (event.finish != QUERN_FINISH_NONE && ++job.ended == job.choices) leave(job);
  job.events.push_back(std::move(event));
  job.wake.notify_one();
}

void GenerationQueue::leave(GenerationJob& job) {
  if (!std::exchange(job.left, true)) --waiting_;
}

}  // namespace server

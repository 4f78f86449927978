// Admission, deadlines, cancellation and failures of the scheduler for generation.
#include "generating.h"
#include "generation/kv_types.h"
#include "scheduling.h"

namespace quern::test {
namespace {

using Catch::Contains;

// Every step gives each sequence a token, until it has max_tokens.
class CountingEngine final : public SequenceEngine {
 public:
  explicit CountingEngine(Gate& gate) : gate_(gate) {}
  KvPlan plan() const override { return {.pages = 10, .context = 128, .page_bytes = 1}; }
  int64_t sequences() const override { return 4; }
  GeneratorStats stats() const override { return {}; }
  int64_t add(TextRequest request) override {
    if (request.prompt[0] == 13) throw Error(Status::bad_argument, "a bad prompt");
    if (request.prompt[0] == 14) throw std::bad_alloc();
    left_[++last_] = request.max_tokens;
    {
      const std::lock_guard lock(mutex_);
      added_.push_back(std::move(request));
    }
    most_ = std::max(most_.load(), left_.size());
    return last_;
  }
  void cancel(int64_t sequence) override { left_.erase(sequence); }
  void step(std::vector<TextEvent>& out) override {
    gate_.pass();
    if (failing_.exchange(false)) throw std::bad_alloc();
    for (auto at = left_.begin(); at != left_.end();) {
      const bool ends = --at->second <= 0;
      out.push_back({{at->first, 1, 0, {}, ends ? Finish::length : Finish::none, {}}, "a", false});
      at = ends ? left_.erase(at) : std::next(at);
    }
  }
  void fail_next() { failing_ = true; }
  size_t most() const { return most_; }  // sequences at once
  std::vector<TextRequest> added() const {
    const std::lock_guard lock(mutex_);
    return added_;
  }

 private:
  Gate& gate_;
  mutable std::mutex mutex_;
  std::vector<TextRequest> added_;
  std::map<int64_t, int64_t> left_;
  int64_t last_ = 0;
  std::atomic<size_t> most_{0};
  std::atomic<bool> failing_{false};
};

using Shared = std::shared_ptr<ScheduledGeneration>;

struct Generating {
  explicit Generating(bool open = true, GenerationSchedulerOptions options = {}) : gate(open) {
    auto made = std::make_unique<CountingEngine>(gate);
    engine = made.get();
    scheduler = std::make_unique<GenerationScheduler>(std::move(made), options);
  }
  ~Generating() { gate.open(); }

  Shared submit(size_t prompt, int64_t max_tokens, int choices = 1, RequestOptions options = {}, int32_t first = 1) {
    TextRequest r;
    r.prompt.assign(prompt, first);
    r.max_tokens = max_tokens;
    const auto request = std::make_shared<ScheduledGeneration>(std::move(r), choices, std::move(options));
    scheduler->submit(request);
    return request;
  }
  // Takes what comes until the end: how many tokens.
  int take_all(const Shared& request) {
    int n = 0;
    for (bool done = false; !done;)
      if (const auto e = scheduler->next(*request, Clock::time_point::max(), done)) n += e->event.token.token >= 0;
    return n;
  }
  // Lets one step pass, so that what was submitted before it has been looked at.
  void next_step() {
    gate.await(1);
    gate.let(1);
    gate.await(1);
  }
  void nothing_counted() const {
    const GenerationSchedulerStats s = scheduler->stats();
    CHECK(s.requests == 0);
    CHECK(s.waiting_tokens == 0);
    CHECK(s.sequences == 0);
    CHECK(s.reserved_tokens == 0);
  }

  Gate gate;
  CountingEngine* engine;
  std::unique_ptr<GenerationScheduler> scheduler;
};

}  // namespace

TEST_CASE("generation scheduler: every choice is the request, but for its seed") {
  Generating g;
  TextRequest r;
  r.prompt.assign(5, 1);
  r.max_tokens = 3;
  r.sampling.seed = 40;
  r.stop = {"end"};
  r.include_stop = true;
  r.ignore_end = true;
  r.shown = {7, 9};
  const auto request = std::make_shared<ScheduledGeneration>(std::move(r), 3, RequestOptions());
  g.scheduler->submit(request);
  CHECK(g.take_all(request) == 9);
  const std::vector<TextRequest> added = g.engine->added();
  REQUIRE(added.size() == 3);
  for (size_t i = 0; i < added.size(); ++i) {
    CHECK(added[i].sampling.seed == 40 + i);
    CHECK(added[i].shown == std::vector<int32_t>{7, 9});
    CHECK(added[i].stop == std::vector<std::string>{"end"});
    CHECK(added[i].include_stop);
    CHECK(added[i].ignore_end);
    CHECK(added[i].prompt.size() == 5);
  }
}

TEST_CASE("generation scheduler: what comes is the generator's, for each choice") {
  const auto model = decoder("llama");
  const GeneratorOptions options{.threads = 1, .context = 256, .sequences = 3};
  GenerationScheduler scheduler(make_sequence_engine(model, options), {});
  std::vector<Shared> requests;
  for (int i = 0; i < 6; ++i) {
    TextRequest r;
    static_cast<Request&>(r) = mixed(i);
    requests.push_back(std::make_shared<ScheduledGeneration>(std::move(r), 2, RequestOptions{}));
    scheduler.submit(requests.back());
  }
  size_t reused = 0;
  for (int i = 0; i < 6; ++i) {
    std::vector<int32_t> tokens[2];
    bool done = false;
    while (!done)
      if (const auto e = scheduler.next(*requests[static_cast<size_t>(i)], Clock::time_point::max(), done))
        if (e->event.token.token >= 0) tokens[e->choice].push_back(e->event.token.token);
    CHECK(requests[static_cast<size_t>(i)]->outcome().status == Status::ok);
    for (const uint64_t choice : {0, 1}) {
      Request alone_request = mixed(i);
      alone_request.sampling.seed += choice;
      CHECK(tokens[choice] == alone(model, std::move(alone_request)).tokens);
    }
    const auto usage = requests[static_cast<size_t>(i)]->usage();
    CHECK(usage.generated_tokens == tokens[0].size() + tokens[1].size());
    CHECK(usage.first_token_seconds >= usage.queue_seconds);
    reused = scheduler.stats().generator.reused_tokens;
  }
  CHECK(reused >= 32 * 2);  // the second choices of the longer prompts
  CHECK(scheduler.stats().requests == 0);
  CHECK(scheduler.stats().reserved_tokens == 0);
}

TEST_CASE("generation scheduler: sequences run as far as there are places and room") {
  Generating g(false);
  std::vector<Shared> requests;
  SECTION("places") {
    for (int i = 0; i < 9; ++i) requests.push_back(g.submit(8, 4));
    g.next_step();
    CHECK(g.scheduler->stats().sequences == 4);
    CHECK(g.scheduler->stats().reserved_tokens == 4 * 32);
    CHECK(g.scheduler->stats().waiting_tokens == 5 * 8);
  }
  SECTION("room") {
    for (int i = 0; i < 5; ++i) requests.push_back(g.submit(60, 60));  // 4 pages each, of 10
    g.next_step();
    CHECK(g.scheduler->stats().sequences == 2);
    const auto small = g.submit(30, 2);  // passes them
    g.next_step();
    CHECK(g.scheduler->stats().sequences == 3);
    requests.push_back(small);
  }
  SECTION("a maximum that nothing has room for is the context's") {
    requests.push_back(g.submit(60, int64_t{1} << 62));
    g.gate.await(1);
    CHECK(g.scheduler->stats().reserved_tokens == 128);
    g.scheduler->cancel(*requests[0]);
  }
  g.gate.open();
  for (const Shared& r : requests) g.take_all(r);
  CHECK(g.engine->most() <= 4);
  g.scheduler->stop();
  g.nothing_counted();
}

TEST_CASE("generation scheduler: 8-bit keys and values let in twice as many") {
  const auto model = decoder("llama");
  const auto at_once = [&](KvType type) {
    GeneratorOptions options{.threads = 1, .context = 256, .sequences = 64};
    options.kv_type = type;
    options.kv_memory = kv_token_bytes(*model, KvType::f16) * 256 * 8;
    GenerationScheduler scheduler(make_sequence_engine(model, options), {});
    CHECK(scheduler.plan().bytes() <= options.kv_memory);
    return scheduler.plan().tokens() / 256;
  };
  CHECK(at_once(KvType::f16) == 8);
  const double ratio = static_cast<double>(kv_token_bytes(*model, KvType::f16)) /
                       static_cast<double>(kv_token_bytes(*model, KvType::i8));
  CHECK(at_once(KvType::i8) == static_cast<int64_t>(8 * ratio));
  // These heads are small beside their scales; of the usual size, 8 bits are nearly half.
  const auto bytes = [&](KvType type) { return model->device->kv_page_bytes({type, 1, 1, 128}); };
  CHECK(bytes(KvType::f16) > 1.9 * static_cast<double>(bytes(KvType::i8)));
}

TEST_CASE("generation scheduler: a full queue, and a prompt without room") {
  Generating g(false, {.max_requests = 2});
  const auto a = g.submit(8, 2), b = g.submit(8, 2);
  CHECK(error_of([&] { g.submit(8, 2); }).status == Status::overloaded);
  const Error e = error_of([&] { g.submit(128, 2); });
  CHECK(e.status == Status::bad_argument);
  CHECK_THAT(e.message, Contains("128"));
  g.gate.open();
  CHECK(g.take_all(a) == 2);
  CHECK(g.take_all(b) == 2);
  g.nothing_counted();
}

TEST_CASE("generation scheduler: events that nobody takes are bounded") {
  Generating g(true, {.max_events = 50});
  const auto unread = g.submit(8, 100);
  while (!unread->done()) std::this_thread::yield();
  CHECK(unread->outcome().status == Status::overloaded);
  CHECK(g.scheduler->stats().events == 50);
  CHECK(g.take_all(unread) == 50);  // what was made is there
  CHECK(g.scheduler->stats().events == 0);
  const auto read = g.submit(8, 40);
  CHECK(g.take_all(read) == 40);
  const auto dropped = g.submit(8, 40);
  while (!dropped->done()) std::this_thread::yield();
  g.scheduler->drop_events(*dropped);
  CHECK(g.scheduler->stats().events == 0);
}

TEST_CASE("generation scheduler: who takes its events is not ended for those who do not") {
  Generating g(true, {.max_requests = 10, .max_events = 50});
  const auto unread = g.submit(8, 1 << 20);
  while (!unread->done()) std::this_thread::yield();
  CHECK(g.scheduler->stats().events == 50);
  const auto read = g.submit(8, 4);  // has never more than its share of 5
  CHECK(g.take_all(read) == 4);
  CHECK(read->outcome().status == Status::ok);
  std::vector<Shared> others;
  for (int i = 0; i < 30; ++i) {
    others.push_back(g.submit(8, 4));
    while (!others.back()->done()) std::this_thread::yield();
  }
  CHECK(g.scheduler->stats().events == 100);
  CHECK(others.front()->outcome().status == Status::ok);
  CHECK(others.back()->outcome().status == Status::overloaded);
}

TEST_CASE("generation scheduler: what fails ends alone") {
  Generating g(false);
  SECTION("a request that is refused") {
    const auto good = g.submit(8, 5);
    const auto bad = g.submit(8, 5, 3, {}, 13), memory = g.submit(8, 5, 1, {}, 14);
    g.gate.open();
    CHECK(g.take_all(bad) == 0);
    CHECK(bad->outcome().status == Status::bad_argument);
    CHECK(bad->outcome().message == "a bad prompt");
    CHECK(g.take_all(memory) == 0);
    CHECK(memory->outcome().status == Status::out_of_memory);
    CHECK(g.take_all(good) == 5);
  }
  SECTION("a step, with all that run") {
    std::vector<Shared> running;
    for (int i = 0; i < 4; ++i) running.push_back(g.submit(8, 50));
    g.next_step();
    const auto queued = g.submit(8, 5);
    g.engine->fail_next();
    g.gate.open();
    for (const Shared& r : running) {
      g.take_all(r);
      CHECK(r->outcome().status == Status::out_of_memory);
    }
    CHECK(g.take_all(queued) == 5);
    CHECK(queued->outcome().status == Status::ok);
  }
  CHECK(g.take_all(g.submit(8, 5, 3)) == 15);
  g.scheduler->stop();
  g.nothing_counted();
}

TEST_CASE("generation scheduler: deadlines and cancellation") {
  Generating g(false);
  std::atomic<int> told{0};
  const auto running = g.submit(8, 1 << 20);
  g.gate.await(1);
  SECTION("of what waits") {
    for (int i = 0; i < 3; ++i) g.submit(8, 1 << 20);
    const auto cancelled = g.submit(8, 5);
    const auto late = g.submit(8, 5, 1, {.until = Clock::now() + std::chrono::milliseconds(10)});
    CHECK(g.scheduler->stats().waiting_tokens == 5 * 8);
    g.scheduler->cancel(*cancelled);
    CHECK(g.scheduler->stats().waiting_tokens == 4 * 8);
    CHECK(g.take_all(cancelled) == 0);
    CHECK(cancelled->outcome().status == Status::cancelled);
    CHECK(g.take_all(late) == 0);
    CHECK(late->outcome().status == Status::deadline_exceeded);
  }
  SECTION("of what runs, whoever sees it") {
    const auto late = g.submit(8, 1 << 20, 2, {.until = Clock::now(), .on_ready = [&] { ++told; }});
    g.gate.open();
    while (!late->done()) std::this_thread::yield();
    CHECK(late->outcome().status == Status::deadline_exceeded);
  }
  g.gate.open();
  g.scheduler->cancel(*running);
  g.take_all(running);
  CHECK(running->outcome().status == Status::cancelled);
  g.scheduler->stop();
  g.nothing_counted();
}

TEST_CASE("generation scheduler: the end of it") {
  Generating g(false);
  std::atomic<int> told{0};
  std::vector<Shared> all;
  for (int i = 0; i < 6; ++i) all.push_back(g.submit(8, 1 << 20, 2, {.on_ready = [&] { ++told; }}));
  g.next_step();
  g.gate.open();
  g.scheduler->stop();
  for (const Shared& r : all) CHECK(r->outcome().status == Status::cancelled);
  CHECK(told >= 6);
  CHECK(error_of([&] { g.submit(8, 1); }).status == Status::cancelled);
  g.nothing_counted();
}

TEST_CASE("kv types: names") {
  CHECK(kv_type_of("f16") == KvType::f16);
  CHECK(kv_type_of("i8") == KvType::i8);
  CHECK(kv_type_of("f32") == KvType::f32);
  CHECK(std::string(kv_type_name(1)) == "i8");
  CHECK(std::string(kv_type_name(2)) == "f32");
  CHECK(kv_type_name(3) == nullptr);
  CHECK(kv_type_name(-1) == nullptr);
  for (const char* wrong : {"q8_0", "", "F16"})
    CHECK_THAT(error_of([&] { kv_type_of(wrong); }).message, Contains("f16, i8 or f32"));
}

}  // namespace quern::test

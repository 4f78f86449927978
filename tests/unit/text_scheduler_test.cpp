// Fair turns, budgets, deadlines, cancellation and failures of the scheduler for texts.
#include "../golden/tiny_bert.h"
#include "scheduling.h"

namespace quern::test {
namespace {

using Catch::Contains;

// What the engine of a test was asked for.
struct Call {
  int thread;
  std::vector<std::string> texts;
};

// A text's score is its length; "bad" and so on fail as their names say.
class LengthEngine final : public TextEngine {
 public:
  explicit LengthEngine(int threads, Gate& gate, std::vector<Call>& calls)
      : threads_(threads), gate_(gate), calls_(calls) {}
  int threads() const override { return threads_; }
  int64_t max_length() const override { return 512; }
  void run(int thread, const TextWork&, std::span<const TextInput* const> texts,
           std::span<TextResult> results) override {
    Call call{thread, {}};
    for (const TextInput* t : texts) call.texts.push_back(t->text);
    {
      std::lock_guard lock(mutex_);
      calls_.push_back(call);
    }
    gate_.pass();
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::string& text = texts[i]->text;
      if (text == "bad") throw Error(Status::bad_argument, "a bad text");
      if (text == "memory") throw std::bad_alloc();
      if (text == "odd") throw 7;
      results[i].scores = {static_cast<float>(text.size())};
      results[i].info.tokens = static_cast<uint32_t>(text.size());
    }
  }

 private:
  const int threads_;
  Gate& gate_;
  std::vector<Call>& calls_;
  std::mutex mutex_;
};

struct Scheduling {
  explicit Scheduling(int threads = 1, bool open = true, TextSchedulerOptions options = {})
      : gate(open), scheduler(std::make_unique<LengthEngine>(threads, gate, calls), std::move(options)) {}
  ~Scheduling() { gate.open(); }

  std::shared_ptr<ScheduledTexts> submit(const std::vector<std::string>& texts, RequestOptions options = {},
                                         TextWork work = {}) {
    std::vector<TextInput> inputs;
    for (const std::string& t : texts) inputs.push_back({t, {}});
    const auto request = std::make_shared<ScheduledTexts>(std::move(work), std::move(inputs), std::move(options));
    scheduler.submit(request);
    return request;
  }
  Status wait(const std::shared_ptr<ScheduledTexts>& request) {
    REQUIRE(scheduler.wait(*request, Clock::time_point::max()));
    return request->outcome().status;
  }
  void nothing_counted() const {
    CHECK(scheduler.requests() == 0);
    CHECK(scheduler.waiting_tokens() == 0);
  }

  Gate gate;
  std::vector<Call> calls;
  TextScheduler scheduler;
};

size_t calls_with(const std::vector<Call>& calls, const std::string& text) {
  return static_cast<size_t>(std::count_if(calls.begin(), calls.end(), [&](const Call& c) {
    return std::find(c.texts.begin(), c.texts.end(), text) != c.texts.end();
  }));
}

}  // namespace

TEST_CASE("text scheduler: vectors are a session's to the bit") {
  const std::shared_ptr<const LoadedModel> model = load_model(tiny_bert());
  std::vector<std::string> texts;
  for (int i = 0; i < 50; ++i) texts.push_back("the quick fox " + std::string(static_cast<size_t>(i), 'a'));
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  Session session(model, 1);
  const size_t width = static_cast<size_t>(session.width({}));
  std::vector<float> expected(texts.size() * width);
  EmbedStats stats;
  session.embed(views, {}, expected, stats);
  TextScheduler scheduler(make_text_engine(model, 2), {});
  std::vector<std::shared_ptr<ScheduledTexts>> requests;
  TextWork work;
  work.wanted.dense = true;
  for (int r = 0; r < 4; ++r) {
    std::vector<TextInput> inputs;
    for (const std::string& t : texts) inputs.push_back({t, {}});
    requests.push_back(std::make_shared<ScheduledTexts>(work, std::move(inputs), RequestOptions{}));
    scheduler.submit(requests.back());
  }
  for (const auto& r : requests) {
    REQUIRE(scheduler.wait(*r, Clock::time_point::max()));
    REQUIRE(r->outcome().status == Status::ok);
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<float>& row = r->results()[i].encoded.dense;
      REQUIRE(row.size() == width);
      CHECK(std::memcmp(row.data(), &expected[i * width], width * sizeof(float)) == 0);
    }
  }
  CHECK(scheduler.requests() == 0);
}

TEST_CASE("text scheduler: requests take turns") {
  Scheduling s(1, false);
  const auto large = s.submit(std::vector<std::string>(500, "large"));
  s.gate.await(1);
  const auto small = s.submit({"small"});
  s.gate.let(1);
  s.gate.await(1);  // the second call
  REQUIRE(s.calls.size() == 2);
  CHECK(calls_with({s.calls[0]}, "small") == 0);
  CHECK(calls_with({s.calls[1]}, "small") == 1);
  CHECK(calls_with({s.calls[1]}, "large") == 1);
  s.gate.open();
  CHECK(s.wait(small) == Status::ok);
  CHECK(s.wait(large) == Status::ok);
  for (const TextResult& r : large->results()) CHECK(r.scores == std::vector<float>{5});
  s.nothing_counted();
}

TEST_CASE("text scheduler: a call has texts of one work, and of a budget") {
  Scheduling s(1, false, {.batch_tokens = 40});
  const auto first = s.submit({"first"});
  s.gate.await(1);
  TextWork raw;
  raw.raw = true;
  const auto other = s.submit({"other"}, {}, raw);
  const auto many = s.submit(std::vector<std::string>(30, "0123456789"));
  s.gate.open();
  for (const auto& r : {first, other, many}) CHECK(s.wait(r) == Status::ok);
  for (const Call& call : s.calls) {
    CHECK(call.texts.size() <= 40 / 5);
    if (calls_with({call}, "other") > 0) CHECK(call.texts.size() == 1);
  }
}

TEST_CASE("text scheduler: a text by itself has all threads") {
  Scheduling s(2);
  CHECK(s.wait(s.submit({"alone"})) == Status::ok);
  CHECK(s.wait(s.submit({"one", "two"})) == Status::ok);
  CHECK(s.wait(s.submit({})) == Status::ok);
  for (const Call& call : s.calls) {
    const bool alone = call.texts == std::vector<std::string>{"alone"};
    if (alone) CHECK(call.thread == TextEngine::kAll);
    if (call.texts.size() == 2) CHECK(call.thread >= 0);
  }
  CHECK(calls_with(s.calls, "alone") == 1);
}

TEST_CASE("text scheduler: more requests than may wait") {
  Scheduling s(1, false, {.max_requests = 3});
  std::vector<std::shared_ptr<ScheduledTexts>> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(s.submit({"a"}));
  const Error e = error_of([&] { s.submit({"b"}); });
  CHECK(e.status == Status::overloaded);
  CHECK_THAT(e.message, Contains("3 requests"));
  CHECK(s.scheduler.requests() == 3);
  s.gate.open();
  for (const auto& r : taken) CHECK(s.wait(r) == Status::ok);
  s.nothing_counted();
  CHECK(s.wait(s.submit({"b"})) == Status::ok);
}

TEST_CASE("text scheduler: what nobody waits for is dropped where it is") {
  Scheduling s(1, false);
  const auto running = s.submit({"running"});
  s.gate.await(1);
  SECTION("cancelled") {
    const auto queued = s.submit({"queued", "queued"});
    CHECK(s.scheduler.waiting_tokens() > 0);
    s.scheduler.cancel(*queued);
    s.scheduler.cancel(*queued);
    CHECK(s.scheduler.waiting_tokens() == 0);
    CHECK(s.scheduler.requests() == 1);
    CHECK(s.wait(queued) == Status::cancelled);
    s.scheduler.cancel(*running);  // its call goes on, its result is nobody's
    CHECK(s.wait(running) == Status::cancelled);
  }
  SECTION("a deadline that is waited for") {
    const auto queued = s.submit({"queued"}, {.until = Clock::now() + std::chrono::milliseconds(20)});
    CHECK(!s.scheduler.wait(*queued, Clock::now()));
    CHECK(s.wait(queued) == Status::deadline_exceeded);
  }
  SECTION("a deadline that nobody waits for") {
    std::atomic<int> told{0};
    const auto queued = s.submit({"queued"}, {.until = Clock::now(), .on_ready = [&] { ++told; }});
    s.gate.open();
    CHECK(s.wait(s.submit({"last"})) == Status::ok);
    CHECK(queued->outcome().status == Status::deadline_exceeded);
    CHECK(told == 1);
  }
  s.gate.open();
  s.wait(running);
  CHECK(s.wait(s.submit({"after"})) == Status::ok);
  CHECK(calls_with(s.calls, "queued") == 0);
  s.nothing_counted();
}

TEST_CASE("text scheduler: a text that fails does so alone, and once") {
  for (const auto& [text, status] : {std::pair{"bad", Status::bad_argument}, std::pair{"memory", Status::out_of_memory},
                                     std::pair{"odd", Status::internal}}) {
    INFO(text);
    Scheduling s;
    const auto alone = s.submit({text});
    CHECK(s.wait(alone) == Status::ok);
    CHECK(alone->results()[0].outcome.status == status);
    CHECK(!alone->results()[0].outcome.message.empty());
    CHECK(calls_with(s.calls, text) == 1);
    const auto several = s.submit({"good", text, "better"});
    CHECK(s.wait(several) == Status::ok);
    CHECK(several->results()[0].scores == std::vector<float>{4});
    CHECK(several->results()[1].outcome.status == status);
    CHECK(several->results()[2].scores == std::vector<float>{6});
    CHECK(calls_with(s.calls, text) == 3);  // alone, with the others, and by itself
    s.nothing_counted();
  }
}

TEST_CASE("text scheduler: the end of it") {
  std::atomic<int> told{0};
  const RequestOptions telling{.on_ready = [&] { ++told; }};
  std::shared_ptr<ScheduledTexts> running, queued;
  {
    Scheduling s(1, false);
    running = s.submit({"running"}, telling);
    s.gate.await(1);
    queued = s.submit({"queued"}, telling);
    std::thread opener([&] {
      while (!queued->done()) std::this_thread::yield();
      s.gate.open();
    });
    s.scheduler.stop();
    opener.join();
    CHECK(error_of([&] { s.submit({"late"}); }).status == Status::cancelled);
    s.nothing_counted();
    CHECK(calls_with(s.calls, "queued") == 0);
  }
  CHECK(running->outcome().status == Status::ok);
  CHECK(queued->outcome().status == Status::cancelled);
  CHECK(told == 2);
}

TEST_CASE("text scheduler: on_ready") {
  Scheduling s(2);
  SECTION("tells once, from a request that is done") {
    std::atomic<int> told{0};
    std::shared_ptr<ScheduledTexts> request;
    std::mutex set;
    {
      std::lock_guard lock(set);
      request = s.submit({"a", "b"}, {.on_ready = [&] {
                           std::lock_guard inner(set);
                           CHECK(request->done());
                           ++told;
                         }});
    }
    s.scheduler.stop();
    CHECK(told == 1);
  }
  SECTION("is silent once it is muted, and may mute itself") {
    std::atomic<int> told{0};
    s.gate.close();
    const auto silent = s.submit({"a"}, {.on_ready = [&] { ++told; }});
    silent->mute();
    s.gate.open();
    CHECK(s.wait(silent) == Status::ok);
    Gate muted(false);
    std::weak_ptr<ScheduledTexts> self;
    std::mutex set;
    set.lock();
    const auto request = s.submit({"b"}, {.on_ready = [&] {
                                    std::lock_guard inner(set);
                                    self.lock()->mute();
                                    muted.open();
                                  }});
    self = request;
    set.unlock();
    muted.pass();
    s.scheduler.stop();
    CHECK(told == 0);
  }
}

TEST_CASE("text scheduler: it runs with the threads that can be started") {
  if (!kLimitsMemory) return;
  Gate gate;
  std::vector<Call> calls;
  auto engine = std::make_unique<LengthEngine>(200, gate, calls);
  std::unique_ptr<TextScheduler> scheduler;
  {
    const LittleMemory limit(size_t{64} << 20);  // of some 8 MB each
    scheduler = std::make_unique<TextScheduler>(std::move(engine), TextSchedulerOptions{});
  }
  CHECK(scheduler->threads() >= 1);
  CHECK(scheduler->threads() < 200);
  const auto request =
      std::make_shared<ScheduledTexts>(TextWork{}, std::vector<TextInput>{{"abc", {}}}, RequestOptions{});
  scheduler->submit(request);
  REQUIRE(scheduler->wait(*request, Clock::time_point::max()));
  CHECK(request->results()[0].scores == std::vector<float>{3});
}

TEST_CASE("text scheduler: sessions run with the threads that can be started") {
  if (!kLimitsMemory) return;
  const std::shared_ptr<const LoadedModel> model = load_model(tiny_bert());
  std::unique_ptr<Session> session;
  {
    const LittleMemory limit(size_t{64} << 20);
    session = std::make_unique<Session>(model, 200);
  }
  CHECK(session->threads() >= 1);
  CHECK(session->threads() < 200);
  EmbedStats stats;
  std::vector<float> out(static_cast<size_t>(session->width({})) * 2);
  session->embed(std::vector<std::string_view>{"fox", "the lazy user"}, {}, out, stats);
  CHECK(stats.texts == 2);
}

}  // namespace quern::test

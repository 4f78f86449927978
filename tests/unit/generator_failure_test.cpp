// How sequences end, and what goes wrong with them: one sequence ends, or there is an Error before anything is
// allocated.
#include "cpu.h"
#include "generating.h"

namespace quern::test {
namespace {

using Catch::Contains;

// The fixture with NaN in the embedding of one token.
struct Broken {
  explicit Broken(int32_t token) : copy("llama") {
    copy.edit_weights([&](HfTensor& t) {
      if (t.name != "model.embed_tokens.weight") return;
      const size_t row = t.data.size() / static_cast<size_t>(t.shape[0]);
      for (size_t i = 0; i < row; i += 2) t.data.replace(static_cast<size_t>(token) * row + i, 2, "\xff\x7f");
    });
  }
  std::shared_ptr<const LoadedModel> load() const { return load_model(copy.path()); }
  DecoderCopy copy;
};

}  // namespace

TEST_CASE("generator: how sequences end") {
  const auto model = decoder("llama");
  Generator generator(model, {.threads = 1, .context = 64, .sequences = 2});
  const auto prompt = some_tokens(40, 2);
  SECTION("max_tokens") {
    for (const int64_t n : {0, 1, 2, 9}) {
      const int64_t id = generator.add(request(prompt, n));
      const Ending e = run(generator)[id];
      CHECK(e.tokens.size() == static_cast<size_t>(n));
      CHECK(e.finish == Finish::length);
    }
  }
  SECTION("a full context") {
    for (const int64_t n : {int64_t{-1}, int64_t{1} << 40}) {
      const int64_t id = generator.add(request(prompt, n));
      const Ending e = run(generator)[id];
      CHECK(e.tokens.size() == 24);
      CHECK(e.finish == Finish::length);
    }
    const int64_t id = generator.add(request(some_tokens(63, 2), -1));
    CHECK(run(generator)[id].tokens.size() == 1);
  }
  SECTION("an end-of-generation token") {
    Request r = request(prompt, -1);
    const int32_t end = *model->end_tokens.begin();
    r.sampling.logit_bias = {{end, 100.0f}};
    r.ignore_end = false;
    const int64_t id = generator.add(std::move(r));
    const Ending e = run(generator)[id];
    CHECK(e.tokens == std::vector<int32_t>{end});
    CHECK(e.finish == Finish::end);
  }
  SECTION("cancelled") {
    const int64_t a = generator.add(request(prompt, -1)), b = generator.add(request(prompt, 5));
    std::vector<Generated> out;
    generator.step(out);
    CHECK(generator.runs(a));
    generator.cancel(a);
    CHECK(!generator.runs(a));
    generator.cancel(a);
    generator.cancel(12345);
    out.clear();
    const auto endings = run(generator);
    CHECK(endings.count(a) == 0);
    CHECK(endings.at(b).finish == Finish::length);
    for (int i = 0; i < 20; ++i) {  // nothing leaks: pages come back
      const int64_t id = generator.add(request(some_tokens(50, 30), -1));
      generator.step(out);
      generator.cancel(id);
    }
    const int64_t id = generator.add(request(prompt, 5));
    CHECK(run(generator).at(id).finish == Finish::length);
  }
}

TEST_CASE("generator: what is refused, by name") {
  const auto model = decoder("llama");
  Generator generator(model, {.threads = 1, .context = 64, .sequences = 2});
  const auto says = [&](Request r, const std::string& text) {
    const Error e = error_of([&] { generator.add(std::move(r)); });
    INFO(e.message);
    CHECK(e.status == Status::bad_argument);
    CHECK_THAT(e.message, Contains(text));
    CHECK(generator.running() == 0);
  };
  says(request({}, 1), "at least one token");
  const int32_t n = static_cast<int32_t>(model->model->vocabulary());
  for (const int32_t bad : {-1, n, INT32_MAX, INT32_MIN}) says(request({5, bad}, 1), std::to_string(bad));
  says(request(some_tokens(64, 1), 1), "64");
  says(request({5}, -2), "max_tokens");
  Request guesses = request({5}, 1);
  guesses.speculate = 17;
  says(std::move(guesses), "speculate");
  Request hot = request({5}, 1);
  hot.sampling.temperature = -1;
  says(std::move(hot), "temperature");
  generator.add(request({5}, 1));
  generator.add(request({5}, 1));
  CHECK_THAT(error_of([&] { generator.add(request({5}, 1)); }).message, Contains("2 sequences are running"));
  run(generator);
  generator.add(request({5}, 1));
  run(generator);
}

TEST_CASE("generator: memory is planned before it is allocated") {
  const auto model = decoder("llama");
  const auto plan = [&](GeneratorOptions options) { return KvPlan::of(*model, options); };
  const KvPlan one = plan({.context = 64}), eight = plan({.context = 64, .sequences = 8});
  CHECK(one.pages == 2);
  CHECK(eight.pages == 16);
  CHECK(plan({}).context == 256);
  CHECK(plan({.context = 33}).pages == 2);
  const uint64_t values = 2 * 2 * 2 * 32 * 8;  // k and v, layers, heads, tokens, d
  CHECK(one.page_bytes == values * 2);
  CHECK(plan({.context = 64, .kv_type = KvType::i8}).page_bytes < one.page_bytes);
  CHECK(plan({.context = 64, .sequences = 8, .kv_memory = one.page_bytes * 5}).pages == 5);
  const auto refused = [&](GeneratorOptions options, Status status, const std::string& a, const std::string& b) {
    const Error e = error_of([&] { plan(options); });
    INFO(e.message);
    CHECK(e.status == status);
    CHECK_THAT(e.message, Contains(a) && Contains(b));
    CHECK(error_of([&] { Generator generator(model, options); }).status == status);
  };
  refused({.context = 64, .kv_memory = one.page_bytes}, Status::bad_argument, "kv_memory", "64 tokens");
  refused({.context = 257}, Status::bad_argument, "context", "256");
  refused({.context = -1}, Status::bad_argument, "context", "-1");
  refused({.sequences = 0}, Status::bad_argument, "sequences", "0");
  refused({.sequences = 1 << 20}, Status::bad_argument, "sequences", "1048576");
  const Error e = error_of([&] { KvPlan::of(*load_model(tiny_bert()), {}); });
  CHECK(e.status == Status::unsupported);
  CHECK_THAT(e.message, Contains("tiny-bert") && Contains("encoder"));
  // More than the machine has: a long context, which costs nothing to say, and many sequences.
  if (physical_memory() == 0 || physical_memory() > uint64_t{1} << 42) return;
  const DecoderCopy copy("llama");
  copy.edit_config([](nlohmann::json& config) { config["max_position_embeddings"] = 1 << 24; });
  const auto large = load_model(copy.path());
  const Error huge =
      error_of([&] { KvPlan::of(*large, {.context = 1 << 24, .sequences = 4096, .kv_memory = uint64_t{1} << 50}); });
  CHECK(huge.status == Status::bad_argument);
  CHECK_THAT(huge.message, Contains("MiB") && Contains("16777216"));
}

TEST_CASE("generator: keys and values fit the memory that there is, unless it is said how much they may have") {
  const DecoderCopy copy("llama");
  copy.edit_config([](nlohmann::json& config) { config["max_position_embeddings"] = 1 << 16; });
  const auto model = load_model(copy.path());
  const uint64_t page = KvPlan::of(*model, {.context = 64}).page_bytes;
  const auto plan = [&](GeneratorOptions options, uint64_t pages) { return KvPlan::of(*model, options, page * pages); };
  // All contexts, a part of them, one, and a shorter one: 4096 tokens are 128 pages.
  CHECK(plan({.sequences = 16}, 5000).pages == 2048);
  CHECK(plan({.sequences = 16}, 500).pages == 500);
  CHECK(plan({.sequences = 16}, 500).context == 4096);
  CHECK(plan({.sequences = 16}, 128).pages == 128);
  CHECK(plan({.sequences = 16}, 127).pages == 127);
  CHECK(plan({.sequences = 16}, 127).context == 127 * 32);
  CHECK(plan({.sequences = 16}, 16).context == 512);
  CHECK(plan({.sequences = 16, .kv_type = KvType::i8}, 127).context == 4096);
  // A context that was asked for stays, or is refused.
  CHECK(plan({.context = 4096, .sequences = 16}, 128).pages == 128);
  for (const GeneratorOptions& options : {GeneratorOptions{.context = 4096}, GeneratorOptions{.sequences = 16}}) {
    const uint64_t room = options.context > 0 ? 127 : 15;
    const Error e = error_of([&] { plan(options, room); });
    CHECK(e.status == Status::bad_argument);
    CHECK_THAT(e.message, Contains("context") && Contains("4096 tokens") && Contains("MiB") && Contains("kv_type"));
  }
  CHECK(plan({.context = 1 << 16, .kv_memory = page * 2048}, 1).pages == 2048);
  CHECK(plan({.sequences = 4, .kv_memory = page * 100}, 1).context == 3200);
}

TEST_CASE("generator: what others were promised and have not touched is not given twice") {
  const auto model = decoder("llama");
  const uint64_t before = MemoryPromise::in_all();
  {
    Generator generator(model, {.threads = 1, .context = 256, .sequences = 2});
    CHECK(MemoryPromise::in_all() == before + generator.plan().bytes());
    generator.add(request(some_tokens(40, 1), 1));
    run(generator);
    CHECK(MemoryPromise::in_all() == before + generator.plan().bytes() - 2 * generator.plan().page_bytes);
  }
  CHECK(MemoryPromise::in_all() == before);
}

TEST_CASE("generator: a pool that is too small fails one sequence, and the others go on") {
  const auto model = decoder("llama");
  const uint64_t page = KvPlan::of(*model, {.context = 64}).page_bytes;
  Generator generator(model, {.threads = 1, .context = 128, .sequences = 4, .kv_memory = page * 6});
  std::vector<int64_t> ids;
  for (unsigned i = 0; i < 4; ++i) ids.push_back(generator.add(request(some_tokens(40, i), -1)));
  const auto endings = run(generator);
  size_t failed = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const Ending& e = endings.at(ids[i]);
    if (e.finish == Finish::error) {
      ++failed;
      CHECK_THAT(e.error, Contains("KV cache") && Contains("MiB"));
      continue;
    }
    CHECK(e.tokens == alone(model, request(some_tokens(40, i), 128 - 40)).tokens);
  }
  CHECK(failed == 3);  // six pages: at the prompt, at 65 tokens of three, at 97 of two
  const int64_t id = generator.add(request(some_tokens(100, 9), -1));  // all pages are back
  CHECK(run(generator).at(id).tokens.size() == 28);
}

TEST_CASE("generator: logits that are no numbers fail one sequence, and the others go on") {
  const int32_t bad = 200;
  const Broken broken(bad);
  const auto model = broken.load();
  std::vector<int32_t> poisoned = some_tokens(50, 3), good = some_tokens(70, 4);
  std::replace(good.begin(), good.end(), bad, 201);
  poisoned[20] = bad;
  const auto with_bias = [&](std::vector<int32_t> prompt) {
    Request r = request(std::move(prompt), 20);
    r.sampling.logit_bias = {{bad, -INFINITY}};
    return r;
  };
  Generator generator(model, {.threads = 2, .context = 256, .sequences = 3});
  for (int round = 0; round < 2; ++round) {
    const int64_t a = generator.add(with_bias(good)), b = generator.add(with_bias(poisoned));
    const auto endings = run(generator);
    CHECK(endings.at(b).finish == Finish::error);
    CHECK(endings.at(b).tokens.empty());
    CHECK(!endings.at(b).error.empty());
    CHECK(endings.at(a).finish == Finish::length);
    CHECK(equal(endings.at(a), alone(model, with_bias(good))));
  }
  // A page that held NaN, for another sequence: nothing of it is left.
  for (unsigned i = 0; i < 12; ++i) {
    std::vector<int32_t> prompt = some_tokens(150, i + 40);
    std::replace(prompt.begin(), prompt.end(), bad, 201);
    const int64_t id = generator.add(with_bias(prompt));
    CHECK(equal(run(generator).at(id), alone(model, with_bias(prompt))));
  }
}

}  // namespace quern::test

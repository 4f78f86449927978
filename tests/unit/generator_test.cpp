// Generation over tiny decoders: what a sequence generates depends on nothing but its own prompt and options, and what
// goes wrong ends one sequence, or is an Error before anything is allocated.
#include "generation/generator.h"

#include <catch2/catch.hpp>
#include <map>

#include "../golden/tiny_decoders.h"
#include "cpu.h"

namespace quern::test {
namespace {

using Catch::Contains;

struct Ending {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  Finish finish = Finish::none;
  std::string error;
};

void collect(std::vector<Generated>& out, std::map<int64_t, Ending>& endings) {
  for (const Generated& g : out) {
    Ending& e = endings[g.sequence];
    if (g.token >= 0) e.tokens.push_back(g.token), e.logprobs.push_back(g.logprob);
    CHECK(e.finish == Finish::none);  // nothing comes after the end
    e.finish = g.finish;
    e.error = g.error;
  }
  out.clear();
}

std::map<int64_t, Ending> run(Generator& generator) {
  std::map<int64_t, Ending> endings;
  std::vector<Generated> out;
  while (generator.running() > 0) {
    generator.step(out);
    collect(out, endings);
  }
  return endings;
}

// Some tokens of the vocabulary, no special ones.
std::vector<int32_t> some_tokens(size_t n, unsigned seed) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    ids.push_back(static_cast<int32_t>(8 + seed / 65536 % 300));
  }
  return ids;
}

Request request(std::vector<int32_t> prompt, int64_t max_tokens, float temperature = 0, uint64_t seed = 1) {
  Request r;
  r.prompt = std::move(prompt);
  r.max_tokens = max_tokens;
  r.sampling.temperature = temperature;
  r.sampling.seed = seed;
  r.sampling.logprobs = 0;
  r.ignore_end = true;
  return r;
}

// Prompts around the page's 32 tokens; every second one is sampled.
Request mixed(int i) {
  const size_t lengths[] = {1, 31, 32, 33, 64, 65, 100, 7};
  return request(some_tokens(lengths[i % 8], static_cast<unsigned>(i + 1)), 12 + i, i % 2 ? 1.0f : 0.0f,
                 static_cast<uint64_t>(i));
}

Ending alone(const std::shared_ptr<const LoadedModel>& model, Request r, GeneratorOptions options = {}) {
  options.sequences = 1;
  if (options.threads == 0) options.threads = 1;
  if (options.context == 0) options.context = 256;
  Generator generator(model, options);
  const int64_t id = generator.add(std::move(r));
  return run(generator).at(id);
}

bool equal(const Ending& a, const Ending& b) {
  return a.tokens == b.tokens && a.finish == b.finish && a.error == b.error &&
         std::memcmp(a.logprobs.data(), b.logprobs.data(), a.logprobs.size() * sizeof(float)) == 0;
}

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

TEST_CASE("generator: sequences side by side are what they are alone, to the bit") {
  for (const char* name : {"llama", "gemma2", "gemma3", "phi3_longrope"}) {
    const auto model = decoder(name);
    std::vector<Ending> expected;
    for (int i = 0; i < 8; ++i) expected.push_back(alone(model, mixed(i)));
    for (int n = 1; n <= 8; ++n)
      for (const int64_t chunk : {int64_t{512}, int64_t{24}}) {
        Generator generator(model, {.threads = 1 + n % 4, .context = 256, .sequences = 8, .chunk = chunk});
        std::map<int64_t, int> which;
        for (int i = 0; i < n; ++i) which[generator.add(mixed(i))] = i;
        for (const auto& [id, ending] : run(generator)) {
          INFO(name << ", " << n << " sequences, chunks of " << chunk << ", sequence " << which[id]);
          CHECK(equal(ending, expected[static_cast<size_t>(which[id])]));
        }
      }
  }
}

TEST_CASE("generator: sequences that come and go while others run change nothing") {
  const auto model = decoder("mistral");
  std::vector<Ending> expected;
  for (int i = 0; i < 12; ++i) expected.push_back(alone(model, mixed(i)));
  Generator generator(model, {.threads = 2, .context = 256, .sequences = 3, .chunk = 40});
  std::map<int64_t, int> which;
  std::map<int64_t, Ending> endings;
  std::vector<Generated> out;
  for (int next = 0; next < 12 || generator.running() > 0;) {
    if (next < 12 && generator.running() < 3) which[generator.add(mixed(next))] = next, ++next;
    generator.step(out);
    collect(out, endings);
  }
  REQUIRE(endings.size() == 12);
  for (const auto& [id, ending] : endings) CHECK(equal(ending, expected[static_cast<size_t>(which[id])]));
}

TEST_CASE("generator: threads and chunks change nothing") {
  for (const char* name : {"llama", "qwen3"}) {
    const auto model = decoder(name);
    for (const KvType type : {KvType::f16, KvType::i8}) {
      const auto one = [&](int threads, int64_t chunk) {
        return alone(model, request(some_tokens(130, 5), 30, 1, 9),
                     {.threads = threads, .kv_type = type, .chunk = chunk});
      };
      const Ending expected = one(1, 512);
      CHECK(expected.tokens.size() == 30);
      for (int threads = 1; threads <= 4; ++threads)
        for (const int64_t chunk : {1, 17, 512}) CHECK(equal(one(threads, chunk), expected));
    }
  }
}

TEST_CASE("generator: kept prefixes are counted and change nothing") {
  const auto model = decoder("llama");
  Generator generator(model, {.threads = 1, .context = 256, .sequences = 2});
  std::vector<int32_t> prompt = some_tokens(100, 1);
  const Ending first = [&] {
    const int64_t id = generator.add(request(prompt, 10));
    return run(generator).at(id);
  }();
  CHECK(generator.stats().reused_tokens == 0);
  CHECK(generator.stats().prompt_tokens == 100);
  CHECK(generator.stats().generated_tokens == 10);

  SECTION("the same prompt") {
    const int64_t id = generator.add(request(prompt, 10));
    CHECK(generator.stats().reused_tokens == 96);
    CHECK(generator.stats().prompt_tokens == 200);
    CHECK(equal(run(generator).at(id), first));
  }
  SECTION("a prompt that goes on from what was generated") {
    std::vector<int32_t> longer = prompt;
    longer.insert(longer.end(), first.tokens.begin(), first.tokens.end());
    longer.resize(140, 77);
    const int64_t id = generator.add(request(longer, 10, 1, 4));
    CHECK(generator.stats().reused_tokens == 96);  // whole pages: the next one was not full
    CHECK(equal(run(generator).at(id), alone(model, request(longer, 10, 1, 4))));
  }
  SECTION("a prompt that parts within a page, or before the first page's end") {
    for (const size_t at : {70u, 3u}) {
      std::vector<int32_t> other = prompt;
      other[at] = other[at] == 50 ? 51 : 50;
      const uint64_t before = generator.stats().reused_tokens;
      const int64_t id = generator.add(request(other, 10));
      CHECK(generator.stats().reused_tokens - before == at / 32 * 32);
      CHECK(equal(run(generator).at(id), alone(model, request(other, 10))));
    }
  }
  SECTION("whole pages alone: the last token always goes through") {
    prompt.resize(96);
    const int64_t id = generator.add(request(prompt, 10));
    CHECK(generator.stats().reused_tokens == 64);
    CHECK(equal(run(generator).at(id), alone(model, request(prompt, 10))));
  }
  SECTION("two at once") {
    const int64_t a = generator.add(request(prompt, 10)), b = generator.add(request(prompt, 20, 1, 2));
    CHECK(generator.stats().reused_tokens == 2 * 96);
    const auto endings = run(generator);
    CHECK(equal(endings.at(a), first));
    CHECK(equal(endings.at(b), alone(model, request(prompt, 20, 1, 2))));
  }
  SECTION("none where it is turned off") {
    Generator off(model, {.threads = 1, .context = 256, .reuse_prefixes = false});
    for (int i = 0; i < 2; ++i) {
      const int64_t id = off.add(request(prompt, 10));
      CHECK(equal(run(off).at(id), first));
    }
    CHECK(off.stats().reused_tokens == 0);
  }
}

TEST_CASE("generator: prefixes are forgotten when pages are needed") {
  const auto model = decoder("llama");
  Generator generator(model, {.threads = 1, .context = 256});  // eight pages
  for (unsigned round = 0; round < 6; ++round) {
    const auto prompt = some_tokens(200, round % 3);
    const int64_t id = generator.add(request(prompt, 40, 1, round));
    CHECK(equal(run(generator).at(id), alone(model, request(prompt, 40, 1, round))));
  }
}

TEST_CASE("generator: guesses never change the text, and some are right where it repeats") {
  for (const char* name : {"llama", "gemma2", "mistral"}) {
    const auto model = decoder(name);
    std::vector<int32_t> repeating;
    for (int i = 0; i < 120; ++i) repeating.push_back(20 + i % 6);
    // The likeliest token again and again is what tiny models come to: a bias makes them say what is repeated.
    const auto of = [&](float temperature, int speculate, uint64_t seed) {
      Request r = request(repeating, 80, temperature, seed);
      for (int32_t id = 20; id < 26; ++id) r.sampling.logit_bias.emplace_back(id, 6.0f);
      r.speculate = speculate;
      return r;
    };
    for (const float temperature : {0.0f, 0.3f, 1.0f})
      for (const int speculate : {1, 4, 16}) {
        INFO(name << ", temperature " << temperature << ", guesses " << speculate);
        Generator generator(model, {.threads = 1, .context = 256});
        const int64_t id = generator.add(of(temperature, speculate, 3));
        CHECK(equal(run(generator).at(id), alone(model, of(temperature, 0, 3))));
        CHECK(generator.stats().generated_tokens == 80);
        CHECK(generator.stats().guessed_tokens <= 80);
        if (temperature == 0) CHECK(generator.stats().guessed_tokens > 0);
      }
  }
}

TEST_CASE("generator: guesses beside others, at the context's end and behind kept prefixes") {
  const auto model = decoder("llama");
  const auto of = [&](int i, int speculate) {
    std::vector<int32_t> prompt;
    for (int t = 0; t < 90 + 40 * i; ++t) prompt.push_back(30 + t % (3 + i));
    Request r = request(std::move(prompt), -1, i % 2 ? 0.5f : 0.0f, 7);
    r.speculate = speculate;
    return r;
  };
  std::vector<Ending> expected;
  for (int i = 0; i < 4; ++i) expected.push_back(alone(model, of(i, 0)));
  Generator generator(model, {.threads = 2, .context = 256, .sequences = 4, .chunk = 50});
  for (int round = 0; round < 2; ++round) {
    std::map<int64_t, int> which;
    for (int i = 0; i < 4; ++i) which[generator.add(of(i, 5))] = i;
    for (const auto& [id, ending] : run(generator)) {
      INFO("round " << round << ", sequence " << which[id]);
      CHECK(ending.finish == Finish::length);
      CHECK(equal(ending, expected[static_cast<size_t>(which[id])]));
    }
  }
}

TEST_CASE("generator: guesses do not make a sequence fail that would have had room") {
  const auto model = decoder("llama");
  const KvPlan page = KvPlan::of(*model, default_kernels(), {.context = 32});
  std::vector<int32_t> prompt;
  for (int i = 0; i < 28; ++i) prompt.push_back(30 + i % 2);
  const auto finished = [&](int speculate) {
    // Two pages; each sequence may use one of them, and a guess would reach for a second.
    Generator generator(model, {.threads = 1, .context = 64, .sequences = 2, .kv_memory = 2 * page.page_bytes});
    std::vector<int64_t> ids;
    for (int i = 0; i < 2; ++i) {
      Request r = request(prompt, 4);
      r.sampling.logit_bias = {{30, 6.0f}, {31, 6.0f}};
      r.speculate = speculate;
      ids.push_back(generator.add(std::move(r)));
    }
    const auto endings = run(generator);
    return endings.at(ids[0]).finish == Finish::length && endings.at(ids[1]).finish == Finish::length;
  };
  CHECK(finished(0));
  CHECK(finished(16));
}

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
  const auto plan = [&](GeneratorOptions options) { return KvPlan::of(*model, default_kernels(), options); };
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
  const Error e = error_of([&] { KvPlan::of(*load_model(tiny_bert()), default_kernels(), {}); });
  CHECK(e.status == Status::unsupported);
  CHECK_THAT(e.message, Contains("tiny-bert") && Contains("encoder"));
  // More than the machine has: a long context, which costs nothing to say, and many sequences.
  if (physical_memory() == 0 || physical_memory() > uint64_t{1} << 42) return;
  const DecoderCopy copy("llama");
  copy.edit_config([](nlohmann::json& config) { config["max_position_embeddings"] = 1 << 24; });
  const auto large = load_model(copy.path());
  const Error huge = error_of([&] { KvPlan::of(*large, default_kernels(), {.context = 1 << 24, .sequences = 4096}); });
  CHECK(huge.status == Status::bad_argument);
  CHECK_THAT(huge.message, Contains("MiB") && Contains("16777216"));
}

TEST_CASE("generator: a pool that is too small fails one sequence, and the others go on") {
  const auto model = decoder("llama");
  const uint64_t page = KvPlan::of(*model, default_kernels(), {.context = 64}).page_bytes;
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

TEST_CASE("generator: scores are those of generation, and keep nothing") {
  const auto model = decoder("gemma3");
  Generator generator(model, {.threads = 1, .context = 128, .sequences = 2, .chunk = 19});
  const auto text = some_tokens(128, 6);
  const auto score = [&](size_t first) {
    Rows rows;
    generator.score(text, first, [&](size_t i, std::span<const float> logits) {
      CHECK(i == first + rows.size());
      rows.emplace_back(logits.begin(), logits.end());
      return true;
    });
    return rows;
  };
  const Rows all = score(0);
  CHECK(all.size() == 128);
  const Rows end = score(100);
  REQUIRE(end.size() == 28);
  CHECK(same_bits(end, Rows(all.begin() + 100, all.end())));
  CHECK(score(128).empty());
  CHECK(generator.stats().reused_tokens == 0);
  size_t calls = 0;
  generator.score(text, 0, [&](size_t, std::span<const float>) { return ++calls < 5; });
  CHECK(calls == 5);
  CHECK_THAT(error_of([&] { generator.score({}, 0, [](size_t, std::span<const float>) { return true; }); }).message,
             Contains("at least one token"));
  const auto longer = some_tokens(129, 6);
  CHECK_THAT(error_of([&] { generator.score(longer, 0, [](size_t, std::span<const float>) { return true; }); }).message,
             Contains("128"));
  // The token that generation chooses first is the one that scores say.
  const std::vector<int32_t> prompt(text.begin(), text.begin() + 50);
  const int64_t id = generator.add(request(prompt, 1));
  CHECK(run(generator).at(id).tokens[0] == likeliest(all[49]));
}

}  // namespace quern::test

// Generation over tiny decoders: what a sequence generates depends on nothing but its own prompt and options, to the
// bit.
#include "generating.h"

namespace quern::test {

using Catch::Contains;

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
        CHECK(generator.stats().accepted_tokens <= 80);
        if (temperature == 0) CHECK(generator.stats().accepted_tokens > 0);
      }
  }
}

namespace {

// Says what it was told to, whatever the sequence is.
struct Stubborn final : Drafter {
  explicit Stubborn(std::vector<int32_t> says) : says(std::move(says)) {}
  void add(std::span<const int32_t>) override {}
  void propose(size_t, std::vector<int32_t>& draft) override { draft = says; }
  std::vector<int32_t> says;
};
// Knows what comes.
struct Prophet final : Drafter {
  explicit Prophet(std::vector<int32_t> all) : all(std::move(all)) {}
  void add(std::span<const int32_t> ids) override { at += ids.size(); }
  void propose(size_t n, std::vector<int32_t>& draft) override {
    for (size_t i = at; i < all.size() && draft.size() < n; ++i) draft.push_back(all[i]);
  }
  std::vector<int32_t> all;
  size_t at = 0;
};

}  // namespace

TEST_CASE("generator: any drafter, and it may be wrong in any way") {
  const auto model = decoder("llama");
  const auto prompt = some_tokens(40, 3);
  const Ending expected = alone(model, request(prompt, 30, 0.7f, 9));
  const auto with = [&](const std::function<std::unique_ptr<Drafter>()>& drafter, Generator& generator) {
    Request r = request(prompt, 30, 0.7f, 9);
    r.speculate = 4;
    r.make_drafter = drafter;
    const int64_t id = generator.add(std::move(r));
    return run(generator).at(id);
  };
  for (const std::vector<int32_t>& says :
       {std::vector<int32_t>{}, {5}, {-1, 3}, {7, 1 << 30, 8}, std::vector<int32_t>(500, 9)}) {
    Generator generator(model, {.threads = 1, .context = 128});
    CHECK(equal(with([&] { return std::make_unique<Stubborn>(says); }, generator), expected));
  }
  std::vector<int32_t> all = prompt;
  all.insert(all.end(), expected.tokens.begin(), expected.tokens.end());
  Generator generator(model, {.threads = 1, .context = 128});
  CHECK(equal(with([&] { return std::make_unique<Prophet>(all); }, generator), expected));
  CHECK(generator.stats().accepted_tokens >= 22);  // four of five
}

TEST_CASE("generator: prefixes are shared within a key alone") {
  const auto model = decoder("llama");
  const auto prompt = some_tokens(100, 4);
  Generator generator(model, {.threads = 1, .context = 128, .sequences = 2});
  uint64_t reused = 0;
  for (const auto& [key, found] :
       std::vector<std::pair<uint64_t, uint64_t>>{{0, 0}, {0, 96}, {1, 0}, {1, 96}, {2, 0}}) {
    Request r = request(prompt, 4);
    r.prefix_key = key;
    generator.add(std::move(r));
    run(generator);
    INFO("key " << key);
    CHECK(generator.stats().reused_tokens - reused == found);
    reused = generator.stats().reused_tokens;
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
  const KvPlan page = KvPlan::of(*model, {.context = 32});
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

// How prompts that are read at once share the passes: short ones first, and none starves. Results are those of each
// alone.
#include <numeric>

#include "generating.h"
#include "generation/prompt_shares.h"

namespace quern::test {
namespace {

using Counts = std::vector<int64_t>;

std::shared_ptr<const LoadedModel> long_decoder() {
  const DecoderCopy copy("llama");
  copy.edit_config([](nlohmann::json& config) { config["max_position_embeddings"] = 4096; });
  return load_model(copy.path());
}

// Takes steps until each of these sequences has had a token: how many steps, of each.
std::map<int64_t, int> steps_to_first(Generator& generator, std::vector<int64_t> ids,
                                      std::map<int64_t, Ending>& endings) {
  std::map<int64_t, int> steps;
  std::vector<Generated> out;
  for (int step = 1; !ids.empty(); ++step) {
    generator.step(out);
    for (const Generated& g : out)
      if (std::erase(ids, g.sequence) > 0) steps[g.sequence] = step;
    collect(out, endings);
  }
  return steps;
}

void run_on(Generator& generator, std::map<int64_t, Ending>& endings) {
  std::vector<Generated> out;
  while (generator.running() > 0) {
    generator.step(out);
    collect(out, endings);
  }
}

}  // namespace

TEST_CASE("prompt shares: the shortest first, the oldest a quarter, nothing left over") {
  CHECK(prompt_shares({}, 64).empty());
  CHECK(prompt_shares(Counts{10}, 64) == Counts{10});
  CHECK(prompt_shares(Counts{4000}, 64) == Counts{64});
  CHECK(prompt_shares(Counts{4000, 10}, 64) == Counts{54, 10});   // what is left is the oldest's
  CHECK(prompt_shares(Counts{4000, 100}, 64) == Counts{16, 48});  // its quarter
  CHECK(prompt_shares(Counts{4000, 100, 30}, 64) == Counts{16, 18, 30});
  CHECK(prompt_shares(Counts{4000, 5000, 10}, 64) == Counts{54, 0, 10});
  CHECK(prompt_shares(Counts{6000, 5000, 10}, 64) == Counts{16, 38, 10});
  CHECK(prompt_shares(Counts{5, 100}, 64) == Counts{5, 59});
  CHECK(prompt_shares(Counts{50, 50, 50}, 64) == Counts{50, 14, 0});  // as long: who came first
  CHECK(prompt_shares(Counts{90, 40, 40}, 64) == Counts{16, 40, 8});
  CHECK(prompt_shares(Counts{90, 40}, 1) == Counts{1, 0});  // at least a token
  CHECK(prompt_shares(Counts{90, 40}, 3) == Counts{1, 2});
}

TEST_CASE("prompt shares: what costs more gets fewer tokens") {
  using Costs = std::vector<double>;
  CHECK(prompt_shares(Counts{4000}, 64, Costs{4}) == Counts{16});
  CHECK(prompt_shares(Counts{4000, 10}, 64, Costs{4, 1}) == Counts{13, 10});
  CHECK(prompt_shares(Counts{4000, 100}, 64, Costs{4, 1}) == Counts{4, 48});
  CHECK(prompt_shares(Counts{30, 100}, 64, Costs{4, 1}) == Counts{4, 48});  // less work, not fewer tokens
  CHECK(prompt_shares(Counts{10, 4000}, 64, Costs{1, 1000}) == Counts{10, 0});
  CHECK(prompt_shares(Counts{4000}, 64, Costs{1000}) == Counts{1});  // at least a token
}

TEST_CASE("prompt shares: bounds, whatever waits") {
  unsigned seed = 1;
  const auto random = [&](int64_t most) {
    seed = seed * 1664525u + 1013904223u;
    return 1 + static_cast<int64_t>(seed >> 8) % most;
  };
  for (int i = 0; i < 2000; ++i) {
    Counts waiting(static_cast<size_t>(random(9)));
    for (int64_t& n : waiting) n = random(random(2) == 1 ? 20 : 500);
    const int64_t room = random(300);
    const Counts shares = prompt_shares(waiting, room);
    REQUIRE(shares.size() == waiting.size());
    bool fits = true;
    for (size_t k = 0; k < shares.size(); ++k) fits = fits && shares[k] >= 0 && shares[k] <= waiting[k];
    CHECK(fits);
    const auto sum = [](const Counts& counts) { return std::accumulate(counts.begin(), counts.end(), int64_t{0}); };
    CHECK(sum(shares) == std::min(room, sum(waiting)));
    CHECK(shares[0] >= std::min(waiting[0], std::max<int64_t>(1, room / 4)));
  }
}

TEST_CASE("generator: a short prompt's first token does not wait for a long prompt") {
  const auto model = long_decoder();
  constexpr int64_t kContext = 4096;
  for (const size_t length : {200u, 800u, 3000u}) {
    const auto long_one = [&] { return request(some_tokens(length, 3), 4, 1, 5); };
    const auto short_one = [](size_t n) { return request(some_tokens(n, 4), 6, 1, 6); };
    Generator generator(model, {.threads = 2, .context = kContext, .sequences = 3, .chunk = 64});
    std::map<int64_t, Ending> endings;
    std::vector<Generated> out;
    const int64_t slow = generator.add(long_one());
    generator.step(out);
    CHECK(out.empty());
    const int64_t a = generator.add(short_one(20)), b = generator.add(short_one(80));
    const auto steps = steps_to_first(generator, {a, b}, endings);
    INFO("a prompt of " << length << " tokens");
    CHECK(steps.at(a) == 1);
    CHECK(steps.at(b) == 6);  // 28 tokens, and some 11 beside each of a's answers, however long the other is
    run_on(generator, endings);
    const GeneratorOptions options = {.context = kContext};
    CHECK(equal(endings.at(slow), alone(model, long_one(), options)));
    CHECK(equal(endings.at(a), alone(model, short_one(20), options)));
    CHECK(equal(endings.at(b), alone(model, short_one(80), options)));
  }
}

TEST_CASE("generator: a long prompt goes on in every step, however many short ones come") {
  const auto model = long_decoder();
  const auto long_one = [] { return request(some_tokens(400, 3), 3, 1, 5); };
  Generator generator(model, {.threads = 2, .context = 4096, .sequences = 4, .chunk = 32, .reuse_prefixes = false});
  const int64_t slow = generator.add(long_one());
  std::map<int64_t, unsigned> seeds;
  std::map<int64_t, Ending> endings;
  std::vector<Generated> out;
  unsigned seed = 100;
  int steps = 0;
  for (bool first = false; !first; ++steps) {
    REQUIRE(steps < 400);  // a token a step at least; the first ones are cheaper than the room that it has
    for (; generator.running() < 4; ++seed) seeds[generator.add(request(some_tokens(20, seed), 1))] = seed;
    generator.step(out);
    first = std::any_of(out.begin(), out.end(), [&](const Generated& g) { return g.sequence == slow; });
    collect(out, endings);
  }
  CHECK(endings.size() > 40);
  run_on(generator, endings);
  for (const auto& [id, from] : seeds) CHECK(equal(endings.at(id), alone(model, request(some_tokens(20, from), 1))));
  CHECK(equal(endings.at(slow), alone(model, long_one(), {.context = 4096})));
}

}  // namespace quern::test

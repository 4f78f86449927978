// Sampling: distributions against the reference's, greedy choices, seeds, log probabilities, bad options and logits.
#include "sampling/sampler.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "error.h"
#include "exact_math.h"
#include "sampling/random.h"

using namespace quern;
using nlohmann::json;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
const float nan_value = std::numeric_limits<float>::quiet_NaN();

SamplingOptions options_of(const json& object) {
  SamplingOptions o;
  o.temperature = object.value("temperature", o.temperature);
  o.top_k = object.value("top_k", o.top_k);
  o.top_p = object.value("top_p", o.top_p);
  o.min_p = object.value("min_p", o.min_p);
  o.typical_p = object.value("typical_p", o.typical_p);
  o.repetition_penalty = object.value("repetition_penalty", o.repetition_penalty);
  o.penalty_last_n = object.value("penalty_last_n", o.penalty_last_n);
  o.frequency_penalty = object.value("frequency_penalty", o.frequency_penalty);
  o.presence_penalty = object.value("presence_penalty", o.presence_penalty);
  return o;
}

SamplingOptions greedy() {
  SamplingOptions o;
  o.temperature = 0;
  return o;
}

std::vector<float> random_logits(size_t n, uint64_t seed) {
  std::vector<float> logits(n);
  for (size_t i = 0; i < n; ++i) logits[i] = static_cast<float>(uniform(seed, i) * 12 - 6);
  return logits;
}

std::string sampler_failure(const SamplingOptions& options, size_t n_vocab = 10) {
  try {
    Sampler sampler(options, n_vocab);
  } catch (const Error& e) {
    CHECK(e.status == Status::bad_argument);
    return e.message;
  }
  return "";
}

}  // namespace

TEST_CASE("sampling: the distributions are the reference's") {
  std::ifstream file(QUERN_TEST_DIR "/golden/sampling/distributions.json");
  for (const json& c : json::parse(file)) {
    INFO(c["options"].dump());
    const SamplingOptions options = options_of(c["options"]);
    const std::vector<double> expected = c["probabilities"];
    std::vector<float> logits = c["logits"];
    const std::vector<float> given = logits;
    Penalties penalties(options);
    for (const int32_t id : c["prompt"]) penalties.add_prompt(id);
    for (const int32_t id : c["generated"]) penalties.add_generated(id);
    penalties.apply(logits);
    std::vector<Candidate> candidates;
    select_likeliest(logits, options.top_k > 0 ? static_cast<size_t>(options.top_k) : logits.size(), candidates);
    weigh(candidates, options.temperature);
    truncate(candidates, options);
    double total = 0;
    for (const Candidate& candidate : candidates) total += candidate.weight;
    std::vector<double> found(logits.size(), 0);
    for (const Candidate& candidate : candidates) found[static_cast<size_t>(candidate.id)] = candidate.weight / total;
    for (size_t i = 0; i < found.size(); ++i) {
      INFO(i);
      CHECK((found[i] > 0) == (expected[i] > 0));
      CHECK(found[i] == Approx(expected[i]).epsilon(2e-5).margin(1e-9));
    }

    // The sampler draws from just this.
    std::vector<int> drawn(logits.size(), 0);
    constexpr int n_draws = 4000;
    for (uint64_t seed = 0; seed < n_draws; ++seed) {
      SamplingOptions seeded = options;
      seeded.seed = seed;
      Sampler sampler(seeded, logits.size());
      sampler.accept_prompt(c["prompt"].get<std::vector<int32_t>>());
      for (const int32_t id : c["generated"]) sampler.accept(id);
      ++drawn[static_cast<size_t>(sampler.choose(given).id)];
    }
    for (size_t i = 0; i < found.size(); ++i) {
      const double sigma = std::sqrt(n_draws * found[i] * (1 - found[i]));
      INFO(i << ": " << drawn[i] << " of " << n_draws * found[i]);
      CHECK(std::abs(drawn[i] - n_draws * found[i]) <= 5 * sigma + 1);
      if (found[i] == 0) CHECK(drawn[i] == 0);
    }
  }
}

TEST_CASE("sampling: greedy takes the highest logit, the first of equal ones") {
  Sampler sampler(greedy(), 5000);
  for (const size_t place : {0u, 7u, 8u, 1023u, 1024u, 4095u, 4999u}) {
    std::vector<float> logits(5000, -2);
    logits[place] = 1;
    CHECK(sampler.choose(logits).id == static_cast<int32_t>(place));
    logits[4999] = 1;
    CHECK(sampler.choose(logits).id == static_cast<int32_t>(place));
  }
  CHECK(sampler.choose(std::vector<float>(5000, -3)).id == 0);
  std::vector<float> one(5000, -infinity);
  one[4321] = -1e30f;
  CHECK(sampler.choose(one).id == 4321);
}

TEST_CASE("sampling: penalties and biases move a greedy choice") {
  const std::vector<float> logits = {1, 2, -1, 1.9f};
  SamplingOptions o = greedy();
  o.logit_bias = {{2, 2.5f}, {2, 1.0f}};
  CHECK(Sampler(o, 4).choose(logits).id == 2);
  o.logit_bias = {{1, -infinity}};
  CHECK(Sampler(o, 4).choose(logits).id == 3);
  o = greedy();
  o.frequency_penalty = 0.04f;
  Sampler counted(o, 4);
  counted.accept_prompt(std::vector<int32_t>{1, 1, 1, 1});
  CHECK(counted.choose(logits).id == 1);  // the prompt's do not count
  for (int i = 0; i < 3; ++i) {
    CHECK(counted.choose(logits).id == 1);
    counted.accept(1);
  }
  CHECK(counted.choose(logits).id == 3);
  o = greedy();
  o.repetition_penalty = 1.2f;
  o.penalty_last_n = 2;
  Sampler repeated(o, 4);
  repeated.accept_prompt(std::vector<int32_t>{1});
  CHECK(repeated.choose(logits).id == 3);
  repeated.accept(0);
  repeated.accept(0);
  CHECK(repeated.choose(logits).id == 1);
}

TEST_CASE("sampling: a seed gives the same tokens everywhere, whatever is asked between") {
  CHECK(split_mix(1234567, 0) == 6457827717110365317u);  // the published sequence
  CHECK(split_mix(1234567, 1) == 3203168211198807973u);
  SamplingOptions o;
  o.top_p = 0.95f;
  o.seed = 42;
  Sampler sampler(o, 1000), other(o, 1000);
  std::vector<int32_t> ids;
  for (uint64_t step = 0; step < 12; ++step) {
    const std::vector<float> logits = random_logits(1000, step);
    const int32_t id = sampler.choose(logits).id;
    CHECK(sampler.choose(logits).id == id);
    other.choose(random_logits(1000, 99));
    CHECK(other.choose(logits).id == id);
    sampler.accept(id);
    other.accept(id);
    ids.push_back(id);
  }
  CHECK(ids == std::vector<int32_t>{356, 948, 457, 56, 645, 68, 212, 651, 136, 692, 671, 179});
}

TEST_CASE("sampling: the exponential function") {
  for (int i = 0; i < 70000; ++i) {
    const double x = -i / 100.0;
    if (std::abs(exponential(x) / std::exp(x) - 1) > 1e-12) FAIL_CHECK(x);
  }
  CHECK(exponential(0) == 1);
  CHECK(exponential(-infinity) == 0);
  CHECK(exponential(-1e30) == 0);
}

TEST_CASE("sampling: the k likeliest of many are those that sorting finds") {
  for (const size_t n : {1u, 5u, 1000u, 70000u}) {
    std::vector<float> logits = random_logits(n, n);
    for (size_t i = 0; i < n; i += 3) logits[i] = std::round(logits[i]);  // equal ones
    logits[0] = -infinity;
    for (const size_t k : {1u, 2u, 40u, 999u, 100000u}) {
      std::vector<Candidate> all, found;
      for (size_t i = 1; i < n; ++i) all.push_back({static_cast<int32_t>(i), logits[i], 0});
      std::sort(all.begin(), all.end(), likelier);
      all.resize(std::min(k, all.size()));
      select_likeliest(logits, k, found);
      std::sort(found.begin(), found.end(), likelier);
      CHECK(std::equal(all.begin(), all.end(), found.begin(), found.end(),
                       [](const Candidate& a, const Candidate& b) { return a.id == b.id; }));
    }
  }
}

TEST_CASE("sampling: log probabilities are of the model's own distribution") {
  const std::vector<float> logits = {1, 3, 2, -infinity};
  SamplingOptions o = greedy();
  CHECK(std::isnan(Sampler(o, 4).choose(logits).logprob));
  o.logprobs = 0;
  o.logit_bias = {{0, 100.0f}};
  Sampler::Choice choice = Sampler(o, 4).choose(logits);
  const double log_sum = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0));
  CHECK(choice.id == 0);
  CHECK(choice.logprob == Approx(1 - log_sum));
  CHECK(choice.top.empty());
  o.logprobs = 20;
  o.temperature = 0.1f;
  choice = Sampler(o, 4).choose(logits);
  REQUIRE(choice.top.size() == 3);
  CHECK(choice.top[0].first == 1);
  CHECK(choice.top[1].first == 2);
  CHECK(choice.top[2].first == 0);
  CHECK(choice.top[0].second == Approx(3 - log_sum));
}

TEST_CASE("sampling: options out of range are Errors that name them") {
  const auto with = [](auto change) {
    SamplingOptions o;
    change(o);
    return sampler_failure(o);
  };
  CHECK(sampler_failure({}) == "");
  for (const float bad : {nan_value, infinity, -1.0f}) {
    CHECK(with([=](auto& o) { o.temperature = bad; }).find("temperature is ") == 0);
    CHECK(with([=](auto& o) { o.top_p = bad; }).find("top_p is ") == 0);
    CHECK(with([=](auto& o) { o.min_p = bad; }).find("min_p is ") == 0);
    CHECK(with([=](auto& o) { o.typical_p = bad; }).find("typical_p is ") == 0);
    CHECK(with([=](auto& o) { o.repetition_penalty = bad; }).find("repetition_penalty is ") == 0);
    CHECK(with([=](auto& o) { o.frequency_penalty = 3 * bad; }).find("frequency_penalty is ") == 0);
    CHECK(with([=](auto& o) { o.presence_penalty = 3 * bad; }).find("presence_penalty is ") == 0);
  }
  CHECK(with([](auto& o) { o.top_p = 1.5f; }) == "top_p is 1.5, but should be 0 to 1");
  CHECK(with([](auto& o) { o.repetition_penalty = 0; }) == "repetition_penalty is 0, but should be above 0 to 100");
  CHECK(with([](auto& o) { o.top_k = -1; }).find("top_k is -1") == 0);
  CHECK(with([](auto& o) { o.penalty_last_n = -2; }).find("penalty_last_n is -2") == 0);
  CHECK(with([](auto& o) { o.logprobs = 21; }).find("logprobs is 21") == 0);
  CHECK(with([](auto& o) { o.logit_bias = {{10, 1.0f}}; }).find("logit_bias names the token 10") == 0);
  CHECK(with([](auto& o) { o.logit_bias = {{-1, 1.0f}}; }).find("logit_bias names the token -1") == 0);
  CHECK(with([](auto& o) { o.logit_bias = {{1, nan_value}}; }).find("logit_bias of the token 1") == 0);
  CHECK(with([](auto& o) { o.logit_bias = {{1, infinity}}; }).find("logit_bias of the token 1") == 0);
}

TEST_CASE("sampling: logits that are not usable are an Error, and the sampler goes on") {
  for (const float temperature : {0.0f, 1.0f}) {
    SamplingOptions o;
    o.temperature = temperature;
    o.logprobs = 3;
    Sampler sampler(o, 20);
    std::vector<float> logits(20, 0.5f);
    for (const float bad : {nan_value, infinity}) {
      for (const size_t place : {0u, 9u, 19u}) {
        std::vector<float> broken = logits;
        broken[place] = bad;
        CHECK_THROWS_WITH(sampler.choose(broken), Catch::Contains("not numbers"));
      }
    }
    CHECK_THROWS_WITH(sampler.choose(std::vector<float>(20, -infinity)), Catch::Contains("no token is possible"));
    CHECK_THROWS_AS(sampler.choose(std::vector<float>(19, 0.0f)), Error);
    CHECK(sampler.choose(logits).id >= 0);
    o.logit_bias = {{3, -infinity}};
    o.repetition_penalty = 1e-30f;
    Sampler extreme(o, 20);
    extreme.accept(2);
    logits[2] = 3e38f;
    CHECK(extreme.choose(logits).id == 2);
  }
}

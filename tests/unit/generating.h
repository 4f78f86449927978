// What tests of generation share: requests over tiny decoders, and how their sequences end.
#pragma once
#include <catch2/catch.hpp>
#include <map>

#include "../golden/tiny_decoders.h"
#include "generation/generator.h"

namespace quern::test {

struct Ending {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  Finish finish = Finish::none;
  std::string error;
};

inline void collect(std::vector<Generated>& out, std::map<int64_t, Ending>& endings) {
  for (const Generated& g : out) {
    Ending& e = endings[g.sequence];
    if (g.token >= 0) e.tokens.push_back(g.token), e.logprobs.push_back(g.logprob);
    CHECK(e.finish == Finish::none);  // nothing comes after the end
    e.finish = g.finish;
    e.error = g.error;
  }
  out.clear();
}

inline std::map<int64_t, Ending> run(Generator& generator) {
  std::map<int64_t, Ending> endings;
  std::vector<Generated> out;
  while (generator.running() > 0) {
    generator.step(out);
    collect(out, endings);
  }
  return endings;
}

// Some tokens of the vocabulary, no special ones.
inline std::vector<int32_t> some_tokens(size_t n, unsigned seed) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    ids.push_back(static_cast<int32_t>(8 + seed / 65536 % 300));
  }
  return ids;
}

inline Request request(std::vector<int32_t> prompt, int64_t max_tokens, float temperature = 0, uint64_t seed = 1) {
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
inline Request mixed(int i) {
  const size_t lengths[] = {1, 31, 32, 33, 64, 65, 100, 7};
  return request(some_tokens(lengths[i % 8], static_cast<unsigned>(i + 1)), 12 + i, i % 2 ? 1.0f : 0.0f,
                 static_cast<uint64_t>(i));
}

inline Ending alone(const std::shared_ptr<const LoadedModel>& model, Request r, GeneratorOptions options = {}) {
  options.sequences = 1;
  if (options.threads == 0) options.threads = 1;
  if (options.context == 0) options.context = 256;
  Generator generator(model, options);
  const int64_t id = generator.add(std::move(r));
  return run(generator).at(id);
}

inline bool equal(const Ending& a, const Ending& b) {
  return a.tokens == b.tokens && a.finish == b.finish && a.error == b.error &&
         std::memcmp(a.logprobs.data(), b.logprobs.data(), a.logprobs.size() * sizeof(float)) == 0;
}

}  // namespace quern::test

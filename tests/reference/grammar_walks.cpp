// grammar_walks N: for each line of standard input, a JSON schema, writes N random texts of its grammar, one per line
// as a JSON string; or the Error. For check_json_schema.py.
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "error.h"
#include "sampling/random.h"
#include "sampling/sampler.h"

namespace {

constexpr int32_t end_id = 256;
constexpr size_t max_steps = 4000;

// Tokens are bytes. What closes a value becomes likelier with each step, so that texts end.
std::string walk(const std::shared_ptr<const quern::Grammar>& grammar, uint64_t seed) {
  static const auto trie = std::make_shared<const quern::TokenTrie>(
      257, [](int32_t id) { return std::string(1, static_cast<char>(id)); }, std::vector<int32_t>{end_id});
  quern::SamplingOptions options;
  options.seed = seed;
  quern::Sampler sampler(options, 257, std::make_unique<quern::GrammarState>(grammar, trie));
  std::string text;
  for (size_t step = 0; step < max_steps; ++step) {
    std::vector<float> logits(257);
    for (size_t i = 0; i < logits.size(); ++i) {
      logits[i] = static_cast<float>(quern::uniform(seed * max_steps + step, i) * 6) - (i >= 128 ? 2.0f : 0.0f);
    }
    const float push = static_cast<float>(step) / 10;
    for (const char closer : {'"', '}', ']'}) logits[static_cast<size_t>(closer)] += push;
    for (const char opener : {'{', '['}) logits[static_cast<size_t>(opener)] -= push;
    logits[end_id] += 3;
    const int32_t id = sampler.choose(logits).id;
    if (id == end_id) return text;
    sampler.accept(id);
    text += static_cast<char>(id);
  }
  return text + " (does not end)";
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t n = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  std::string line;
  while (std::getline(std::cin, line)) {
    try {
      const auto grammar = quern::Grammar::from_json_schema(line);
      for (uint64_t seed = 0; seed < n; ++seed) std::cout << nlohmann::json(walk(grammar, seed)).dump() << '\n';
    } catch (const quern::Error& e) {
      std::cout << "Error: " << e.message << '\n';
    }
    std::cout << std::endl;
  }
}

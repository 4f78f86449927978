// Grammars over tokens: what mask() leaves, what allows() says and what accept() takes is the same, and all of it leads
// to texts of the grammar.
#include "sampling/grammar_state.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "error.h"
#include "sampling/random.h"
#include "sampling/sampler.h"

using namespace quern;

namespace {

// Every byte, and longer tokens: parts of JSON, of characters, and of both.
const std::vector<std::string>& vocabulary() {
  static const std::vector<std::string> tokens = [] {
    std::vector<std::string> out;
    for (int byte = 0; byte < 256; ++byte) out.emplace_back(1, static_cast<char>(byte));
    for (const char* text :
         {"{\"", "\":",   "\",\"", "true", "false",    "null",     "[[",        "]]",       "}}", "\"}",
          "ab",  "abc",   "a\"",   "12",   "123",      "0.",       " ",         "  ",       "\n", "\n  ",
          "\\n", "\\u00", "é",     "é中",  "\xE4\xB8", "\xAD\xE6", "x\xF0\x9F", "\x98\x80", "1,", ", "})
      out.emplace_back(text);
    out.emplace_back("");      // 286: a special token
    out.emplace_back("</s>");  // 287: ends
    return out;
  }();
  return tokens;
}
constexpr int32_t end_id = 287;

std::shared_ptr<const TokenTrie> trie() {
  static const auto made = std::make_shared<const TokenTrie>(
      vocabulary().size(), [](int32_t id) { return vocabulary()[static_cast<size_t>(id)]; },
      std::vector<int32_t>{end_id});
  return made;
}

const char* const grammars[] = {
    "root ::= \"a\"* \"b\"{2,3}",
    "root ::= (\"ab\" | \"abc\" | [é中]){1,4}",
    "root ::= \"(\" root \")\" | [^()]{0,3}",
    "root ::= .{0,5} \"\\n\"",
};
const char* const schemas[] = {
    "{}",
    R"({"type": "object"})",
    R"({"properties": {"a": {"type": "integer"}, "ab": {"type": "string", "maxLength": 4}}, "additionalProperties": true})",
    R"({"type": "array", "items": {"enum": ["é中", true, null, 123]}, "maxItems": 4})",
    R"({"type": "string", "pattern": "^(ab|é)+$"})",
};

std::vector<std::shared_ptr<const Grammar>> all_grammars() {
  std::vector<std::shared_ptr<const Grammar>> out;
  for (const char* text : grammars) out.push_back(Grammar::from_gbnf(text));
  for (const char* text : schemas) out.push_back(Grammar::from_json_schema(text));
  return out;
}

// Whether the text so far and this token begin a text of the grammar, byte by byte and without a trie.
bool begins(const std::shared_ptr<const Grammar>& grammar, const std::string& text, bool whole) {
  GrammarMatcher matcher(grammar);
  GrammarMatcher::Config config = matcher.start();
  for (const char byte : text) config = matcher.next(config, static_cast<uint8_t>(byte));
  return whole ? matcher.accepts(config) : config != GrammarMatcher::dead;
}

}  // namespace

TEST_CASE("grammar state: the mask is what accept() takes, at every step of random texts") {
  for (const auto& grammar : all_grammars()) {
    for (uint64_t seed = 0; seed < 4; ++seed) {
      GrammarState state(grammar, trie());
      std::string text;
      for (uint64_t step = 0; step < 25 && !state.finished(); ++step) {
        std::vector<float> logits(vocabulary().size() + 70, 1);  // more than there are tokens
        state.mask(logits);
        std::vector<int32_t> allowed;
        for (size_t i = 0; i < logits.size(); ++i) {
          const int32_t id = static_cast<int32_t>(i);
          const bool left = logits[i] == 1;
          CHECK((left || logits[i] == -std::numeric_limits<float>::infinity()));
          CHECK(left == state.allows(id));
          if (left) allowed.push_back(id);
          GrammarState copy = state;
          if (step < 3 && !left) CHECK_THROWS_AS(copy.accept(id), Error);
          if (i >= vocabulary().size()) {
            CHECK_FALSE(left);
          } else if (step < 3 || i % 16 == seed) {
            const std::string& token = vocabulary()[i];
            CHECK(left == (id == end_id ? begins(grammar, text, true)
                                        : !token.empty() && begins(grammar, text + token, false)));
          }
        }
        CHECK(state.complete() == begins(grammar, text, true));
        REQUIRE_FALSE(allowed.empty());
        const int32_t id = allowed[split_mix(seed, step) % allowed.size()];
        state.accept(id);
        if (id != end_id) text += vocabulary()[static_cast<size_t>(id)];
      }
    }
  }
}

TEST_CASE("grammar state: after the end nothing comes but ends") {
  GrammarState state(Grammar::from_gbnf("root ::= \"ab\""), trie());
  CHECK_FALSE(state.allows(end_id));
  CHECK_FALSE(state.finished());
  state.accept(256 + 10);  // "ab"
  CHECK(state.finished());
  CHECK(state.complete());
  state.accept(end_id);
  std::vector<float> logits(vocabulary().size(), 1);
  state.mask(logits);
  for (size_t i = 0; i < logits.size(); ++i) CHECK((logits[i] == 1) == (i == end_id));
  CHECK_THROWS_AS(state.accept('a'), Error);
}

TEST_CASE("grammar state: long texts keep to their memory") {
  GrammarState state(Grammar::from_json_schema(R"({"type": "string", "maxLength": 60000})"), trie());
  state.accept('"');
  std::vector<float> logits(vocabulary().size());
  for (int i = 0; i < 30000; ++i) state.accept('a');
  state.mask(logits);
  CHECK(logits['a'] == 0);
  CHECK(logits['\n'] == -std::numeric_limits<float>::infinity());
  for (int i = 0; i < 30000; ++i) state.accept('b');
  CHECK_FALSE(state.allows('b'));
  state.accept('"');
  CHECK(state.finished());
}

TEST_CASE("grammar state: what a sampler generates under a grammar is of it") {
  for (const auto& grammar : all_grammars()) {
    for (uint64_t seed = 0; seed < 30; ++seed) {
      SamplingOptions options;
      options.seed = seed;
      options.temperature = seed % 3 == 0 ? 0 : 1;
      options.top_k = seed % 3 == 1 ? 40 : 0;
      Sampler sampler(options, vocabulary().size(), std::make_unique<GrammarState>(grammar, trie()));
      std::string text;
      for (uint64_t step = 0; step < 60 && !sampler.finished(); ++step) {
        std::vector<float> logits(vocabulary().size());
        for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(uniform(seed * 1000 + step, i) * 5);
        for (const char closer : {'"', '}', ']', ')', 'b', '\n'})
          logits[static_cast<size_t>(closer)] += static_cast<float>(step) / 5;
        logits[end_id] += static_cast<float>(step) / 5;
        const Sampler::Choice choice = sampler.choose(logits);
        sampler.accept(choice.id);
        if (choice.id != end_id) text += vocabulary()[static_cast<size_t>(choice.id)];
      }
      INFO(text);
      if (sampler.finished()) {
        CHECK(begins(grammar, text, true));
      } else {
        CHECK(begins(grammar, text, false));
      }
    }
  }
}

TEST_CASE("grammar state: a vocabulary that cannot go on is an Error") {
  const auto few = std::make_shared<const TokenTrie>(
      2, [](int32_t) { return "x"; }, std::vector<int32_t>{1});
  for (const float temperature : {0.0f, 1.0f}) {
    SamplingOptions options;
    options.temperature = temperature;
    Sampler sampler(options, 2, std::make_unique<GrammarState>(Grammar::from_gbnf("root ::= \"a\""), few));
    CHECK_THROWS_WITH(sampler.choose(std::vector<float>{0, 1}), Catch::Contains("no token can come next"));
  }
  CHECK_THROWS_AS(TokenTrie(
                      2, [](int32_t) { return "x"; }, std::vector<int32_t>{2}),
                  Error);
}

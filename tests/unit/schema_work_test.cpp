// Schemas that are dear to read: the work is counted, and what takes too much of it is an Error that says so. A schema
// whose work grows with the product of its parts makes this test take minutes.
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "grammar_texts.h"

using namespace quern;
using namespace quern::test;

namespace {

// part(0), part(1), …, with commas between.
std::string list(int n, const std::function<std::string(int)>& part) {
  std::string out;
  for (int i = 0; i < n; ++i) out += (i ? "," : "") + part(i);
  return out;
}

std::string quoted(const std::string& prefix, int i) {
  return '"' + prefix + std::to_string(i) + '"';
}

std::string integer(int i) {
  return std::to_string(i);
}

std::string properties(int n, const std::function<std::string(int)>& schema) {
  return R"({"properties":{)" + list(n, [&](int i) { return quoted("p", i) + ":" + schema(i); }) + "}}";
}

void check_accepts(const std::string& schema, const std::string& accepted, const std::string& refused) {
  INFO(schema.substr(0, 100));
  GrammarMatcher matcher(Grammar::from_json_schema(schema));
  check_texts(matcher, std::vector{accepted}, std::vector{refused});
}

void check_refused(const std::string& schema, const std::string& says) {
  INFO(schema.substr(0, 100));
  const Error error = grammar_error(Grammar::from_json_schema, schema);
  CHECK_THAT(error.message, Catch::Contains(says));
}

}  // namespace

TEST_CASE("a list's values are tried by automata that are made once") {
  const auto uri = [](int i) { return quoted("https://a.org/", i); };
  check_accepts(R"({"format":"uri","enum":["no uri",)" + list(300, uri) + "]}", uri(299), "\"no uri\"");
  const auto word = [](int i) { return quoted("v", i); };
  check_accepts(R"({"minLength":3,"enum":[)" + list(20000, word) + "]}", "\"v10\"", "\"v1\"");
  check_accepts(R"({"pattern":"(a|[0-9]).{6}c|v7","enum":[)" + list(2000, word) + "]}", "\"v71\"", "\"v1\"");
}

TEST_CASE("exceptions are looked up, not searched") {
  const auto left = [](int i) { return quoted("v", i); };
  const auto out = [](int i) { return quoted("w", i); };
  check_accepts(R"({"enum":["w1",)" + list(12000, left) + R"(],"not":{"enum":[)" + list(12000, out) + "]}}",
                "\"v11999\"", "\"w1\"");
  check_accepts(R"({"enum":[5,)" + list(18000, integer) + R"(],"not":{"enum":[5,)" +
                    list(18000, [](int i) { return integer(20000 + i); }) + "]}}",
                "17999", "5");
  check_accepts(R"({"type":"integer","not":{"enum":[)" + list(20000, [](int i) { return integer(1000 + i); }) + "]}}",
                "21000", "20999");
}

TEST_CASE("patterns of names are read once, whatever the number of properties") {
  const auto pattern = [](int i) { return quoted("^x", i) + ":{}"; };
  check_refused(R"({"patternProperties":{)" + list(200, pattern) + R"(},"properties":{)" +
                    list(1000, [](int i) { return quoted("p", i) + ":{}"; }) + "}}",
                "more than 6 patternProperties");
  check_accepts(R"({"patternProperties":{"^x1":{"type":"integer"}},"properties":{)" +
                    list(1000, [](int i) { return quoted("x", i) + R"(:{"maximum":5})"; }) + "}}",
                R"({"x1":5})", R"({"x1":6})");
}

TEST_CASE("properties of many properties are counted together") {
  check_accepts(properties(200, [](int i) { return R"({"multipleOf":0.01,"minimum":)" + integer(i) + "}"; }),
                R"({"p7":7.25})", R"({"p7":7.255})");
  check_accepts(properties(12, [](int i) { return R"({"format":"email","maxLength":)" + integer(30 - i) + "}"; }),
                R"({"p9":"a@b.org"})", R"({"p9":"b.org"})");
  check_refused(properties(900, [](int i) { return R"({"format":"uri","maxLength":)" + integer(20 + i) + "}"; }),
                "steps to read, which is not supported");
  check_refused(
      properties(1000, [](int i) { return R"({"pattern":"(a|b).{11}c","maxLength":)" + integer(100 + i) + "}"; }),
      "take more than 32768 states");
}

TEST_CASE("characters of a pattern by name are looked up once for each name") {
  std::string same, others;
  for (int i = 0; i < 20000; ++i) same += R"(\\p{L})";
  for (int i = 0; i < 1600; ++i) others += R"(\\p{)" + std::string(i % 40, '_') + "L" + std::string(i / 40, '_') + "}";
  check_accepts(R"({"pattern":"^[)" + same + R"(]$"})", "\"a\"", "\"1\"");
  check_refused(R"({"pattern":")" + others + R"("})", "steps to read, which is not supported");
}

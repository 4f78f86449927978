// JSON values come apart without memory and without depth: src/json/nlohmann/json.hpp.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace {

template <class Json>
Json made(std::mt19937& random, int depth) {
  const unsigned kind = depth > 0 ? random() % 6 : random() % 2;
  if (kind == 0) return Json(static_cast<int>(random() % 100));
  if (kind == 1) return Json(std::string(random() % 40, 'x'));
  Json all = kind % 2 ? Json::array() : Json::object();
  for (unsigned i = random() % 6; i > 0; --i) {
    if (kind % 2)
      all.push_back(made<Json>(random, depth - 1));
    else
      all[std::to_string(i)] = made<Json>(random, depth - 1);
  }
  return all;
}

}  // namespace

// The address sanitizer, under which this runs too, sees what is lost and what is freed twice.
TEMPLATE_TEST_CASE("json values: every shape comes apart, and assignments keep what they should", "", nlohmann::json,
                   nlohmann::ordered_json) {
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    TestType value = made<TestType>(random, 6);
    const std::string text = value.dump();
    TestType copy = value;
    value = made<TestType>(random, 3);
    CHECK(copy.dump() == text);
    CHECK(TestType::parse(text) == copy);
    if (copy.is_array() && !copy.empty()) copy = TestType(copy.front());  // out of what is destroyed by it
  }
}

TEMPLATE_TEST_CASE("json values: no depth of nesting ends the stack", "", nlohmann::json, nlohmann::ordered_json) {
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += i % 2 ? "[0," : R"({"a":1,"b":)";
  text += "null";
  for (int i = 500'000; i-- > 0;) text += i % 2 ? "]" : "}";
  CHECK(TestType::parse(text).size() == 2);
}

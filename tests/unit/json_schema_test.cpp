// JSON schemas: which texts their grammars accept, and an Error for what is not understood.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "grammar_texts.h"

using namespace quern;
using namespace quern::test;

namespace {

Error schema_error(const std::string& text) {
  return grammar_error(Grammar::from_json_schema, text);
}

struct SchemaCase {
  const char* schema;
  std::vector<std::string> accepted, refused;
};

void check(const std::vector<SchemaCase>& cases) {
  for (const SchemaCase& c : cases) {
    INFO(c.schema);
    GrammarMatcher matcher(Grammar::from_json_schema(c.schema));
    check_texts(matcher, c.accepted, c.refused);
  }
}

}  // namespace

TEST_CASE("an empty schema is any JSON value") {
  const std::vector<std::string> accepted = {"1",
                                             "-0.5e+10",
                                             "\"\"",
                                             "\"a\\n\\u00e9\\ud83d\\ude00 \xF0\x9F\x98\x80\"",
                                             "true",
                                             "null",
                                             "[]",
                                             "[1, [\"x\"],{}]",
                                             "{\"a\": {\n  \"b\": []\n}\n}",
                                             "{}"};
  const std::vector<std::string> refused = {"",        "01",          "1.",       "+1",  "\"",   "\"\n\"",
                                            "\"\\x\"", "\"\\ud83d\"", "\"\xFF\"", "tru", "[1,]", "[1 ,2]",
                                            "{\"a\"}", " 1",          "1 ",       "{,}", "nul",  "{\"a\":  1}"};
  check({{"{}", accepted, refused}, {"true", accepted, refused}, {"{\"title\": \"x\"}", accepted, refused}});
  check({{R"j({"type": "object"})j", {"{}", "{\"a\":1, \"b\":[2]}"}, {"1", "[]", "\"{}\""}}});
}

TEST_CASE("types, enums and constants") {
  check({
      {R"j({"type": "string"})j", {"\"\"", "\"é\\\"\""}, {"1", "\"a", "null"}},
      {R"j({"type": "boolean"})j", {"true", "false"}, {"1", "True"}},
      {R"j({"type": "null"})j", {"null"}, {"\"null\""}},
      {R"j({"type": ["integer", "null"]})j", {"1", "null", "-12", "0"}, {"1.5", "-0", "01", "\"\""}},
      {R"j({"type": "integer", "nullable": true})j", {"1", "null"}, {"true"}},
      {R"j({"type": "number"})j", {"1", "1.5", "-0", "2e5", "1E-10"}, {"1e100", ".5", "-"}},
      {R"j({"enum": ["a", 1, null, {"b": [1, 2]}, "\"é"]})j",
       {"\"a\"", "1", "null", "{\"b\":[1,2]}", "\"\\\"é\""},
       {"a", "2", "{\"b\": [1,2]}"}},
      {R"j({"type": "string", "enum": ["a", 1]})j", {"\"a\""}, {"1"}},
      {R"j({"type": "integer", "enum": [1, 1.5, 2.0]})j", {"1", "2.0"}, {"1.5"}},
      {R"j({"const": "x"})j", {"\"x\""}, {"\"y\""}},
      {R"j({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]})j",
       {"7", "\"a\"", "\"\""},
       {"\"ab\"", "true"}},
      {R"j({"oneOf": [{"const": 1}, {"const": 2}], "description": "x"})j", {"1", "2"}, {"3"}},
      {R"j({"type": "string", "anyOf": [{"minLength": 2}, {"enum": ["", 5]}]})j", {"\"ab\"", "\"\""}, {"\"a\"", "5"}},
  });
}

TEST_CASE("objects: order, commas, required and additional properties") {
  check({
      {R"j({"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a", "b"]})j",
       {"{\"a\":1,\"b\":\"x\"}", "{ \"a\": 1, \"b\": \"x\" }", "{\n\t\"a\": 1,\n\t\"b\": \"x\"\n}"},
       {"{\"b\":\"x\",\"a\":1}", "{\"a\":1}", "{}", "{\"a\":1,\"b\":\"x\",}", "{\"a\":1,\"b\":\"x\",\"c\":1}",
        "{\"a\":1 \"b\":\"x\"}"}},
      {R"j({"type": "object", "properties": {"a": {}, "b": {}, "c": {}}})j",
       {"{}", "{\"a\":1}", "{\"b\":1}", "{\"c\":1}", "{\"a\":1,\"c\":1}", "{\"a\":1,\"b\":1,\"c\":1}",
        "{\"b\":1,\"c\":1}"},
       {"{,\"a\":1}", "{\"a\":1,}", "{\"c\":1,\"a\":1}", "{\"a\":1,\"a\":1}", "{\"d\":1}"}},
      {R"j({"properties": {"a": {}, "b": {}, "c": {}}, "required": ["b"]})j",
       {"{\"b\":1}", "{\"a\":1,\"b\":1}", "{\"b\":1,\"c\":1}", "{\"a\":1,\"b\":1,\"c\":1}"},
       {"{\"a\":1}", "{}", "{\"a\":1,\"c\":1}"}},
      {R"j({"properties": {"ab": {"const": 1}, "ac": {"const": 2}}, "additionalProperties": {"const": 3}})j",
       {"{}", "{\"ab\":1}", "{\"x\":3}", "{\"a\":3}", "{\"\":3}", "{\"abc\":3}", "{\"ab\":1,\"ac\":2,\"z\":3,\"y\":3}",
        "{\"é\":3}", "{\"ad\\\"\":3}"},
       {"{\"ab\":3}", "{\"ac\":3}", "{\"x\":3,\"ab\":1}", "{\"a\\u0062\":3}", "{\"x\":1}"}},
      {R"j({"properties": {"a": {}}, "additionalProperties": false})j", {"{}", "{\"a\":[]}"}, {"{\"b\":1}"}},
      {R"j({"required": ["x", "y", "x"]})j", {"{\"x\":1,\"y\":2}"}, {"{\"x\":1}", "{\"x\":1,\"y\":2,\"y\":3}"}},
      {R"j({"properties": {"a": false, "b": {}}})j", {"{}", "{\"b\":1}"}, {"{\"a\":1}"}},
      {R"j({"additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 2})j",
       {"{\"a\":1}", "{\"a\":1,\"b\":2}"},
       {"{}", "{\"a\":\"\"}", "{\"a\":1,\"b\":2,\"c\":3}"}},
      {R"j({"properties": {"a": {}, "b": {}, "c": {}}, "minProperties": 1, "maxProperties": 2})j",
       {"{\"a\":1}", "{\"b\":1}", "{\"a\":1,\"c\":1}", "{\"b\":1,\"c\":1}"},
       {"{}", "{\"a\":1,\"b\":1,\"c\":1}"}},
      {R"j({"properties": {"a": {}}, "required": ["a"], "additionalProperties": {"const": 1}, "minProperties": 2})j",
       {"{\"a\":1,\"x\":1}", "{\"a\":1,\"x\":1,\"y\":1}"},
       {"{\"a\":1}", "{\"x\":1,\"y\":1}"}},
      {R"j({"type": "object", "additionalProperties": false})j", {"{}", "{ }"}, {"{\"a\":1}"}},
      {R"j({"properties": {"a": {"properties": {"b": {"type": "null"}}, "required": ["b"]}}, "required": ["a"]})j",
       {"{\"a\":{\"b\":null}}"},
       {"{\"a\":{}}"}},
  });
}

TEST_CASE("arrays") {
  check({
      {R"j({"type": "array", "items": {"type": "integer"}})j",
       {"[]", "[1]", "[1,2, 3]", "[ 1 ]"},
       {"[,1]", "[1,]", "[\"a\"]", "[1 2]"}},
      {R"j({"items": {"const": 1}, "minItems": 2, "maxItems": 3})j", {"[1,1]", "[1,1,1]"}, {"[]", "[1]", "[1,1,1,1]"}},
      {R"j({"type": "array", "maxItems": 0})j", {"[]", "[ ]"}, {"[1]"}},
      {R"j({"type": "array", "items": false})j", {"[]"}, {"[1]"}},
      {R"j({"prefixItems": [{"const": 1}, {"const": 2}]})j", {"[]", "[1]", "[1,2]"}, {"[2]", "[1,2,3]"}},
      {R"j({"prefixItems": [{"const": 1}, {"const": 2}], "minItems": 1, "items": {"const": 3}})j",
       {"[1]", "[1,2]", "[1,2,3]", "[1,2,3,3]"},
       {"[]", "[1,3]", "[3]"}},
      {R"j({"prefixItems": [{"const": 1}, {"const": 2}], "minItems": 3, "maxItems": 4})j",
       {"[1,2,true]", "[1,2,3,4]"},
       {"[1,2]", "[1,2,3,4,5]"}},
      {R"j({"items": [{"const": 1}], "additionalItems": {"const": 2}})j", {"[1]", "[1,2,2]", "[]"}, {"[2]"}},
      {R"j({"prefixItems": [{"const": 1}, {"const": 2}], "maxItems": 1})j", {"[]", "[1]"}, {"[1,2]"}},
  });
}

TEST_CASE("bounds of numbers") {
  const struct {
    const char* bounds;
    double low, high;  // inclusive, for the integers checked below
  } cases[] = {
      {R"("minimum": 0, "maximum": 9)", 0, 9},
      {R"("minimum": 3, "maximum": 1234)", 3, 1234},
      {R"("minimum": -15, "maximum": 207)", -15, 207},
      {R"("exclusiveMinimum": 99, "maximum": 1000)", 100, 1000},
      {R"("minimum": -1000, "exclusiveMaximum": -99)", -1000, -100},
      {R"("minimum": 10)", 10, 1e9},
      {R"("maximum": -1)", -1e9, -1},
      {R"("minimum": 5, "exclusiveMinimum": true, "maximum": 7)", 6, 7},
      {R"("minimum": -2.5, "maximum": 2.5)", -2, 2},
      {R"("exclusiveMinimum": 0)", 1, 1e9},
      {R"("minimum": 1e2, "maximum": 1.5e2)", 100, 150},
      {R"("minimum": -0.5)", 0, 1e9},
  };
  for (const auto& c : cases) {
    INFO(c.bounds);
    GrammarMatcher integer(Grammar::from_json_schema("{\"type\": \"integer\", " + std::string(c.bounds) + "}"));
    GrammarMatcher number(Grammar::from_json_schema("{\"type\": \"number\", " + std::string(c.bounds) + "}"));
    for (int i = -1500; i <= 1500; ++i) {
      const bool inside = i >= c.low && i <= c.high;
      if (matches(integer, std::to_string(i)) != inside) FAIL_CHECK("integer " << i);
      if (matches(number, std::to_string(i)) != inside) FAIL_CHECK("number " << i);
    }
  }
  check({
      {R"j({"type": "integer", "minimum": 999999999999999998})j",
       {"999999999999999999", "9223372036854775807"},
       {"1", "9223372036854775808"}},
      {R"j({"type": "integer", "minimum": -9223372036854775808, "maximum": 9223372036854775807})j",
       {"-9223372036854775808", "9223372036854775807", "0", "-1"},
       {"-9223372036854775809", "9223372036854775808", "10000000000000000000"}},
      {R"j({"type": "integer", "exclusiveMinimum": -9223372036854775808, "exclusiveMaximum": 9223372036854775807})j",
       {"-9223372036854775807", "9223372036854775806"},
       {"-9223372036854775808", "9223372036854775807"}},
      {R"j({"type": "integer", "minimum": 0, "maximum": 18446744073709551615})j",
       {"18446744073709551615", "0"},
       {"18446744073709551616", "-1"}},
      {R"j({"type": "integer", "exclusiveMinimum": 9223372036854775807})j",
       {"9223372036854775808"},
       {"9223372036854775807"}},
      {R"j({"allOf": [{"type": "integer", "minimum": -5}, {"minimum": 9223372036854775809}]})j",
       {"9223372036854775809"},
       {"9223372036854775808", "-1"}},
      {R"j({"type": "integer", "exclusiveMaximum": 0, "maximum": 5})j", {"-1"}, {"0", "5"}},
      {R"j({"type": "number", "minimum": 0.25, "maximum": 0.75})j",
       {"0.25", "0.250", "0.3", "0.5000", "0.75", "0.749"},
       {"0.2", "0.249", "0.751", "1", "0", "0.7501", "-0.5"}},
      {R"j({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})j",
       {"0.1", "0.001", "0.999"},
       {"0", "0.0", "1", "1.0", "-0.1"}},
      {R"j({"type": "number", "minimum": -1.5, "maximum": 2})j",
       {"-1.5", "-1.49", "-0.1", "0", "1.99", "2", "2.0", "-0"},
       {"-1.51", "-2", "2.01", "3", "1e0"}},
      {R"j({"type": "number", "minimum": 1.05, "exclusiveMaximum": 1.1})j",
       {"1.05", "1.0999", "1.0500", "1.09"},
       {"1.1", "1.04", "1", "1.10", "1.0"}},
      {R"j({"type": "number", "exclusiveMinimum": 1, "maximum": 1.01})j",
       {"1.001", "1.01", "1.0001"},
       {"1", "1.0", "1.00", "1.011", "1.02"}},
  });
}

TEST_CASE("strings: lengths, patterns, formats") {
  check({
      {R"j({"type": "string", "minLength": 1, "maxLength": 3})j",
       {"\"a\"", "\"é中😀\"", "\"\\n\\u0041b\"", "\"\\ud83d\\ude00xy\""},
       {"\"\"", "\"abcd\""}},
      {R"j({"minLength": 2})j", {"\"ab\"", "\"abcdefgh\""}, {"\"a\""}},
      {R"j({"pattern": "^a[0-9]{2}$"})j", {"\"a12\""}, {"\"a1\"", "\"xa12\"", "\"a123\""}},
      {R"j({"pattern": "b+"})j", {"\"b\"", "\"abba\"", "\"xxb\""}, {"\"a\"", "\"\""}},
      {R"j({"pattern": "^x|y$"})j", {"\"x1\"", "\"1y\""}, {"\"1\"", "\"1x\""}},
      {R"j({"pattern": "^(?:a|bc)*?\\d\\w\\s$"})j", {"\"abc1_ \"", "\"0a\\t\""}, {"\"abc\""}},
      {R"j({"pattern": "^[^a-c\\d]$"})j", {"\"d\"", "\"é\"", "\"\\\"\"", "\"\\n\""}, {"\"a\"", "\"5\""}},
      {R"j({"pattern": "^[\\w.-]+@\\x41\\u0042\\.$"})j", {"\"a.b-c@AB.\""}, {"\"@AB.\""}},
      {R"j({"pattern": "^\\p{Lu}\\P{L}$"})j", {"\"É1\""}, {"\"éa\""}},
      {R"j({"pattern": "^.$"})j", {"\"a\"", "\"\\\\\"", "\"\\\"\""}, {"\"\\n\""}},
      {R"j({"format": "date"})j",
       {"\"2024-02-28\"", "\"1999-12-31\""},
       {"\"2024-02-30\"", "\"2024-13-01\"", "\"24-01-01\""}},
      {R"j({"format": "date-time"})j",
       {"\"2024-02-28T23:59:59Z\"", "\"2024-02-28T00:00:00.123+05:30\""},
       {"\"2024-02-28\"", "\"2024-02-28T24:00:00Z\""}},
      {R"j({"format": "time"})j", {"\"12:30:00Z\""}, {"\"12:60:00Z\""}},
      {R"j({"format": "uuid"})j",
       {"\"123e4567-e89b-12d3-a456-426614174000\""},
       {"\"123e4567e89b12d3a456426614174000\""}},
      {R"j({"format": "ipv4"})j", {"\"255.0.10.199\""}, {"\"256.0.0.1\"", "\"1.2.3\""}},
      {R"j({"format": "duration"})j", {"\"P1D\"", "\"PT5M\"", "\"PT1H2M3S\""}, {"\"P\"", "\"PT\""}},
      {R"j({"format": "email"})j", {"\"a.b@c.org\""}, {"\"a@\""}},
      {R"j({"type": "string", "format": "unheard-of"})j", {"\"anything\""}, {"1"}},
  });
}

TEST_CASE("patterns, formats and lengths hold together") {
  check({
      {R"j({"pattern": "^[a-z]+$", "minLength": 2, "maxLength": 4})j",
       {"\"ab\"", "\"abcd\""},
       {"\"a\"", "\"abcde\"", "\"a1\""}},
      {R"j({"pattern": "b", "maxLength": 3})j",
       {"\"b\"", "\"abc\"", "\"bbb\"", "\"éb\\n\""},
       {"\"abcd\"", "\"aaa\"", "\"\""}},
      {R"j({"pattern": "^(ab)*$", "minLength": 3})j", {"\"abab\""}, {"\"ab\"", "\"aba\"", "\"\""}},
      {R"j({"pattern": "^(ab)*$", "minLength": 1, "maxLength": 5})j",
       {"\"ab\"", "\"abab\""},
       {"\"\"", "\"a\"", "\"aba\"", "\"ababab\""}},
      {R"j({"pattern": "^[a-z]+$", "maxLength": 100000})j", {"\"ab\""}, {"\"\"", "\"A\""}},
      {R"j({"pattern": "^https?://", "maxLength": 2083})j",
       {"\"http://x\"", "\"https://é\\\"\""},
       {"\"ftp://x\"", "\"http:/\""}},
      {R"j({"pattern": "^.{1,5}$", "allOf": [{"pattern": "[0-9]"}, {"pattern": "^[a-z0-9]*$"}]})j",
       {"\"a1\"", "\"12345\""},
       {"\"a\"", "\"a1-\"", "\"123456\""}},
      {R"j({"format": "uri", "minLength": 1, "maxLength": 2083})j",
       {"\"https://a.org/x?y=%20#z\"", "\"http://localhost:8080\""},
       {"\"\"", "\"a.org\"", "\"https://a b\""}},
      {R"j({"format": "uri", "pattern": "^https://"})j", {"\"https://a.org/x\""}, {"\"http://a.org\""}},
      {R"j({"format": "uri", "maxLength": 20})j", {"\"https://a.org\""}, {"\"https://a.org/0123456789\""}},
      {R"j({"format": "email", "maxLength": 12})j", {"\"a.b@c.org\""}, {"\"abcdef@ghi.org\"", "\"a@\""}},
      {R"j({"format": "email", "pattern": "@example\\.com$"})j", {"\"a@example.com\""}, {"\"a@example.org\""}},
      {R"j({"format": "date", "minLength": 10, "maxLength": 10})j",
       {"\"2024-02-29\"", "\"2000-02-29\""},
       {"\"2023-02-29\"", "\"1900-02-29\""}},
      {R"j({"format": "ipv6"})j",
       {"\"::1\"", "\"2001:db8::8a2e:370:7334\"", "\"::\"", "\"1:2:3:4:5:6:7:8\"", "\"1::\""},
       {"\"1:2:3\"", "\"1::2::3\"", "\":1\"", "\"12345::\""}},
      {R"j({"format": "hostname", "maxLength": 8})j", {"\"a.org\"", "\"x\""}, {"\"-a\"", "\"abcd.efgh\""}},
      {R"j({"format": "json-pointer"})j", {"\"\"", "\"/a/0\"", "\"/a~1b\""}, {"\"a\"", "\"/~2\""}},
      {R"j({"format": "unheard-of", "maxLength": 2})j", {"\"ab\""}, {"\"abc\""}},
  });
}

TEST_CASE("long texts are counted, not spelt out") {
  const auto text = [](size_t n) { return '"' + std::string(n, 'a') + '"'; };
  for (const char* schema : {R"j({"type": "string", "minLength": 99999, "maxLength": 100000})j",
                             R"j({"pattern": "^a*$", "minLength": 99999, "maxLength": 100000})j"}) {
    INFO(schema);
    const auto grammar = Grammar::from_json_schema(schema);
    CHECK(grammar->automaton().states.size() < 1000);
    // As a sequence does it: what was passed is forgotten.
    const auto follow = [&](size_t n) {
      GrammarMatcher matcher(grammar);
      GrammarMatcher::Config config = matcher.start();
      for (const char c : text(n)) config = matcher.trim(matcher.next(config, static_cast<uint8_t>(c)));
      return matcher.accepts(config);
    };
    CHECK_FALSE(follow(99998));
    CHECK(follow(99999));
    CHECK(follow(100000));
    CHECK_FALSE(follow(100001));
  }
  check({
      {R"j({"maxLength": 1000000})j", {"\"a\""}, {"1"}},
      {R"j({"items": {"properties": {"a": {}, "b": {}}}, "minItems": 1, "maxItems": 5000})j",
       {"[{\"a\":1},{}]"},
       {"[]"}},
  });
}

TEST_CASE("multiples") {
  check({
      {R"j({"type": "integer", "multipleOf": 7})j", {"0", "7", "-14", "700", "999999"}, {"1", "-8", "7.0", "07"}},
      {R"j({"type": "integer", "multipleOf": 15, "minimum": 20, "maximum": 61})j",
       {"30", "45", "60"},
       {"15", "75", "31"}},
      {R"j({"multipleOf": 0.01})j", {"0.1", "12", "12.34", "-5.60", "1.000"}, {"0.001", "12.345", "1e0"}},
      {R"j({"multipleOf": 2.5, "minimum": 0, "maximum": 10})j",
       {"0", "2.5", "5", "5.0", "7.50", "10"},
       {"1", "2", "12.5", "-2.5"}},
      {R"j({"type": "integer", "multipleOf": 1.5})j", {"3", "-6", "0"}, {"1", "2", "4"}},
      {R"j({"type": "integer", "multipleOf": 86400})j", {"86400", "864000", "0"}, {"43200", "86401"}},
      {R"j({"type": "integer", "multipleOf": 1000000})j", {"5000000"}, {"500000"}},
      {R"j({"type": "integer", "multipleOf": 9973})j", {"9973", "99730", "-19946"}, {"9974"}},
      {R"j({"allOf": [{"type": "integer", "multipleOf": 4}, {"multipleOf": 6}]})j", {"12", "24", "0"}, {"4", "6", "8"}},
      {R"j({"multipleOf": 1e-3, "exclusiveMinimum": 0, "maximum": 0.002})j",
       {"0.001", "0.002"},
       {"0", "0.003", "0.0015"}},
  });
}

TEST_CASE("items that differ") {
  check({
      {R"j({"items": {"enum": ["a", "b", "c"]}, "uniqueItems": true})j",
       {"[]", "[\"c\"]", "[\"b\",\"a\"]", "[\"c\", \"a\", \"b\"]"},
       {"[\"a\",\"a\"]", "[\"a\",\"b\",\"c\",\"a\"]", "[\"d\"]"}},
      {R"j({"items": {"enum": [1, 1.0, 2]}, "uniqueItems": true, "minItems": 2})j",
       {"[1,2]", "[2,1]"},
       {"[1]", "[1,1.0]"}},
      {R"j({"items": {"type": ["boolean", "null"]}, "uniqueItems": true})j", {"[true,null,false]"}, {"[true,true]"}},
      {R"j({"items": {"type": "integer", "minimum": 1, "maximum": 60}, "uniqueItems": true, "maxItems": 2})j",
       {"[60,1]"},
       {"[5,5]", "[0]", "[1,2,3]"}},
      {R"j({"items": {"$ref": "#/$defs/c"}, "uniqueItems": true, "$defs": {"c": {"enum": ["x", "y"]}}})j",
       {"[\"x\",\"y\"]"},
       {"[\"x\",\"x\"]"}},
      {R"j({"items": {"type": "string"}, "uniqueItems": true, "maxItems": 1})j", {"[\"x\"]"}, {"[\"x\",\"y\"]"}},
      {R"j({"items": {"type": "string"}, "uniqueItems": false})j", {"[\"x\",\"x\"]"}, {"[1]"}},
  });
}

TEST_CASE("names of properties") {
  check({
      {R"j({"propertyNames": {"pattern": "^[a-z]+$"}})j", {"{}", "{\"ab\":1}"}, {"{\"A\":1}", "{\"\":1}"}},
      {R"j({"propertyNames": {"maxLength": 3, "minLength": 1}, "additionalProperties": {"type": "integer"}})j",
       {"{\"abc\":1}", "{\"é\":1}"},
       {"{\"abcd\":1}", "{\"\":1}", "{\"a\":\"\"}"}},
      {R"j({"propertyNames": {"enum": ["a", "b"]}, "additionalProperties": {"type": "integer"}})j",
       {"{}", "{\"a\":1}", "{\"a\":1,\"b\":2}"},
       {"{\"c\":1}", "{\"a\":1,\"a\":2}", "{\"a\":null}"}},
      {R"j({"propertyNames": {"enum": ["a", "b"]}, "minProperties": 1})j", {"{\"b\":1}"}, {"{}"}},
      {R"j({"propertyNames": false})j", {"{}"}, {"{\"a\":1}"}},
      {R"j({"properties": {"ab": {}, "C": {}}, "propertyNames": {"pattern": "^[a-z]*$"}, "additionalProperties": true})j",
       {"{\"ab\":1}", "{\"x\":1}"},
       {"{\"C\":1}", "{\"X\":1}"}},
      {R"j({"patternProperties": {"^n_": {"type": "integer"}, "^s_": {"type": "string"}}, "additionalProperties": false})j",
       {"{}", "{\"n_a\":1}", "{\"s_a\":\"\",\"n_\":2}"},
       {"{\"n_a\":\"\"}", "{\"a\":1}", "{\"s_\":1}"}},
      {R"j({"patternProperties": {"a": {"minimum": 3, "type": "integer"}, "b": {"maximum": 5, "type": "integer"}}, "additionalProperties": {"type": "null"}})j",
       {"{\"ab\":4,\"xa\":9,\"xb\":-9,\"c\":null}"},
       {"{\"ab\":6}", "{\"ba\":2}", "{\"c\":1}", "{\"a\":null}"}},
      {R"j({"properties": {"n_x": {"maximum": 9}, "y": {"const": 1}}, "patternProperties": {"^n_": {"type": "integer"}}, "required": ["n_x"]})j",
       {"{\"n_x\":5,\"y\":1}", "{\"n_x\":5,\"n_z\":99}"},
       {"{\"n_x\":10}", "{\"y\":1}", "{\"n_x\":1.5}", "{\"n_x\":5,\"z\":1}"}},
      {R"j({"patternProperties": {"^\\d+$": {"const": true}}, "minProperties": 1})j",
       {"{\"12\":true}"},
       {"{}", "{\"a\":true}"}},
      {R"j({"patternProperties": {".*": {"const": 1}}})j", {"{\"a\":1}", "{\"\":1}"}, {"{\"a\":2}"}},
  });
}

TEST_CASE("what must not be, and conditions") {
  check({
      {R"j({"properties": {"a": {"not": {}}, "b": {}}})j", {"{}", "{\"b\":1}"}, {"{\"a\":1}"}},
      {R"j({"properties": {"a": {"not": true}}, "additionalProperties": true})j", {"{\"b\":1}"}, {"{\"a\":1}"}},
      {R"j({"type": "string", "not": false})j", {"\"\""}, {"1"}},
      {R"j({"not": {"type": "null"}})j", {"1", "\"a\"", "[]"}, {"null"}},
      {R"j({"type": ["string", "null"], "not": {"type": "null"}})j", {"\"a\""}, {"null"}},
      {R"j({"type": "string", "not": {"const": ""}})j", {"\"a\""}, {"\"\""}},
      {R"j({"type": "string", "maxLength": 3, "not": {"enum": ["a", "bc", 5]}})j",
       {"\"b\"", "\"abc\"", "\"\""},
       {"\"a\"", "\"bc\"", "\"abcd\""}},
      {R"j({"type": "string", "not": {"pattern": "^x"}})j", {"\"ax\"", "\"\""}, {"\"x\"", "\"xa\""}},
      {R"j({"type": "integer", "minimum": 1, "maximum": 5, "not": {"const": 3}})j", {"2", "4"}, {"3", "6"}},
      {R"j({"type": "number", "not": {"enum": [0, 1.5]}})j", {"1", "1.51", "-1.5"}, {"0", "-0", "0.0", "1.5", "1.50"}},
      {R"j({"enum": [1, 2, "a"], "not": {"enum": [2, "a"]}})j", {"1"}, {"2", "\"a\""}},
      {R"j({"type": "integer", "not": {"minimum": 3}})j", {"2", "-1"}, {"3", "4"}},
      {R"j({"properties": {"a": {}, "b": {}}, "not": {"required": ["a", "b"]}})j",
       {"{\"a\":1}", "{\"b\":1}", "{}"},
       {"{\"a\":1,\"b\":1}"}},
      {R"j({"type": "string", "not": {"not": {"minLength": 2}}})j", {"\"ab\""}, {"\"a\""}},
      {R"j({"type": "string", "not": {"anyOf": [{"const": "a"}, {"maxLength": 0}]}})j", {"\"b\""}, {"\"a\"", "\"\""}},
      {R"j({"properties": {"k": {"enum": ["x", "y"]}, "v": {}}, "required": ["k", "v"], "if": {"properties": {"k": {"const": "x"}}, "required": ["k"]}, "then": {"properties": {"v": {"type": "integer"}}}, "else": {"properties": {"v": {"type": "string"}}}})j",
       {"{\"k\":\"x\",\"v\":1}", "{\"k\":\"y\",\"v\":\"s\"}"},
       {"{\"k\":\"x\",\"v\":\"s\"}", "{\"k\":\"y\",\"v\":1}"}},
      {R"j({"properties": {"a": {}, "b": {}}, "dependentRequired": {"a": ["b"]}})j",
       {"{}", "{\"b\":1}", "{\"a\":1,\"b\":1}"},
       {"{\"a\":1}"}},
      {R"j({"enum": ["a", "ab", "abc", 7], "minLength": 2, "maximum": 5})j", {"\"ab\"", "\"abc\""}, {"\"a\"", "7"}},
      {R"j({"enum": [1, 2, 3, 4.5], "multipleOf": 1.5})j", {"3", "4.5"}, {"1", "2"}},
  });
}

TEST_CASE("references and merged schemas") {
  check({
      {R"j({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}})j", {"1"}, {"\"\""}},
      {R"j({"$ref": "#/definitions/a~1b%25", "definitions": {"a/b%": {"const": 1}}})j", {"1"}, {"2"}},
      {R"j({"properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["v", "next"]})j",
       {"{\"v\":1,\"next\":null}", "{\"v\":1,\"next\":{\"v\":2,\"next\":null}}"},
       {"{\"v\":1}", "{\"v\":1,\"next\":{}}"}},
      {R"j({"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}})j",
       {"[]", "[[],[[]]]"},
       {"[1]"}},
      {R"j({"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 5}]})j", {"3", "5"}, {"2", "6", "\"\""}},
      {R"j({"allOf": [{"properties": {"a": {"type": "number"}}, "required": ["a"]}, {"properties": {"a": {"minimum": 0}, "b": {"const": 1}}, "required": ["b"]}]})j",
       {"{\"a\":1.5,\"b\":1}"},
       {"{\"a\":-1,\"b\":1}", "{\"a\":1}"}},
      {R"j({"allOf": [{"properties": {"a": {}}, "additionalProperties": false}, {"properties": {"b": {}}}]})j",
       {"{}", "{\"a\":1}"},
       {"{\"b\":1}"}},
      {R"j({"$ref": "#/$defs/s", "maxLength": 2, "$defs": {"s": {"type": "string", "minLength": 1}}})j",
       {"\"a\"", "\"ab\""},
       {"\"\"", "\"abc\""}},
      {R"j({"allOf": [{"enum": [1, 2, 3]}, {"enum": [2, 3, 4]}, {"type": "number"}]})j", {"2", "3"}, {"1", "4"}},
      {R"j({"allOf": [{"anyOf": [{"type": "string"}, {"minimum": 5}]}, {"anyOf": [{"maxLength": 1}, {"type": "integer", "maximum": 6}]}]})j",
       {"\"a\"", "5", "6", "7"},
       {"\"ab\"", "4"}},
      {R"j({"properties": {"x": {"$ref": "#", "minProperties": 0}}, "maxProperties": 1})j",
       {"{}", "{\"x\":{\"x\":{}}}"},
       {"{\"y\":1}"}},
  });
}

TEST_CASE("what is no schema, or is not understood, is an Error that names it") {
  const struct {
    std::string schema;
    Status status;
    const char* says;
  } cases[] = {
      {"", Status::bad_argument, "invalid JSON"},
      {"[", Status::bad_argument, "invalid JSON"},
      {"3", Status::bad_argument, "neither an object nor a boolean"},
      {"false", Status::bad_argument, "matches no text"},
      {R"j({"type": "text"})j", Status::bad_argument, "type \"text\""},
      {R"j({"type": 3})j", Status::bad_argument, "type that is no string"},
      {R"j({"enum": []})j", Status::bad_argument, "matches no text"},
      {R"j({"enum": 3})j", Status::bad_argument, "enum that is no array"},
      {R"j({"not": {}})j", Status::bad_argument, "matches no text"},
      {R"j({"not": {"items": {"type": "string"}}})j", Status::unsupported, "\"not\" or \"if\" of \"items\""},
      {R"j({"not": 3})j", Status::bad_argument, "a not that is neither"},
      {R"j({"type": "array", "uniqueItems": true})j", Status::unsupported, "\"uniqueItems\""},
      {R"j({"type": "array", "uniqueItems": true, "items": {"type": "string"}})j", Status::unsupported,
       "\"uniqueItems\""},
      {R"j({"items": {"type": "integer", "minimum": 1, "maximum": 40}, "uniqueItems": true})j", Status::unsupported,
       "a smaller maxItems is"},
      {R"j({"properties": {"a": {"multipleOf": 0}}})j", Status::bad_argument, "multipleOf that is not above 0"},
      {R"j({"multipleOf": "3"})j", Status::bad_argument, "multipleOf that is no number"},
      {R"j({"multipleOf": 1000003})j", Status::unsupported, "\"multipleOf\""},
      {R"j({"patternProperties": {"(?=a)": {}}})j", Status::unsupported, "(?"},
      {R"j({"patternProperties": 3})j", Status::bad_argument, "patternProperties that is no object"},
      {R"j({"patternProperties": {"a":{},"b":{},"c":{},"d":{},"e":{},"f":{},"g":{}}})j", Status::unsupported,
       "more than 6 patternProperties"},
      {R"j({"propertyNames": {"anyOf": [{"const": "a"}]}})j", Status::unsupported, "propertyNames with \"anyOf\""},
      {R"j({"contains": {"const": 1}})j", Status::unsupported, "\"contains\""},
      {R"j({"pattern": "(?=a)"})j", Status::unsupported, "(?"},
      {R"j({"pattern": "\\bx"})j", Status::unsupported, "escape \"\\b\""},
      {R"j({"pattern": "(a)\\1"})j", Status::unsupported, "escape \"\\1\""},
      {R"j({"pattern": "a^b"})j", Status::unsupported, "anchor"},
      {R"j({"pattern": "(a"})j", Status::bad_argument, "without its \")\""},
      {R"j({"pattern": "a)"})j", Status::bad_argument, "without its \"(\""},
      {R"j({"pattern": "[a"})j", Status::bad_argument, "without its \"]\""},
      {R"j({"pattern": "*"})j", Status::bad_argument, "repeats nothing"},
      {R"j({"pattern": "abc", "maxLength": 100000})j", Status::unsupported, "\"pattern\", \"maxLength\": 100000"},
      {R"j({"minLength": -1})j", Status::bad_argument, "minLength that is no count"},
      {R"j({"minLength": 1000000000000})j", Status::bad_argument, "at most 1000000000"},
      {R"j({"minimum": "x"})j", Status::bad_argument, "minimum that is no number"},
      {R"j({"minimum": 1e300})j", Status::unsupported, "minimum with more digits"},
      {R"j({"type": "integer", "minimum": 3, "maximum": 2})j", Status::bad_argument, "matches no text"},
      {R"j({"$ref": "#/$defs/x"})j", Status::bad_argument, "names nothing"},
      {R"j({"$ref": "http://x"})j", Status::unsupported, "$ref"},
      {R"j({"$ref": "#"})j", Status::bad_argument, "deeper"},
      {R"j({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}})j",
       Status::bad_argument, "deeper"},
      {R"j({"anyOf": [{"$ref": "#"}, {"type": "null"}]})j", Status::bad_argument, "left-recursive"},
      {R"j({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})j", Status::bad_argument, "matches no text"},
      {R"j({"allOf": [{"$ref": "#"}, {"$ref": "#"}]})j", Status::bad_argument, "the schema's $ref"},
      {R"j({"allOf": [{"format": "date"}, {"format": "time"}]})j", Status::unsupported, "two different \"format\""},
  };
  for (const auto& c : cases) {
    const Error e = schema_error(c.schema);
    INFO(c.schema << ": " << e.message);
    CHECK(e.status == c.status);
    CHECK(e.message.find(c.says) != std::string::npos);
  }
  std::string many = "{\"properties\": {";
  for (int i = 0; i < 1100; ++i) many += "\"" + std::to_string(i) + "\": {},";
  CHECK(schema_error(many + "\"a\": {}}}").message.find("more than 1024 members") != std::string::npos);
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "{\"items\":";
  CHECK(schema_error(deep).message.find("nested deeper") != std::string::npos);
}

TEST_CASE("large schemas are read and followed in time") {
  std::string text = "{\"properties\": {";
  for (int i = 0; i < 1000; ++i) text += "\"key" + std::to_string(i) + "\": {},";
  GrammarMatcher many(Grammar::from_json_schema(text + "\"a\": {}}, \"additionalProperties\": true}"));
  CHECK(matches(many, R"j({"key7":1,"key999":[{}],"a":2,"b":3})j"));
  CHECK_FALSE(matches(many, R"j({"key7":1,"key6":1})j"));
  text = "{\"enum\": [";
  for (int i = 0; i < 20000; ++i) text += "\"v" + std::to_string(i) + "\",";
  GrammarMatcher values(Grammar::from_json_schema(text + "null]}"));
  CHECK(matches(values, "\"v12345\""));
  CHECK_FALSE(matches(values, "\"v20000\""));
  text = "[";
  for (int i = 0; i < 9000; ++i) text += "\"" + std::to_string(i) + "\",";
  text += "0]";
  CHECK(schema_error("{\"allOf\": [{\"required\": " + text + "}, {\"required\": " + text + "}]}").status ==
        Status::bad_argument);
}

// GBNF: what each construct accepts and refuses, and an Error for every text that is no grammar.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "grammar_texts.h"

using namespace quern;
using namespace quern::test;

namespace {

bool begins(GrammarMatcher& matcher, std::string_view text) {
  return after(matcher, text) != GrammarMatcher::dead;
}

Error gbnf_error(const std::string& text) {
  return grammar_error([](std::string_view t) { return Grammar::from_gbnf(t); }, text);
}

struct GrammarCase {
  const char* grammar;
  std::vector<std::string> accepted, refused;
};

}  // namespace

TEST_CASE("every construct of GBNF accepts what it should and nothing else") {
  const GrammarCase cases[] = {
      {"root ::= \"abc\"", {"abc"}, {"", "ab", "abcd", "abd"}},
      {"root ::= \"\"", {""}, {"a"}},
      {"root ::= \"a\" | \"b\" | ", {"a", "b", ""}, {"ab", "c"}},
      {"root ::= \"a\" |\n  \"b\"\n", {"a", "b"}, {"\n"}},
      {"root ::= (\n \"a\" # one\n \"b\"\n)\n", {"ab"}, {"a", "a b"}},
      {"# before\nroot ::= a b # behind\na ::= \"x\"\n\nb ::= \"y\"", {"xy"}, {"x", "y", "yx"}},
      {"root ::= [a-c]", {"a", "b", "c"}, {"", "d", "-", "ab"}},
      {"root ::= [a-]", {"a", "-"}, {"b"}},
      {"root ::= [-a]", {"a", "-"}, {"b"}},
      {"root ::= [^a-c]", {"d", "é", "中", "😀", "\n"}, {"a", "", "dd"}},
      {"root ::= [.\\]\\[\\\\\\-^]+", {".", "]", "[", "\\", "-", "^"}, {"a"}},
      {"root ::= [\\x41\\u00e9\\U0001F600]", {"A", "é", "😀"}, {"B", "\xC3"}},
      {"root ::= \"\\x41\\u4e2d\\n\\r\\t\\\\\\\"\"", {"A中\n\r\t\\\""}, {"A"}},
      {"root ::= .", {"a", "é", "😀"}, {"", "ab", "\xFF", "\xC3", "\xED\xA0\x80", "\xC0\x80"}},
      {"root ::= [ぁ-ゟ]", {"ぁ", "あ", "ゟ"}, {"ァ", "a"}},
      {"root ::= [\\u07ff-\\U00010000]",
       {"\xDF\xBF", "\xE0\xA0\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80"},
       {"\xDF\xBE", "\xF0\x90\x80\x81", "\xED\xA0\x80"}},
      {"root ::= \"<\" %json {\"type\": \"integer\", \"maximum\": 9, \"minimum\": 1} \">\" # }",
       {"<3>"},
       {"<0>", "3", "<>"}},
      {"root ::= %json true | \"x\"", {"1", "null", "x", "\"a\""}, {"y"}},
      {"root ::= (%json {\"const\": \"}\\\"{\"})+", {"\"}\\\"{\"", "\"}\\\"{\"\"}\\\"{\""}, {"", "}"}},
      {"root ::= %regex \"a+\\\\d{2}|x\" \"!\"", {"a12!", "aa00!", "x!"}, {"a1!", "ba12!", "\"x\"!"}},
      {"root ::= %regex \"^[^b]$\"", {"a", "é", "\""}, {"b", "aa", ""}},
      {"root ::= \"a\"*", {"", "a", "aaaa"}, {"b", "ab"}},
      {"root ::= \"a\"+", {"a", "aaaa"}, {"", "b"}},
      {"root ::= \"a\"?", {"", "a"}, {"aa"}},
      {"root ::= \"a\"{3}", {"aaa"}, {"aa", "aaaa"}},
      {"root ::= \"a\"{0}", {""}, {"a"}},
      {"root ::= \"a\"{2,}", {"aa", "aaaaa"}, {"a", ""}},
      {"root ::= \"a\"{0,2}", {"", "a", "aa"}, {"aaa"}},
      {"root ::= \"a\"{ 1 , 3 }", {"a", "aa", "aaa"}, {"", "aaaa"}},
      {"root ::= (\"ab\" | \"c\")+ \"d\"", {"abd", "cabd", "ccd"}, {"d", "ab", "acd"}},
      {"root ::= \"a\"* \"b\"*", {"", "ab", "aab", "bb"}, {"ba"}},
      {"root ::= (\"a\"* | \"b\") \"c\"", {"c", "aac", "bc"}, {"abc", "bbc"}},
      {"root ::= (\"a\"? \"b\")*", {"", "b", "ab", "bab"}, {"a", "aa"}},
      {"root ::= (\"a\"*)*", {"", "aaa"}, {"b"}},
      {"root ::= ((\"a\" | \"\")+)? \"b\"", {"b", "aab"}, {"a"}},
      {"root ::= (\"ab\"{2,3}){2}", {"abababab", "abababababab"}, {"abab", "ababab"}},
      {"root ::= \"a\"? \"a\"? \"a\"", {"a", "aa", "aaa"}, {"", "aaaa"}},
      {"root ::= \"(\" root \")\" | \"\"", {"", "()", "((()))"}, {"(", "())"}},
      {"root ::= \"a\" root | \"b\"", {"b", "aaab"}, {"a", "ba"}},
      {"root ::= e\ne ::= t (\"+\" t)*\nt ::= [0-9]+ | \"(\" e \")\"", {"1", "1+2", "(1+2)+34"}, {"+", "1+", "(1"}},
      {"root ::= x x\nx ::= \"a\" | \"ab\"", {"aa", "aab", "aba", "abab"}, {"ab", "abb"}},
      {"root::=\"a\"", {"a"}, {""}},
      {"root ::= a_b A-1\r\na_b ::= \"x\"\r\nA-1 ::= \"y\"\r\n", {"xy"}, {"x"}},
  };
  for (const GrammarCase& c : cases) {
    INFO(c.grammar);
    GrammarMatcher matcher(Grammar::from_gbnf(c.grammar));
    check_texts(matcher, c.accepted, c.refused);
  }
}

TEST_CASE("a text that no continuation can complete is refused at once") {
  GrammarMatcher matcher(Grammar::from_gbnf("root ::= \"a\" (b | \"c\")\nb ::= \"b\" b"));
  CHECK(begins(matcher, "a"));
  CHECK_FALSE(begins(matcher, "ab"));  // b never ends
  CHECK(matches(matcher, "ac"));
}

TEST_CASE("a text that is no grammar is an Error that says where") {
  const struct {
    std::string text;
    Status status;
    const char* says;
  } cases[] = {
      {"", Status::bad_argument, "no rule \"root\""},
      {"a ::= \"b\"", Status::bad_argument, "no rule \"root\""},
      {"root ::= x", Status::bad_argument, "line 1: the rule \"x\" is not defined"},
      {"root ::= \"a\"\nroot ::= \"b\"", Status::bad_argument, "line 2: the rule \"root\" is defined twice"},
      {"root ::= %json {\"type\": \"nonsense\"}", Status::bad_argument, "nonsense"},
      {"root ::= %json {\"type\": ", Status::bad_argument, "schema"},
      {"root ::= %json", Status::bad_argument, "schema"},
      {"root ::= %json {\"contains\": {}}", Status::unsupported, "contains"},
      {"root ::= %regex \"(\"", Status::bad_argument, "regular expression"},
      {"root ::= %regex a", Status::bad_argument, "line 1: "},
      {"root ::= %xml", Status::bad_argument, "line 1: "},
      {"root ::= <[1]>", Status::unsupported, "tokens"},
      {"root ::= <a", Status::bad_argument, "closing \">\""},
      {"root = \"a\"", Status::bad_argument, "line 1: \"::=\" expected, but \"= \"a\"\" found"},
      {"root ::= \"a", Status::bad_argument, "closing quotation mark"},
      {"root ::= [a", Status::bad_argument, "closing bracket"},
      {"root ::= []", Status::bad_argument, "class without characters"},
      {"root ::= [b-a]", Status::bad_argument, "end is before its start"},
      {"root ::= (\"a\"", Status::bad_argument, "\")\" expected"},
      {"root ::= \"a\")", Status::bad_argument, "end of the rule expected"},
      {"root ::= *", Status::bad_argument, "end of the rule expected"},
      {"root ::= \"\\q\"", Status::bad_argument, "escape \"\\q\""},
      {"root ::= \"\\x4\"", Status::bad_argument, "hexadecimal digit"},
      {"root ::= \"\\ud800\"", Status::bad_argument, "no character"},
      {"root ::= \"\\U00110000\"", Status::bad_argument, "no character"},
      {"root ::= \"a\"{2,1}", Status::bad_argument, "at least 2 and at most 1"},
      {"root ::= \"a\"{x}", Status::bad_argument, "a number expected"},
      {"root ::= \"a\"{1,2", Status::bad_argument, "\"}\" expected"},
      {"root ::= \"a\"{1000000001}", Status::bad_argument, "repeats 1000000001 times"},
      {"root ::= \"a\"{99999999999999999999}", Status::bad_argument, "at most 1000000000"},
      {"root ::= <think>", Status::unsupported, "tokens"},
      {"root ::= \"\xFF\"", Status::bad_argument, "not UTF-8"},
      {"root ::= \"a\" root", Status::bad_argument, "matches no text that ends"},
      {"root ::= root \"a\" | \"a\"", Status::bad_argument, "\"root\" is left-recursive"},
      {"root ::= a\na ::= \"x\"? b\nb ::= a \"y\" | \"z\"", Status::bad_argument, "is left-recursive"},
      {"root ::= (\"x\"? root)* \"z\"", Status::bad_argument, "is left-recursive"},
  };
  for (const auto& c : cases) {
    const Error e = gbnf_error(c.text);
    INFO(c.text << ": " << e.message);
    CHECK(e.status == c.status);
    CHECK(e.message.find(c.says) != std::string::npos);
  }
}

TEST_CASE("hostile grammars end in an Error or are followed in time", "[hostile]") {
  const auto repeat = [](const std::string& text, size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += text;
    return out;
  };
  CHECK(gbnf_error("root ::= " + repeat("(", 100000) + "\"a\"").message.find("nested deeper") != std::string::npos);
  CHECK(gbnf_error("root ::= \"a\"" + repeat("+", 100000)).message.find("repetitions") != std::string::npos);
  {
    GrammarMatcher counted(Grammar::from_gbnf("root ::= \"a\"{60000}" + repeat("{60000}", 90)));
    CHECK(after(counted, "aaa") != GrammarMatcher::dead);
    CHECK(after(counted, "ab") == GrammarMatcher::dead);
  }
  CHECK(gbnf_error("root ::= (\"a\"? \"b\"?){1000000000}").status == Status::bad_argument);
  CHECK(gbnf_error("root ::= \"\"{1000000000} \"a\"").status == Status::ok);
  std::string rules = "root ::= \"a\"\n";
  for (int i = 0; i < 70000; ++i) rules += "r" + std::to_string(i) + "::=\"\"\n";
  CHECK(gbnf_error(rules).message.find("more than 65536 rules") != std::string::npos);
  CHECK(gbnf_error(std::string(2 << 20, '#')).message.find("bytes, more than") != std::string::npos);

  // A chain of calls: deeper than the stack may be.
  rules = "root ::= r0 \"x\"\n";
  for (int i = 0; i < 5000; ++i) rules += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + " \"x\"\n";
  GrammarMatcher deep(Grammar::from_gbnf(rules + "r5000 ::= \"a\""));
  CHECK(deep.start() == GrammarMatcher::dead);
  // The same with nothing behind the calls takes no stack at all.
  rules = "root ::= r0\n";
  for (int i = 0; i < 5000; ++i) rules += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
  GrammarMatcher tail(Grammar::from_gbnf(rules + "r5000 ::= \"a\""));
  CHECK(matches(tail, "a"));

  GrammarMatcher million(Grammar::from_gbnf("root ::= (\"a\"{1000}){1000}"));
  GrammarMatcher::Config config = million.start();
  for (int i = 0; i < 1000000; ++i) {
    if (million.accepts(config)) FAIL("accepts " << i);
    config = million.trim(million.next(config, 'a'));
  }
  CHECK(million.trimmed() > 0);
  CHECK(million.accepts(config));
  CHECK_FALSE(million.goes_on(config));

  std::string words = "root ::= \"w\"";
  for (int i = 0; i < 20000; ++i) words += " | \"w" + std::to_string(i) + "\"";
  GrammarMatcher list(Grammar::from_gbnf(words));
  CHECK(matches(list, "w19999"));
  CHECK(matches(list, "w"));
  CHECK_FALSE(matches(list, "w20000"));

  // 2^30 ways to read the first byte.
  rules = "root ::= r0\n";
  for (int i = 0; i < 30; ++i) {
    const std::string next = "r" + std::to_string(i + 1);
    rules += "r" + std::to_string(i) + " ::= " + next + " \"a\" | " + next + " \"b\"\n";
  }
  CHECK(gbnf_error(rules + "r30 ::= \"c\"").message.find("ways at once") != std::string::npos);
  // Ways that grow with each byte.
  CHECK(gbnf_error("root ::= ((\"a\"?){1000}){1000}").message.find("ways at once") != std::string::npos);
  GrammarMatcher growing(Grammar::from_gbnf("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"d\""));
  CHECK_THROWS_AS(matches(growing, std::string(100, 'a')), Error);
}

// Patterns: scanners and PCRE2 against the reference's matches, and against each other on generated texts.
#include "tokenizers/pattern.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "error.h"
#include "tokenizers/split_behavior.h"
#include "tokenizers/unicode.h"
#include "tokenizers/utf8.h"

using namespace quern;
using nlohmann::json;

namespace {

#if defined(QUERN_PCRE2)
constexpr bool has_pcre2 = true;
#else
constexpr bool has_pcre2 = false;
#endif

std::vector<json> read_lines() {
  std::ifstream file(std::string(QUERN_TEST_DIR) + "/golden/tokenizers/patterns.jsonl");
  std::vector<json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  REQUIRE(!lines.empty());
  return lines;
}

Chars to_chars(const std::u32string& text) {
  Chars chars;
  for (const char32_t c : text) chars.push_back({c, 0, 0});
  return chars;
}

PatternPtr regex_pattern(const std::string& regex) {
  static const std::string file = "file";
  const json value = regex;
  return make_regex_pattern(regex, JsonField(&value, "pattern.Regex", &file));
}

PatternPtr any_pattern(const std::string& regex) {
  static const std::string file = "file";
  const json value = {{"Regex", regex}};
  return make_pattern(JsonField(&value, "pattern", &file));
}

std::vector<Span> find(const Pattern& pattern, const Chars& text) {
  std::vector<Span> matches;
  pattern.find(text.data(), {0, static_cast<uint32_t>(text.size())}, matches);
  return matches;
}

json to_json(const std::vector<Span>& spans, bool with_empty) {
  json out = json::array();
  for (const Span& s : spans) {
    if (with_empty || s.begin < s.end) out.push_back({s.begin, s.end});
  }
  return out;
}

void check_cases(const Pattern& pattern, const json& cases) {
  for (const json& c : cases) {
    INFO(c[0].dump());
    const Chars text = to_chars(decode_utf8(c[0].get<std::string>()));
    if (text.empty()) continue;
    const std::vector<Span> matches = find(pattern, text);
    CHECK(to_json(matches, false) == c[1]);
    std::vector<Span> parts;
    append_parts({0, static_cast<uint32_t>(text.size())}, matches, false, Behavior::isolated, parts);
    CHECK(to_json(parts, true) == c[2]);
  }
}

// Texts of the characters that the expressions tell apart, and of any.
std::u32string generate(std::mt19937& random) {
  static const std::u32string common =
      U"''''sStTmMdDlLrReEvV\u017F   \t\n\r\u00A0\u3000\u180E\u200B0123\u00BD\u0663\u2167"
      U"abzABZ\u00C9\u00E9\u01C5\u02B0\u00AA\u0301\u0903\u4E2D\u3042\u30AB\u9FA5\u9FA6"
      U".,!/$+_-(\u2014\u20AC\U0001F44D\u200D\0\x7F\u24D0\u1C89\U0001E5D0";
  std::u32string text;
  for (size_t n = random() % 30 + 1; n > 0; --n) {
    char32_t c = random() % 8 ? common[random() % common.size()] : random() % 0x110000;
    if (c >= 0xD800 && c < 0xE000) c = U'x';
    text += c;
  }
  return text;
}

}  // namespace

TEST_CASE("regular expressions match what the reference's match") {
  for (const json& line : read_lines()) {
    const std::string regex = line["regex"];
    INFO(regex);
    if (line.contains("refused")) {
      CHECK_THROWS_AS(any_pattern(regex), Error);
      continue;
    }
    if (line["known"]) {
      const PatternPtr scanner = make_known_pattern(regex);
      REQUIRE(scanner);
      check_cases(*scanner, line["cases"]);
    }
    if (has_pcre2) {
      if (!line["known"]) check_cases(*any_pattern(regex), line["cases"]);
      check_cases(*regex_pattern(regex), line["cases"]);
    }
  }
}

TEST_CASE("scanners match what PCRE2 matches") {
  if (!has_pcre2) return;
  for (const json& line : read_lines()) {
    if (!line.contains("known") || !line["known"]) continue;
    const std::string regex = line["regex"];
    const PatternPtr scanner = make_known_pattern(regex), other = regex_pattern(regex);
    std::mt19937 random(1);
    for (int i = 0; i < 3000; ++i) {
      const std::u32string text = generate(random);
      const Chars chars = to_chars(text);
      const std::vector<Span> a = find(*scanner, chars), b = find(*other, chars);
      if (a == b) continue;
      INFO(regex << " on " << json(std::vector<uint32_t>(text.begin(), text.end())).dump());
      CHECK(to_json(a, true) == to_json(b, true));
    }
  }
}

TEST_CASE("every class has the characters of the tables, not of PCRE2", "[slow]") {
  if (!has_pcre2) return;
  Chars all;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c < 0xD800 || c > 0xDFFF) all.push_back({c, 0, 0});
  }
  const auto check = [&](const std::string& regex, auto is_in) {
    const PatternPtr pattern = any_pattern(regex);
    size_t n_wrong = 0;
    // In parts, so that the steps of short texts are seen, too.
    for (uint32_t begin = 0; begin < all.size(); begin += 1000) {
      const Span part = {begin, std::min<uint32_t>(begin + 1000, static_cast<uint32_t>(all.size()))};
      std::vector<Span> matches;
      pattern->find(all.data(), part, matches);
      std::vector<bool> found(part.end - part.begin);
      for (const Span& m : matches) {
        for (uint32_t i = m.begin; i < m.end; ++i) found[i - begin] = true;
      }
      for (uint32_t i = part.begin; i < part.end; ++i) n_wrong += found[i - begin] != is_in(all[i].code);
    }
    INFO(regex);
    CHECK(n_wrong == 0);
  };
  using namespace unicode;
  check("[\\p{L}\\p{Me}]", [](char32_t c) { return unicode::is_in(c, letters | categories(Me)); });
  check("[^\\s\\p{N}]", [](char32_t c) { return !(flags(c) & white_space) && !unicode::is_in(c, numbers); });
  check("\\P{Lu}", [](char32_t c) { return !unicode::is_in(c, categories(Lu)); });
  check("[\\p{S}\\P{P}]", [](char32_t c) { return !unicode::is_in(c, punctuations); });
  check("\\w", [](char32_t c) { return (flags(c) & regex_word) != 0; });
  check("(?i)\\p{Cn}", [](char32_t c) { return unicode::is_in(c, categories(Cn)); });
  for (int i = 0; i < n_categories; ++i) {
    if (i == Cs) continue;
    check(std::string("[\\p{") + category_names[i] + "}]",
          [i](char32_t c) { return unicode::is_in(c, Categories{1} << i); });
  }
}

TEST_CASE("a regular expression that runs away is an Error, and never a hang") {
  if (!has_pcre2) return;
  const Chars many = to_chars(std::u32string(40, U'a') + U'!');
  CHECK_THROWS_AS(find(*any_pattern("(a+)+$"), many), Error);
  const Chars spaces = to_chars(std::u32string(1 << 20, U' ') + U'x');
  CHECK_THROWS_AS(find(*any_pattern("\\s+$"), spaces), Error);
  CHECK_THROWS_AS(find(*any_pattern(" +y"), spaces), Error);
  CHECK(find(*any_pattern("\\s+(?!\\S)|\\s+|x"), spaces).size() == 3);
  CHECK(find(*any_pattern("(?: |x)+"), spaces).size() == 1);
  try {
    find(*any_pattern("\\s+$"), spaces);
  } catch (const Error& e) {
    CHECK(e.message == "file: pattern.Regex takes too many steps on this text");
  }
}

TEST_CASE("a regular expression too large, or in another dialect, is refused by name") {
  const auto message = [](const std::string& regex) {
    try {
      any_pattern(regex);
    } catch (const Error& e) {
      return e.message;
    }
    return std::string();
  };
  CHECK(message(std::string(5000, 'a')) == "file: pattern.Regex should be at most 4096 bytes");
  if (has_pcre2) {
    CHECK(message("\\p{Klingon}").find("file: pattern.Regex holds the property \"Klingon\"") == 0);
    CHECK(message("(?:a{1000}){1000}{1000}").find("file: pattern.Regex is not a regular expression") == 0);
    CHECK(message("((((" + std::string(300, '(')).find("file: pattern.Regex holds groups nested deeper") == 0);
    CHECK(message(std::string(300, '[')).find("file: pattern.Regex holds classes nested deeper") == 0);
  } else {
    CHECK(message("(a)\\1").find("lacks PCRE2") != std::string::npos);
  }
}

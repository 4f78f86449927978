// Stop strings: wherever the text is cut, the same is shown.
#include "sampling/stop.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "error.h"
#include "sampling/random.h"
#include "tokenizers/utf8.h"

using namespace quern;

namespace {

struct Shown {
  std::string text;
  bool stopped;
  size_t which;
  friend bool operator==(const Shown&, const Shown&) = default;
};

Shown show(StopStrings stop, const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& piece : pieces) stop.push(piece, out);
  stop.flush(out);
  return {out, stop.stopped(), stop.which().value_or(99)};
}

// What push() gives after each piece.
std::vector<std::string> parts(StopStrings stop, const std::vector<std::string>& pieces) {
  std::vector<std::string> out;
  for (const std::string& piece : pieces) stop.push(piece, out.emplace_back());
  return out;
}

std::string stop_failure(const std::vector<std::string>& strings) {
  try {
    StopStrings stop(strings);
  } catch (const Error& e) {
    CHECK(e.status == Status::bad_argument);
    return e.message;
  }
  return "";
}

}  // namespace

TEST_CASE("stop: nothing is shown that a stop string may reach back to") {
  CHECK(parts(StopStrings({"END"}), {"aE", "N", "x", "EN", "D", "y"}) ==
        std::vector<std::string>{"a", "", "ENx", "", "", ""});
  CHECK(parts(StopStrings({"abab"}), {"ab", "a", "a", "bab"}) == std::vector<std::string>{"", "", "aba", ""});
  CHECK(parts(StopStrings({}), {"a", "b"}) == std::vector<std::string>{"a", "b"});
  CHECK(parts(StopStrings({"x"}), {"\xE4", "\xB8", "\xAD"}) == std::vector<std::string>{"", "", "中"});
  CHECK(parts(StopStrings({"中文"}), {"a中", "国"}) == std::vector<std::string>{"a", "中国"});
}

TEST_CASE("stop: the string that ends first counts, of several the longest") {
  CHECK(show(StopStrings({"abc", "b"}), {"xabc"}) == Shown{"xa", true, 1});
  CHECK(show(StopStrings({"bc", "abc", "c"}), {"xabc"}) == Shown{"x", true, 1});
  CHECK(show(StopStrings({"aab"}), {"aaab!"}) == Shown{"a", true, 0});
  CHECK(show(StopStrings({"\n\n"}), {"a\n", "b\n", "\nc"}) == Shown{"a\nb", true, 0});
  CHECK(show(StopStrings({"zz"}), {"az"}) == Shown{"az", false, 99});
  CHECK(show(StopStrings({"END"}, true), {"aEND", "b"}) == Shown{"aEND", true, 0});
  CHECK(show(StopStrings({"bc", "abc"}, true), {"xabcd"}) == Shown{"xabc", true, 1});
}

TEST_CASE("stop: the same text in any pieces") {
  const std::vector<std::string> strings = {"aba", "bb", "é", "ca中"};
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    std::string text;
    const char* const letters[] = {"a", "b", "c", "é", "中", "a", "x"};
    for (uint64_t i = 0; i < 14; ++i) text += letters[split_mix(seed, i) % 7];
    std::vector<std::string> pieces;
    for (size_t at = 0, i = 100; at < text.size(); ++i) {
      const size_t n = split_mix(seed, i) % 4;
      pieces.push_back(text.substr(at, n));
      at += n;
    }
    for (const bool include : {false, true}) {
      const Shown whole = show(StopStrings(strings, include), {text});
      INFO(text);
      CHECK(show(StopStrings(strings, include), pieces) == whole);
      CHECK(text.compare(0, whole.text.size(), whole.text) == 0);
      size_t end = std::string::npos;  // of the first stop string
      for (const std::string& s : strings)
        if (text.find(s) != std::string::npos) end = std::min(end, text.find(s) + s.size());
      CHECK(whole.stopped == (end != std::string::npos));
      if (whole.stopped && include) CHECK(whole.text.size() == end);
      for (const std::string& part : parts(StopStrings(strings, include), pieces))
        CHECK(find_invalid_utf8(part) == part.size());
    }
  }
}

TEST_CASE("stop: bad strings are Errors") {
  CHECK(stop_failure({"a", ""}) == "stop: string 1 is empty");
  CHECK(stop_failure({std::string(5000, 'a')}).find("5000 bytes") != std::string::npos);
  CHECK(stop_failure({"\xFF"}).find("not UTF-8") != std::string::npos);
  CHECK(stop_failure(std::vector<std::string>(65, "a")).find("65 strings") != std::string::npos);
}

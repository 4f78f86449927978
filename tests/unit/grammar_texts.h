// Which texts a grammar accepts, for the tests of what makes grammars.
#pragma once
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "error.h"
#include "sampling/grammar_matcher.h"

namespace quern::test {

inline GrammarMatcher::Config after(GrammarMatcher& matcher, std::string_view text) {
  GrammarMatcher::Config config = matcher.start();
  for (const char byte : text) config = matcher.next(config, static_cast<uint8_t>(byte));
  return config;
}
inline bool matches(GrammarMatcher& matcher, std::string_view text) {
  return matcher.accepts(after(matcher, text));
}

// The Error of a grammar's text; Status::ok where there is none.
template <class Parse>
Error grammar_error(const Parse& parse, const std::string& text) {
  try {
    GrammarMatcher matcher(parse(text));
  } catch (const Error& e) {
    return e;
  }
  return Error(Status::ok, "");
}

// accepted, refused: lists of texts.
template <class Texts>
void check_texts(GrammarMatcher& matcher, const Texts& accepted, const Texts& refused) {
  for (const std::string& text : accepted) {
    INFO(text);
    CHECK(matches(matcher, text));
  }
  for (const std::string& text : refused) {
    INFO(text);
    CHECK_FALSE(matches(matcher, text));
  }
}

}  // namespace quern::test

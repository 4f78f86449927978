// Grapheme clusters. See grapheme.h.
#include "grapheme.h"

#include "unicode.h"

namespace quern {
namespace {

using unicode::Break;
using unicode::Conjunct;

bool is_control(Break b) {
  return b == Break::cr || b == Break::lf || b == Break::control;
}

// What the rules remember of the cluster so far.
struct State {
  enum class Picture { none, seen, joined } picture = Picture::none;  // pictograph, extenders, ZWJ
  enum class Consonant { none, seen, linked } consonant = Consonant::none;
  bool odd_regional = false;

  void add(char32_t code, Break b) {
    if (unicode::flags(code) & unicode::pictographic) {
      picture = Picture::seen;
    } else if (b == Break::zwj && picture != Picture::none) {
      picture = Picture::joined;
    } else {
      picture = b == Break::extend && picture != Picture::none ? Picture::seen : Picture::none;
    }
    const Conjunct c = unicode::conjunct(code);
    if (c == Conjunct::consonant) {
      consonant = Consonant::seen;
    } else if (c == Conjunct::none) {
      consonant = Consonant::none;
    } else if (c == Conjunct::linker && consonant != Consonant::none) {
      consonant = Consonant::linked;
    }
    odd_regional = b == Break::regional && !odd_regional;
  }
};

// Rules GB3 to GB13.
bool joins(Break before, Break b, char32_t code, const State& state) {
  if (before == Break::cr && b == Break::lf) return true;
  if (is_control(before) || is_control(b)) return false;
  if (b == Break::extend || b == Break::zwj || b == Break::spacing || before == Break::prepend) return true;
  switch (before) {
    case Break::l:
      return b == Break::l || b == Break::v || b == Break::lv || b == Break::lvt;
    case Break::v:
    case Break::lv:
      return b == Break::v || b == Break::t;
    case Break::t:
    case Break::lvt:
      return b == Break::t;
    default:
      break;
  }
  if (b == Break::regional) return state.odd_regional;
  if (state.consonant == State::Consonant::linked && unicode::conjunct(code) == Conjunct::consonant) return true;
  return state.picture == State::Picture::joined && (unicode::flags(code) & unicode::pictographic);
}

}  // namespace

size_t grapheme_end(const Char* text, size_t n, size_t begin) noexcept {
  State state;
  Break before = unicode::grapheme_break(text[begin].code);
  state.add(text[begin].code, before);
  size_t i = begin + 1;
  for (; i < n; ++i) {
    const char32_t code = text[i].code;
    const Break b = unicode::grapheme_break(code);
    if (!joins(before, b, code, state)) break;
    state.add(code, b);
    before = b;
  }
  return i;
}

}  // namespace quern

// Cutting words. See split_behavior.h.
#include "split_behavior.h"

#include <algorithm>

namespace quern {

Behavior behavior_of(const JsonField& field, const char* absent) {
  const std::string name = absent ? field.string_or("behavior", absent) : field.at("behavior").string();
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "Contiguous") return Behavior::contiguous;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  field.fail("has a behavior \"" + name +
             "\"; expected Removed, Isolated, Contiguous, MergedWithPrevious or MergedWithNext");
}

void append_parts(Span word, const std::vector<Span>& matches, bool invert, Behavior behavior, std::vector<Span>& out) {
  const size_t first = out.size();
  bool previous = false, any_empty = false;
  const auto put = [&](Span part, bool match) {
    const bool joins = behavior == Behavior::contiguous             ? match == previous
                       : behavior == Behavior::merged_with_previous ? match && !previous
                       : behavior == Behavior::merged_with_next     ? !match && previous
                                                                    : false;
    if (joins && out.size() > first) {
      out.back().end = part.end;
    } else if (!match || behavior != Behavior::removed) {
      out.push_back(part);
      any_empty = any_empty || part.begin == part.end;
    }
    previous = match;
  };
  uint32_t at = word.begin;
  for (const Span match : matches) {
    if (match.begin > at) put({at, match.begin}, invert);
    put(match, !invert);
    at = match.end;
  }
  if (at < word.end) put({at, word.end}, invert);
  if (!any_empty) return;
  const auto is_empty = [](const Span& s) { return s.begin == s.end; };
  out.erase(std::remove_if(out.begin() + static_cast<ptrdiff_t>(first), out.end(), is_empty), out.end());
}

}  // namespace quern

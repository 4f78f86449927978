#include "heads/spans.h"

#include <string_view>

namespace quern {
namespace {

bool begins(std::string_view label) {
  return label.starts_with("B-");
}
std::string_view kind(std::string_view label) {
  return begins(label) || label.starts_with("I-") ? label.substr(2) : label;
}

}  // namespace

std::vector<LabelledToken> group_tokens(const std::vector<LabelledToken>& tokens,
                                        const std::vector<std::string>& labels) {
  std::vector<LabelledToken> spans;
  const auto name = [&](const LabelledToken& t) -> std::string_view { return labels[static_cast<size_t>(t.label)]; };
  for (size_t i = 0; i < tokens.size();) {
    LabelledToken span = tokens[i];
    double total = 0;
    size_t next = i;
    do {
      total += static_cast<double>(tokens[next].score);
      span.end = tokens[next].end;
      ++next;
    } while (next < tokens.size() && !begins(name(tokens[next])) && kind(name(tokens[next])) == kind(name(span)));
    span.score = static_cast<float>(total / static_cast<double>(next - i));
    if (kind(name(span)) != "O") spans.push_back(span);
    i = next;
  }
  return spans;
}

}  // namespace quern

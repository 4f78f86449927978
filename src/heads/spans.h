// Token labels → labelled spans of the text, as transformers' token-classification pipeline groups them ("simple").
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace quern {

struct LabelledToken {
  size_t begin, end;  // bytes of the text
  int64_t label;      // the most probable one
  float score;
};

// Tokens side by side whose labels are one kind ("I-PER" and "B-PER" are; the latter begins a new span) become one,
// with the mean score and the first one's label; spans labelled "O" are left out.
std::vector<LabelledToken> group_tokens(const std::vector<LabelledToken>& tokens,
                                        const std::vector<std::string>& labels);

}  // namespace quern

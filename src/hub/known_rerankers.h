// Language models that rank texts and whose folders do not say how: their makers have published it elsewhere.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "hub/hf_folder.h"

namespace quern {

struct KnownReranker {
  const char* name;      // in lower case: of what names it contain
  const char *yes, *no;  // tokens of the answer; null: nothing is taken off
  const char* pairs;     // a PairTemplate's source
};

// Null: none that is known by one of these names.
const KnownReranker* find_known_reranker(std::span<const std::string> names);
// A rendering of Qwen3-Reranker's with these two as texts, as llama.cpp's files have it, is its template.
std::string qwen3_reranker_prompt(std::string_view query, std::string_view document);
const KnownReranker& qwen3_reranker();

}  // namespace quern

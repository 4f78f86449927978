#include "hub/known_rerankers.h"

#include <algorithm>

#include "ascii.h"

namespace quern {
namespace {

#define TEXT_OF(role) "(messages | selectattr('role', 'eq', '" role "') | first).content"
#define QWEN3_TASK "Given a web search query, retrieve relevant passages that answer the query"
#define QWEN3_BEGIN                                                                                            \
  "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct " \
  "provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n<Instruct>: "
#define QWEN3_QUERY "\n<Query>: "
#define QWEN3_DOCUMENT "\n<Document>: "
#define QWEN3_END "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"

constexpr KnownReranker kKnown[] = {
    {"qwen3-reranker", "yes", "no",
     "{%- set told = messages | selectattr('role', 'eq', 'system') | map(attribute='content') | first -%}\n" QWEN3_BEGIN
     "{{ told or '" QWEN3_TASK "' }}" QWEN3_QUERY "{{ " TEXT_OF("query") " }}" QWEN3_DOCUMENT "{{ " TEXT_OF(
         "document") " }}" QWEN3_END "\n"},  // a template's last line break is none of its text
    {"bge-reranker-v2-gemma", "Yes", nullptr,
     "{{ bos_token }}A: {{ " TEXT_OF("query") " }}\nB: {{ " TEXT_OF(
         "document") " }}\n"
                     "{{ (messages | selectattr('role', 'eq', 'system') | map(attribute='content') | first) or \"Given "
                     "a query A and a "
                     "passage B, determine whether the passage contains an answer to the query by providing a "
                     "prediction of either "
                     "'Yes' or 'No'.\" }}"},
};

}  // namespace

const KnownReranker* find_known_reranker(std::span<const std::string> names) {
  for (const KnownReranker& known : kKnown)
    if (std::any_of(names.begin(), names.end(),
                    [&](const std::string& name) { return ascii_lower(name).find(known.name) != std::string::npos; }))
      return &known;
  return nullptr;
}

std::string qwen3_reranker_prompt(std::string_view query, std::string_view document) {
  return QWEN3_BEGIN QWEN3_TASK QWEN3_QUERY + std::string(query) + QWEN3_DOCUMENT + std::string(document) + QWEN3_END;
}

const KnownReranker& qwen3_reranker() {
  return kKnown[0];
}

}  // namespace quern

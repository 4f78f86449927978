// Short names of well-known models: what known_models.inc lists.
#pragma once
#include <span>
#include <string_view>

namespace quern {

struct KnownModel {
  const char* name;  // without a slash
  const char* repo;
  const char* task;      // embed, rerank, generate
  const char* good_for;  // in a few words
  int dimensions;        // of its vectors; 0: it makes none
  int tokens;            // of the longest text
  int millions;          // of parameters
  const char* license;   // as SPDX or the Hub has it
};

std::span<const KnownModel> known_models() noexcept;
const KnownModel* find_known_model(std::string_view name) noexcept;  // null: none

}  // namespace quern

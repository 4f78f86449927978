// A tokenizer's tables kept in memory, to parse its outline over, unaligned on purpose.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tokenizers/table.h"
#include "tokenizers/tokenizer.h"

struct SavedTables {
  explicit SavedTables(const quern::Tokenizer& tokenizer) {
    tokenizer.save([this](std::string_view name, std::span<const std::byte> bytes) {
      std::vector<std::byte>& copy = tables[std::string(name)];
      copy.assign(1, std::byte{0});
      copy.insert(copy.end(), bytes.begin(), bytes.end());
    });
  }
  SavedTables(const SavedTables&) = delete;
  const quern::TableSource& source() const { return source_; }
  // The bytes of a table begin at [1].
  std::map<std::string, std::vector<std::byte>, std::less<>> tables;

 private:
  quern::TableSource source_ = {"file", "tables.",
                                [this](std::string_view name) -> std::optional<std::span<const std::byte>> {
                                  const auto found = tables.find(name);
                                  if (found == tables.end()) return std::nullopt;
                                  return std::span<const std::byte>(found->second).subspan(1);
                                }};
};

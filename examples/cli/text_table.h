// Texts that were worked on, so that equal ones are not again. Bounded: what was not asked for in a while is forgotten.
#pragma once
#include <quern.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bulk.h"

namespace cli {

// What became of a text, and what was said of it.
template <class Value>
struct Worked {
  Value value;
  quern_text_info info{};
};

template <class Value>
class TextTable {
 public:
  explicit TextTable(size_t max_bytes) : half_(max_bytes / 2) {}

  // Valid until the next call; null for one that is not known.
  const Worked<Value>* find(const std::string& text) {
    if (const auto found = young_.find(text); found != young_.end()) return &found->second.first;
    const auto found = old_.find(text);
    if (found == old_.end()) return nullptr;
    used_ += found->second.second;
    return &young_.insert(old_.extract(found)).position->second.first;
  }
  // bytes: of the value.
  void add(const std::string& text, Worked<Value> worked, size_t bytes) {
    bytes += text.size() + sizeof(Entry) + 64;
    if (used_ + bytes > half_) {
      old_ = std::exchange(young_, {});
      used_ = 0;
    }
    if (bytes > half_) return;
    used_ += bytes;
    young_.emplace(text, Entry(std::move(worked), bytes));
  }

 private:
  using Entry = std::pair<Worked<Value>, size_t>;  // with its bytes
  const size_t half_;
  size_t used_ = 0;  // of the young ones
  std::unordered_map<std::string, Entry> young_, old_;
};

// Which texts of a batch need work: the first of equal ones that the table does not know.
template <class Value>
struct BatchPlan {
  std::vector<const char*> pointers;  // those that need it
  std::vector<size_t> lengths, places;
  std::vector<quern_text_info> info;
  std::vector<size_t> index;  // of each text among these, or kKnown + its place in `known`
  std::vector<Worked<Value>> known;
  static constexpr size_t kKnown = size_t{1} << 40;

  BatchPlan(const TextBatch& batch, TextTable<Value>& table) {
    std::unordered_map<std::string_view, size_t> seen;
    for (size_t i = 0; i < batch.texts.size(); ++i) {
      const std::string& text = batch.texts[i];
      const auto [at, fresh] = seen.try_emplace(text, places.size());
      if (fresh) {
        if (const Worked<Value>* worked = table.find(text)) {
          at->second = kKnown + known.size();
          known.push_back(*worked);
        } else {
          pointers.push_back(text.data());
          lengths.push_back(text.size());
          places.push_back(i);
        }
      }
      index.push_back(at->second);
    }
    info.resize(places.size());
  }
  size_t repeated() const { return index.size() - places.size(); }
};

}  // namespace cli

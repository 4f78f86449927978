// Texts through a decoder of which one state is wanted, the last token's, and which begin alike: what a text begins
// with goes through once. Its keys and values are kept in pages, where later texts, of this call or another, find them.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "generation/page_pool.h"
#include "loaded_model.h"

namespace quern {

// Belongs to one caller at a time. What comes of a text does not depend on the others, to the bit: a token's result is
// the same however its text's beginning went through.
class PrefixPass {
 public:
  struct Text {
    size_t index;              // the caller's number
    std::vector<int32_t> ids;  // one or more, which the model has
    const LinearChanges* changes = nullptr;
  };
  // Texts that are through: the last row of each is its last token's state. Their memory lives as long as the call.
  using Done =
      std::function<void(const Tensor& states, std::span<const Sequence> texts, std::span<const size_t> indices)>;

  // op: of the model's device. room: tokens in one pass, a multiple of kPageTokens; a longer text takes several.
  PrefixPass(const LoadedModel& model, Ops& op, int64_t room);
  ~PrefixPass();

  // Keys and values of the longest text and of one pass are kept, and 2,048 tokens more of beginnings that may come
  // again: those that texts of one call share, or a text that comes alone. Throws Error{out_of_memory}, and what `done`
  // throws.
  void run(std::span<const Text> texts, const Done& done);

 private:
  struct Walk;
  void reserve(std::span<const Text> texts);
  bool pack(Walk& walk, int64_t& left);
  void step(std::vector<Walk>& waiting, const Done& done);
  void find_kept(Walk& walk);
  bool claim(const Walk& walk);
  bool take_pages(Walk& walk, size_t tokens);
  void remember(Walk& walk);

  const LoadedModel& model_;
  Ops& op_;
  const KvShape shape_;
  const int64_t room_;
  std::unique_ptr<KvCache> cache_;
  std::unique_ptr<PagePool> pool_;
  uint64_t calls_ = 0;
  // Of the pass that is being put together.
  std::vector<int32_t> ids_;
  std::vector<Sequence> texts_;
  std::vector<Walk*> in_pass_;
  std::set<std::pair<PagePool::Place, std::vector<int32_t>>> claimed_;  // pages that it fills
};

}  // namespace quern

#include "prefix_pass.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "error.h"

namespace quern {
namespace {

constexpr size_t kPage = static_cast<size_t>(kPageTokens);
constexpr int64_t kKeptPages = 64;  // of beginnings

// Of each text, how many tokens it begins with like another one of them does. A lone one begins like texts to come.
std::vector<size_t> shared_beginnings(std::span<const PrefixPass::Text> texts) {
  std::vector<size_t> order(texts.size()), shared(texts.size(), texts.size() == 1 ? texts[0].ids.size() : 0);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return texts[a].ids < texts[b].ids; });
  for (size_t i = 1; i < order.size(); ++i) {
    const std::vector<int32_t>&a = texts[order[i - 1]].ids, &b = texts[order[i]].ids;
    const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
    const size_t n = static_cast<size_t>(end - a.begin());
    for (const size_t text : {order[i - 1], order[i]}) shared[text] = std::max(shared[text], n);
  }
  return shared;
}

// Exactly where weights are exact; else as generation keeps them.
KvShape shape_of(const LoadedModel& model) {
  KvShape shape = model.model->language_head().kv;
  shape.type = precision_of(model) == Precision::f32 ? KvType::f32 : KvType::f16;
  return shape;
}

}  // namespace

// A text on its way.
struct PrefixPass::Walk {
  const Text* text;
  PagePool& pool;
  PagePool::Place place;
  std::vector<int32_t> pages = {};
  size_t shared;                    // tokens that are worth remembering
  size_t kept = 0, remembered = 0;  // tokens that went through; pages that others may find
  size_t in_pass = 0;               // tokens of this pass

  Walk(const Text& text, PagePool& pool, uint64_t key, size_t shared)
      : text(&text), pool(pool), place(PagePool::root(key)), shared(shared) {}
  Walk(Walk&&) = default;
  Walk& operator=(Walk&&) = delete;
  ~Walk() { drop_pages(0); }  // the last first, so that beginnings are forgotten last
  void drop_pages(size_t left) {
    for (; pages.size() > left; pages.pop_back()) pool.release(pages.back());
  }
  size_t size() const { return text->ids.size(); }
  bool is_through() const { return kept == size(); }
  std::span<const int32_t> next_page() const { return std::span(text->ids).subspan(kept, kPage); }
  // Its last token always goes through: it is what is asked for.
  bool has_whole_page() const { return kept + kPage < size(); }
  bool knows_place() const { return remembered * kPage == kept; }  // else nothing is found from where it stands
};

PrefixPass::PrefixPass(const LoadedModel& model, Ops& op, int64_t room)
    : model_(model), op_(op), shape_(shape_of(model)), room_(room) {}

PrefixPass::~PrefixPass() = default;

void PrefixPass::reserve(std::span<const Text> texts) {
  size_t longest = 0;
  for (const Text& text : texts) longest = std::max(longest, text.ids.size());
  const uint64_t of_longest = static_cast<uint64_t>(pages_of(static_cast<int64_t>(longest)));
  const int64_t needed = static_cast<int64_t>(std::bit_ceil(of_longest)) + 2 * pages_of(room_) + kKeptPages;
  if (cache_ && cache_->pages() >= needed) return;
  pool_.reset();
  cache_.reset();
  cache_ = model_.device->kv_cache(shape_, needed);
  pool_ = std::make_unique<PagePool>(needed);
}

// Pages that were filled before.
void PrefixPass::find_kept(Walk& walk) {
  while (walk.has_whole_page() && walk.knows_place()) {
    PagePool::Place place;
    const int32_t page = pool_->find(walk.place, walk.next_page(), place);
    if (page < 0) return;
    walk.pages.push_back(page);
    walk.place = place;
    walk.kept += kPage;
    ++walk.remembered;
  }
}

// Whether no other text of this pass fills the page that this one goes on with: it will find that page in the next.
bool PrefixPass::claim(const Walk& walk) {
  if (!walk.has_whole_page() || !walk.knows_place()) return true;
  const std::span<const int32_t> page = walk.next_page();
  return claimed_.emplace(walk.place, std::vector(page.begin(), page.end())).second;
}

bool PrefixPass::take_pages(Walk& walk, size_t tokens) {
  const size_t before = walk.pages.size();
  while (static_cast<int64_t>(walk.pages.size()) < pages_of(static_cast<int64_t>(tokens))) {
    const int32_t page = pool_->take();
    if (page < 0) {
      walk.drop_pages(before);
      return false;
    }
    cache_->clear(page);
    walk.pages.push_back(page);
  }
  return true;
}

// Whether it is in the pass. The first may take as many tokens as there is room for; others go whole.
bool PrefixPass::pack(Walk& walk, int64_t& left) {
  const bool first = in_pass_.empty();
  find_kept(walk);
  const size_t n = std::min(walk.size() - walk.kept, static_cast<size_t>(left));
  if (!first && walk.kept + n < walk.size()) return false;
  if (!claim(walk) || !take_pages(walk, walk.kept + n)) return false;
  texts_.push_back({.first = static_cast<int64_t>(ids_.size()),
                    .length = static_cast<int64_t>(n),
                    .past = static_cast<int64_t>(walk.kept),
                    .pages = walk.pages.data(),
                    .changes = walk.text->changes});
  const auto from = walk.text->ids.begin() + static_cast<ptrdiff_t>(walk.kept);
  ids_.insert(ids_.end(), from, from + static_cast<ptrdiff_t>(n));
  walk.in_pass = n;
  in_pass_.push_back(&walk);
  left -= static_cast<int64_t>(n);
  return true;
}

void PrefixPass::remember(Walk& walk) {
  for (; (walk.remembered + 1) * kPage <= std::min(walk.kept, walk.shared); ++walk.remembered)
    walk.place = pool_->remember(walk.pages[walk.remembered], walk.place,
                                 std::span(walk.text->ids).subspan(walk.remembered * kPage, kPage));
}

void PrefixPass::step(std::vector<Walk>& waiting, const Done& done) {
  ids_.clear();
  texts_.clear();
  in_pass_.clear();
  claimed_.clear();
  // A text that takes several passes has them for itself: positions may turn by how long it is.
  const auto is_long = [&](const Walk& walk) { return static_cast<int64_t>(walk.size()) > room_; };
  int64_t left = room_;
  for (Walk& walk : waiting) {
    if (left == 0 || (!in_pass_.empty() && is_long(*in_pass_[0]))) break;
    if (in_pass_.empty() || !is_long(walk)) pack(walk, left);
  }
  if (in_pass_.empty()) throw Error(Status::out_of_memory, "there are no pages for the keys and values of a text");
  Batch batch;
  batch.ids = ids_;
  batch.texts = texts_;
  batch.cache = cache_.get();
  batch.growing_to = is_long(*in_pass_[0]) ? static_cast<int64_t>(in_pass_[0]->size()) : 0;
  Ops::Scope scope(op_);
  const Tensor states = forward(*model_.model, {op_}, batch);
  std::vector<Sequence> through;
  std::vector<size_t> indices;
  for (size_t i = 0; i < in_pass_.size(); ++i) {
    Walk& walk = *in_pass_[i];
    walk.kept += walk.in_pass;
    remember(walk);
    if (!walk.is_through()) continue;
    through.push_back(texts_[i]);
    indices.push_back(walk.text->index);
  }
  if (!through.empty()) done(states, through, indices);
}

void PrefixPass::run(std::span<const Text> texts, const Done& done) {
  reserve(texts);
  ++calls_;
  std::vector<Walk> waiting;
  waiting.reserve(texts.size());
  // Keys and values depend on an adapter, whose address another one may have by the next call.
  const std::vector<size_t> shared = shared_beginnings(texts);
  for (size_t i = 0; i < texts.size(); ++i) {
    const uintptr_t changes = reinterpret_cast<uintptr_t>(texts[i].changes);
    waiting.emplace_back(texts[i], *pool_, changes ? changes * 0x9E3779B97F4A7C15u + calls_ : 0, shared[i]);
  }
  while (!waiting.empty()) {
    step(waiting, done);
    std::vector<Walk> rest;
    rest.reserve(waiting.size());
    for (Walk& walk : waiting)
      if (!walk.is_through()) rest.push_back(std::move(walk));
    waiting.swap(rest);
  }
}

}  // namespace quern

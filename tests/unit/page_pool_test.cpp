// Who owns which page, and which beginnings are remembered.
#include "generation/page_pool.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

namespace quern::test {
namespace {

std::vector<int32_t> page_of(int32_t first) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < kPageTokens; ++i) tokens.push_back(first * 1000 + i);
  return tokens;
}

}  // namespace

TEST_CASE("page pool: each page has one owner until it is released") {
  PagePool pool(3);
  std::set<int32_t> pages = {pool.take(), pool.take(), pool.take()};
  CHECK(pages == std::set<int32_t>{0, 1, 2});
  CHECK(pool.take() == -1);
  CHECK(pool.available() == 0);
  pool.release(1);
  CHECK(pool.available() == 1);
  CHECK(pool.take() == 1);
  CHECK(PagePool(0).take() == -1);
}

TEST_CASE("page pool: beginnings are found by all that came before, and shared") {
  PagePool pool(4);
  const int32_t a = pool.take(), b = pool.take();
  const PagePool::Place after_a = pool.remember(a, 0, page_of(1)), after_b = pool.remember(b, after_a, page_of(2));
  CHECK(after_a != 0);
  CHECK(after_b != after_a);
  PagePool::Place place = 0;
  CHECK(pool.find(0, page_of(2), place) == -1);  // the same tokens, but elsewhere
  CHECK(pool.find(after_b, page_of(1), place) == -1);
  CHECK(pool.find(0, page_of(1), place) == a);
  CHECK(place == after_a);
  CHECK(pool.find(place, page_of(2), place) == b);
  CHECK(place == after_b);
  // Two owners each.
  pool.release(a), pool.release(b);
  CHECK(pool.available() == 2);
  pool.release(b), pool.release(a);
  CHECK(pool.available() == 4);
  // Without owners they are still known.
  CHECK(pool.find(0, page_of(1), place) == a);
  CHECK(pool.available() == 3);
  pool.release(a);
}

TEST_CASE("page pool: the longest unused beginning is forgotten when a page is needed") {
  PagePool pool(3);
  int32_t pages[3];
  for (int32_t i = 0; i < 3; ++i) {
    pages[i] = pool.take();
    pool.remember(pages[i], 0, page_of(i));
  }
  for (const int32_t page : pages) pool.release(page);
  PagePool::Place place;
  CHECK(pool.find(0, page_of(0), place) == pages[0]);  // used again: now the newest
  pool.release(pages[0]);
  CHECK(pool.take() == pages[1]);
  CHECK(pool.find(0, page_of(1), place) == -1);
  CHECK(pool.find(0, page_of(2), place) == pages[2]);
  CHECK(pool.find(0, page_of(0), place) == pages[0]);
  CHECK(pool.take() == -1);  // owned pages are never taken
}

TEST_CASE("page pool: pages behind a forgotten one are not found in place of others") {
  PagePool pool(3);
  const int32_t a = pool.take(), b = pool.take();
  const PagePool::Place after_a = pool.remember(a, 0, page_of(1));
  pool.remember(b, after_a, page_of(2));
  pool.release(a), pool.release(b);
  const int32_t c = pool.take(), d = pool.take();  // the free one, and a's
  CHECK(d == a);
  const PagePool::Place again = pool.remember(d, 0, page_of(1));
  CHECK(again != after_a);
  PagePool::Place place;
  CHECK(pool.find(again, page_of(2), place) == -1);
  pool.release(c), pool.release(d);
}

TEST_CASE("page pool: the same beginning from two owners is one") {
  PagePool pool(2);
  const int32_t a = pool.take(), b = pool.take();
  const PagePool::Place one = pool.remember(a, 0, page_of(7)), other = pool.remember(b, 0, page_of(7));
  CHECK(one == other);
  pool.release(a), pool.release(b);
  PagePool::Place place;
  CHECK(pool.find(0, page_of(7), place) == a);
  CHECK(pool.take() == b);
}

TEST_CASE("page pool: beginnings of different keys share nothing") {
  PagePool pool(3);
  const int32_t a = pool.take(), b = pool.take();
  const PagePool::Place one = pool.remember(a, PagePool::root(1), page_of(7));
  CHECK(pool.remember(b, PagePool::root(2), page_of(7)) != one);
  pool.release(a), pool.release(b);
  PagePool::Place place;
  CHECK(pool.find(PagePool::root(2), page_of(7), place) == b);
  CHECK(pool.find(PagePool::root(1), page_of(7), place) == a);
  CHECK(pool.find(PagePool::root(0), page_of(7), place) == -1);
}

TEST_CASE("page pool: any order of calls keeps count") {
  PagePool pool(16);
  std::mt19937 random(1);
  struct Text {
    std::vector<int32_t> pages;
    PagePool::Place place = 0;
  };
  std::vector<Text> texts(5);
  for (int i = 0; i < 20000; ++i) {
    Text& text = texts[random() % texts.size()];
    if (random() % 6 == 0 || text.pages.size() >= 6) {
      while (!text.pages.empty()) pool.release(text.pages.back()), text.pages.pop_back();
      text.place = 0;
    } else {
      const auto tokens = page_of(static_cast<int32_t>(random() % 3));
      PagePool::Place place = 0;
      int32_t page = pool.find(text.place, tokens, place);
      if (page < 0 && (page = pool.take()) >= 0) place = pool.remember(page, text.place, tokens);
      if (page >= 0) text.pages.push_back(page), text.place = place;
    }
    std::set<int32_t> owned;
    for (const Text& t : texts) owned.insert(t.pages.begin(), t.pages.end());
    REQUIRE(pool.available() == static_cast<int64_t>(16 - owned.size()));
  }
}

}  // namespace quern::test

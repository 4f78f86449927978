#include "model_cost.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace quern;

namespace {

std::unique_ptr<LoadedModel> fixture(const std::string& name) {
  return load_model(QUERN_TEST_DIR "/golden/models/" + name);
}

// Pairs of tokens that see each other, one by one.
double pairs(int64_t n, int64_t before, int64_t after) {
  double count = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) count += j >= i - before && j <= i + after;
  return count;
}

}  // namespace

TEST_CASE("cost: heads times their width, not the model's width") {
  const auto model = fixture("qwen3");  // width 32, 4 heads of 12 over 2 of keys, feed-forward 48, 2 layers
  const double layer = (4 * 12 + 2 * 2 * 12) * 32 + 32 * 4 * 12 + 2 * 48 * 32 + 48 * 32;
  for (const int64_t n : {1, 2, 17}) {
    const Macs macs = text_macs(*model, n);
    CHECK(macs.products == 2 * layer * static_cast<double>(n));  // the output head is none of the layers
    CHECK(macs.attention == 2 * 2 * 4 * 12 * pairs(n, n, 0));
  }
  CHECK(text_macs(*fixture("t5"), 9).attention == 2 * 2 * 4 * 6 * 81);
  CHECK(text_macs(*model, 0).all() == 0);
}

TEST_CASE("cost: windows count what is seen") {
  const auto modernbert = fixture("modernbert");  // width 32; full, windowed, windowed, full; a window of 8
  const auto gemma = fixture("gemma3");           // 4 heads of 10; three layers of four see 16 tokens
  for (const int64_t n : {1, 3, 8, 30, 100}) {
    const double full = pairs(n, n, n), causal = pairs(n, n, 0);
    CHECK(text_macs(*modernbert, n).attention == 2 * 32 * (2 * full + 2 * pairs(n, 4, 4)));
    CHECK(text_macs(*gemma, n).attention == 2 * 40 * (causal + 3 * pairs(n, 15, 0)));
  }
}

#include "work_plan.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

using namespace quern;

namespace {

using Texts = std::vector<size_t>;

// Every text once: what a plan must hold whatever it is.
bool whole(const WorkPlan& plan, size_t n) {
  Texts all = plan.split;
  for (const Texts& share : plan.shares) all.insert(all.end(), share.begin(), share.end());
  std::sort(all.begin(), all.end());
  for (size_t i = 0; i < n; ++i)
    if (i >= all.size() || all[i] != i) return false;
  return all.size() == n;
}

double longest(const WorkPlan& plan, const std::vector<double>& costs) {
  double most = 0;
  for (const Texts& share : plan.shares) {
    double load = 0;
    for (const size_t text : share) load += costs[text];
    most = std::max(most, load);
  }
  return most;
}

}  // namespace

TEST_CASE("work plan: a text that would leave threads idle is split") {
  const WorkPlan one = plan_work(std::vector<double>{512, 8}, 2, 10);
  CHECK(one.split == Texts{0});
  CHECK(plan_work(std::vector<double>{8, 512, 9, 7}, 2, 10).split == Texts{1});
  CHECK(plan_work(std::vector<double>{100}, 4, 1).split == Texts{0});
  const WorkPlan three = plan_work(std::vector<double>{100, 100, 100}, 2, 1);
  CHECK(three.split.size() == 1);
  CHECK(longest(three, {100, 100, 100}) == 100);
}

TEST_CASE("work plan: texts that share out evenly stay whole") {
  const WorkPlan two = plan_work(std::vector<double>{100, 100}, 2, 1);
  CHECK(two.split.empty());
  CHECK(longest(two, {100, 100}) == 100);
  CHECK(plan_work(std::vector<double>{30, 70, 40, 60}, 2, 1).split.empty());
  CHECK(plan_work(std::vector<double>{5, 4}, 2, 1000).split.empty());  // waiting would cost more
  CHECK(plan_work(std::vector<double>{500, 4, 3}, 1, 0).split.empty());
}

TEST_CASE("work plan: every text once, and never much worse than the best") {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<double> costs(random() % 40);
    for (double& cost : costs) cost = 1 + static_cast<double>(random() % (round % 3 == 0 ? 2000 : 50));
    const size_t threads = 1 + random() % 8;
    const WorkPlan plan = plan_work(costs, threads, 5);
    REQUIRE(whole(plan, costs.size()));
    double all = 0, split = 0;
    for (const double cost : costs) all += cost;
    for (const size_t text : plan.split) split += costs[text] / (0.9 * static_cast<double>(threads)) + 5;
    const double time = split + longest(plan, costs);
    const double everything_split = all / (0.9 * static_cast<double>(threads)) + 5 * static_cast<double>(costs.size());
    CHECK(time <= everything_split + 1e-9);
    CHECK(time <= longest(plan_work(costs, threads, 1e12), costs) + 1e-9);  // nothing split
  }
}

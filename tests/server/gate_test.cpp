// Turns at the CPUs: so many at once, in order, and nobody waits for ever.
#include "gate.h"

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <optional>
#include <thread>
#include <vector>

using namespace server;

namespace {

Refusal refusal_of_entering(Gate& gate, const Patience& patience) {
  try {
    const auto pass = gate.enter(patience);
  } catch (const Refusal& refusal) {
    return refusal;
  }
  return {Reason::internal, "it had a place"};
}

}  // namespace

TEST_CASE("gate: as many at once as there are places") {
  Gate gate(3, 1000);
  std::atomic<int> inside{0}, most{0}, all{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) {
        const auto pass = gate.enter({});
        const int now = ++inside;
        int before = most;
        while (now > before && !most.compare_exchange_weak(before, now)) {
        }
        ++all;
        --inside;
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(all == 2400);
  CHECK(most <= 3);
  CHECK(inside == 0);
}

TEST_CASE("gate: who came first goes first") {
  Gate gate(1, 100);
  std::optional<Gate::Pass> held(gate.enter({}));
  std::array<std::atomic<bool>, 6> waits{};
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      Patience patience;
      patience.gone = [&waits, i] { return waits[static_cast<size_t>(i)].exchange(true), false; };  // once it waits
      const auto pass = gate.enter(patience);
      order.push_back(i);  // one at a time
    });
    while (!waits[static_cast<size_t>(i)]) std::this_thread::yield();
  }
  held.reset();
  for (std::thread& t : threads) t.join();
  CHECK(order == std::vector<int>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("gate: what is refused, and why") {
  Gate gate(1, 0);
  std::optional<Gate::Pass> held(gate.enter({}));
  CHECK(refusal_of_entering(gate, {}).reason == Reason::overloaded);
  held.reset();
  CHECK(refusal_of_entering(gate, {}).reason == Reason::internal);

  Gate other(1, 10);
  held.emplace(other.enter({}));
  Patience late;
  late.until = Clock::now();
  CHECK(refusal_of_entering(other, late).reason == Reason::deadline);
  Patience gone;
  gone.gone = [] { return true; };
  const Refusal refusal = refusal_of_entering(other, gone);
  CHECK(refusal.reason == Reason::deadline);
  CHECK(refusal.message.find("gone") != std::string::npos);
  // Who gave up is in nobody's way.
  std::thread waiting([&] { const auto pass = other.enter({}); });
  held.reset();
  waiting.join();
  CHECK(refusal_of_entering(other, late).reason == Reason::internal);  // a free place is no waiting
}

TEST_CASE("gate: a pass that was moved is given back once") {
  Gate gate(1, 10);
  {
    Gate::Pass first = gate.enter({});
    const Gate::Pass second = std::move(first);
    Patience late;
    late.until = Clock::now();
    CHECK(refusal_of_entering(gate, late).reason == Reason::deadline);
  }
  const auto one = gate.enter({});
  Patience late;
  late.until = Clock::now();
  CHECK(refusal_of_entering(gate, late).reason == Reason::deadline);
}

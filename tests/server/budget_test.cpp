// Memory that all clients share, counted connection by connection.
#include "budget.h"

#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

using namespace server;

TEST_CASE("budget: small and large are counted apart") {
  Budget all(100, 1 << 20);
  Peer peer("a");
  Holding one(all, peer.received), two(all, peer.received);
  one.set(90);
  CHECK(one.fits());
  two.set(11);
  CHECK_FALSE(two.fits());  // 101 of 100
  CHECK(all.used() == 101);
  CHECK(peer.received == 0);  // of what is small nobody has a share
  two.set(kSmall + 1);
  CHECK(two.large());
  CHECK(two.fits());
  CHECK(one.fits());
  CHECK(all.of[0] == 90);
  CHECK(all.of[1] == kSmall + 1);
  CHECK(peer.received == kSmall + 1);
  two.set(0);
  one.set(0);
  CHECK(all.used() == 0);
  CHECK(peer.received == 0);
}

TEST_CASE("budget: exactly what there is fits") {
  Budget all(10, 4 * kSmall);
  Peer peer("a"), other("b");
  Holding one(all, peer.unsent), two(all, other.unsent);
  one.set(2 * kSmall);
  CHECK(one.fits());  // half, and no more
  one.set(2 * kSmall + 1);
  CHECK(one.peer_full());
  CHECK_FALSE(one.fits());
  one.set(2 * kSmall);
  two.set(2 * kSmall);
  CHECK(two.fits());
  two.set(2 * kSmall + 1);
  CHECK(all.full(true));
  CHECK_FALSE(one.fits());  // whoever asks: the whole is full
  CHECK_FALSE(one.peer_full());
  CHECK_FALSE(all.full(false));
}

TEST_CASE("budget: of many threads nothing is lost") {
  Budget all(1 << 30, 1 << 30);
  Peer peer("a");
  std::vector<std::unique_ptr<Holding>> holdings;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) holdings.push_back(std::make_unique<Holding>(all, peer.received));
  for (size_t i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      for (size_t k = 0; k < 5000; ++k) holdings[i]->set(k * 977 % (3 * kSmall));
      holdings[i]->set(i % 2 == 0 ? 100 : kSmall + i);
    });
  for (std::thread& t : threads) t.join();
  CHECK(all.of[0] == 400);
  CHECK(all.of[1] == 4 * kSmall + 1 + 3 + 5 + 7);
  CHECK(peer.received == all.of[1]);
  for (const auto& holding : holdings) holding->set(0);
  CHECK(all.used() == 0);
  CHECK(peer.received == 0);
}

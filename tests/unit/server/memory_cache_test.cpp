#include "server/memory_cache.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace hm::server {
namespace {
using Cache = MemoryCache<std::string>;
Cache::Value value(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

TEST(MemoryCacheTest, WhatWasPutIsFound) {
  Cache cache(1U << 20);
  EXPECT_EQ(cache.find("a"), nullptr);
  cache.put("a", value("1"), 1);
  cache.put("b", value("2"), 1);
  ASSERT_NE(cache.find("a"), nullptr);
  EXPECT_EQ(*cache.find("a"), "1");
  cache.put("a", value("3"), 1);
  EXPECT_EQ(*cache.find("a"), "3");
  EXPECT_EQ(*cache.find("b"), "2");
}

TEST(MemoryCacheTest, PuttingTheSameKeyAgainCountsItOnce) {
  Cache cache(1U << 20);
  cache.put("a", value("1"), 1000);
  const auto once = cache.bytes();
  for (int i = 0; i < 10; ++i) cache.put("a", value("1"), 1000);
  EXPECT_EQ(cache.bytes(), once);
}

TEST(MemoryCacheTest, ItNeverHoldsMoreThanItsBound) {
  constexpr std::uint64_t kMax = 64U << 10;
  Cache cache(kMax);
  for (int i = 0; i < 10'000; ++i) {
    cache.put("key " + std::to_string(i), value("v"), static_cast<std::uint64_t>(i % 300));
    ASSERT_LE(cache.bytes(), kMax);
  }
  EXPECT_GT(cache.bytes(), kMax / 2);
}

TEST(MemoryCacheTest, WhatIsTooLargeIsNotKeptAndDropsNothing) {
  Cache cache(64U << 10);
  cache.put("small", value("s"), 10);
  cache.put("large", value("l"), 9U << 10);
  EXPECT_EQ(cache.find("large"), nullptr);
  EXPECT_NE(cache.find("small"), nullptr);
}

TEST(MemoryCacheTest, WhatIsUsedStays) {
  Cache cache(64U << 10);
  cache.put("used", value("u"), 100);
  for (int i = 0; i < 2000; ++i) {
    cache.put("other " + std::to_string(i), value("o"), 500);
    ASSERT_NE(cache.find("used"), nullptr) << i;
  }
  EXPECT_EQ(cache.find("other 0"), nullptr);
}

TEST(MemoryCacheTest, AValueOutlivesItsPlaceInTheCache) {
  Cache cache(8U << 10);
  cache.put("a", value("kept"), 10);
  const Cache::Value held = cache.find("a");
  for (int i = 0; i < 100; ++i) cache.put(std::to_string(i), value("x"), 500);
  EXPECT_EQ(*held, "kept");
}

TEST(MemoryCacheTest, ManyThreadsMayUseIt) {
  Cache cache(64U << 10);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&cache, t] {
      for (int i = 0; i < 5000; ++i) {
        const std::string key = std::to_string((i * (t + 1)) % 500);
        if (const auto found = cache.find(key)) {
          EXPECT_EQ(*found, key);
        }
        cache.put(key, value(key), 200);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_LE(cache.bytes(), 64U << 10);
}
}  // namespace
}  // namespace hm::server

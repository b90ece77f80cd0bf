// Walks down families of thousands.
#include <gtest/gtest.h>

#include <set>

#include "provenance/lineage/graph.hpp"
#include "storage/key_space.hpp"
#include "tests/unit/provenance/lineage_world.hpp"

namespace hm::provenance {
namespace {
class LargeFamily : public LineageWorld {};

/// So many that two threads share a level.
TEST_F(LargeFamily, LargeLevelsComeWholeInOneOrderAndEndWhereTheVisitorEnds) {
  constexpr int kChildren = 1'300, kFirstBelow = 3'000;
  list(1, "org/root");
  list_children(2, kChildren + 1, 1);
  for (int i = 0; i < kChildren; ++i) list_children(kFirstBelow + i, kFirstBelow + i, 2 + i);
  list(2, "org/m2", {"1", std::to_string(kFirstBelow + 7)});  // a circle
  struct Seen {
    std::string key, name;
    int depth;
    std::uint32_t parent;
  };
  auto walk = [&](std::size_t stop_after) {
    std::vector<Seen> out;
    EXPECT_TRUE(lineage::Graph(*index_).descendants(node("org/root"), {}, [&](const lineage::Descendant& seen) {
      out.push_back({std::string(seen.key), std::string(seen.name), seen.depth, seen.parent});
      return out.size() < stop_after;
    }));
    return out;
  };
  const auto all = walk(SIZE_MAX);
  ASSERT_EQ(all.size(), 2U * kChildren);
  std::set<std::string> keys;
  for (const Seen& seen : all) {
    EXPECT_TRUE(keys.insert(seen.key).second) << seen.name;
    const int number = std::stoi(seen.name.substr(5));  // org/m<number>
    EXPECT_EQ(seen.key, storage::key::repo({RepoKind::Model, rid(number)}));
    EXPECT_EQ(seen.depth, number < kFirstBelow ? 1 : 2);
    if (seen.depth == 1) {
      EXPECT_EQ(seen.parent, lineage::Descendant::kRoot);
    } else {
      EXPECT_EQ(all[seen.parent].name, "org/m" + std::to_string(number - kFirstBelow + 2));
    }
  }
  for (const std::size_t stop_after : {1U, 1'300U, 1'301U, 1'950U, 1'951U, 2'599U}) {
    const auto some = walk(stop_after);
    ASSERT_EQ(some.size(), stop_after);
    EXPECT_EQ(some.back().key, all[stop_after - 1].key);
  }
}
}  // namespace
}  // namespace hm::provenance

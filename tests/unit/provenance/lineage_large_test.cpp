// Walks down families of thousands.
#include <gtest/gtest.h>

#include <set>

#include "provenance/lineage/graph.hpp"
#include "storage/key_space.hpp"
#include "tests/unit/provenance/lineage_world.hpp"

namespace hm::provenance {
namespace {
class LargeFamily : public LineageWorld {};

/// So many that two threads share the children of one, and a level.
TEST_F(LargeFamily, LargeLevelsComeWholeInOneOrderAndEndWhereTheVisitorEnds) {
  constexpr int kChildren = 6'000, kParents = 600, kFirstBelow = 10'000;
  list(1, "org/root");
  list_children(2, kChildren + 1, 1);
  for (int i = 0; i < kParents; ++i) list_children(kFirstBelow + i, kFirstBelow + i, 2 + 10 * i);
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
  ASSERT_EQ(all.size(), std::size_t{kChildren} + kParents);
  std::set<std::string> keys;
  for (const Seen& seen : all) {
    EXPECT_TRUE(keys.insert(seen.key).second) << seen.name;
    const int number = std::stoi(seen.name.substr(5));  // org/m<number>
    EXPECT_EQ(seen.key, storage::key::repo({RepoKind::Model, rid(number)}));
    EXPECT_EQ(seen.depth, number < kFirstBelow ? 1 : 2);
    if (seen.depth == 1) {
      EXPECT_EQ(seen.parent, lineage::Descendant::kRoot);
    } else {
      EXPECT_EQ(all[seen.parent].name, "org/m" + std::to_string((number - kFirstBelow) * 10 + 2));
    }
  }
  for (const std::size_t stop_after : {1U, 64U, 2'048U, 2'049U, 4'000U, 6'000U, 6'001U, 6'300U, 6'301U, 6'599U}) {
    const auto some = walk(stop_after);
    ASSERT_EQ(some.size(), stop_after);
    EXPECT_EQ(some.back().key, all[stop_after - 1].key);
  }
}
}  // namespace
}  // namespace hm::provenance

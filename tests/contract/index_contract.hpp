// tests/contract/index_contract.hpp: what every Index owes its callers, whatever it is built on. A backend instantiates
// the suite with a harness: INSTANTIATE_TEST_SUITE_P(RocksDb, IndexContract, ::testing::Values(&make_rocksdb_harness)).
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "storage/index.hpp"
#include "storage/key_space.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::test {
using storage::Batch;
using storage::Family;
using storage::Index;
namespace key = storage::key;

/// One index, open for writing.
class IndexHarness {
 public:
  virtual ~IndexHarness() = default;
  virtual Index& index() = 0;
  virtual void reopen() = 0;  ///< as after a kill of the process: nothing of the index is left in memory
};
using IndexMaker = std::unique_ptr<IndexHarness> (*)();

class IndexContract : public ::testing::TestWithParam<IndexMaker> {
 protected:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  IndexContract() : harness_(GetParam()()) {}
  Index& index() { return harness_->index(); }
  void reopen() { harness_->reopen(); }
  static void put(Index& index, Family family, std::string key, std::string value) {
    Batch batch;
    batch.put(family, std::move(key), std::move(value));
    ASSERT_THAT(index.commit(batch), Succeeds());
  }
  static Pairs all(const Index& index, Family family, std::string_view prefix = {}, std::string_view from = {}) {
    Pairs out;
    EXPECT_THAT(
        index.scan(
            family, prefix, [&](std::string_view k, std::string_view v) { return out.emplace_back(k, v), true; }, from),
        Succeeds());
    return out;
  }

 private:
  std::unique_ptr<IndexHarness> harness_;
};

TEST_P(IndexContract, ItsVersionChangesWithWhatIsPublishedAndWithNothingElse) {
  const std::uint64_t before = index().version();
  put(index(), Family::Tasks, "a", "1");
  put(index(), Family::Listings, "a", "1");
  EXPECT_EQ(index().version(), before);
  put(index(), Family::Refs, "a", "1");
  const std::uint64_t after_a_ref = index().version();
  EXPECT_NE(after_a_ref, before);
  Batch batch;
  batch.remove(Family::Names, "a");
  ASSERT_THAT(index().commit(batch), Succeeds());
  EXPECT_NE(index().version(), after_a_ref);
}

TEST_P(IndexContract, KeepsWhatWasCommitted) {
  Batch batch;
  batch.put(Family::Repos, "a", "1");
  batch.put(Family::Names, "a", "2");
  batch.put(Family::Repos, "b", "3");
  batch.remove(Family::Repos, "b");
  ASSERT_THAT(index().commit(batch), Succeeds());
  ASSERT_THAT(index().commit(Batch()), Succeeds());
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(index().get(Family::Repos, "a").value(), "1");
    EXPECT_EQ(index().get(Family::Names, "a").value(), "2");
    EXPECT_EQ(index().get(Family::Repos, "b").value(), std::nullopt);
    EXPECT_EQ(index().get(Family::BlobRefs, "a").value(), std::nullopt);
    reopen();
  }
}

TEST_P(IndexContract, ScansPrefixesInOrder) {
  const std::string ff = "\xff", nul(1, '\0');
  for (const std::string& k : {std::string("a"), "ab" + nul, std::string("ab"), std::string("abc"), std::string("ac"),
                               "b" + ff, "b" + ff + "x", ff, ff + ff, std::string("c")})
    put(index(), Family::Refs, k, "v" + k);
  auto keys = [&](std::string_view prefix, std::string_view from = {}) {
    std::vector<std::string> out;
    for (auto& [k, v] : all(index(), Family::Refs, prefix, from)) {
      EXPECT_EQ(v, "v" + k);
      out.push_back(k);
    }
    return out;
  };
  EXPECT_EQ(keys("").size(), 10U);
  EXPECT_EQ(keys("ab"), (std::vector<std::string>{"ab", "ab" + nul, "abc"}));
  EXPECT_EQ(keys("ab", "ab" + nul), (std::vector<std::string>{"ab" + nul, "abc"}));
  EXPECT_EQ(keys("ab", "a"), (std::vector<std::string>{"ab", "ab" + nul, "abc"}));
  EXPECT_EQ(keys("ab", "b"), (std::vector<std::string>{}));
  EXPECT_EQ(keys("b" + ff), (std::vector<std::string>{"b" + ff, "b" + ff + "x"}));
  EXPECT_EQ(keys(ff), (std::vector<std::string>{ff, ff + ff}));
  EXPECT_EQ(keys("zz"), (std::vector<std::string>{}));
  int visits = 0;
  ASSERT_THAT(index().scan(Family::Refs, "a", [&](auto, auto) { return ++visits < 2; }), Succeeds());
  EXPECT_EQ(visits, 2);
}

TEST_P(IndexContract, ScansManyPrefixesInOneGo) {
  Batch batch;
  for (const char* k : {"a1", "a2", "b", "c1", "c2", "d"}) batch.put(Family::Tasks, k, std::string("of ") + k);
  ASSERT_THAT(index().commit(batch), Succeeds());
  const std::vector<std::string> prefixes{"a", "aa", "c", "d", "e"};
  std::vector<std::pair<std::size_t, std::string>> seen;
  const auto look = [&](std::size_t enough) {
    seen.clear();
    EXPECT_THAT(index().scan_each(Family::Tasks, prefixes,
                                  [&](std::size_t at, std::string_view k, std::string_view v) {
                                    EXPECT_EQ(v, "of " + std::string(k));
                                    seen.emplace_back(at, k);
                                    return seen.size() < enough;
                                  }),
                Succeeds());
  };
  look(100);
  EXPECT_THAT(seen, testing::ElementsAre(testing::Pair(0, "a1"), testing::Pair(0, "a2"), testing::Pair(2, "c1"),
                                         testing::Pair(2, "c2"), testing::Pair(3, "d")));
  look(3);
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_THAT(index().scan_each(Family::Tasks, {}, [](auto, auto, auto) { return true; }), Succeeds());
}

TEST_P(IndexContract, FindsTheLastKeyOfAPrefix) {
  EXPECT_EQ(index().last(Family::Journal, "").value(), std::nullopt);
  for (const std::string& k : {std::string("a1"), std::string("a2"), std::string("b"), std::string("\xff\xff")})
    put(index(), Family::Journal, k, "v" + k);
  using Found = std::optional<std::pair<std::string, std::string>>;
  EXPECT_EQ(index().last(Family::Journal, "a").value(), Found({"a2", "va2"}));
  EXPECT_EQ(index().last(Family::Journal, "b").value(), Found({"b", "vb"}));
  EXPECT_EQ(index().last(Family::Journal, "").value(), Found({"\xff\xff", "v\xff\xff"}));
  EXPECT_EQ(index().last(Family::Journal, "\xff").value(), Found({"\xff\xff", "v\xff\xff"}));
  EXPECT_EQ(index().last(Family::Journal, "c").value(), Found());
}

TEST_P(IndexContract, AVisitorMayCommit) {
  for (int i = 0; i < 10; ++i) put(index(), Family::Tasks, key::u64(static_cast<std::uint64_t>(i)), "x");
  int seen = 0;
  ASSERT_THAT(index().scan(Family::Tasks, {},
                           [&](std::string_view k, auto) {
                             put(index(), Family::Tasks, std::string(k) + "more", "y");
                             return ++seen < 100;
                           }),
              Succeeds());
  EXPECT_EQ(seen, 10);  // one state throughout
  EXPECT_EQ(all(index(), Family::Tasks).size(), 20U);
}

TEST_P(IndexContract, ClearEmptiesDerivedFamiliesOnly) {
  for (Family f : {Family::Names, Family::Repos, Family::BlobRefs, Family::Journal, Family::Tasks, Family::Documents}) {
    Batch batch;
    for (std::uint64_t i = 0; i < 100; ++i) batch.put(f, key::u64(i), std::string(100, 'x'));
    ASSERT_THAT(index().commit(batch), Succeeds());
  }
  put(index(), Family::BlobRefs, "\xff\xff\xff", "last");
  ASSERT_THAT(index().clear(Family::BlobRefs), Succeeds());
  ASSERT_THAT(index().clear(Family::Refs), Succeeds());  // empty already
  EXPECT_THAT(index().clear(Family::Journal), FailsWith(Errc::Refused, "journal"));
  EXPECT_THAT(index().clear(Family::Documents), FailsWith(Errc::Refused, "documents"));
  reopen();
  EXPECT_TRUE(all(index(), Family::BlobRefs).empty());
  EXPECT_EQ(all(index(), Family::Names).size(), 100U);
  EXPECT_EQ(all(index(), Family::Journal).size(), 100U);
  put(index(), Family::BlobRefs, "again", "1");
  EXPECT_EQ(all(index(), Family::BlobRefs).size(), 1U);
}

TEST_P(IndexContract, KeepsLargeValues) {
  std::string large(20U << 20, 'm');
  large[12345] = 'x';
  put(index(), Family::Manifests, "m", large);
  put(index(), Family::Documents, "d", std::string(5000, 'd'));
  reopen();
  EXPECT_EQ(index().get(Family::Manifests, "m").value(), large);
  EXPECT_EQ(index().get(Family::Documents, "d").value(), std::string(5000, 'd'));
}

TEST_P(IndexContract, ManyThreadsCommitAndRead) {
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const std::string key = std::to_string(t) + "/" + std::to_string(i);
          put(index(), Family::Refs, key, key);
          EXPECT_EQ(index().get(Family::Refs, key).value(), key);
        }
      });
    }
  }
  EXPECT_EQ(all(index(), Family::Refs).size(), 200U);
}
}  // namespace hm::test

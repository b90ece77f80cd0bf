// Many packs become one with a bitmap, and no object is lost: reachable or not.
#include "mirror/git/repack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <optional>
#include <thread>

#include "git_fixture.hpp"
#include "support/result_matchers.hpp"
#include "support/run.hpp"

namespace hm::mirror {
namespace {
namespace asio = boost::asio;
using git_test::Origin;
using git_test::shell;
using test::FailsWith;
using test::Succeeds;
using testing::HasSubstr;

class RepackTest : public git_test::GitTest {
 protected:
  RepackTest() : origin_(path("r.git")) {}
  /// A few packs, as fetches leave them, and one of objects that no ref leads to.
  void make_packs(int count) {
    for (int i = 0; i < count; ++i) {
      origin_.grow_history(5);
      origin_.git("repack -dq");
    }
    const GitOid lost = origin_.commit(origin_.tree({{"100644", "lost", origin_.blob("lost")}}));
    origin_.git("update-ref refs/heads/gone " + lost.hex() + " && git repack -dq && git update-ref -d refs/heads/gone");
  }
  Result<RepackOutcome> repack_it(bool always) { return test::run(repack(fs_, pool_, origin_.path(), always)); }
  std::string all_objects() const { return origin_.git("cat-file --batch-all-objects --batch-check | sort -u"); }
  FileSystem& fs_ = real_file_system();
  boost::asio::thread_pool pool_{1};
  const Origin origin_;
};

TEST_F(RepackTest, MakesOnePackOfManyAndKeepsWhatNoRefLeadsTo) {
  make_packs(4);
  const std::string objects = all_objects(), refs = git_test::refs_of(origin_.path());
  const auto outcome = repack_it(true);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_TRUE(outcome.value().repacked);
  EXPECT_EQ(outcome.value().before.packs, 5U);
  EXPECT_EQ(outcome.value().after.packs, 1U);
  EXPECT_EQ(outcome.value().after.mapped_objects, outcome.value().after.objects);
  EXPECT_EQ(all_objects(), objects);
  EXPECT_EQ(git_test::refs_of(origin_.path()), refs);
  EXPECT_EQ(shell(origin_.path(), "git fsck --full 2>/dev/null | grep -v dangling || true"), "");
  EXPECT_EQ(origin_.git("count-objects -v | grep -e packs -e garbage"), "packs: 1\ngarbage: 0\nsize-garbage: 0\n");
  std::uint64_t problems = 0;
  const auto repository = Repository::open(origin_.path());
  EXPECT_THAT(repository.value().verify_objects([&](const GitOid&, const std::string&) { ++problems; }), Succeeds());
  EXPECT_EQ(problems, 0U);
}

TEST_F(RepackTest, DoesNothingWhenItIsDone) {
  make_packs(2);
  ASSERT_THAT(repack_it(true), Succeeds());
  const auto files = git_test::files_below(origin_.path() + "/objects/pack");
  ASSERT_THAT(repack_it(true), Succeeds()) << "the same pack under the same name";
  EXPECT_EQ(git_test::files_below(origin_.path() + "/objects/pack"), files);
  const auto again = repack_it(false);
  ASSERT_THAT(again, Succeeds());
  EXPECT_FALSE(again.value().repacked);
}

TEST_F(RepackTest, LeavesSmallRepositoriesAndEmptyOnesAlone) {
  EXPECT_FALSE(repack_it(true).value().repacked) << "there is no pack";
  make_packs(3);
  EXPECT_FALSE(repack_it(false).value().repacked);
  EXPECT_EQ(count_packs(fs_, origin_.path()).value().packs, 4U);
}

TEST_F(RepackTest, LooksAtHowMuchIsOutsideTheBitmap) {
  const auto worthwhile = [](std::uint64_t packs, std::uint64_t objects, std::uint64_t mapped) {
    PackCounts counts;
    counts.packs = packs, counts.objects = objects, counts.mapped_objects = mapped;
    return is_repacking_worthwhile(counts);
  };
  EXPECT_FALSE(worthwhile(1, 20'000, 0));
  EXPECT_TRUE(worthwhile(1, 20'001, 0));
  EXPECT_FALSE(worthwhile(1, 1'000'000, 1'000'000));
  EXPECT_FALSE(worthwhile(20, 1'250'000, 1'000'000)) << "a quarter";
  EXPECT_TRUE(worthwhile(20, 1'250'001, 1'000'000));
  EXPECT_TRUE(worthwhile(21, 100, 0));
}

TEST_F(RepackTest, RemovesNothingWhenGitFails) {
  make_packs(2);
  const std::string pack = git_test::files_below(origin_.path() + "/objects/pack").back();
  std::string bytes = git_test::read_file(pack);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  shell(directory_, "chmod u+w " + pack);
  git_test::write_file(pack, bytes);
  const auto files = git_test::files_below(origin_.path() + "/objects/pack");
  EXPECT_THAT(repack_it(true), FailsWith(Errc::Internal, "git: exit status"));
  EXPECT_EQ(git_test::files_below(origin_.path() + "/objects/pack"), files);
}

TEST_F(RepackTest, SaysWhenThereIsNoGit) {
  make_packs(1);
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  const auto outcome = repack_it(true);
  ::setenv("PATH", before.c_str(), 1);
  EXPECT_THAT(outcome, FailsWith(Errc::NotFound, "git"));
}

TEST_F(RepackTest, DoesNotDisturbACheckBesideIt) {
  make_packs(1);
  std::atomic<bool> enough{false};
  std::vector<std::string> problems;
  std::thread reader([&] {
    while (!enough) {
      const auto repository = Repository::open(origin_.path());
      const auto count = repository.value().verify_objects(
          [&](const GitOid& oid, const std::string& problem) { problems.push_back(oid.hex() + " " + problem); });
      if (!count) problems.push_back(count.error().what);
    }
  });
  for (int round = 0; round < 15; ++round) {
    const GitOid blob = origin_.blob("round " + std::to_string(round));
    git_test::write_file(origin_.path() + "/round.tmp", blob.hex() + "\n");
    origin_.git("pack-objects -q objects/pack/pack < round.tmp && git prune-packed -q");
    EXPECT_THAT(repack_it(true), Succeeds());
  }
  enough = true;
  reader.join();
  EXPECT_THAT(problems, testing::IsEmpty());
}

asio::awaitable<void> repack_into(FileSystem& fs, asio::thread_pool& pool, std::string repository,
                                  std::optional<Result<RepackOutcome>>& out) {
  out = co_await repack(fs, pool, std::move(repository), true);
}

TEST_F(RepackTest, EndsWhenItIsCancelled) {
  make_packs(1);
  const std::string bin = path("bin"), before = std::getenv("PATH");
  shell(directory_, "mkdir bin && printf '#!/bin/sh\\nexec sleep 1000\\n' > bin/git && chmod +x bin/git");
  ::setenv("PATH", (bin + ":" + before).c_str(), 1);
  asio::io_context loop;
  asio::cancellation_signal cancel;
  std::optional<Result<RepackOutcome>> outcome;
  asio::co_spawn(loop, repack_into(fs_, pool_, origin_.path(), outcome),
                 asio::bind_cancellation_slot(cancel.slot(), asio::detached));
  asio::post(loop, [&] { cancel.emit(asio::cancellation_type::terminal); });
  loop.run();
  ::setenv("PATH", before.c_str(), 1);
  ASSERT_TRUE(outcome);
  EXPECT_THAT(*outcome, FailsWith(Errc::Cancelled, ""));
  EXPECT_EQ(count_packs(fs_, origin_.path()).value().packs, 2U);
}
}  // namespace
}  // namespace hm::mirror

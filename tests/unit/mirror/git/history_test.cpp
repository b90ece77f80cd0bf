// Commits and last changes of paths, compared with what git says.
#include "mirror/git/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "git_fixture.hpp"
#include "support/result_matchers.hpp"

namespace hm::mirror {
namespace {
using git_test::Origin;
using test::FailsWith;
using test::Succeeds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class HistoryTest : public git_test::GitTest {
 protected:
  HistoryTest() : origin_(path("r.git")) {}
  Repository open() { return Repository::open(origin_.path()).value(); }
  GitOid id(const std::string& revision) const {
    return *GitOid::parse(origin_.git("rev-parse " + revision).substr(0, 40));
  }
  /// All files and directories of a revision.
  std::vector<std::string> paths(const std::string& revision) const {
    std::vector<std::string> out;
    std::string list = origin_.git("ls-tree -r -t -z --name-only " + revision);
    for (std::size_t at = 0; at < list.size(); at = list.find('\0', at) + 1) out.emplace_back(list.c_str() + at);
    return out;
  }
  void expect_as_git_log(const std::string& revision) {
    const auto repository = open();
    const auto wanted = paths(revision);
    auto found = last_changes(repository, id(revision), wanted);
    ASSERT_THAT(found, Succeeds());
    ASSERT_THAT(found.value(), SizeIs(wanted.size()));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::string said = origin_.git("log -1 --format=%H " + revision + " -- '" + wanted[i] + "'");
      ASSERT_TRUE(found.value()[i]) << wanted[i];
      EXPECT_EQ(found.value()[i]->id.hex() + "\n", said) << wanted[i];
    }
  }
  const Origin origin_;
};

TEST_F(HistoryTest, ReadsTitleMessageAuthorAndTime) {
  const GitOid tree = origin_.tree({});
  const GitOid plain = origin_.commit(tree, {}, "Upload model.safetensors\n");
  const GitOid long_one = origin_.commit(tree, {plain}, "\n\nFix tokenizer \nsecond line\n\n- a\n- b\n\n");
  const GitOid empty = origin_.commit(tree, {long_one}, "");
  const auto repository = open();
  const auto first = commit_facts(repository, plain).value();
  EXPECT_EQ(first.id, plain);
  EXPECT_EQ(first.title, "Upload model.safetensors");
  EXPECT_EQ(first.message, "");
  EXPECT_EQ(first.author, "a");
  EXPECT_EQ(first.time_ms, 1700000000000);
  EXPECT_EQ(commit_facts(repository, long_one).value().title, "Fix tokenizer");
  EXPECT_EQ(commit_facts(repository, long_one).value().message, "second line\n\n- a\n- b");
  EXPECT_EQ(commit_facts(repository, empty).value().title, "");
  EXPECT_THAT(commit_facts(repository, tree), FailsWith(Errc::NotFound, tree.hex()));
}

TEST_F(HistoryTest, PagesCommitsNewestFirstAndCountsAll) {
  origin_.grow_history(7);
  const auto repository = open();
  const auto ids = [&](std::uint64_t skip, std::uint64_t limit) {
    const auto page = commits_from(repository, id("main"), skip, limit).value();
    EXPECT_EQ(page.total, 7U);
    std::string out;
    for (const CommitFacts& commit : page.commits) out += commit.id.hex() + "\n";
    return out;
  };
  EXPECT_EQ(ids(0, 3), origin_.git("rev-list -n 3 main"));
  EXPECT_EQ(ids(3, 3), origin_.git("rev-list -n 3 --skip 3 main"));
  EXPECT_EQ(ids(6, 3), origin_.git("rev-list -n 3 --skip 6 main"));
  EXPECT_EQ(ids(7, 3), "");
  EXPECT_EQ(ids(1, ~0ULL), origin_.git("rev-list --skip 1 main"));
}

TEST_F(HistoryTest, FindsTheLastChangeOfEveryPath) {
  origin_.grow_history(60);
  expect_as_git_log("main");
  expect_as_git_log("main~20");
}

TEST_F(HistoryTest, FollowsAMergeToTheParentThatIsTheSame) {
  const auto blob = [&](const std::string& text) { return origin_.blob(text); };
  const auto tree = [&](const std::string& a, const std::string& b, const std::string& c) {
    return origin_.tree(
        {{"100644", "a", blob(a)}, {"40000", "d", origin_.tree({{"100644", "b", blob(b)}, {"100644", "c", blob(c)}})}});
  };
  const GitOid base = origin_.commit(tree("1", "1", "1"), {}, "base");
  const GitOid left = origin_.commit(tree("2", "1", "1"), {base}, "left");
  const GitOid right = origin_.commit(tree("1", "2", "1"), {base}, "right");
  const GitOid merge = origin_.commit(tree("2", "2", "3"), {left, right}, "merge");
  const GitOid top = origin_.commit(tree("2", "2", "3"), {merge}, "top");
  origin_.set_ref("refs/heads/main", top);
  expect_as_git_log("main");
  const auto found = last_changes(open(), top, {"a", "d/b", "d/c", "d"}).value();
  EXPECT_EQ(found[0]->title, "left");
  EXPECT_EQ(found[1]->title, "right");
  EXPECT_EQ(found[2]->title, "merge");
  EXPECT_EQ(found[3]->title, "merge");
}

TEST_F(HistoryTest, TakesModesAndTurnedDirectoriesForChanges) {
  const GitOid blob = origin_.blob("x"), dir = origin_.tree({{"100644", "in", blob}});
  const GitOid one = origin_.commit(origin_.tree({{"100644", "a", blob}, {"100644", "b", blob}}), {}, "one");
  const GitOid two = origin_.commit(origin_.tree({{"100755", "a", blob}, {"40000", "b", dir}}), {one}, "two");
  const GitOid three = origin_.commit(
      origin_.tree({{"100755", "a", blob}, {"40000", "b", dir}, {"100644", "b0", blob}}), {two}, "three");
  origin_.set_ref("refs/heads/main", three);
  expect_as_git_log("main");
  EXPECT_EQ(last_changes(open(), three, {"b/in"}).value()[0]->title, "two");
}

TEST_F(HistoryTest, SaysNothingOfPathsThatAreNotThere) {
  origin_.grow_history(3);
  const auto found =
      last_changes(open(), id("main"), {"nowhere", "dir0/sub0/file0.txt/x", "", "dir0/sub0/file0.txt", "dir0"}).value();
  EXPECT_FALSE(found[0] || found[1] || found[2]);
  EXPECT_TRUE(found[3] && found[4]);
  EXPECT_THAT(last_changes(open(), id("main"), {}).value(), IsEmpty());
}

TEST_F(HistoryTest, GivesTheOldestCommitReachedWhenTheBoundIsUsedUp) {
  origin_.grow_history(30);
  const auto found = last_changes(open(), id("main"), {"dir0/sub0/file0.txt", "dir1/sub2/file9.txt"}, 5).value();
  EXPECT_EQ(found[0]->id, id("main~5")) << "last changed in the first of thirty";
  EXPECT_EQ(found[1]->id, id("main"));
}

TEST_F(HistoryTest, WalksDirectoriesToo) {
  const GitOid blob = origin_.blob("x"), deep = origin_.tree({{"100755", "run", blob}}),
               sub = origin_.tree({{"40000", "e", deep}, {"120000", "to", blob}});
  const GitOid commit = origin_.commit(origin_.tree({{"100644", "a b", blob},
                                                     {"40000", "d", sub},
                                                     {"100644", "d0", blob},
                                                     {"160000", "m", *GitOid::parse(std::string(40, '1'))}}));
  std::vector<std::string> seen;
  ASSERT_THAT(open().walk_entries(commit,
                                  [&](const TreeFile& entry) {
                                    char mode[16];
                                    std::snprintf(mode, sizeof mode, "%06o ", entry.mode);
                                    seen.push_back(mode + entry.path + " " + entry.oid.hex().substr(0, 7));
                                    return Result<>(ok());
                                  }),
              Succeeds());
  const auto is = [](const std::string& what, const GitOid& oid) { return what + " " + oid.hex().substr(0, 7); };
  EXPECT_THAT(
      seen, ElementsAre(is("100644 a b", blob), is("040000 d", sub), is("040000 d/e", deep), is("100755 d/e/run", blob),
                        is("120000 d/to", blob), is("100644 d0", blob), "160000 m 1111111"));
}
}  // namespace
}  // namespace hm::mirror

// Reading a bare repository and moving its refs, compared with what git says.
#include "mirror/git/repository.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "git_fixture.hpp"
#include "support/result_matchers.hpp"

namespace hm::mirror {
namespace {
using git_test::Origin;
using git_test::shell;
using test::FailsWith;
using test::Succeeds;
using testing::ElementsAre;
using testing::IsEmpty;

class RepositoryTest : public git_test::GitTest {
 protected:
  RepositoryTest() : origin_(path("r.git")) {}
  Repository open() { return Repository::open(origin_.path()).value(); }
  GitOid id(const std::string& revision) const {
    return *GitOid::parse(origin_.git("rev-parse " + revision).substr(0, 40));
  }
  FileSystem& fs_ = real_file_system();
  const Origin origin_;
};

TEST_F(RepositoryTest, CreatesWhatGitAndLibgit2Read) {
  const std::string repo = path("new.git");
  ASSERT_THAT(create_bare_repository(fs_, repo), Succeeds());
  EXPECT_EQ(shell(repo, "git rev-parse --is-bare-repository"), "true\n");
  EXPECT_EQ(shell(repo, "git config gc.auto; git config core.hooksPath; git config transfer.hideRefs"),
            "0\n/dev/null\nrefs/hubmirror\n");
  EXPECT_EQ(shell(repo, "git fsck"), "");
  auto repository = Repository::open(repo);
  ASSERT_THAT(repository, Succeeds());
  EXPECT_EQ(repository.value().head().value(), "refs/heads/main");
  EXPECT_THAT(repository.value().refs().value(), IsEmpty());
  git_test::write_file(repo + "/config", "[core]\n\tbare = true\n\thooksPath = /tmp\n");
  ASSERT_THAT(create_bare_repository(fs_, repo), Succeeds());
  EXPECT_EQ(shell(repo, "git config core.hooksPath"), "/dev/null\n") << "the fixed config is restored";
  EXPECT_THAT(Repository::open(path("absent.git")), FailsWith(Errc::NotFound, "absent.git"));
}

TEST_F(RepositoryTest, UpdatesRefsInOneFile) {
  origin_.grow_history(3);
  const GitOid tip = id("main"), old = id("main~1");
  origin_.git("tag -a -m note v1 main");
  const GitOid tag = id("v1");
  origin_.git("update-ref -d refs/tags/v1");
  auto repository = open();
  ASSERT_THAT(repository.update_refs({{"refs/tags/v1", tag}, {"refs/heads/dev", tip}, {"refs/hubmirror/x", old}},
                                     "refs/heads/dev"),
              Succeeds());
  EXPECT_THAT(
      repository.refs().value(),
      (RefMap{{"refs/heads/dev", tip}, {"refs/heads/main", tip}, {"refs/hubmirror/x", old}, {"refs/tags/v1", tag}}));
  EXPECT_EQ(origin_.git("symbolic-ref HEAD"), "refs/heads/dev\n");
  EXPECT_EQ(git_test::read_file(origin_.path() + "/packed-refs"),
            "# pack-refs with: peeled fully-peeled sorted \n" + tip.hex() + " refs/heads/dev\n" + tip.hex() +
                " refs/heads/main\n" + old.hex() + " refs/hubmirror/x\n" + tag.hex() + " refs/tags/v1\n^" + tip.hex() +
                "\n");
  EXPECT_FALSE(std::filesystem::exists(origin_.path() + "/refs/heads/main")) << "loose refs would win over packed ones";
  ASSERT_THAT(repository.update_refs(
                  {{"refs/heads/main", old}, {"refs/heads/dev", std::nullopt}, {"refs/heads/never", std::nullopt}}, ""),
              Succeeds());
  EXPECT_EQ(origin_.git("for-each-ref --format='%(refname) %(objectname)'"),
            "refs/heads/main " + old.hex() + "\nrefs/hubmirror/x " + old.hex() + "\nrefs/tags/v1 " + tag.hex() + "\n");
  EXPECT_EQ(repository.head().value(), "refs/heads/dev");
}

TEST_F(RepositoryTest, RefusesBadRefUpdatesWhole) {
  origin_.grow_history(1);
  auto repository = open();
  const std::string before = git_test::refs_of(origin_.path());
  EXPECT_THAT(repository.update_refs({{"refs/heads/a", id("main")}, {"refs/heads/../b", id("main")}}, ""),
              FailsWith(Errc::BadInput, "refs/heads/../b"));
  EXPECT_THAT(repository.update_refs({{"refs/heads/a", id("main")}}, "main"), FailsWith(Errc::BadInput, "HEAD"));
  EXPECT_THAT(repository.update_refs({{"refs/heads/a", *GitOid::parse(std::string(40, '1'))}}, ""),
              FailsWith(Errc::NotFound, std::string(40, '1')));
  EXPECT_EQ(git_test::refs_of(origin_.path()), before);
}

TEST_F(RepositoryTest, KnowsAncestry) {
  origin_.grow_history(5);
  auto repository = open();
  EXPECT_TRUE(repository.is_ancestor(id("main~3"), id("main")).value());
  EXPECT_TRUE(repository.is_ancestor(id("main"), id("main")).value());
  EXPECT_FALSE(repository.is_ancestor(id("main"), id("main~1")).value());
  EXPECT_THAT(repository.is_ancestor(*GitOid::parse(std::string(40, '1')), id("main")),
              FailsWith(Errc::NotFound, "1111"));
}

TEST_F(RepositoryTest, PeelsTagsAndReadsCommits) {
  origin_.grow_history(2);
  origin_.git("tag -a -m note v1 main && git tag -a -m note v2 v1 && git tag tree main^{tree}");
  auto repository = open();
  EXPECT_EQ(repository.peel_to_commit(id("v2")).value(), id("main"));
  EXPECT_EQ(repository.peel_to_commit(id("main")).value(), id("main"));
  EXPECT_THAT(repository.peel_to_commit(id("tree")), FailsWith(Errc::BadInput, "no commit"));
  EXPECT_EQ(repository.tree_of(id("main")).value(), id("main^{tree}"));
  EXPECT_EQ(repository.commit_time_ms(id("main")).value(), 1700000001000);
  EXPECT_TRUE(repository.contains(id("main")).value());
  EXPECT_FALSE(repository.contains(*GitOid::parse(std::string(40, '1'))).value());
}

TEST_F(RepositoryTest, WalksFilesInTreeOrder) {
  const GitOid blob = origin_.blob("x"), sub = origin_.tree({{"100755", "run", blob}, {"120000", "to", blob}});
  const GitOid commit = origin_.commit(origin_.tree({{"100644", "a b", blob},
                                                     {"40000", "d", sub},
                                                     {"160000", "m", *GitOid::parse(std::string(40, '1'))},
                                                     {"100644", "z", blob}}));
  auto repository = open();
  std::vector<std::string> seen;
  const auto visit = [&](const TreeFile& file) {
    char mode[16];
    std::snprintf(mode, sizeof mode, "%06o ", file.mode);
    seen.push_back(mode + file.path);
    return Result<>(ok());
  };
  ASSERT_THAT(repository.walk_files(commit, visit), Succeeds());
  EXPECT_THAT(seen, ElementsAre("100644 a b", "100755 d/run", "120000 d/to", "160000 m", "100644 z"));
  EXPECT_THAT(repository.walk_files(commit, [](const TreeFile&) { return Result<>(Error{Errc::Refused, "enough"}); }),
              FailsWith(Errc::Refused, "enough"));
}

TEST_F(RepositoryTest, EndsTheWalkOfATreeThatNamesItselfTooOften) {
  std::vector<std::tuple<std::string, std::string, GitOid>> entries;
  GitOid tree = origin_.tree({});
  for (int level = 0; level < 9; ++level) {  // 10^9 empty directories in ten objects
    entries.clear();
    for (int i = 0; i < 10; ++i) entries.emplace_back("40000", "d" + std::to_string(i), tree);
    tree = origin_.tree(entries);
  }
  auto repository = open();
  EXPECT_THAT(repository.walk_files(origin_.commit(tree), [](const TreeFile&) { return Result<>(ok()); }),
              FailsWith(Errc::Refused, "more than"));
}

TEST_F(RepositoryTest, WalksCommitsNewestFirst) {
  origin_.grow_history(4);
  origin_.git("branch side main~2");
  auto repository = open();
  std::string seen;
  ASSERT_THAT(repository.walk_commits({id("side"), id("main")},
                                      [&](const GitOid& oid) {
                                        seen += oid.hex() + "\n";
                                        return Result<>(ok());
                                      }),
              Succeeds());
  EXPECT_EQ(seen, origin_.git("rev-list main side"));
}

TEST_F(RepositoryTest, ReadsBlobsUpToALimit) {
  const GitOid blob = origin_.blob("0123456789");
  auto repository = open();
  EXPECT_EQ(repository.blob_size(blob).value(), 10U);
  EXPECT_EQ(repository.read_blob(blob, 10).value(), "0123456789");
  EXPECT_THAT(repository.read_blob(blob, 9), FailsWith(Errc::Refused, "at most 9 B"));
  EXPECT_THAT(repository.read_blob(origin_.tree({}), 100), FailsWith(Errc::Corrupt, "not a blob"));
  EXPECT_THAT(repository.read_blob(*GitOid::parse(std::string(40, '1')), 100), FailsWith(Errc::NotFound, "1111"));
}

using Problems = std::vector<std::string>;
Problems verify(const std::string& repository, std::uint64_t* count = nullptr) {
  Problems out;
  const auto done =
      Repository::open(repository).value().verify_objects([&](const GitOid& oid, const std::string& problem) {
        out.push_back(oid.hex() + ": " + problem);
      });
  EXPECT_THAT(done, Succeeds());
  if (done && count != nullptr) *count = done.value();
  return out;
}

TEST_F(RepositoryTest, VerifiesAHealthyStore) {
  origin_.grow_history(10);
  std::uint64_t count = 0;
  EXPECT_THAT(verify(origin_.path(), &count), IsEmpty());
  EXPECT_EQ(std::to_string(count) + "\n", origin_.git("cat-file --batch-all-objects --batch-check | wc -l"));
}

TEST_F(RepositoryTest, FindsEveryFlippedByteOfAPack) {
  origin_.grow_history(3);
  origin_.git("repack -adq && git pack-refs --all");
  const std::string listed = shell(origin_.path(), "ls objects/pack/*.pack"),
                    pack = origin_.path() + "/" + listed.substr(0, listed.size() - 1);
  const std::string bytes = git_test::read_file(pack);
  std::filesystem::permissions(pack, std::filesystem::perms::owner_all);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::string bad = bytes;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    git_test::write_file(pack, bad);
    EXPECT_FALSE(verify(origin_.path()).empty()) << at;
  }
}

TEST_F(RepositoryTest, FindsMissingObjects) {
  origin_.grow_history(3);
  const GitOid tree = id("main^{tree}");
  std::filesystem::remove(origin_.path() + "/objects/" + tree.hex().substr(0, 2) + "/" + tree.hex().substr(2));
  EXPECT_THAT(verify(origin_.path()), ElementsAre(tree.hex() + ": missing; named by " + id("main").hex()));
}

TEST_F(RepositoryTest, MeasuresItsFiles) {
  origin_.grow_history(3);
  std::uint64_t expected = 0;
  for (const std::string& file : git_test::files_below(origin_.path())) expected += std::filesystem::file_size(file);
  EXPECT_EQ(open().disk_bytes().value(), expected);
}
}  // namespace
}  // namespace hm::mirror

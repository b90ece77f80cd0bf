// Which trees, commits and tags may enter the store.
#include "mirror/git/object_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "support/result_matchers.hpp"

namespace hm::mirror {
namespace {
using test::FailsWith;
using test::Succeeds;
constexpr char kOid[] = "0123456789abcdefghij";  // 20 bytes

std::string tree(const std::vector<std::pair<std::string, std::string>>& mode_and_name) {
  std::string out;
  for (const auto& [mode, name] : mode_and_name)
    out.append(mode).append(" ").append(name).append(1, '\0').append(kOid, 20);
  return out;
}
Result<> check(const std::string& bytes) {
  std::vector<TreeEntry> entries;
  return check_tree(bytes, entries);
}

TEST(TreeCheck, AcceptsWhatGitWrites) {
  EXPECT_THAT(check(""), Succeeds());
  EXPECT_THAT(check(tree({{"100644", ".gitattributes"},
                          {"100644", ".gitignore"},
                          {"100644", ".gitmodules"},
                          {"100644", "...x"},
                          {"100755", "a b"},
                          {"100664", "git~2"},
                          {"120000", "link"},
                          {"160000", "module"},
                          {"040000", "padded"},
                          {"40000", "sub"}})),
              FailsWith(Errc::Refused, "out of order"));  // "...x" sorts before ".g"
  std::vector<TreeEntry> entries;
  const std::string bytes = tree({{"100644", "...x"},
                                  {"100644", ".gitattributes"},
                                  {"100755", "a b"},
                                  {"100664", "git~2"},
                                  {"120000", "link"},
                                  {"160000", "module"},
                                  {"040000", "padded"},
                                  {"40000", "sub"}});
  ASSERT_THAT(check_tree(bytes, entries), Succeeds());
  ASSERT_EQ(entries.size(), 8U);
  EXPECT_EQ(entries[7].mode, kModeTree);
  EXPECT_EQ(entries[7].name, "sub");
  EXPECT_EQ(entries[7].id().view(), std::string_view(kOid, 20));
}

TEST(TreeCheck, RefusesNamesThatLeadElsewhere) {
  EXPECT_THAT(check(tree({{"100644", "."}})), FailsWith(Errc::Refused, "hasDot]"));
  EXPECT_THAT(check(tree({{"40000", ".."}})), FailsWith(Errc::Refused, "hasDotdot"));
  EXPECT_THAT(check(tree({{"100644", "a/b"}})), FailsWith(Errc::Refused, "fullPathname"));
  EXPECT_THAT(check(tree({{"100644", "/etc"}})), FailsWith(Errc::Refused, "fullPathname"));
  EXPECT_THAT(check(tree({{"100644", ""}})), FailsWith(Errc::Refused, "emptyName"));
  EXPECT_THAT(check(tree({{"100644", std::string(kEntryNameBytesMax + 1, 'n')}})),
              FailsWith(Errc::Refused, "largePathname"));
  for (const char* name :
       {".git", ".GIT", ".giT", ".git ", ".git.", ".git . .", ".git\\hooks", ".git::$INDEX_ALLOCATION", "git~1",
        "GIT~1", "git~1 ", "x\\.git", "x\\y\\Git~1", ".g\xe2\x80\x8cit", "\xe2\x80\x8d.git", ".git\xe2\x80\xaa",
        ".gi\xe2\x81\xaft", "\xef\xbb\xbf.GIT"}) {
    EXPECT_THAT(check(tree({{"40000", name}})), FailsWith(Errc::Refused, "hasDotgit")) << name;
  }
}

TEST(TreeCheck, LeavesInnocentNamesAlone) {
  for (const char* name : {".gitx", ".git.x", "git", "x.git", "git~10", "git~1x", ".g", ".gi\xe2\x81\xb0t",
                           "\xe2\x80\x8c", "a\\b", "\xe2", ".git\xef\xbb"}) {
    EXPECT_FALSE(spells_dot_git(name)) << name;
    EXPECT_THAT(check(tree({{"100644", name}})), Succeeds()) << name;
  }
}

TEST(TreeCheck, RefusesModesThatGitDoesNotKnow) {
  for (const char* mode : {"100600", "100777", "104755", "20000", "140000", "60000", "0"}) {
    EXPECT_THAT(check(tree({{mode, "f"}})), FailsWith(Errc::Refused, "badFilemode")) << mode;
  }
}

TEST(TreeCheck, CallsMalformedBytesCorrupt) {
  const std::string good = tree({{"100644", "file"}});
  for (std::size_t size = 1; size < good.size(); ++size)
    EXPECT_THAT(check(good.substr(0, size)), FailsWith(Errc::Corrupt, "badTree")) << size;
  EXPECT_THAT(check(tree({{"", "f"}})), FailsWith(Errc::Corrupt, "badTree"));
  EXPECT_THAT(check(tree({{"10x644", "f"}})), FailsWith(Errc::Corrupt, "badTree"));
  EXPECT_THAT(check(tree({{"00100644", "f"}})), FailsWith(Errc::Corrupt, "badTree"));
}

TEST(TreeCheck, RefusesTheNullId) {
  EXPECT_THAT(check(std::string("100644 f") + std::string(21, '\0')), FailsWith(Errc::Refused, "nullSha1"));
}

TEST(TreeCheck, RefusesDisorderAndDuplicates) {
  EXPECT_THAT(check(tree({{"100644", "b"}, {"100644", "a"}})), FailsWith(Errc::Refused, "treeNotSorted"));
  EXPECT_THAT(check(tree({{"100644", "a"}, {"100644", "a"}})), FailsWith(Errc::Refused, "duplicateEntries"));
  EXPECT_THAT(check(tree({{"40000", "a"}, {"40000", "a"}})), FailsWith(Errc::Refused, "duplicateEntries"));
  EXPECT_THAT(check(tree({{"40000", "a"}, {"100644", "a.b"}})), FailsWith(Errc::Refused, "treeNotSorted"));
  EXPECT_THAT(check(tree({{"100644", "a.b"}, {"40000", "a"}, {"100644", "a0"}})), Succeeds());
  // git sorts a directory as "foo/": a file and a directory of one name need not be neighbours.
  EXPECT_THAT(check(tree({{"100644", "foo"}, {"40000", "foo"}})), FailsWith(Errc::Refused, "duplicateEntries"));
  EXPECT_THAT(check(tree({{"100644", "foo"}, {"100644", "foo.bar"}, {"40000", "foo"}})),
              FailsWith(Errc::Refused, "duplicateEntries"));
  EXPECT_THAT(check(tree({{"100644", "foo"},
                          {"100644", "foo.bar"},
                          {"100644", "foo.bar.baz"},
                          {"40000", "foo.bar"},
                          {"40000", "foo"}})),
              FailsWith(Errc::Refused, "duplicateEntries"));
  EXPECT_THAT(check(tree({{"100644", "foo"}, {"100644", "foo-x"}, {"40000", "foo.bar"}, {"40000", "foo"}})),
              FailsWith(Errc::Refused, "duplicateEntries"));
  EXPECT_THAT(check(tree({{"100644", "foo"}, {"100644", "foo.bar"}, {"40000", "foo1"}, {"40000", "foo2"}})),
              Succeeds());
}

const std::string kHex(40, '1');
Result<> commit(const std::string& text) {
  CommitLinks links;
  return check_commit(text, links);
}

TEST(CommitCheck, ReadsTreeAndParents) {
  CommitLinks links;
  ASSERT_THAT(check_commit("tree " + kHex + "\nparent " + std::string(40, '2') + "\nparent " + std::string(40, '3') +
                               "\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\ngpgsig x\n\nmess\0age",
                           links),
              Succeeds());
  EXPECT_EQ(links.tree.hex(), kHex);
  ASSERT_EQ(links.parents.size(), 2U);
  EXPECT_EQ(links.parents[1].hex(), std::string(40, '3'));
}

TEST(CommitCheck, RefusesMissingHeaders) {
  const std::string author = "author a <a@b> 1 +0000\n", committer = "committer a <a@b> 1 +0000\n";
  EXPECT_THAT(commit(""), FailsWith(Errc::Corrupt, "missingTree"));
  EXPECT_THAT(commit(author + committer), FailsWith(Errc::Corrupt, "missingTree"));
  EXPECT_THAT(commit("tree 12\n" + author + committer), FailsWith(Errc::Corrupt, "missingTree"));
  EXPECT_THAT(commit("tree " + kHex + "\nparent 12\n" + author + committer), FailsWith(Errc::Corrupt, "badParentSha1"));
  EXPECT_THAT(commit("tree " + kHex + "\n" + committer), FailsWith(Errc::Corrupt, "missingAuthor"));
  EXPECT_THAT(commit("tree " + kHex + "\n" + author), FailsWith(Errc::Corrupt, "missingCommitter"));
  EXPECT_THAT(commit("tree " + kHex + "\n" + author + "committer"), FailsWith(Errc::Corrupt, "missingCommitter"));
  EXPECT_THAT(commit("tree " + kHex + "\n" + author + committer + std::string("x\0y\n\nm", 6)),
              FailsWith(Errc::Corrupt, "nulInHeader"));
}

TEST(TagCheck, ReadsTargetAndRefusesTheRest) {
  const auto links = check_tag("object " + kHex + "\ntype tree\ntag v1\ntagger a <a@b> 1 +0000\n\nm");
  ASSERT_THAT(links, Succeeds());
  EXPECT_EQ(links.value().kind, ObjectKind::Tree);
  EXPECT_EQ(links.value().target.hex(), kHex);
  EXPECT_THAT(check_tag("object " + kHex + "\ntype twig\ntag v1\n\n"), FailsWith(Errc::Corrupt, "badType"));
  EXPECT_THAT(check_tag("type tree\ntag v1\n\n"), FailsWith(Errc::Corrupt, "missingObject"));
  EXPECT_THAT(check_tag("object " + kHex + "\ntype tree\n\n"), FailsWith(Errc::Corrupt, "missingTag"));
}

TEST(Symlinks, CountHowFarTheyClimb) {
  for (const auto& [target, climb] : std::vector<std::pair<std::string, std::uint32_t>>{{"a/b", 0},
                                                                                        {"../a", 1},
                                                                                        {"a/../../b", 1},
                                                                                        {"a/../b", 0},
                                                                                        {"../../x", 2},
                                                                                        {"./..", 1},
                                                                                        {"", 0},
                                                                                        {"/etc/passwd", kClimbsAll},
                                                                                        {"C:\\x", kClimbsAll}}) {
    EXPECT_EQ(symlink_climb(target), climb) << target;
  }
}
}  // namespace
}  // namespace hm::mirror

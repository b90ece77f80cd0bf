// The ref file: git reads what we write, and we refuse what is broken.
#include "mirror/git/packed_refs.hpp"

#include <gtest/gtest.h>

#include "git_fixture.hpp"

namespace hm::mirror {
namespace {
const GitOid kOidA = *GitOid::parse(std::string(40, 'a')), kOidB = *GitOid::parse(std::string(40, 'b'));

TEST(PackedRefs, RoundTripsSortedAndPeeled) {
  const PackedRefs refs{{"refs/tags/v1", {kOidA, kOidB}},
                        {"refs/heads/main", {kOidB, std::nullopt}},
                        {"refs/heads/a-b", {kOidA, std::nullopt}}};
  const std::string text = render_packed_refs(refs);
  EXPECT_EQ(text, "# pack-refs with: peeled fully-peeled sorted \n" + kOidA.hex() + " refs/heads/a-b\n" + kOidB.hex() +
                      " refs/heads/main\n" + kOidA.hex() + " refs/tags/v1\n^" + kOidB.hex() + "\n");
  EXPECT_EQ(parse_packed_refs(text).value(), refs);
  EXPECT_TRUE(parse_packed_refs("").value().empty());
}

TEST(PackedRefs, RefusesBrokenFilesWithTheLine) {
  const std::string line = kOidA.hex() + " refs/heads/main\n";
  for (const std::string& text :
       {line.substr(0, line.size() - 1), "^" + kOidA.hex() + "\n",
        line + "^" + kOidA.hex() + "\n^" + kOidA.hex() + "\n", line + line, "zz" + line.substr(2),
        kOidA.hex() + "\trefs/heads/main\n", kOidA.hex() + " refs/heads/..\n", kOidA.hex() + " HEAD\n", line + "\n",
        kOidA.hex() + "\n", line + "^" + kOidA.hex().substr(1) + "\n"}) {
    const auto parsed = parse_packed_refs(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::Corrupt);
    EXPECT_NE(parsed.error().what.find("line "), std::string::npos);
  }
}

TEST(PackedRefs, NamesFollowCheckRefFormat) {
  for (const char* name : {"refs/heads/main", "refs/pr/12", "refs/convert/parquet", "refs/heads/a.b", "refs/heads/über",
                           "refs/heads/a@b", "refs/x"}) {
    EXPECT_TRUE(is_valid_ref_name(name)) << name;
  }
  for (const char* name :
       {"",          "HEAD",        "refs/",         "refs//a",   "refs/heads/", "refs/heads/.a", "refs/heads/a.",
        "refs/a..b", "refs/a.lock", "refs/a.lock/b", "refs/a b",  "refs/a~1",    "refs/a^",       "refs/a:b",
        "refs/a?",   "refs/a*",     "refs/a[",       "refs/a\\b", "refs/a\x7f",  "refs/a\nb",     "refs/@{x",
        "refs/../x", "refs/./x",    "/refs/x",       "refsx"}) {
    EXPECT_FALSE(is_valid_ref_name(name)) << name;
  }
  EXPECT_FALSE(is_valid_ref_name("refs/" + std::string(kRefNameBytesMax, 'a')));
}

using PackedRefsOnDisk = git_test::GitTest;
TEST_F(PackedRefsOnDisk, ReadsWhatGitWroteLooseAndPacked) {
  const git_test::Origin origin(path("o.git"));
  const GitOid commit = origin.commit(origin.tree({})), second = origin.commit(origin.tree({}), {commit});
  origin.set_ref("refs/heads/main", commit);
  origin.git("tag -a -m note v1 " + commit.hex());
  origin.git("pack-refs --all");
  origin.set_ref("refs/heads/main", second);
  origin.git("symbolic-ref refs/heads/alias refs/heads/main");
  const auto files = read_ref_files(real_file_system(), origin.path());
  ASSERT_TRUE(files) << files.error().what;
  EXPECT_EQ(files.value().packed.at("refs/heads/main").oid, commit);
  EXPECT_EQ(files.value().packed.at("refs/tags/v1").peeled, commit);
  EXPECT_EQ(files.value().loose, (std::map<std::string, GitOid>{{"refs/heads/main", second}}));
}
}  // namespace
}  // namespace hm::mirror

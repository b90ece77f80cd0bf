#include "hub/wire/tree.hpp"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;
const std::string kOid(40, 'b'), kHash(64, 'c');

std::string file_entry(const std::string& more) {
  return R"([{"type":"file","path":"a","oid":")" + kOid + "\"" + more + "}]";
}

TEST(Tree, ReadsFilesDirectoriesAndWhatItDoesNotKnow) {
  const auto entries =
      parse_tree(R"([{"type":"directory","oid":")" + kOid +
                 R"(","size":0,"path":"d"},)"
                 R"({"type":"file","oid":")" +
                 kOid +
                 R"(","size":5,"path":"d/é x","lastCommit":null,"securityFileStatus":{"status":"safe"}},)"
                 R"({"type":"file","oid":")" +
                 kOid + R"(","size":9,"path":"w","lfs":{"oid":"sha256:)" + kHash +
                 R"(","size":9,"pointerSize":127},"xetHash":")" + kHash + R"("},{"type":"unknown","oid":")" + kOid +
                 R"(","path":"sub"}])")
          .value();
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries[0].type, EntryType::Directory);
  EXPECT_EQ(entries[1].type, EntryType::File);
  EXPECT_EQ(entries[1].path, "d/é x");
  EXPECT_EQ(entries[1].size_bytes, 5u);
  EXPECT_FALSE(entries[1].lfs);
  EXPECT_EQ(entries[2].lfs, (LfsInfo{*Sha256::parse(kHash), 9, 127}));
  EXPECT_EQ(entries[2].xet_hash, kHash);
  EXPECT_EQ(entries[3].type, EntryType::Unknown);
}

TEST(Tree, MayBeEmpty) { EXPECT_TRUE(parse_tree("[]").value().empty()); }

TEST(Tree, NamesTheEntryThatIsWrong) {
  EXPECT_THAT(parse_tree("{}"), FailsWith(Errc::BadInput, "$: expected an array, got an object"));
  EXPECT_THAT(parse_tree(R"({"error":"x"})"), FailsWith(Errc::BadInput, "$: expected an array"));
  EXPECT_THAT(parse_tree("[null]"), FailsWith(Errc::BadInput, "$[0]: expected an object, got null"));
  EXPECT_THAT(parse_tree(file_entry("")), FailsWith(Errc::BadInput, "$[0].size: missing"));
  EXPECT_THAT(parse_tree(file_entry(R"(,"size":-1)")),
              FailsWith(Errc::BadInput, "$[0].size: expected a non-negative integer, got -1"));
  EXPECT_THAT(parse_tree(file_entry(R"(,"size":"5")")),
              FailsWith(Errc::BadInput, "$[0].size: expected a non-negative integer, got a string"));
  EXPECT_THAT(parse_tree(file_entry(R"(,"size":1,"xetHash":"zz")")),
              FailsWith(Errc::BadInput, "$[0].xetHash: expected 64 lowercase hex digits"));
  EXPECT_THAT(parse_tree(file_entry(R"(,"size":1,"lfs":{"oid":"zz","size":1})")),
              FailsWith(Errc::BadInput, "$[0].lfs.oid: expected 64"));
  EXPECT_THAT(parse_tree(R"([{"type":"file","path":"","oid":")" + kOid + R"(","size":1}])"),
              FailsWith(Errc::BadInput, "$[0].path: expected a path"));
  EXPECT_THAT(parse_tree(R"([{"type":"file","path":"a","oid":"main","size":1}])"),
              FailsWith(Errc::BadInput, "$[0].oid: expected 40"));
  EXPECT_THAT(parse_tree(R"([{"path":"a"}])"), FailsWith(Errc::BadInput, "$[0].type: missing"));
}
}  // namespace
}  // namespace hm::hub

// What git servers answer, in every split, and what we do not put up with.
#include "mirror/git/protocol_v2.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/result_matchers.hpp"

namespace hm::mirror {
namespace {
using test::FailsWith;
using test::Succeeds;
const std::string kHexA(40, 'a'), kHexB(40, 'b');
const GitOid kA = *GitOid::parse(kHexA), kB = *GitOid::parse(kHexB);

std::string pkts(const std::vector<std::string>& lines) {  // "0000" and "0001" stay as they are
  std::string out;
  for (const std::string& line : lines) {
    if (line == kFlushPkt || line == kDelimiterPkt)
      out += line;
    else
      append_pkt(out, line);
  }
  return out;
}

template <class Reader>
Result<> feed_all(Reader& reader, std::string_view bytes, std::size_t piece = 1'000'000) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    HM_TRY(reader.feed(bytes.substr(0, piece)));
  }
  return reader.finish();
}

TEST(Advertisement, OfVersion2) {
  const std::string body = pkts({"# service=git-upload-pack\n", "0000", "version 2\n", "agent=git/2\n",
                                 "ls-refs=unborn\n", "fetch=shallow\n", "object-format=sha1\n", "0000"});
  for (const std::string& text :
       {body, body.substr(body.find("0000") + 4)}) {  // the "# service" lines are optional in version 2
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      AdvertisementReader reader({"refs/"}, 10);
      ASSERT_THAT(feed_all(reader, text, piece), Succeeds());
      EXPECT_TRUE(reader.protocol_v2());
      EXPECT_TRUE(reader.has_capability("ls-refs"));
      EXPECT_TRUE(reader.has_capability("fetch"));
      EXPECT_FALSE(reader.has_capability("ls"));
    }
  }
}

TEST(Advertisement, OfVersions0And1) {
  const std::vector<std::string> refs{
      kHexA + " HEAD" + std::string(1, '\0') + "ofs-delta symref=HEAD:refs/heads/main agent=git/2\n",
      kHexA + " refs/heads/main\n",
      kHexB + " refs/notes/x\n",
      kHexB + " refs/tags/v1\n",
      kHexA + " refs/tags/v1^{}\n",
      "0000"};
  for (const bool version_line : {false, true}) {
    std::vector<std::string> lines{"# service=git-upload-pack\n", "0000"};
    if (version_line) lines.push_back("version 1\n");
    lines.insert(lines.end(), refs.begin(), refs.end());
    AdvertisementReader reader({"refs/heads/", "refs/tags/"}, 10);
    ASSERT_THAT(feed_all(reader, pkts(lines), 7), Succeeds());
    EXPECT_FALSE(reader.protocol_v2());
    EXPECT_EQ(reader.refs(), (RefMap{{"refs/heads/main", kA}, {"refs/tags/v1", kB}}));
    EXPECT_EQ(reader.head(), "refs/heads/main");
    EXPECT_EQ(reader.capabilities(), "ofs-delta symref=HEAD:refs/heads/main agent=git/2");
  }
}

TEST(Advertisement, OfAnEmptyRepository) {
  AdvertisementReader reader({"refs/"}, 10);
  ASSERT_THAT(
      feed_all(reader, pkts({"# service=git-upload-pack\n", "0000",
                             std::string(40, '0') + " capabilities^{}" + std::string(1, '\0') + "x\n", "0000"})),
      Succeeds());
  EXPECT_TRUE(reader.refs().empty());
}

TEST(Advertisement, RefusesOtherAnswers) {
  const auto read = [](const std::string& body) {
    AdvertisementReader reader({"refs/"}, 2);
    return feed_all(reader, body);
  };
  const std::string start = pkts({"# service=git-upload-pack\n", "0000"}), nul(1, '\0');
  EXPECT_THAT(read("<html>login</html>"), FailsWith(Errc::BadInput, "pkt-line"));
  EXPECT_THAT(read(pkts({"# service=git-receive-pack\n"})), FailsWith(Errc::BadInput, "receive-pack"));
  EXPECT_THAT(read(""), FailsWith(Errc::BadInput, "middle"));
  EXPECT_THAT(read(start + pkts({"version 2\n", "fetch\n"})), FailsWith(Errc::BadInput, "middle"));
  EXPECT_THAT(read(start + pkts({"version 2\n", "object-format=sha256\n", "0000"})), FailsWith(Errc::BadInput, "sha1"));
  EXPECT_THAT(read(start + pkts({kHexA + " refs/a" + nul + "object-format=sha256\n", "0000"})),
              FailsWith(Errc::BadInput, "sha1"));
  EXPECT_THAT(read(start + pkts({kHexA + " refs/a" + nul + "\n", kHexA + " refs/a\n", "0000"})),
              FailsWith(Errc::BadInput, "twice"));
  EXPECT_THAT(read(start + pkts({kHexA + " refs/a" + nul + "\n", kHexA + " refs/b\n", kHexA + " refs/c\n", "0000"})),
              FailsWith(Errc::Refused, "more than 2"));
  EXPECT_THAT(read(start + pkts({kHexA + " refs/../../a" + nul + "\n", "0000"})),
              FailsWith(Errc::Refused, "forbidden name"));
  EXPECT_THAT(read(start + pkts({kHexA + " refs/a\nb" + nul + "\n", "0000"})),
              FailsWith(Errc::Refused, "forbidden name"));
  EXPECT_THAT(read(start + pkts({kHexA + " HEAD" + nul + "symref=HEAD:../x\n", "0000"})),
              FailsWith(Errc::Refused, "HEAD"));
  EXPECT_THAT(read(start + pkts({"ERR no such\x1b[31m repo\n"})),
              FailsWith(Errc::Unreachable, "no such\\x1b[31m repo"));
  EXPECT_THAT(read(start + pkts({kHexA.substr(1) + " refs/a" + nul + "\n", "0000"})),
              FailsWith(Errc::BadInput, "not an answer"));
}

TEST(LsRefs, ReadsRefsAndHeadInEverySplit) {
  const std::string body = pkts({kHexA + " HEAD symref-target:refs/heads/main\n", kHexA + " refs/heads/main\n",
                                 kHexB + " refs/pr/1\n", kHexB + " refs/tags/v1 peeled:" + kHexA + "\n", "0000"});
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    LsRefsReader reader({"refs/heads/", "refs/tags/"}, 10);
    ASSERT_THAT(feed_all(reader, body, piece), Succeeds());
    EXPECT_EQ(reader.refs(), (RefMap{{"refs/heads/main", kA}, {"refs/tags/v1", kB}}));
    EXPECT_EQ(reader.head(), "refs/heads/main");
  }
  LsRefsReader cut({"refs/"}, 10);
  EXPECT_THAT(feed_all(cut, body.substr(0, body.size() - 4)), FailsWith(Errc::BadInput, "middle"));
}

TEST(LsRefs, AsksOnlyForWhatIsWanted) {
  EXPECT_EQ(ls_refs_request({"refs/heads/", "refs/tags/"}),
            "0014command=ls-refs\n0014agent=hubmirror\n0001000csymrefs\n0014ref-prefix HEAD\n001bref-prefix "
            "refs/heads/\n001aref-prefix refs/tags/\n0000");
}

TEST(Fetch, RequestNamesWantsThenHaves) {
  EXPECT_EQ(fetch_request({kA}, {kB}),
            "0012command=fetch\n0014agent=hubmirror\n0001000ethin-pack\n000eofs-delta\n0010no-progress\n0032want " +
                kHexA + "\n0032have " + kHexB + "\n0009done\n0000");
}

Result<> read_fetch(std::string_view body, std::size_t piece, std::string& pack) {
  FetchResponseReader reader;
  for (; !body.empty(); body.remove_prefix(std::min(piece, body.size()))) {
    HM_TRY(reader.feed(body.substr(0, piece), [&](std::string_view bytes) {
      pack.append(bytes);
      return Result<>(ok());
    }));
  }
  return reader.finish();
}

TEST(Fetch, TakesThePackOutOfTheSideband) {
  const std::string body = pkts({"shallow-info\n", "0001", "packfile\n",
                                 "\x02"
                                 "counting\n",
                                 "\x01"
                                 "PACK",
                                 "\x01",
                                 "\x01"
                                 "rest",
                                 "0000"});
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    std::string pack;
    ASSERT_THAT(read_fetch(body, piece, pack), Succeeds());
    EXPECT_EQ(pack, "PACKrest");
  }
  std::string pack;
  EXPECT_THAT(read_fetch(body.substr(0, body.size() - 4), 1000, pack), FailsWith(Errc::Unreachable, "middle"));
  EXPECT_THAT(read_fetch(pkts({"ERR upload-pack: not our ref\n"}), 1000, pack),
              FailsWith(Errc::Unreachable, "not our ref"));
  EXPECT_THAT(read_fetch(pkts({"packfile\n",
                               "\x03"
                               "out of memory"}),
                         1000, pack),
              FailsWith(Errc::Unreachable, "out of memory"));
  EXPECT_THAT(read_fetch(pkts({"packfile\n",
                               "\x07"
                               "x"}),
                         1000, pack),
              FailsWith(Errc::BadInput, "sideband"));
  EXPECT_THAT(read_fetch(pkts({"packfile\n", "0000",
                               "\x01"
                               "x"}),
                         1000, pack),
              FailsWith(Errc::BadInput, "behind the end"));
}
}  // namespace
}  // namespace hm::mirror

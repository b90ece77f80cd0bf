// pkt-lines mean the same in whatever pieces they arrive.
#include "mirror/git/pkt_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hm::mirror {
namespace {
std::string shown(const Pkt& pkt) {
  switch (pkt.kind) {
    case PktKind::Data:
      return "data:" + std::string(pkt.payload);
    case PktKind::Flush:
      return "flush";
    case PktKind::Delimiter:
      return "delimiter";
    case PktKind::ResponseEnd:
      return "end";
  }
  return "?";
}

Result<> read_in_pieces(std::string_view bytes, std::size_t piece, std::vector<std::string>& out,
                        bool* at_boundary = nullptr) {
  PktLineReader reader;
  while (!bytes.empty()) {
    HM_TRY(reader.feed(bytes.substr(0, piece), [&](const Pkt& pkt) {
      out.push_back(shown(pkt));
      return Result<>(ok());
    }));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  if (at_boundary != nullptr) *at_boundary = reader.at_boundary();
  return ok();
}

TEST(PktLine, ReadsTheSamePacketsInEverySplit) {
  std::string stream;
  append_pkt(stream, "version 2\n");
  stream += "0004";
  append_pkt(stream, std::string(70, 'x'));
  stream += "000100020000";
  append_pkt(stream, "end");
  const std::vector<std::string> expected{
      "data:version 2\n", "data:", "data:" + std::string(70, 'x'), "delimiter", "end", "flush", "data:end"};
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    std::vector<std::string> seen;
    bool at_boundary = false;
    ASSERT_TRUE(read_in_pieces(stream, piece, seen, &at_boundary)) << piece;
    EXPECT_EQ(seen, expected) << piece;
    EXPECT_TRUE(at_boundary) << piece;
  }
}

TEST(PktLine, KnowsThatItIsInTheMiddleOfAPacket) {
  for (const std::string_view bytes : {"0", "000", "0006", "0006a"}) {
    std::vector<std::string> seen;
    bool at_boundary = true;
    ASSERT_TRUE(read_in_pieces(bytes, 100, seen, &at_boundary));
    EXPECT_FALSE(at_boundary) << bytes;
    EXPECT_TRUE(seen.empty());
  }
}

TEST(PktLine, RefusesLengthsThatNoPacketHas) {
  for (const std::string_view bytes : {"0003", "fff1", "ffff", "<htm", "00g0", "-001"}) {
    for (const std::size_t piece : {1U, 4U}) {
      std::vector<std::string> seen;
      const auto read = read_in_pieces(bytes, piece, seen);
      ASSERT_FALSE(read) << bytes;
      EXPECT_EQ(read.error().code, Errc::BadInput);
      EXPECT_TRUE(seen.empty());
    }
  }
}

TEST(PktLine, TakesTheLargestPacket) {
  std::string stream;
  append_pkt(stream, std::string(kPktBytesMax - 4, 'p'));
  EXPECT_EQ(stream.substr(0, 4), "fff0");
  for (const std::size_t piece : {std::size_t{1000}, stream.size()}) {
    std::vector<std::string> seen;
    ASSERT_TRUE(read_in_pieces(stream, piece, seen));
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].size(), kPktBytesMax - 4 + 5);
  }
}

TEST(PktLine, AnErrorOfTheSinkEndsTheReading) {
  PktLineReader reader;
  int calls = 0;
  const auto read = reader.feed("00000000", [&](const Pkt&) {
    ++calls;
    return Result<>(Error{Errc::Refused, "enough"});
  });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().what, "enough");
  EXPECT_EQ(calls, 1);
}
}  // namespace
}  // namespace hm::mirror

#include "storage/partial_state.hpp"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::Succeeds;
const std::string kBoot(kBootIdBytes, 'a'), kOtherBoot(kBootIdBytes, 'b');
constexpr std::uint32_t kStateSegmentBytes = 4096;

PartialHeader header(std::uint64_t size) { return {sha256("blob"), {size, kStateSegmentBytes}, kBoot}; }
/// A braced list is evaluated from left to right, operands of + are not; and each record's checksum depends on the one
/// before.
void add(std::string& log, std::initializer_list<std::string> records) {
  for (const std::string& record : records) log += record;
}
Sha256Hasher::Midstate midstate_of(std::uint64_t bytes) {
  Sha256Hasher h;
  const std::vector<std::byte> zeros(static_cast<std::size_t>(bytes));
  h.update(zeros);
  return *h.midstate();
}

TEST(PartialLog, Crc32cIsCastagnolis) { EXPECT_EQ(crc32c(0, "123456789"), 0xe3069283U); }

TEST(PartialLog, HasFixedLengths) {
  PartialLogWriter writer;
  EXPECT_EQ(writer.header(header(1)).size(), kPartialHeaderBytes);
  EXPECT_EQ(writer.segment(1).size(), kPartialRecordBytes);
  EXPECT_EQ(writer.midstate(midstate_of(64)).size(), kPartialRecordBytes);
  EXPECT_EQ(writer.synced(1).size(), kPartialRecordBytes);
}

TEST(PartialLog, IsBelievedWholeInItsOwnBoot) {
  PartialLogWriter writer;
  std::string log = writer.header(header(5 * kStateSegmentBytes + 1));
  add(log,
      {writer.segment(0), writer.segment(1), writer.midstate(midstate_of(2 * kStateSegmentBytes)), writer.segment(5)});
  const auto state = parse_partial_state(log, kBoot);
  ASSERT_THAT(state, Succeeds());
  EXPECT_EQ(state.value().complete, (std::vector<bool>{true, true, false, false, false, true}));
  EXPECT_EQ(state.value().complete_bytes(), 2U * kStateSegmentBytes + 1);
  ASSERT_TRUE(state.value().midstate);
  EXPECT_EQ(state.value().midstate->hashed_bytes, 2U * kStateSegmentBytes);
  EXPECT_EQ(state.value().midstate->h, midstate_of(2 * kStateSegmentBytes).h);
  EXPECT_TRUE(state.value().clean);
  EXPECT_EQ(state.value().records, 4U);
  EXPECT_EQ(state.value().chain, writer.chain());
}

TEST(PartialLog, IsBelievedAsFarAsItWasSyncedInAnotherBoot) {
  PartialLogWriter writer;
  std::string log = writer.header(header(4 * kStateSegmentBytes));
  add(log, {writer.segment(0), writer.midstate(midstate_of(kStateSegmentBytes)), writer.segment(1), writer.segment(2)});
  EXPECT_EQ(parse_partial_state(log, kOtherBoot).value().complete_bytes(), 0U);
  add(log, {writer.synced(3)});  // segment 2 was recorded after that fdatasync had begun
  const auto state = parse_partial_state(log, kOtherBoot);
  ASSERT_THAT(state, Succeeds());
  EXPECT_EQ(state.value().complete, (std::vector<bool>{true, true, false, false}));
  EXPECT_TRUE(state.value().midstate);
  EXPECT_FALSE(state.value().clean);
}

TEST(PartialLog, ASyncRecordCannotSpeakOfWhatComesAfterIt) {
  PartialLogWriter writer;
  std::string log = writer.header(header(4 * kStateSegmentBytes));
  add(log, {writer.synced(5), writer.segment(0), writer.segment(1)});
  EXPECT_EQ(parse_partial_state(log, kOtherBoot).value().complete_bytes(), 0U);
}

TEST(PartialLog, IsReadUpToTheFirstDamage) {
  PartialLogWriter writer;
  std::string log = writer.header(header(4 * kStateSegmentBytes));
  for (std::uint64_t i = 0; i < 4; ++i) add(log, {writer.segment(i)});
  for (std::size_t cut = kPartialHeaderBytes; cut < log.size(); ++cut) {
    const auto state = parse_partial_state(std::string_view(log).substr(0, cut), kBoot);
    ASSERT_THAT(state, Succeeds());
    EXPECT_EQ(state.value().complete_bytes() / kStateSegmentBytes, (cut - kPartialHeaderBytes) / kPartialRecordBytes);
    EXPECT_EQ(state.value().clean, (cut - kPartialHeaderBytes) % kPartialRecordBytes == 0);
  }
  for (std::size_t at = kPartialHeaderBytes; at < log.size(); ++at) {
    std::string flipped = log;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_EQ(parse_partial_state(flipped, kBoot).value().complete_bytes() / kStateSegmentBytes,
              (at - kPartialHeaderBytes) / kPartialRecordBytes)
        << at;
  }
}

TEST(PartialLog, RecordsOfAnOlderLogCannotFollow) {
  PartialLogWriter old_writer, new_writer;
  std::string old_log = old_writer.header(header(4 * kStateSegmentBytes));
  add(old_log, {old_writer.segment(0), old_writer.segment(1)});
  std::string log = new_writer.header(header(4 * kStateSegmentBytes));
  add(log, {new_writer.segment(3)});
  log += old_log.substr(log.size());  // what an unfinished truncation may leave behind
  EXPECT_EQ(parse_partial_state(log, kBoot).value().complete, (std::vector<bool>{false, false, false, true}));
}

TEST(PartialLog, AMidstateNeedsItsSegments) {
  PartialLogWriter writer;
  std::string log = writer.header(header(4 * kStateSegmentBytes));
  add(log, {writer.segment(0), writer.segment(2), writer.midstate(midstate_of(2 * kStateSegmentBytes)),
            writer.midstate(midstate_of(64))});
  const auto state = parse_partial_state(log, kBoot);
  ASSERT_THAT(state, Succeeds());
  EXPECT_FALSE(state.value().midstate);
}

TEST(PartialLog, ADamagedHeaderIsCorruptAndANewerOneRefused) {
  PartialLogWriter writer;
  const std::string log = writer.header(header(1000));
  for (std::size_t at = 0; at < log.size(); ++at) {
    std::string flipped = log;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    const bool version = at >= 8 && at < 12;
    EXPECT_THAT(parse_partial_state(flipped, kBoot),
                FailsWith(version ? Errc::Refused : Errc::Corrupt, "download state"))
        << at;
  }
  for (std::size_t n = 0; n < log.size(); ++n)
    EXPECT_THAT(parse_partial_state(log.substr(0, n), kBoot), FailsWith(Errc::Corrupt, "no header"));
}

TEST(PartialLog, AHostileHeaderAllocatesNothing) {
  for (const SegmentLayout& layout : {SegmentLayout{~std::uint64_t{0}, kSegmentBytesMin}, SegmentLayout{1, 0},
                                      SegmentLayout{1, 100}, SegmentLayout{1, 0xffffffc0}}) {
    PartialLogWriter writer;
    EXPECT_THAT(parse_partial_state(writer.header({sha256("x"), layout, kBoot}), kBoot),
                FailsWith(Errc::Corrupt, "segments"));
  }
}

TEST(PartialLog, RenderedAgainSaysTheSame) {
  PartialLogWriter writer;
  std::string log = writer.header(header(4 * kStateSegmentBytes));
  add(log, {writer.segment(0), writer.segment(1), writer.midstate(midstate_of(2 * kStateSegmentBytes)),
            writer.synced(3), writer.segment(3)});
  const PartialState old = parse_partial_state(log, kOtherBoot).value();
  const std::string again = render_partial_state(old, kOtherBoot, true);
  for (const std::string& boot : {kOtherBoot, kBoot}) {
    const PartialState state = parse_partial_state(again, boot).value();
    EXPECT_EQ(state.complete, old.complete);
    EXPECT_EQ(state.midstate->h, old.midstate->h);
  }
  EXPECT_EQ(parse_partial_state(render_partial_state(old, kOtherBoot, false), kBoot).value().complete_bytes(), 0U);
}

TEST(SegmentLayoutTest, CutsABlob) {
  const SegmentLayout layout{10'000, 4096};
  EXPECT_EQ(layout.count(), 3U);
  EXPECT_EQ(layout.begin(2), 8192U);
  EXPECT_EQ(layout.end(1), 8192U);
  EXPECT_EQ(layout.end(2), 10'000U);
  EXPECT_EQ(layout.length(2), 1808U);
  EXPECT_EQ((SegmentLayout{0, 4096}).count(), 0U);
  EXPECT_EQ((SegmentLayout{4096, 4096}).count(), 1U);
}
}  // namespace
}  // namespace hm::storage

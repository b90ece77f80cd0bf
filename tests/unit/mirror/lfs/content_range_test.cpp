#include "mirror/lfs/content_range.hpp"

#include <gmock/gmock.h>

#include "tests/support/result_matchers.hpp"

namespace hm::mirror {
namespace {
using test::FailsWith;

TEST(ContentRangeTest, ReadsBothEndsAndTheTotal) {
  const auto range = parse_content_range("bytes 100-199/1000");
  ASSERT_TRUE(range);
  EXPECT_EQ(range.assume_value().first, 100u);
  EXPECT_EQ(range.assume_value().last, 199u);
  EXPECT_EQ(range.assume_value().total, 1000u);
}

TEST(ContentRangeTest, TakesTheUnitInAnyCaseAndAnUnknownTotal) {
  const auto range = parse_content_range("Bytes 0-0/*");
  ASSERT_TRUE(range);
  EXPECT_EQ(range.assume_value().last, 0u);
  EXPECT_FALSE(range.assume_value().total);
}

TEST(ContentRangeTest, TakesOffsetsBeyond32Bits) {
  const auto range = parse_content_range("bytes 8589934592-8589934600/500000000000");
  ASSERT_TRUE(range);
  EXPECT_EQ(range.assume_value().first, 8589934592u);
}

TEST(ContentRangeTest, RefusesWhatIsNotExactlyOneRange) {
  for (const char* text : {"",
                           "bytes",
                           "bytes ",
                           "bytes */1000",
                           "bytes 1-2",
                           "bytes 1/2",
                           "bytes 1-2/",
                           "bytes -2/10",
                           "bytes 1-/10",
                           "items 1-2/10",
                           "bytes 2-1/10",
                           "bytes 0-10/10",
                           "bytes 1-2/10, 4-5/10",
                           "bytes +1-2/10",
                           "bytes 1 -2/10",
                           "bytes 1-2/1e3",
                           "bytes 1/2-3",
                           "bytes 0-18446744073709551615/*",
                           "bytes 0-18446744073709551616/*",
                           "bytes=1-2/10"}) {
    EXPECT_THAT(parse_content_range(text), FailsWith(Errc::BadInput, "Content-Range")) << text;
  }
}

TEST(ContentRangeTest, ShowsOnlyTheBeginningOfAHostileHeader) {
  const auto range = parse_content_range("bytes \x1b[2J" + std::string(100'000, 'x'));
  ASSERT_FALSE(range);
  EXPECT_LT(range.assume_error().what.size(), 300u);
  EXPECT_EQ(range.assume_error().what.find('\x1b'), std::string::npos);
}

net::HttpResponse answer(int status, std::initializer_list<std::pair<std::string, std::string>> headers,
                         std::optional<std::uint64_t> length = {}) {
  net::HttpResponse response;
  response.status = status;
  for (const auto& [name, value] : headers) response.headers.add(name, value);
  response.content_length = length;
  return response;
}
const AskedBytes kRange(100, 200, 1000, true);
const AskedBytes kWhole(0, 1000, 1000, false);

TEST(JudgeAnswerTest, UsesTheRangeThatWasAskedFor) {
  const auto j = judge_answer(answer(206, {{"Content-Range", "bytes 100-199/1000"}}, 100), kRange);
  EXPECT_EQ(j.verdict, Verdict::Use);
  EXPECT_EQ(j.end, 200u);
}

TEST(JudgeAnswerTest, UsesAShorterRangeUpToItsOwnEnd) {
  const auto j = judge_answer(answer(206, {{"Content-Range", "bytes 100-149/1000"}}), kRange);
  EXPECT_EQ(j.verdict, Verdict::Use);
  EXPECT_EQ(j.end, 150u);
}

TEST(JudgeAnswerTest, UsesNoOtherRange) {
  for (const char* value : {"bytes 0-99/1000", "bytes 101-199/1000", "bytes 99-199/1000", "bytes 100-200/1000",
                            "bytes 100-199", "nonsense"}) {
    EXPECT_EQ(judge_answer(answer(206, {{"Content-Range", value}}), kRange).verdict, Verdict::Again) << value;
  }
  EXPECT_EQ(judge_answer(answer(206, {}), kRange).verdict, Verdict::Again);
  EXPECT_EQ(judge_answer(answer(206, {{"Content-Range", "bytes 100-199/1000"}}, 99), kRange).verdict, Verdict::Again);
  EXPECT_EQ(judge_answer(answer(206, {{"Content-Range", "bytes 0-999/1000"}}), kWhole).verdict, Verdict::Again);
}

TEST(JudgeAnswerTest, AnotherTotalIsAnotherFile) {
  const auto j = judge_answer(answer(206, {{"Content-Range", "bytes 100-199/1001"}}), kRange);
  EXPECT_EQ(j.verdict, Verdict::WrongSize);
  EXPECT_EQ(j.error.code, Errc::Corrupt);
  EXPECT_THAT(j.error.what, testing::AllOf(testing::HasSubstr("1000"), testing::HasSubstr("1001")));
  EXPECT_EQ(judge_answer(answer(200, {}, 999), kWhole).verdict, Verdict::WrongSize);
  EXPECT_EQ(judge_answer(answer(200, {}, 999), kRange).verdict, Verdict::WrongSize);
  EXPECT_EQ(judge_answer(answer(416, {{"Content-Range", "bytes */50"}}), kRange).verdict, Verdict::WrongSize);
}

TEST(JudgeAnswerTest, AWholeFileIsNeverTakenForARange) {
  EXPECT_EQ(judge_answer(answer(200, {}, 1000), kRange).verdict, Verdict::NoRanges);
  EXPECT_EQ(judge_answer(answer(200, {}), kRange).verdict, Verdict::NoRanges);
  EXPECT_EQ(judge_answer(answer(200, {}, 1000), kWhole).verdict, Verdict::Use);
}

TEST(JudgeAnswerTest, RefusesACompressedBlob) {
  const auto j = judge_answer(answer(200, {{"Content-Encoding", "gzip"}}, 1000), kWhole);
  EXPECT_EQ(j.verdict, Verdict::Never);
  EXPECT_EQ(j.error.code, Errc::Refused);
  EXPECT_EQ(judge_answer(answer(200, {{"Content-Encoding", "identity"}}, 1000), kWhole).verdict, Verdict::Use);
}

TEST(JudgeAnswerTest, TellsPassingTroubleFromADeadLocationAndFromARefusal) {
  for (const int status : {408, 429, 500, 502, 503, 504})
    EXPECT_EQ(judge_answer(answer(status, {}), kRange).verdict, Verdict::Again) << status;
  for (const int status : {401, 403, 404, 410})
    EXPECT_EQ(judge_answer(answer(status, {}), kRange).verdict, Verdict::Stale) << status;
  for (const int status : {204, 304, 400, 405, 451, 501})
    EXPECT_EQ(judge_answer(answer(status, {}), kRange).verdict, Verdict::Never) << status;
}

TEST(ValidatorTest, PrefersTheETag) {
  EXPECT_EQ(validator_of(answer(200, {{"Last-Modified", "x"}, {"ETag", "\"a\""}}).headers), "\"a\"");
  EXPECT_EQ(validator_of(answer(200, {{"Last-Modified", "x"}}).headers), "x");
  EXPECT_EQ(validator_of(answer(200, {}).headers), "");
}
}  // namespace
}  // namespace hm::mirror

#include "net/response_head.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/result_matchers.hpp"

namespace hm::net {
namespace {
using test::FailsWith;
using test::Succeeds;

Result<ResponseHead> read(const std::vector<std::string>& lines) {
  ResponseHead head;
  for (const std::string& line : lines) {
    HM_TRY(head.feed(line + "\r\n"));
  }
  return head;
}

TEST(ResponseHead, ReadsStatusAndFields) {
  const auto head = read({"HTTP/1.1 206 Partial Content", "ETag:  \"x\" ", "Content-Length: 12", "empty:", ""});
  ASSERT_THAT(head, Succeeds());
  EXPECT_TRUE(head.assume_value().complete());
  EXPECT_EQ(head.assume_value().status(), 206);
  EXPECT_EQ(head.assume_value().headers().get("etag"), "\"x\"");
  EXPECT_EQ(head.assume_value().headers().get("EMPTY"), "");
  EXPECT_FALSE(head.assume_value().headers().get("other"));
  EXPECT_EQ(head.assume_value().content_length(), 12u);
}

TEST(ResponseHead, ForgetsInterimAnswers) {
  const auto head = read({"HTTP/1.1 103 Early Hints", "Link: x", "", "HTTP/2 200", "A: b", ""});
  ASSERT_THAT(head, Succeeds());
  EXPECT_EQ(head.assume_value().status(), 200);
  EXPECT_EQ(head.assume_value().headers().all().size(), 1u);
}

TEST(ResponseHead, AChunkedAnswerHasNoLength) {
  EXPECT_FALSE(
      read({"HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked", ""}).value().content_length());
}

TEST(ResponseHead, RefusesContradictoryLengths) {
  EXPECT_THAT(read({"HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6", ""}),
              FailsWith(Errc::Unreachable, "Content-Length"));
  EXPECT_THAT(read({"HTTP/1.1 200 OK", "Content-Length: 5, 6", ""}), FailsWith(Errc::Unreachable, "Content-Length"));
  EXPECT_THAT(read({"HTTP/1.1 200 OK", "Content-Length: -1", ""}), FailsWith(Errc::Unreachable, "Content-Length"));
  EXPECT_THAT(read({"HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5", ""}), Succeeds());
}

TEST(ResponseHead, RefusesWhatIsNotHttp) {
  for (const char* line :
       {"", "ICY 200 OK", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 abc", "HTTP/1.1 99", "HTTP/1.1 1000 x"}) {
    EXPECT_THAT(read({line}), FailsWith(Errc::Unreachable, "not HTTP")) << line;
  }
  for (const char* line : {"no colon", ": no name", " folded: x"}) {
    EXPECT_THAT(read({"HTTP/1.1 200 OK", line}), FailsWith(Errc::Unreachable, "malformed")) << line;
  }
}

TEST(ResponseHead, HoldsItsLimitsOverAllHeads) {
  std::vector<std::string> lines = {"HTTP/1.1 200 OK"};
  for (std::size_t i = 0; i < kHeaderFieldsMax; ++i) lines.emplace_back("a: b");
  EXPECT_THAT(read(lines), Succeeds());
  lines.emplace_back("a: b");
  EXPECT_THAT(read(lines), FailsWith(Errc::Refused, "100 header fields"));

  lines = {"HTTP/1.1 200 OK", "a: " + std::string(kHeaderBytesMax, 'x')};
  EXPECT_THAT(read(lines), FailsWith(Errc::Refused, "64"));

  lines.clear();
  for (int i = 0; i < 101; ++i) lines.insert(lines.end(), {"HTTP/1.1 103 Early Hints", "Link: x", ""});
  EXPECT_THAT(read(lines), FailsWith(Errc::Refused, "100 header fields"));

  lines = {"HTTP/1.1 200 OK", ""};
  for (std::size_t i = 0; i <= kHeaderFieldsMax; ++i) lines.emplace_back("trailer: x");
  EXPECT_THAT(read(lines), FailsWith(Errc::Refused, "100 header fields"));
}
}  // namespace
}  // namespace hm::net

// Compressed request bodies, and those that pretend to be.
#include "server/gunzip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/support/result_matchers.hpp"

namespace hm::server {
namespace {
using test::FailsWith;

std::string gzip(const std::string& text) {
  z_stream z{};
  EXPECT_EQ(::deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(::deflateBound(&z, text.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  ::deflateEnd(&z);
  return out;
}

TEST(Gunzip, GivesBackWhatWasCompressed) {
  for (const std::size_t size : {0U, 1U, 262'143U, 262'144U, 262'145U, 1'000'000U}) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * i >> 7);
    EXPECT_EQ(gunzip(gzip(text), size).value(), text) << size;
  }
}

TEST(Gunzip, StopsAtTheLimit) {
  const std::string bomb = gzip(std::string(10'000'000, '\0'));
  ASSERT_LT(bomb.size(), 20'000U);
  EXPECT_THAT(gunzip(bomb, 9'999'999), FailsWith(Errc::Refused, "more than"));
  EXPECT_EQ(gunzip(bomb, 10'000'000).value().size(), 10'000'000U);
}

TEST(Gunzip, TakesNothingForAStreamThatIsNone) {
  const std::string good = gzip("0032want 1234");
  EXPECT_THAT(gunzip("", 100), FailsWith(Errc::BadInput, "whole"));
  EXPECT_THAT(gunzip("0032want", 100), FailsWith(Errc::BadInput, "whole"));
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_THAT(gunzip(good.substr(0, n), 100), FailsWith(Errc::BadInput, "whole")) << n;
  EXPECT_THAT(gunzip(good + "x", 100), FailsWith(Errc::BadInput, "behind"));
  EXPECT_THAT(gunzip(good + good, 100), FailsWith(Errc::BadInput, "behind"));
}
}  // namespace
}  // namespace hm::server

#include "server/credentials.hpp"

#include <gtest/gtest.h>

#include "tests/unit/server/server_fixture.hpp"

namespace hm::server {
namespace {
using Kind = Credentials::Kind;

Credentials of(std::string_view value) { return credentials_of(test::request_for("/x", {{"authorization", value}})); }

TEST(Credentials, AreNoneWithoutTheField) { EXPECT_EQ(credentials_of(test::request_for("/x")).kind, Kind::None); }

TEST(Credentials, AreTheBearerTokenWhateverTheCaseOfTheScheme) {
  for (const char* value : {"Bearer hf_abc", "bearer hf_abc", "BEARER  hf_abc "}) {
    EXPECT_EQ(of(value).kind, Kind::Token) << value;
    EXPECT_EQ(of(value).token, "hf_abc") << value;
  }
}

TEST(Credentials, AreThePasswordOfBasicWhateverTheUserName) {
  EXPECT_EQ(of("Basic YW55Om5hbWU6aGZfYWJj").kind, Kind::Malformed) << "any:name:hf_abc: a token holds no colon";
  EXPECT_EQ(of("Basic YW55OmhmX2FiYw==").token, "hf_abc");  // any:hf_abc
  EXPECT_EQ(of("basic YW55OmhmX2FiYw").token, "hf_abc");    // the same without padding
  EXPECT_EQ(of("Basic OmhmX2FiYw==").token, "hf_abc");      // :hf_abc
}

TEST(Credentials, AreMalformedWhenNoTokenCanBeReadOutOfThem) {
  for (const char* value : {"", "Bearer", "Bearer ", "Bearer hf_a hf_b", "Digest hf_abc", "hf_abc",
                            "Bearer hf_\xc3\xa4", "Basic !!!!", "Basic YW55", "Basic YW55Og==", "Basic A"})
    EXPECT_EQ(of(value).kind, Kind::Malformed) << value;
  EXPECT_EQ(of("Bearer " + std::string(5'000, 'a')).kind, Kind::Malformed);
}

TEST(Credentials, AreMalformedWhenTheFieldComesTwice) {
  const auto twice = test::request_for("/x", {{"Authorization", "Bearer hf_a"}, {"authorization", "Bearer hf_b"}});
  EXPECT_EQ(credentials_of(twice).kind, Kind::Malformed);
}
}  // namespace
}  // namespace hm::server

#include "server/peer.hpp"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.hpp"
#include "tests/unit/server/server_fixture.hpp"

namespace hm::server {
namespace {
using test::FailsWith;

PeerRules rules(std::vector<std::string> trusted, std::string public_url = {}) {
  config::Serve serve;
  serve.trusted_proxies = std::move(trusted);
  serve.public_url = std::move(public_url);
  return PeerRules::make(serve).value();
}
Request from(std::string peer, test::Fields fields) {
  Request request = test::request_for("/x", fields);
  request.peer = std::move(peer);
  return request;
}

TEST(PeerRules, BelieveNothingOfAPeerThatIsNotTrusted) {
  const Request request = from("203.0.113.9", {{"Host", "mirror.example:8080"},
                                               {"X-Forwarded-For", "10.0.0.1"},
                                               {"X-Forwarded-Proto", "https"},
                                               {"X-Forwarded-Host", "evil.example"}});
  const Origin origin = rules({"10.0.0.0/8"}).origin_of(request);
  EXPECT_EQ(origin.address, "203.0.113.9");
  EXPECT_EQ(origin.scheme, "http");
  EXPECT_EQ(origin.host, "mirror.example:8080");
}

TEST(PeerRules, TakeTheNearestHopThatIsNoTrustedProxy) {
  const PeerRules behind = rules({"10.0.0.0/8", "fd00::/8", "unix"});
  auto address = [&](std::string peer, test::Fields fields) {
    return behind.origin_of(from(std::move(peer), fields)).address;
  };
  EXPECT_EQ(address("10.0.0.7", {{"X-Forwarded-For", "1.1.1.1, 198.51.100.4"}}), "198.51.100.4")
      << "the first is what the client made up";
  EXPECT_EQ(address("10.0.0.7", {{"X-Forwarded-For", "198.51.100.4, 10.0.0.9"}}), "198.51.100.4");
  EXPECT_EQ(address("10.0.0.7", {{"X-Forwarded-For", "1.1.1.1"}, {"x-forwarded-for", "198.51.100.4"}}), "198.51.100.4");
  EXPECT_EQ(address("unix", {{"X-Forwarded-For", "[2001:db8::1]:4711"}}), "2001:db8::1");
  EXPECT_EQ(address("fd00::1", {{"X-Forwarded-For", "198.51.100.4:4711"}}), "198.51.100.4");
  EXPECT_EQ(address("10.0.0.7", {{"X-Forwarded-For", "10.0.0.1, 10.0.0.2"}}), "10.0.0.1");
  EXPECT_EQ(address("10.0.0.7", {{"X-Forwarded-For", "198.51.100.4, unknown"}}), "10.0.0.7");
  EXPECT_EQ(address("10.0.0.7", {{"X-Forwarded-For", "198.51.100.4, unix"}}), "10.0.0.7") << "nobody comes from there";
  EXPECT_EQ(address("10.0.0.7", {}), "10.0.0.7");
  EXPECT_EQ(address("::ffff:10.0.0.7", {{"X-Forwarded-For", "198.51.100.4"}}), "198.51.100.4");
}

TEST(PeerRules, TakeSchemeAndHostFromATrustedProxy) {
  const PeerRules behind = rules({"10.0.0.7"});
  const Request request = from("10.0.0.7", {{"Host", "inside:8080"},
                                            {"X-Forwarded-Proto", "ftp, HTTPS"},
                                            {"X-Forwarded-Host", "evil.example, Mirror.Example"}});
  EXPECT_EQ(behind.base_url(request), "https://mirror.example");
  EXPECT_EQ(behind.base_url(from("10.0.0.7", {{"Host", "inside:8080"}, {"X-Forwarded-Proto", "gopher"}})),
            "http://inside:8080");
}

TEST(PeerRules, PreferTheConfiguredUrl) {
  const Request request = from("192.0.2.1", {{"Host", "whatever"}});
  EXPECT_EQ(rules({}, "https://mirror.example.org/").base_url(request), "https://mirror.example.org");
}

TEST(PeerRules, KnowTheSchemeOfTheirOwnTls) {
  Request request = from("192.0.2.1", {{"Host", "mirror.example:443"}});
  request.encrypted = true;
  EXPECT_EQ(rules({}).base_url(request), "https://mirror.example");
}

TEST(PeerRules, TakeNoHostThatCouldLeadElsewhere) {
  const PeerRules plain = rules({});
  for (const char* host : {"", "a b", "user@evil.example", "evil.example/x", "evil.example?x", "evil.example#x", "a\\b",
                           "host:99999", "host:port", "[::1", "1.2.3", "ho\"st", "a,b"})
    EXPECT_EQ(plain.base_url(from("192.0.2.1", {{"Host", host}})), std::nullopt) << host;
  EXPECT_EQ(plain.base_url(from("192.0.2.1", {})), std::nullopt);
  EXPECT_EQ(plain.base_url(from("192.0.2.1", {{"Host", "[::1]:8080"}})), "http://[::1]:8080");
}

TEST(PeerRules, NameTheEntryThatCannotBeRead) {
  config::Serve serve;
  serve.trusted_proxies = {"10.0.0.1", "10.0.0.1/99"};
  EXPECT_THAT(PeerRules::make(serve), FailsWith(Errc::BadInput, "10.0.0.1/99"));
}
}  // namespace
}  // namespace hm::server

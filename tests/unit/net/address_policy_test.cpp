#include "net/address_policy.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <string>
#include <utility>

namespace hm::net {
namespace {
std::string use_of(std::string_view text) {
  const auto address = parse_ip(text);
  return address ? std::string(special_use(*address)) : "no address";
}

TEST(SpecialUse, NamesWhatIsNotPublic) {
  const std::pair<const char*, const char*> cases[] = {
      {"0.0.0.0", "unspecified"},
      {"0.1.2.3", "unspecified"},
      {"10.0.0.1", "private"},
      {"10.255.255.255", "private"},
      {"100.64.0.1", "carrier-grade NAT"},
      {"100.127.255.255", "carrier-grade NAT"},
      {"127.0.0.1", "loopback"},
      {"127.255.0.1", "loopback"},
      {"169.254.169.254", "link-local"},
      {"172.16.0.1", "private"},
      {"172.31.255.255", "private"},
      {"192.0.0.8", "protocol assignment"},
      {"192.0.2.1", "documentation"},
      {"192.88.99.1", "6to4 relay"},
      {"192.168.1.1", "private"},
      {"198.18.0.1", "benchmark"},
      {"198.19.255.255", "benchmark"},
      {"198.51.100.7", "documentation"},
      {"203.0.113.7", "documentation"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.1", "reserved"},
      {"255.255.255.255", "reserved"},
      {"::", "unspecified"},
      {"::1", "loopback"},
      {"::2", "reserved"},
      {"::127.0.0.1", "reserved"},
      {"::ffff:127.0.0.1", "loopback"},
      {"::ffff:10.1.2.3", "private"},
      {"::ffff:169.254.169.254", "link-local"},
      {"64:ff9b::10.0.0.1", "private"},
      {"64:ff9b:1::1", "local NAT64"},
      {"100::1", "discard"},
      {"2001::1", "protocol assignment"},
      {"2001:2::1", "protocol assignment"},
      {"2001:1ff:ffff::1", "protocol assignment"},
      {"2001:db8::1", "documentation"},
      {"2002:7f00:1::", "loopback"},
      {"2002:c0a8:101::1", "private"},
      {"3fff:fff::1", "documentation"},
      {"4000::1", "reserved"},
      {"5f00::1", "reserved"},
      {"fc00::1", "unique local"},
      {"fdff::1", "unique local"},
      {"fe80::1", "link-local"},
      {"febf::1", "link-local"},
      {"fec0::1", "site-local"},
      {"ff02::1", "multicast"},
  };
  for (const auto& [text, use] : cases) EXPECT_EQ(use_of(text), use) << text;
}

TEST(SpecialUse, LetsPublicAddressesThrough) {
  for (const char* text :
       {"1.1.1.1",         "9.255.255.255", "11.0.0.0",       "100.63.255.255",   "100.128.0.0",     "126.255.255.255",
        "128.0.0.0",       "169.253.0.1",   "169.255.0.1",    "172.15.255.255",   "172.32.0.0",      "192.0.1.1",
        "192.167.255.255", "192.169.0.0",   "198.17.255.255", "198.20.0.0",       "223.255.255.255", "2600:9000::1",
        "2001:200::1",     "2a00:1450::1",  "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1", "3fff:1000::1"}) {
    EXPECT_EQ(use_of(text), "") << text;
  }
}

TEST(ParseIp, IsStrict) {
  for (const char* text : {"", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "0x1.2.3.4", " 1.2.3.4", "1.2.3.4 ",
                           "[::1]", "::1%eth0", ":::", "g::", "localhost"}) {
    EXPECT_FALSE(parse_ip(text)) << text;
  }
  EXPECT_FALSE(parse_ip(std::string_view("1.2.3.4\0x", 9)));
  EXPECT_EQ(parse_ip("::FFFF:1.2.3.4")->text(), "::ffff:1.2.3.4");
}

TEST(IpOf, ReadsSocketAddresses) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(0x0a000001);
  EXPECT_EQ(ip_of(reinterpret_cast<const sockaddr&>(v4))->text(), "10.0.0.1");
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  EXPECT_EQ(ip_of(reinterpret_cast<const sockaddr&>(v6))->text(), "::1");
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  EXPECT_FALSE(ip_of(reinterpret_cast<const sockaddr&>(local)));
}
}  // namespace
}  // namespace hm::net

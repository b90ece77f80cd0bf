#include "config/address_range.hpp"

#include <gtest/gtest.h>

#include "config/config.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::config {
namespace {
using test::FailsWith;

TEST(AddressRange, HoldsItsAddressesAndNoOther) {
  struct Case {
    const char* range;
    const char* address;
    bool inside;
  };
  for (const Case& c : {Case{"10.0.0.7", "10.0.0.7", true},
                        {"10.0.0.7", "10.0.0.8", false},
                        {"10.0.0.7", "::ffff:10.0.0.7", true},
                        {"10.0.0.0/8", "10.255.255.255", true},
                        {"10.0.0.0/8", "11.0.0.0", false},
                        {"192.0.2.128/25", "192.0.2.127", false},
                        {"192.0.2.128/25", "192.0.2.128", true},
                        {"0.0.0.0/0", "203.0.113.1", true},
                        {"0.0.0.0/0", "2001:db8::1", false},
                        {"fd00::/8", "fdff::1", true},
                        {"fd00::/8", "fe80::1", false},
                        {"::1", "::1", true},
                        {"2001:db8::/33", "2001:db8:8000::", false},
                        {"unix", "unix", true},
                        {"unix", "127.0.0.1", false},
                        {"10.0.0.0/8", "unix", false},
                        {"0.0.0.0/0", "", false},
                        {"0.0.0.0/0", "mirror.example", false}}) {
    EXPECT_EQ(AddressRange::parse(c.range).value().contains(c.address), c.inside) << c.address << " in " << c.range;
  }
}

TEST(AddressRange, NamesWhatItCannotRead) {
  for (const char* text : {"", "proxy.example", "10.0.0", "10.0.0.256", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                           "10.0.0.0/8/8", "fd00::/129", "[::1]", "10.0.0.1:80", "UNIX"})
    EXPECT_THAT(AddressRange::parse(text), FailsWith(Errc::BadInput, "\"" + std::string(text) + "\"")) << text;
  EXPECT_THAT(AddressRange::parse("10.0.0.7/8"), FailsWith(Errc::BadInput, "bits behind its prefix"));
}

TEST(AddressRange, IsCheckedWhenTheConfigurationIsRead) {
  EXPECT_TRUE(parse_config("[serve]\ntrusted_proxies = [\"10.0.0.0/8\", \"unix\"]\n", "x.toml"));
  EXPECT_THAT(parse_config("[serve]\ntrusted_proxies = [\"10.0.0.0/8\", \"proxy\"]\n", "x.toml"),
              FailsWith(Errc::BadInput, "\"proxy\" is no address or network"));
}
}  // namespace
}  // namespace hm::config

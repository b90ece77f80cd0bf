#include "net/proxy.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/result_matchers.hpp"

namespace hm::net {
namespace {
Url url_of(std::string_view text) { return parse_url(text).value(); }

TEST(Proxy, IsChosenByScheme) {
  ProxySettings settings;
  settings.http = "http://plain:1";
  settings.all = "socks5://all:2";
  EXPECT_EQ(proxy_for(settings, url_of("http://h/")), "http://plain:1");
  EXPECT_EQ(proxy_for(settings, url_of("https://h/")), "socks5://all:2");
  settings.excluded = "h";
  EXPECT_EQ(proxy_for(settings, url_of("https://h/")), "");
  EXPECT_EQ(proxy_for(ProxySettings(), url_of("https://h/")), "");
}

TEST(Proxy, IsReadFromTheEnvironmentAsCurlReadsIt) {
  ::setenv("http_proxy", "http://a:1", 1);
  ::setenv("HTTP_PROXY", "http://not-this:1", 1);
  ::unsetenv("https_proxy");
  ::setenv("HTTPS_PROXY", "http://b:1", 1);
  ::setenv("no_proxy", "x", 1);
  ProxySettings settings = proxy_settings_of_environment();
  EXPECT_EQ(settings.http, "http://a:1");
  EXPECT_EQ(settings.https, "http://b:1");
  EXPECT_EQ(settings.excluded, "x");
  ::unsetenv("http_proxy");
  EXPECT_EQ(proxy_settings_of_environment().http, "");
  for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "no_proxy"}) ::unsetenv(name);
}

TEST(Proxy, ExclusionsMatchNamesDomainsAndNetworks) {
  EXPECT_TRUE(is_excluded_from_proxy("*", "any.host"));
  EXPECT_TRUE(is_excluded_from_proxy("a.com, example.org", "www.Example.org"));
  EXPECT_TRUE(is_excluded_from_proxy(".example.org", "example.org"));
  EXPECT_TRUE(is_excluded_from_proxy("example.org.", "example.org"));
  EXPECT_FALSE(is_excluded_from_proxy("example.org", "notexample.org"));
  EXPECT_FALSE(is_excluded_from_proxy("www.example.org", "example.org"));
  EXPECT_FALSE(is_excluded_from_proxy("", "h"));
  EXPECT_FALSE(is_excluded_from_proxy(",. ,", "h"));
  EXPECT_TRUE(is_excluded_from_proxy("10.0.0.0/8", "10.1.2.3"));
  EXPECT_FALSE(is_excluded_from_proxy("10.0.0.0/8", "11.1.2.3"));
  EXPECT_TRUE(is_excluded_from_proxy("192.168.0.0/23", "192.168.1.255"));
  EXPECT_FALSE(is_excluded_from_proxy("192.168.0.0/23", "192.168.2.0"));
  EXPECT_TRUE(is_excluded_from_proxy("127.0.0.1", "127.0.0.1"));
  EXPECT_FALSE(is_excluded_from_proxy("0.0.1", "127.0.0.1"));
  EXPECT_TRUE(is_excluded_from_proxy("fd00::/8", "fd12::1"));
  EXPECT_TRUE(is_excluded_from_proxy("[::1]", "::1"));
  EXPECT_FALSE(is_excluded_from_proxy("10.0.0.0/33", "10.0.0.0"));
  EXPECT_FALSE(is_excluded_from_proxy("10.0.0.0/x", "10.0.0.0"));
}

TEST(Proxy, UnusableOnesAreRefusedWithoutRepeatingThePassword) {
  for (const char* good : {"proxy:3128", "http://proxy", "https://u:p@proxy:1/", "socks5h://127.0.0.1:1080"})
    EXPECT_THAT(check_proxy(good), test::Succeeds());
  for (const char* bad :
       {"ftp://x", "http://", "http://u:hunter2@", "http://u:hunter2@h:99999", "http://u:hunter2@a b"}) {
    const auto checked = check_proxy(bad);
    ASSERT_THAT(checked, test::FailsWith(Errc::BadInput, "proxy"));
    EXPECT_EQ(checked.assume_error().what.find("hunter2"), std::string::npos);
  }
}
}  // namespace
}  // namespace hm::net

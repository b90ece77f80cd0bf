#include "net/url.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/support/result_matchers.hpp"

namespace hm::net {
namespace {
using test::FailsWith;

Url parsed(std::string_view text) {
  auto url = parse_url(text);
  EXPECT_TRUE(url) << text;
  return url ? std::move(url).assume_value() : Url();
}

TEST(ParseUrl, ReadsTheParts) {
  const Url url = parsed("https://Cdn-LFS.example.co/a/b?x=1&y=%2F#part");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "cdn-lfs.example.co");
  EXPECT_EQ(url.port, 443);
  EXPECT_EQ(url.path_query, "/a/b?x=1&y=%2F");
  EXPECT_EQ(url.text(), "https://cdn-lfs.example.co/a/b?x=1&y=%2F");
  EXPECT_EQ(url.for_messages(), "https://cdn-lfs.example.co/a/b");
}

TEST(ParseUrl, LeavesOutTheDefaultPort) {
  EXPECT_EQ(parsed("HTTP://h:80/").text(), "http://h/");
  EXPECT_EQ(parsed("http://h:8080").text(), "http://h:8080/");
  EXPECT_EQ(parsed("https://h:/x").text(), "https://h/x");
  EXPECT_EQ(parsed("https://h:80").origin(), "https://h:80");
  EXPECT_EQ(parsed("https://h?q").text(), "https://h/?q");
}

TEST(ParseUrl, ReadsAddresses) {
  EXPECT_EQ(parsed("http://127.0.0.1:1/").host, "127.0.0.1");
  const Url v6 = parsed("http://[2001:DB8:0:0::1]:81/x");
  EXPECT_EQ(v6.host, "2001:db8::1");
  EXPECT_EQ(v6.text(), "http://[2001:db8::1]:81/x");
}

TEST(ParseUrl, SameOriginMeansSchemeHostAndPort) {
  EXPECT_TRUE(parsed("https://a/x").same_origin(parsed("https://A:443/y")));
  EXPECT_FALSE(parsed("https://a/").same_origin(parsed("http://a:443/")));
  EXPECT_FALSE(parsed("https://a/").same_origin(parsed("https://a.b/")));
  EXPECT_FALSE(parsed("https://a/").same_origin(parsed("https://a:444/")));
}

TEST(ParseUrl, RefusesWhatIsNoPlainHttpUrl) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "not absolute"},
      {"/path", "not absolute"},
      {"huggingface.co/gpt2", "not absolute"},
      {"ftp://h/", "scheme ftp"},
      {"file:///etc/passwd", "scheme file"},
      {"https:h", "no //"},
      {"https:///x", "no host"},
      {"https://:1/", "no host"},
      {"https://h:0/", "port"},
      {"https://h:65536/", "port"},
      {"https://h:-1/", "port"},
      {"https://h:1x/", "port"},
      {"https://a..b/", "empty"},
      {"https://a./", "empty"},
      {"https://" + std::string(64, 'a') + "/", "overlong"},
      {"https://a%2eb/", "0x25"},
      {"https://h/a b", "0x20"},
      {"https://h/a\nb", "0x0a"},
      {"https://h/\xc3\xa4", "0xc3"},
      {"https://h\\@x/", "0x5c"},
      {std::string("https://h/\0x", 12), "0x00"},
      {"https://[::1/", "bracket"},
      {"https://[::1]x/", "after the bracket"},
      {"https://[127.0.0.1]/", "IPv6"},
      {"https://[fe80::1%25eth0]/", "IPv6"},
      {"https://h/" + std::string(kUrlBytesMax, 'a'), "more than"},
  };
  for (const auto& [text, why] : cases) EXPECT_THAT(parse_url(text), FailsWith(Errc::BadInput, why)) << text;
}

TEST(ParseUrl, RefusesNumbersThatResolversReadAsAddresses) {
  for (const char* host : {"2130706433", "0x7f.1", "0x7f000001", "017700000001", "127.1", "127.0.0.01", "1.2.3.4.5",
                           "256.1.1.1", "a.0x1", "0x"}) {
    EXPECT_THAT(parse_url(std::string("http://") + host + "/"), FailsWith(Errc::BadInput, "IPv4")) << host;
  }
}

TEST(ParseUrl, RefusesCredentialsAndDoesNotRepeatThem) {
  for (const char* text : {"https://user:hunter2@h/", "https://hunter2@h/", "https://@h/", "https://h:1@hunter2/"}) {
    const auto url = parse_url(text);
    ASSERT_THAT(url, FailsWith(Errc::BadInput, "user name or password"));
    EXPECT_EQ(url.assume_error().what.find("hunter2"), std::string::npos);
  }
  EXPECT_EQ(parsed("https://h/@x").path_query, "/@x");
}

TEST(ResolveReference, FollowsTheExamplesOfTheRfc) {
  const Url base = parsed("http://a/b/c/d;p?q");
  const std::pair<const char*, const char*> cases[] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
  };
  for (const auto& [reference, expected] : cases) {
    const auto url = resolve_reference(base, reference);
    ASSERT_TRUE(url) << reference << ": " << url.assume_error().what;
    EXPECT_EQ(url.assume_value().text(), expected) << reference;
  }
}

TEST(ResolveReference, TakesAbsoluteOnes) {
  const Url base = parsed("https://hub/x/y");
  EXPECT_EQ(resolve_reference(base, "https://cdn:8443/a/../b?c=1#d").value().text(), "https://cdn:8443/b?c=1");
  EXPECT_EQ(resolve_reference(base, "  /trimmed \t").value().text(), "https://hub/trimmed");
}

TEST(ResolveReference, EncodesWhatServersForgetToEncode) {
  const Url base = parsed("https://hub/x");
  EXPECT_EQ(resolve_reference(base, "/a b/\xc3\xa4?n=\"q\"|{}").value().path_query, "/a%20b/%C3%A4?n=%22q%22%7C%7B%7D");
}

TEST(ResolveReference, RefusesHostileOnes) {
  const Url base = parsed("https://hub/x");
  for (const char* reference :
       {"file:///etc/passwd", "javascript:alert(1)", "ftp://h/", "https:h", "1:b", "//user@h/", "https://u:p@h/",
        "/\\evil.com", "\\\\evil.com", "/a\nSet-Cookie: x", "//", "http://0x7f.1/"}) {
    EXPECT_THAT(resolve_reference(base, reference), FailsWith(Errc::BadInput, "URL")) << reference;
  }
  EXPECT_THAT(resolve_reference(base, "/" + std::string(kUrlBytesMax - 5, ' ') + "x"),
              FailsWith(Errc::BadInput, "more than"));
}
}  // namespace
}  // namespace hm::net

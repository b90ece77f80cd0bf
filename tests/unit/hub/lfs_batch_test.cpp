#include "hub/lfs_batch.hpp"

#include <gtest/gtest.h>

#include "base/canonical_json.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;
constexpr std::string_view kHex = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
constexpr std::int64_t kNow = 1'800'000'000'000;

LfsPointer pointer(std::string_view hex = kHex, std::uint64_t size_bytes = 12345) {
  return {*Sha256::parse(hex), size_bytes};
}
std::string text_of(std::string_view version, std::string_view rest) {
  return "version " + std::string(version) + "\n" + std::string(rest);
}
const std::string kOidLine = "oid sha256:" + std::string(kHex) + "\n";
const std::string kV1 = "https://git-lfs.github.com/spec/v1";

TEST(LfsPointer, RendersTheCanonicalBytes) {
  const std::string text = render_lfs_pointer(pointer());
  EXPECT_EQ(text, "version https://git-lfs.github.com/spec/v1\n" + kOidLine + "size 12345\n");
  EXPECT_EQ(text.size(), 130u);
  EXPECT_EQ(git_object_id("blob", as_bytes(text)).hex(), "60c8d8ab2adcf57a391163a7eeb0cdb8bf348e44");
}

TEST(LfsPointer, ReadsWhatItRenders) {
  for (std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{548105171}, ~std::uint64_t{0} >> 1})
    EXPECT_EQ(parse_lfs_pointer(render_lfs_pointer(pointer(kHex, size))), pointer(kHex, size));
}

TEST(LfsPointer, ToleratesFurtherKeysAndTheOldVersion) {
  EXPECT_EQ(parse_lfs_pointer(text_of("https://hawser.github.com/spec/v1", kOidLine + "size 12345\n")), pointer());
  EXPECT_EQ(parse_lfs_pointer(text_of(kV1, "ext-0-foo sha256:" + std::string(kHex) + "\n" + kOidLine + "size 12345\n")),
            pointer());
  EXPECT_EQ(parse_lfs_pointer(text_of(kV1, kOidLine + "size 12345\nx-note a b c\n")), pointer());
}

TEST(LfsPointer, ReadsWhatGitLfsReadsThoughItDoesNotWriteIt) {
  // Each was given to `git lfs pointer --check` (3.3.0), which takes them, and with --strict does not.
  const std::string good = render_lfs_pointer(pointer());
  for (const std::string& text :
       {good.substr(0, good.size() - 1), good + "\n", " " + good, "\n" + good,
        text_of(kV1, "\n" + kOidLine + "\n\nsize 12345\n"),
        text_of(kV1 + "\r", "oid sha256:" + std::string(kHex) + "\r\nsize 12345\r\n"),
        text_of(kV1, kOidLine + "size 12345\r\n"), text_of(kV1, kOidLine + "size 12345 \n"),
        text_of(kV1, kOidLine + "size 12345\t"), text_of(kV1, kOidLine + "size 012345\n"),
        text_of(kV1, kOidLine + "size +12345\n"), text_of("http://git-media.io/v/2", kOidLine + "size 12345\n")})
    EXPECT_EQ(parse_lfs_pointer(text), pointer()) << text;
}

TEST(LfsPointer, TakesAnythingElseForAnOrdinaryFile) {
  const std::string good = render_lfs_pointer(pointer());
  for (const std::string& text : {std::string(),
                                  std::string("\n"),
                                  std::string("version"),
                                  std::string("# readme\n"),
                                  good + "x",
                                  "\xef\xbb\xbf" + good,
                                  text_of("https://git-lfs.github.com/spec/v2", kOidLine + "size 12345\n"),
                                  text_of(kV1, "size 12345\n" + kOidLine),
                                  text_of(kV1, kOidLine),
                                  text_of(kV1, "size 12345\n"),
                                  text_of(kV1, kOidLine + "size 12345\nsize 12345\n"),
                                  text_of(kV1, kOidLine + kOidLine + "size 1\n"),
                                  text_of(kV1, kOidLine + "size -1\n"),
                                  text_of(kV1, kOidLine + "size ++1\n"),
                                  text_of(kV1, kOidLine + "size +\n"),
                                  text_of(kV1, kOidLine + "size 1 2\n"),
                                  text_of(kV1 + " ", kOidLine + "size 1\n"),
                                  text_of(kV1 + "\r\r", kOidLine + "size 1\n"),
                                  text_of("http://git-lfs.github.com/spec/v1", kOidLine + "size 1\n"),
                                  text_of(kV1, kOidLine + "size \n"),
                                  text_of(kV1, kOidLine + "size 18446744073709551616\n"),
                                  text_of(kV1, kOidLine + "size 9223372036854775808\n"),
                                  text_of(kV1, "oid md5:" + std::string(32, 'a') + "\nsize 1\n"),
                                  text_of(kV1, "oid sha256:" + std::string(64, 'A') + "\nsize 1\n"),
                                  text_of(kV1, "oid sha256:" + std::string(63, 'a') + "\nsize 1\n"),
                                  text_of(kV1, "oid  sha256:" + std::string(kHex) + "\nsize 1\n"),
                                  text_of(kV1, kOidLine + "size 1\nKEY v\n"),
                                  text_of(kV1, kOidLine + "size 1\nversion " + kV1 + "\n"),
                                  kOidLine + "size 1\nversion " + kV1 + "\n"})
    EXPECT_FALSE(parse_lfs_pointer(text)) << text;
}

TEST(LfsPointer, IsShorterThan1024Bytes) {
  const std::string head = text_of(kV1, kOidLine + "size 12345\nz ");
  auto padded = [&](std::size_t total) { return head + std::string(total - head.size() - 1, 'x') + "\n"; };
  EXPECT_EQ(parse_lfs_pointer(padded(1023)), pointer());
  EXPECT_FALSE(parse_lfs_pointer(padded(1024)));
}

TEST(LfsBatch, RendersTheRequest) {
  const std::vector<LfsPointer> objects{pointer(), pointer(kHex, 0)};
  const std::string body = render_lfs_batch_request(objects);
  EXPECT_EQ(canonical_json(parse_json(body).value()).value(),
            R"({"hash_algo":"sha256","objects":[{"oid":")" + std::string(kHex) + R"(","size":12345},{"oid":")" +
                std::string(kHex) + R"(","size":0}],"operation":"download","transfers":["basic"]})");
}

std::string object(const std::string& more) {
  return R"({"oid":")" + std::string(kHex) + R"(","size":12345)" + more + "}";
}
std::string batch(const std::string& more) { return R"({"transfer":"basic","objects":[)" + object(more) + "]}"; }
std::string download(const std::string& fields) { return batch(R"(,"actions":{"download":{)" + fields + "}}"); }
constexpr const char* kHref = R"("href":"https://cdn.example/x?sig=1")";

TEST(LfsBatch, ReadsADownload) {
  const auto objects =
      parse_lfs_batch(
          download(std::string(kHref) + R"(,"header":{"Authorization":"Basic eDp5","X-Key":"v"},"expires_in":60)"),
          kNow)
          .value();
  ASSERT_EQ(objects.size(), 1u);
  EXPECT_EQ(objects[0].oid.hex(), kHex);
  EXPECT_EQ(objects[0].size_bytes, 12345u);
  EXPECT_EQ(objects[0].error_code, 0);
  ASSERT_TRUE(objects[0].download);
  EXPECT_EQ(objects[0].download->href, "https://cdn.example/x?sig=1");
  EXPECT_EQ(objects[0].download->headers.get("authorization"), "Basic eDp5");
  EXPECT_EQ(objects[0].download->headers.get("X-Key"), "v");
  EXPECT_EQ(objects[0].download->expires_unix_ms, kNow + 60'000);
}

TEST(LfsBatch, ReadsEachFormOfExpiry) {
  auto expires = [](const std::string& field) {
    return parse_lfs_batch(download(kHref + field), kNow).value()[0].download->expires_unix_ms;
  };
  EXPECT_EQ(expires(""), std::nullopt);
  EXPECT_EQ(expires(R"(,"expires_at":"2027-01-15T08:00:01Z")"), kNow + 1000);
  EXPECT_EQ(expires(R"(,"expires_at":"2027-01-15T09:00:01.5+01:00")"), kNow + 1500);
  EXPECT_EQ(expires(R"(,"expires_at":"2027-01-15T07:30:00-00:30")"), kNow);
  EXPECT_EQ(expires(R"(,"expires_at":"0001-01-01T00:00:00Z")"), std::nullopt) << "how Go writes never";
  EXPECT_EQ(expires(R"(,"expires_in":0)"), std::nullopt);
  EXPECT_EQ(expires(R"(,"expires_in":-5)"), kNow) << "already over";
  EXPECT_EQ(expires(R"(,"expires_in":10,"expires_at":"2027-01-15T08:00:01Z")"), kNow + 10'000);
  EXPECT_GT(expires(R"(,"expires_in":9223372036854775807)"), kNow) << "no overflow";
}

TEST(LfsBatch, ReadsErrorsOfSingleObjects) {
  auto read = [](const std::string& more) { return parse_lfs_batch(batch(more), kNow).value()[0]; };
  const LfsObject gone = read(R"(,"error":{"code":404,"message":"Object does not exist\u001b[2J"})");
  EXPECT_FALSE(gone.download);
  EXPECT_EQ(gone.error_code, 404);
  EXPECT_EQ(gone.error_message, "Object does not exist\\x1b[2J");
  EXPECT_EQ(read(R"(,"error":{"code":70000})").error_code, 500);
  EXPECT_EQ(read("").error_code, 404) << "neither action nor error";
  EXPECT_EQ(read(R"(,"actions":{})").error_code, 404);
  EXPECT_EQ(read(R"(,"actions":{"upload":{"href":"https://x/"}})").error_code, 404);
  EXPECT_LE(read(R"(,"error":{"code":404,"message":")" + std::string(5000, 'x') + "\"}").error_message.size(), 300u);
}

TEST(LfsBatch, LeavesOutHeadersThatBelongToTheTransfer) {
  const auto answer = parse_lfs_batch(
      download(
          std::string(kHref) +
          R"(,"header":{"Host":"evil","range":"bytes=0-","Content-Length":"5","Transfer-Encoding":"chunked","Connection":"x","A":"b","N":null})"),
      kNow);
  const auto& kept = answer.value()[0].download->headers.all();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].first, "A");
}

TEST(LfsBatch, RefusesHeadersThatCouldSmuggle) {
  for (const char* header : {R"("A":"b\r\nHost: evil")", R"("A":"b\nc")", R"("A\r\nB":"c")", R"("A B":"c")",
                             R"("":"c")", R"("A:":"c")", R"("A":"b\u0000")"})
    EXPECT_THAT(parse_lfs_batch(download(std::string(kHref) + R"(,"header":{)" + header + "}"), kNow),
                FailsWith(Errc::BadInput, "expected a header field that may be sent"))
        << header;
  EXPECT_THAT(parse_lfs_batch(download(std::string(kHref) + R"(,"header":{"A":1})"), kNow),
              FailsWith(Errc::BadInput, "$.objects[0].actions.download.header.A: expected a string"));
  EXPECT_THAT(
      parse_lfs_batch(download(std::string(kHref) + R"(,"header":{"A":")" + std::string(9000, 'x') + "\"}"), kNow),
      FailsWith(Errc::BadInput, "may be sent"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += (i ? ",\"H" : "\"H") + std::to_string(i) + "\":\"v\"";
  EXPECT_THAT(parse_lfs_batch(download(std::string(kHref) + ",\"header\":{" + many + "}"), kNow),
              FailsWith(Errc::BadInput, "at most 64 headers"));
}

TEST(LfsBatch, DoesNotRepeatAHeaderValueInAnError) {
  const auto failed =
      parse_lfs_batch(download(std::string(kHref) + R"(,"header":{"Authorization":"Basic c2VjcmV0\n"})"), kNow);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().what.find("c2VjcmV0"), std::string::npos) << failed.error().what;
}

TEST(LfsBatch, NamesWhatIsWrong) {
  EXPECT_THAT(parse_lfs_batch("[]", kNow), FailsWith(Errc::BadInput, "$: expected an object"));
  EXPECT_THAT(parse_lfs_batch("{}", kNow), FailsWith(Errc::BadInput, "$.objects: missing"));
  EXPECT_THAT(parse_lfs_batch(R"({"transfer":"xet","objects":[]})", kNow),
              FailsWith(Errc::BadInput, "$.transfer: expected \"basic\""));
  EXPECT_THAT(parse_lfs_batch(R"({"hash_algo":"sha1","objects":[]})", kNow),
              FailsWith(Errc::BadInput, "$.hash_algo: expected \"sha256\""));
  EXPECT_THAT(parse_lfs_batch(R"({"objects":[{}]})", kNow), FailsWith(Errc::BadInput, "$.objects[0].oid: missing"));
  EXPECT_THAT(parse_lfs_batch(R"({"objects":[{"oid":"../../x"}]})", kNow),
              FailsWith(Errc::BadInput, "$.objects[0].oid: expected 64"));
  EXPECT_THAT(parse_lfs_batch(download(""), kNow),
              FailsWith(Errc::BadInput, "$.objects[0].actions.download.href: missing"));
  for (const char* href : {"/relative", "ftp://x/", "file:///etc/passwd", "", "https://", "javascript:1"})
    EXPECT_THAT(parse_lfs_batch(download(R"("href":")" + std::string(href) + "\""), kNow),
                FailsWith(Errc::BadInput, "download.href: expected an absolute http or https URL"))
        << href;
  EXPECT_THAT(parse_lfs_batch(download(std::string(kHref) + R"(,"expires_at":"soon")"), kNow),
              FailsWith(Errc::BadInput, "expires_at: expected a time"));
  EXPECT_THAT(parse_lfs_batch(download(std::string(kHref) + R"(,"expires_in":"5")"), kNow),
              FailsWith(Errc::BadInput, "expires_in: expected an integer"));
  EXPECT_THAT(parse_lfs_batch(batch(R"(,"actions":[])"), kNow),
              FailsWith(Errc::BadInput, "$.objects[0].actions: expected an object"));
}

TEST(LfsBatch, MatchesTheAnswerToWhatWasAsked) {
  const std::string a(64, 'a'), b(64, 'b'), c(64, 'c'), d(64, 'd');
  auto answered = [](const std::string& hex, std::uint64_t size) {
    LfsObject made;
    made.oid = *Sha256::parse(hex);
    made.size_bytes = size;
    made.download.emplace().href = "https://x/" + hex.substr(0, 1);
    return made;
  };
  const std::vector<LfsPointer> asked{pointer(a, 1), pointer(b, 2), pointer(c, 3)};
  const auto matched = match_lfs_answer(asked, {answered(c, 3), answered(d, 4), answered(a, 9)});
  ASSERT_EQ(matched.size(), 3u);
  EXPECT_EQ(matched[0].error_code, 422) << "another size";
  EXPECT_FALSE(matched[0].download);
  EXPECT_EQ(matched[0].size_bytes, 1u);
  EXPECT_EQ(matched[1].oid.hex(), b);
  EXPECT_EQ(matched[1].error_code, 404) << "left out";
  EXPECT_EQ(matched[2].download->href, "https://x/c");
}
}  // namespace
}  // namespace hm::hub

// Text of strangers made harmless, and sizes and times as people read them.
#include "base/text.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hm {
namespace {
TEST(Printable, LeavesTextAndEscapesWhatMovesACursor) {
  EXPECT_EQ(printable("model v1.0 é 模型 \xf0\x9f\xa4\x97"), "model v1.0 é 模型 \xf0\x9f\xa4\x97");
  EXPECT_EQ(printable("a\nb\tc\r"), "a\\x0ab\\x09c\\x0d");
  EXPECT_EQ(printable("\x1b[31mred"), "\\x1b[31mred");
  EXPECT_EQ(printable("\x7f"), "\\x7f");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}
TEST(Printable, EscapesBrokenUtf8AndSecondControlSet) {
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("\xc3"), "\\xc3");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b"
            "31m");                                         // C1: a CSI in one character
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b"),
            "a\\xe2\\x80\\xae"
            "b");  // right-to-left override
}

TEST(HumanBytes, UsesBinaryUnits) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes((1ULL << 20) - 1), "1.0 MiB");
  EXPECT_EQ(human_bytes(5ULL << 30), "5.0 GiB");
  EXPECT_EQ(human_bytes(~0ULL), "16.0 EiB");
}
TEST(PercentText, HasOneDigitAndRoundsHalvesUp) {
  EXPECT_EQ(percent_text(496, 1000), "49.6");
  EXPECT_EQ(percent_text(1, 2000), "0.1");
  EXPECT_EQ(percent_text(1, 2001), "0.0");
  EXPECT_EQ(percent_text(3, 3), "100.0");
  EXPECT_EQ(percent_text(0xffffffffffffffff, 0xffffffffffffffff), "100.0");
  EXPECT_EQ(percent_text(0, 0), "-");
}

TEST(HumanSeconds, ChoosesItsUnit) {
  EXPECT_EQ(human_seconds(0), "0 s");
  EXPECT_EQ(human_seconds(59), "59 s");
  EXPECT_EQ(human_seconds(185), "3 min 05 s");
  EXPECT_EQ(human_seconds(7'800), "2 h 10 min");
}
TEST(ParseBytes, ReadsUnits) {
  EXPECT_EQ(parse_bytes("4096").value(), 4096U);
  EXPECT_EQ(parse_bytes("200M").value(), 200ULL << 20);
  EXPECT_EQ(parse_bytes("1.5GiB").value(), 3ULL << 29);
  EXPECT_EQ(parse_bytes("2 kB").value(), 2048U);
  EXPECT_EQ(parse_bytes("1T").value(), 1ULL << 40);
  EXPECT_EQ(parse_bytes("0").value(), 0U);
}
TEST(ParseBytes, RefusesWhatIsNoSize) {
  for (const char* bad : {"", "M", "-1", "1X", "1MM", "1e3", "0x10", "inf", "nan", "9999P", "1 2", "1M extra"}) {
    const auto bytes = parse_bytes(bad);
    ASSERT_FALSE(bytes) << bad << " was read as " << bytes.value();
    EXPECT_EQ(bytes.error().code, Errc::BadInput) << bad;
    EXPECT_NE(bytes.error().what.find("200M"), std::string::npos) << "the error gives an example";
  }
}

TEST(ParseCount, ReadsPowersOfAThousand) {
  EXPECT_EQ(parse_count("7B").value(), 7'000'000'000U);
  EXPECT_EQ(parse_count("1.5m").value(), 1'500'000U);
  EXPECT_EQ(parse_count("0.5k").value(), 500U);
  EXPECT_EQ(parse_count("2G").value(), 2'000'000'000U);
  EXPECT_EQ(parse_count("400000").value(), 400'000U);
  for (const char* bad :
       {"", "B", "-1", "7X", "7BB", "0.5", "1.2345k", "99999999999999999999", "18446744073709551615k"})
    EXPECT_FALSE(parse_count(bad)) << bad;
}
TEST(ParseTime, ReadsDaysAndTimes) {
  EXPECT_EQ(parse_time("1970-01-02").value(), 86'400'000);
  EXPECT_EQ(parse_time("1970-01-02T00:00:01Z").value(), 86'401'000);
  for (const char* bad : {"", "yesterday", "2026-02-30", "2026-1-1", "2026-01-01 10:00"})
    EXPECT_FALSE(parse_time(bad)) << bad;
}
TEST(ParseDuration, ReadsUnits) {
  EXPECT_EQ(parse_duration("45min").value(), 45 * 60'000);
  EXPECT_EQ(parse_duration("12h").value(), 12 * 3'600'000);
  EXPECT_EQ(parse_duration("90d").value(), 90 * 86'400'000LL);
  EXPECT_EQ(parse_duration("2w").value(), 14 * 86'400'000LL);
  for (const char* bad : {"", "d", "1", "1m", "-1d", "1.5h", "1d ", "9999999999999999w"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(PercentCoding, KeepsUnreservedBytesOnly) {
  EXPECT_EQ(percent_encode("a-b_c.d~e/f g#%é"), "a-b_c.d~e%2Ff%20g%23%25%C3%A9");
  EXPECT_EQ(percent_encode("a/b c", true), "a/b%20c");
  EXPECT_EQ(percent_decode("a%2Fb%2fc"), "a/b/c");
  EXPECT_EQ(percent_decode("%"), "%");
  EXPECT_EQ(percent_decode("%2"), "%2");
  EXPECT_EQ(percent_decode("%zz%41+"), "%zzA+");
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
}

TEST(SmallTools, DoWhatTheirNamesSay) {
  EXPECT_TRUE(ascii_equal_fold("Content-Length", "content-length"));
  EXPECT_FALSE(ascii_equal_fold("a", "ab"));
  EXPECT_EQ(ascii_lower("AbÉ"), "abÉ");
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), std::vector<std::string_view>{""});
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}
TEST(ParseU64, TakesDigitsOnly) {
  EXPECT_EQ(parse_u64("18446744073709551615"), ~0ULL);
  for (const char* bad : {"", "18446744073709551616", "+1", "-1", " 1", "1 ", "0x1", "1a"})
    EXPECT_FALSE(parse_u64(bad)) << bad;
  EXPECT_EQ(parse_u64("007"), 7U);
}

TEST(FoldPath, FindsTwinsOfOtherFileSystems) {
  EXPECT_EQ(fold_path("README.md"), fold_path("readme.MD"));
  EXPECT_EQ(fold_path("caf\xc3\xa9"), fold_path("cafe\xcc\x81"));  // composed and decomposed
  EXPECT_EQ(fold_path("STRASSE"), fold_path("stra\xc3\x9f"
                                            "e"));  // full folding
  EXPECT_NE(fold_path("a/b"), fold_path("a_b"));
  EXPECT_EQ(fold_path("\xff\xfe"), "\xff\xfe");
  const std::string late_letter = "\xcd\x85\xcc\x88";  // U+0345, a mark that folds to a letter, before U+0308
  EXPECT_EQ(fold_path(fold_path(late_letter)), fold_path(late_letter));
  EXPECT_EQ(fold_path(""), "");
}

struct GlobCase {
  const char *pattern, *path;
  bool matches;
};
TEST(Glob, MatchesLikeHubClientsDo) {
  const std::vector<GlobCase> cases{
      {"*.safetensors", "model.safetensors", true},
      {"*.safetensors", "a/b/model.safetensors", true},  // '*' crosses '/', as fnmatch in Hub clients does
      {"*.safetensors", "model.safetensors.index.json", false},
      {"model-????"
       "?-of-*",
       "model-00001-of-00002.bin", true},
      {"model-?", "model-", false},
      {"onnx/", "onnx/model.onnx", true},
      {"onnx/", "onnx2/model.onnx", false},
      {"[a-c]x", "bx", true},
      {"[!a-c]x", "bx", false},
      {"[!a-c]x", "dx", true},
      {"[]]", "]", true},
      {"[a", "[a", true},
      {"*", "", true},
      {"", "", true},
      {"", "a", false},
      {"**", "a/b", true},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "aXbYbZ", false},
      {"?", "\xff", true},
      {"[a-]", "-", true},
  };
  for (const GlobCase& c : cases) EXPECT_EQ(glob_match(c.pattern, c.path), c.matches) << c.pattern << " on " << c.path;
}
TEST(Glob, AHostilePatternStaysCheap) {
  // Exponential matchers need 2^2000 steps here; this one needs |pattern|·|path|, which the test run itself proves by
  // ending.
  std::string pattern;
  for (int i = 0; i < 2'000; ++i) pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(4'000, 'a')));
}

TEST(Iso8601, GoesBothWays) {
  EXPECT_EQ(iso8601(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(iso8601(*parse_iso8601("0026-11-20T15:20:00Z")), "0026-11-20T15:20:00.000Z");
  EXPECT_EQ(iso8601(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(iso8601(1'795'188'000'123), "2026-11-20T15:20:00.123Z");
  for (const std::int64_t ms : {0LL, 1LL, -1LL, 951'827'696'789LL, 1'795'188'000'123LL})
    EXPECT_EQ(parse_iso8601(iso8601(ms)), ms);
}
TEST(Iso8601, ReadsTheHubsFormsAndNoOthers) {
  EXPECT_EQ(parse_iso8601("2026-11-20T15:20:00Z"), 1'795'188'000'000);
  EXPECT_EQ(parse_iso8601("2026-11-20T15:20:00.5Z"), 1'795'188'000'500);
  EXPECT_EQ(parse_iso8601("2026-11-20T15:20:00.123456Z"), 1'795'188'000'123);
  for (const char* bad : {"", "2026-11-20", "2026-11-20T15:20:00", "2026-11-20T15:20:00+01:00", "2026-11-20 15:20:00Z",
                          "2026-13-20T15:20:00Z", "2026-11-31T15:20:00Z", "2026-11-20T25:20:00Z",
                          "2026-11-20T15:20:00.Zx", "yesterday", "-026-11-20T15:20:00Z", "2026-1-2T3:4:5Z"})
    EXPECT_FALSE(parse_iso8601(bad)) << bad;
}

TEST(ShellQuoting, IsOneWord) {
  EXPECT_EQ(shell_quoted("/a/b.git"), "/a/b.git");
  EXPECT_EQ(shell_quoted("/a b"), "'/a b'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("$(x)"), "'$(x)'");
}
}  // namespace
}  // namespace hm

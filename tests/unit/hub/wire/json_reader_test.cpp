#include "hub/wire/json_reader.hpp"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;
using test::Succeeds;

json::value document(std::string_view text) { return parse_json(text).value(); }

TEST(JsonReader, SaysWhereAWrongTypeStands) {
  const auto doc = document(R"({"siblings":[{},{},{},{"size":"12"}]})");
  const JsonReader root(doc);
  const JsonReader siblings = root.needed("siblings").value();
  const JsonReader third = siblings.item(3);
  std::uint64_t size = 5;
  EXPECT_THAT(third.need("size", size),
              FailsWith(Errc::BadInput, "$.siblings[3].size: expected a non-negative integer, got a string (\"12\")"));
  EXPECT_EQ(size, 5u) << "a failed read leaves its target alone";
}

TEST(JsonReader, TellsAMissingFieldFromAWrongOne) {
  const auto doc = document(R"({"a":null,"b":{}})");
  const JsonReader root(doc);
  std::string text;
  EXPECT_THAT(root.need("id", text), FailsWith(Errc::BadInput, "$.id: missing, it is mandatory"));
  EXPECT_THAT(root.need("a", text), FailsWith(Errc::BadInput, "$.a: missing"));
  EXPECT_THAT(root.need("b", text), FailsWith(Errc::BadInput, "$.b: expected a string, got an object"));
}

TEST(JsonReader, NeedsAnObjectAroundAField) {
  const auto doc = document("[1]");
  std::string text;
  EXPECT_THAT(JsonReader(doc).need("id", text), FailsWith(Errc::BadInput, "$: expected an object, got an array"));
}

TEST(JsonReader, LeavesAnAbsentOrNullOptionalAlone) {
  const auto doc = document(R"({"n":null,"v":7})");
  const JsonReader root(doc);
  std::optional<std::uint64_t> n, absent, v;
  ASSERT_THAT(root.maybe("n", n), Succeeds());
  ASSERT_THAT(root.maybe("absent", absent), Succeeds());
  ASSERT_THAT(root.maybe("v", v), Succeeds());
  EXPECT_FALSE(n);
  EXPECT_FALSE(absent);
  EXPECT_EQ(v, 7u);
}

TEST(JsonReader, TakesWholeNumbersThatFitAndNoOthers) {
  struct Case {
    const char* text;
    bool fits_unsigned, fits_signed;
  };
  for (const Case& c :
       {Case{"0", true, true}, Case{"9223372036854775807", true, true}, Case{"9223372036854775808", true, false},
        Case{"18446744073709551615", true, false}, Case{"18446744073709551616", false, false}, Case{"-1", false, true},
        Case{"-9223372036854775808", false, true}, Case{"1.0", false, false}, Case{"1e3", false, false},
        Case{"1e400", false, false}, Case{"true", false, false}, Case{"\"1\"", false, false}}) {
    const auto parsed = parse_json(c.text);
    if (!parsed) {
      EXPECT_FALSE(c.fits_unsigned || c.fits_signed) << c.text;
      continue;
    }
    std::uint64_t u = 0;
    std::int64_t i = 0;
    EXPECT_EQ(JsonReader(parsed.value()).read(u).has_value(), c.fits_unsigned) << c.text;
    EXPECT_EQ(JsonReader(parsed.value()).read(i).has_value(), c.fits_signed) << c.text;
  }
}

TEST(JsonReader, NamesAnIntegerThatIsNone) {
  const auto doc = document("[-1, 18446744073709551616, 2.5]");
  const JsonReader root(doc);
  std::uint64_t u = 0;
  EXPECT_THAT(root.item(0).read(u), FailsWith(Errc::BadInput, "$[0]: expected a non-negative integer, got -1"));
  EXPECT_THAT(root.item(1).read(u),
              FailsWith(Errc::BadInput,
                        "$[1]: expected a non-negative integer, got a number that is no integer or out of range"));
  EXPECT_THAT(root.item(2).read(u), FailsWith(Errc::BadInput, "$[2]"));
}

TEST(JsonReader, ShowsHostileTextHarmlesslyAndBriefly) {
  const auto doc = document("{\"\\u001b[2J\":{},\"v\":\"\\u001b[31m" + std::string(5000, 'x') + "\"}");
  const JsonReader root(doc);
  std::uint64_t u = 0;
  const auto by_value = root.need("v", u);
  ASSERT_FALSE(by_value);
  EXPECT_EQ(by_value.error().what.find('\x1b'), std::string::npos);
  EXPECT_LT(by_value.error().what.size(), 200u);
  const auto by_key = root.need("\x1b[2J", u);
  ASSERT_FALSE(by_key);
  EXPECT_EQ(by_key.error().what.find('\x1b'), std::string::npos);
}

TEST(JsonReader, ReadsDigestsAndDropsTheirPrefix) {
  const std::string hex(64, 'a');
  const auto doc = document("[\"" + hex + "\",\"sha256:" + hex + "\",\"sha256:sha256:" + hex + "\",\"" +
                            std::string(64, 'A') + "\",\"" + std::string(63, 'a') + "\",5]");
  const JsonReader root(doc);
  Sha256 digest;
  EXPECT_THAT(root.item(0).read(digest), Succeeds());
  EXPECT_EQ(digest.hex(), hex);
  digest = {};
  EXPECT_THAT(root.item(1).read(digest), Succeeds());
  EXPECT_EQ(digest.hex(), hex);
  for (std::size_t i = 2; i < 6; ++i)
    EXPECT_THAT(root.item(i).read(digest), FailsWith(Errc::BadInput, "expected 64 lowercase hex digits")) << i;
}

TEST(JsonReader, ReadsAListOfTextsAllOrNothing) {
  const auto doc = document(R"({"good":["a","b"],"bad":["a",1]})");
  const JsonReader root(doc);
  std::vector<std::string> into{"before"};
  EXPECT_THAT(root.need("bad", into), FailsWith(Errc::BadInput, "$.bad[1]: expected a string, got 1"));
  EXPECT_EQ(into, std::vector<std::string>{"before"});
  EXPECT_THAT(root.need("good", into), Succeeds());
  EXPECT_EQ(into, (std::vector<std::string>{"a", "b"}));
}

TEST(JsonReader, ReadsTimes) {
  const auto doc = document(R"(["2026-09-22T17:25:10.000Z","2026-09-22","2026-09-22T17:25:10+00:00",1])");
  const JsonReader root(doc);
  std::int64_t ms = 0;
  EXPECT_THAT(root.item(0).read_time_ms(ms), Succeeds());
  EXPECT_EQ(ms, 1'790'097'910'000);
  for (std::size_t i = 1; i < 4; ++i)
    EXPECT_THAT(root.item(i).read_time_ms(ms), FailsWith(Errc::BadInput, "expected a time like")) << i;
}

}  // namespace
}  // namespace hm::hub

// One byte form per JSON value: what is hashed today must hash the same next year.
#include "base/canonical_json.hpp"

#include <gtest/gtest.h>

#include "base/digest.hpp"

namespace hm {
namespace {
std::string canonical(std::string_view text) {
  const auto value = parse_json(text);
  if (!value) return "(not parsed: " + value.error().what + ")";
  const auto bytes = canonical_json(value.value());
  return bytes ? bytes.value() : "(refused: " + bytes.error().what + ")";
}

TEST(CanonicalJson, SortsKeysByTheirBytesAndDropsBlanks) {
  EXPECT_EQ(canonical(R"( { "b" : 1 , "a" : [ true , false , null ] , "" : {} } )"),
            R"({"":{},"a":[true,false,null],"b":1})");
  EXPECT_EQ(canonical(R"({"\u00e9":1,"z":2,"Z":3})"), "{\"Z\":3,\"z\":2,\"\xc3\xa9\":1}");
  EXPECT_EQ(canonical("[]"), "[]");
}
TEST(CanonicalJson, EscapesAsLittleAsPossible) {
  EXPECT_EQ(canonical(R"("\u0041\/\u00e9\ud83e\udd17")"), "\"A/\xc3\xa9\xf0\x9f\xa4\x97\"");
  EXPECT_EQ(canonical(R"("\"\\\b\f\n\r\t\u0001\u001f\u007f")"), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
}
TEST(CanonicalJson, WritesIntegersInFull) {
  EXPECT_EQ(canonical("[0,-1,9223372036854775807,-9223372036854775808,18446744073709551615]"),
            "[0,-1,9223372036854775807,-9223372036854775808,18446744073709551615]");
}
TEST(CanonicalJson, RefusesFractions) {
  for (const char* text : {"1.5", "[1e2]", R"({"a":0.1})", "18446744073709551616"}) {
    const auto bytes = canonical_json(parse_json(text).value());
    ASSERT_FALSE(bytes) << text << " became " << bytes.value();
    EXPECT_EQ(bytes.error().code, Errc::BadInput);
  }
}
TEST(CanonicalJson, RefusesStringsThatAreNotUtf8) {
  json::value value = json::string("\xff");
  EXPECT_EQ(canonical_json(value).error().code, Errc::BadInput);
  json::object keyed;
  keyed["\xc3"] = 1;
  EXPECT_EQ(canonical_json(keyed).error().code, Errc::BadInput);
}
TEST(CanonicalJson, IsAFixedPoint) {
  const std::string bytes = canonical(R"({"z":[{"b":1,"a":"\u20ac"}],"a":-5})");
  ASSERT_TRUE(parse_canonical_json(bytes));
  EXPECT_EQ(canonical_json(parse_canonical_json(bytes).value()).value(), bytes);
}
TEST(CanonicalJson, OtherFormsOfTheSameValueAreRefused) {
  for (const char* text :
       {R"({"a": 1})", R"({"b":1,"a":2})", R"(["\u0041"])", "[1]\n", R"({"a":1,"a":2})", "[01]", "[-0]", "[1.0]"}) {
    const auto value = parse_canonical_json(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, Errc::BadInput) << text;
  }
}

TEST(ParseJson, RefusesWhatIsNoJson) {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\"}", "nul", "1 2", "'a'", "\"\xff\"", "\"\n\"", "[NaN]",
                           "\"\\ud800\"", "// x\n1"}) {
    const auto value = parse_json(text);
    EXPECT_FALSE(value) << text;
  }
}
TEST(ParseJson, BoundsDepth) {
  EXPECT_TRUE(parse_json(std::string(60, '[') + std::string(60, ']')));
  EXPECT_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')));
  EXPECT_FALSE(parse_json(std::string(1'000'000, '[')));
}

TEST(PrettyJson, KeepsTheOrderOfKeys) {
  EXPECT_EQ(pretty_json(parse_json(R"({"b":[1,{}],"a":[],"c":{"d":"x\ny"}})").value()),
            "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": [],\n  \"c\": {\n    \"d\": \"x\\ny\"\n  }\n}\n");
  EXPECT_EQ(pretty_json(json::value(nullptr)), "null\n");
}
}  // namespace
}  // namespace hm

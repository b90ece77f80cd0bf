// Tables, JSON and error lines: aligned, sorted, and harmless for a terminal whatever they hold.
#include "app/output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace hm::app {
namespace {
using testing::HasSubstr;

std::string printed(const json::value& value) {
  std::ostringstream out;
  print_json(out, value);
  return out.str();
}

TEST(Tables, AlignWithoutTrailingBlanks) {
  Table table({{"NAME"}, {"SIZE", Table::Align::Right}, {"STATE"}});
  table.add({"a", "1 B", ""});
  table.add({"longer", "1000 B", "partial"});
  EXPECT_EQ(table.render(),
            "NAME      SIZE  STATE\n"
            "a          1 B\n"
            "longer  1000 B  partial\n");
}
TEST(Tables, CountWideCharactersAndDefuseControls) {
  Table table({{"N"}, {"S"}});
  table.add({"模型", "x"});
  table.add({"a\x1b[2J\n", "y"});
  EXPECT_EQ(table.render(false),
            "模型          x\n"
            "a\\x1b[2J\\x0a  y\n");
}
TEST(Tables, MissingCellsAreEmpty) {
  Table table({{"A"}, {"B"}});
  table.add({"x"});
  EXPECT_EQ(table.render(false), "x\n");
}

TEST(Fit, KeepsBothEnds) {
  EXPECT_EQ(fit("short", 10), "short");
  EXPECT_EQ(fit("model-00001-of-00004.safetensors", 20), "model-000...etensors");
  for (std::size_t width = 0; width < 40; ++width)
    EXPECT_LE(display_width(fit("model-00001-of-00004.safetensors", width)), width);
  for (std::size_t width = 0; width < 20; ++width) EXPECT_LE(display_width(fit("模型权重模型权重模型", width)), width);
}
TEST(Fit, NeverCutsACharacter) {
  for (std::size_t width = 0; width < 20; ++width)
    EXPECT_TRUE(parse_json("\"" + fit("äöüßéèêëñ模型ç", width) + "\"")) << width;
}

TEST(Json, KeysAreSortedAtEveryLevel) {
  EXPECT_EQ(printed(json::object{{"b", json::object{{"z", 1}, {"a", json::array{json::object{{"y", 1}, {"x", 2}}}}}},
                                 {"a", nullptr}}),
            "{\n  \"a\": null,\n  \"b\": {\n    \"a\": [\n      {\n        \"x\": 2,\n        \"y\": 1\n      }\n    "
            "],\n    \"z\": 1\n  }\n}\n");
}
TEST(Json, WhatActsOnATerminalIsEscapedAndKeepsItsValue) {
  const std::string hostile =
      "a\x1b[2J\x7f\xc2\x9b\xe2\x80\xae"
      "b\n";
  const std::string text = printed(json::object{{"x", json_text(hostile)}});
  for (const char* raw : {"\x1b", "\x7f", "\xc2\x9b", "\xe2\x80\xae"}) EXPECT_EQ(text.find(raw), std::string::npos);
  const auto back = parse_json(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back.value().at("x").as_string(), hostile);
}
TEST(Json, BytesThatAreNoUtf8AreShownAsSuch) {
  EXPECT_EQ(json_text("a\xff"), "a\\xff");
  EXPECT_EQ(json_text("模型"), "模型");
  EXPECT_EQ(json_text(""), "");
}

TEST(ErrorLine, IsOneLineWithWhatToDo) {
  EXPECT_EQ(error_line({Errc::NotFound, "nothing"}), "hubmirror: error: nothing");
  EXPECT_THAT(error_line({Errc::Gated, "org/x: access denied"}), HasSubstr("; ask for access"));
  EXPECT_THAT(error_line({Errc::Io, "a\nb\x1b"}), HasSubstr("a\\x0ab\\x1b"));
  EXPECT_EQ(error_line({Errc::Io, ""}).substr(0, 18), "hubmirror: error: ");
}

TEST(ErrorLine, LongArgumentsAreCut) {
  const std::string line = error_line({Errc::BadInput, "\"" + std::string(5000, 'x') + "\" is not a repository"});
  EXPECT_LT(line.size(), 260U);
  EXPECT_THAT(line, HasSubstr("xx...xx"));
  EXPECT_THAT(line, testing::EndsWith(" is not a repository"));
  std::string blanks;
  for (int i = 0; i < 5000; ++i) blanks += "a ";
  EXPECT_LT(error_line({Errc::BadInput, blanks}).size(), 1600U);
}
TEST(ErrorLine, AdviceIsGivenOnce) {
  EXPECT_THAT(error_line({Errc::NoSpace, "write x: No space left on device"}), HasSubstr("; free some space, then"));
  const std::string line =
      error_line({Errc::NoSpace, "not enough space: free some space (`hubmirror gc`), or lower storage.reserve_bytes"});
  EXPECT_EQ(line.find("free some space"), line.rfind("free some space"));
}

TEST(Words, CountsAndTimes) {
  EXPECT_EQ(counted(1, "file"), "1 file");
  EXPECT_EQ(counted(0, "file"), "0 files");
  EXPECT_EQ(counted(2, "repository"), "2 repositories");
  EXPECT_EQ(counted(1, "journal entry"), "1 journal entry");
  EXPECT_EQ(counted(3, "journal entry"), "3 journal entries");
  EXPECT_EQ(duration_text(2'549), "2.5 s");
  EXPECT_EQ(duration_text(125'000), "2 min 05 s");
  EXPECT_EQ(time_text(0), "-");
  EXPECT_EQ(time_text(1'700'000'000'000), "2023-11-14 22:13:20");
}
}  // namespace
}  // namespace hm::app

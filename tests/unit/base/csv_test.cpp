// What RFC 4180 says of tables, and what is refused and where.
#include "base/csv.hpp"

#include <gmock/gmock.h>

namespace hm {
namespace {
using Rows = std::vector<std::vector<std::string>>;
Rows rows_of(std::string_view text, const CsvLimits& limits = {}) {
  const auto parsed = parse_csv(text, limits);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().what);
  Rows rows;
  if (parsed)
    for (const CsvRow& row : parsed.value()) rows.push_back(row.fields);
  return rows;
}
std::string fault_of(std::string_view text, const CsvLimits& limits = {}) {
  const auto parsed = parse_csv(text, limits);
  return parsed ? "" : parsed.error().what;
}

TEST(Csv, FieldsAndRowsWithEitherLineEnd) {
  EXPECT_EQ(rows_of("a,b\r\nc,\r\n,d"), (Rows{{"a", "b"}, {"c", ""}, {"", "d"}}));
  EXPECT_EQ(rows_of("a,b\nc,d\n"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(rows_of(""), Rows{});
  EXPECT_EQ(rows_of("\xef\xbb\xbf"
                    "a\n\n\nb\n"),
            (Rows{{"a"}, {"b"}}));
}

TEST(Csv, QuotedFieldsHoldCommasQuotesAndLineBreaks) {
  EXPECT_EQ(rows_of("\"a,\"\"b\"\"\",\"c\r\nd\"\ne,\"\"\n"), (Rows{{"a,\"b\"", "c\r\nd"}, {"e", ""}}));
}

TEST(Csv, ARowTellsTheLineOnWhichItBegins) {
  const auto rows = parse_csv("a\n\"b\nb\"\n\nc\n").value();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[1].line, 2U);
  EXPECT_EQ(rows[2].line, 5U);
}

TEST(Csv, WhatIsNoTableIsRefusedWithItsPlace) {
  EXPECT_THAT(fault_of("a,b\nc\n"), testing::HasSubstr("line 2: 1 fields, the first row has 2"));
  EXPECT_THAT(fault_of("a\nb\"c\n"), testing::HasSubstr("line 2, column 2"));
  EXPECT_THAT(fault_of("\"a\"b\n"), testing::HasSubstr("line 1, column 4"));
  EXPECT_THAT(fault_of("a\n\"b\nc"), testing::HasSubstr("line 2, column 1: a quoted field begins here"));
  EXPECT_THAT(fault_of("a\rb\n"), testing::HasSubstr("control byte"));
  EXPECT_THAT(fault_of(std::string_view("a\0b", 3)), testing::HasSubstr("control byte"));
}

TEST(Csv, EverythingIsBounded) {
  const CsvLimits limits{2, 2, 3};
  EXPECT_EQ(rows_of("abc,\"abc\"\n", limits), (Rows{{"abc", "abc"}}));
  EXPECT_THAT(fault_of("abcd\n", limits), testing::HasSubstr("more than 3 bytes"));
  EXPECT_THAT(fault_of("\"abcd\"\n", limits), testing::HasSubstr("more than 3 bytes"));
  EXPECT_EQ(rows_of("\"ab\"\"\"\n", limits), (Rows{{"ab\""}}));
  EXPECT_THAT(fault_of("\"abc\"\"\"\n", limits), testing::HasSubstr("more than 3 bytes")) << "doubled quotes count";
  EXPECT_THAT(fault_of("a,b,c\n", limits), testing::HasSubstr("more than 2 fields"));
  EXPECT_THAT(fault_of("a\nb\nc\n", limits), testing::HasSubstr("line 3: more than 2 rows"));
}

TEST(Csv, AQuoteInAFieldCountsAsTheOneByteThatItIs) {
  EXPECT_EQ(parse_csv("\"abc\"\"\"", {10, 10, 4}).value()[0].fields[0], "abc\"");
  EXPECT_FALSE(parse_csv("\"abcd\"\"\"", {10, 10, 4}));
}

TEST(Csv, WhatIsWrittenIsReadAsItWas) {
  const std::vector<std::string> fields{"plain", "", "with,comma", "with \"quotes\"", "two\nlines", "\r"};
  std::string text;
  append_csv_row(text, fields);
  append_csv_row(text, fields);
  EXPECT_EQ(rows_of(text), (Rows{fields, fields}));
}

TEST(Csv, AFieldThatBeginsWithAByteOrderMarkKeepsIt) {
  const Rows rows = rows_of("\xef\xbb\xbf\xef\xbb\xbfname,b\n");
  EXPECT_EQ(rows, (Rows{{"\xef\xbb\xbfname", "b"}})) << "one is the file's, the other the field's";
  std::string text;
  append_csv_row(text, rows[0]);
  EXPECT_EQ(rows_of(text), rows);
}
}  // namespace
}  // namespace hm

#include <gtest/gtest.h>

#include "provenance/licence/spdx.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::provenance::licence {
namespace {
using test::FailsWith;

std::string read(std::string_view text) {
  const auto parsed = parse_expression(text);
  return parsed ? to_string(parsed.value()) : "error: " + parsed.error().what;
}

TEST(LicenceExpression, IdentifiersAreFoundInAnyCaseAndPrintedAsSpdxWritesThem) {
  EXPECT_EQ(read("apache-2.0"), "Apache-2.0");
  EXPECT_EQ(read("ETALAB-2.0"), "etalab-2.0");
  EXPECT_EQ(read(" mit or ISC "), "MIT OR ISC");
  EXPECT_EQ(read("noassertion"), "NOASSERTION");
  EXPECT_EQ(read("NONE"), "NOASSERTION");
  EXPECT_EQ(read("LicenseRef-hub-llama3.1"), "LicenseRef-hub-llama3.1");
}

TEST(LicenceExpression, WithBindsClosestThenAndThenOr) {
  const auto e = parse_expression("MIT OR GPL-2.0-only WITH Classpath-exception-2.0 AND Zlib");
  ASSERT_TRUE(e);
  EXPECT_EQ(e.value().kind, Expression::Kind::Or);
  ASSERT_EQ(e.value().operands.size(), 2U);
  EXPECT_EQ(e.value().operands[1].kind, Expression::Kind::And);
  EXPECT_EQ(e.value().operands[1].operands[0].exception, "Classpath-exception-2.0");
}

TEST(LicenceExpression, OnlyParenthesesThatMeanSomethingArePrinted) {
  EXPECT_EQ(read("((MIT))"), "MIT");
  EXPECT_EQ(read("(MIT OR ISC) AND Zlib"), "(MIT OR ISC) AND Zlib");
  EXPECT_EQ(read("(MIT AND ISC) OR Zlib"), "MIT AND ISC OR Zlib");
  EXPECT_EQ(read("MIT OR (ISC OR Zlib)"), "MIT OR ISC OR Zlib");
}

TEST(LicenceExpression, VagueGnuIdentifiersBecomeOnlyOrOrLater) {
  EXPECT_EQ(read("GPL-2.0"), "GPL-2.0-only");
  EXPECT_EQ(read("gpl-2.0+"), "GPL-2.0-or-later");
  EXPECT_EQ(read("LGPL-2.1"), "LGPL-2.1-only");
  EXPECT_EQ(read("GFDL-1.3"), "GFDL-1.3-only");
  EXPECT_EQ(read("MPL-1.1+"), "MPL-1.1+");
}

TEST(LicenceExpression, WhatIsWrongIsSaidWithItsPlace) {
  EXPECT_THAT(parse_expression(""), FailsWith(Errc::BadInput, "expected a licence at byte 1"));
  EXPECT_THAT(parse_expression("MIT OR"), FailsWith(Errc::BadInput, "expected a licence at byte 7"));
  EXPECT_THAT(parse_expression("MIT ISC"), FailsWith(Errc::BadInput, "expected AND, OR, WITH or the end at byte 5"));
  EXPECT_THAT(parse_expression("(MIT"), FailsWith(Errc::BadInput, "expected ) at byte 5"));
  EXPECT_THAT(parse_expression("my-licence"), FailsWith(Errc::BadInput, "neither an SPDX identifier nor a LicenseRef"));
  EXPECT_THAT(parse_expression("MIT WITH MIT"), FailsWith(Errc::BadInput, "expected an exception"));
  EXPECT_THAT(parse_expression(std::string(5000, '(')), FailsWith(Errc::BadInput, "more than 4096 bytes"));
  EXPECT_THAT(parse_expression(std::string(33, '(') + "MIT" + std::string(33, ')')),
              FailsWith(Errc::BadInput, "too many parentheses"));
}

TEST(LicenceExpression, ChoicesAreMultipliedOutUpToALimit) {
  const auto some = alternatives_of(parse_expression("(MIT OR ISC) AND (Zlib OR X11)").value());
  ASSERT_TRUE(some);
  EXPECT_EQ(some->size(), 4U);
  EXPECT_EQ(some->at(0).size(), 2U);
  EXPECT_FALSE(
      alternatives_of(parse_expression("(MIT OR ISC) AND (Zlib OR X11) AND (0BSD OR AAL) AND (Abstyles OR AFL-1.1)"
                                       " AND (ANTLR-PD OR NTP) AND (Xnet OR Zed) AND (Glide OR Afmparse)")
                          .value()));
}

TEST(LicenceExpression, EqualLicencesAndChoicesAreOne) {
  std::string same = "(MIT OR ISC)";
  for (int i = 0; i < 200; ++i) same += " AND (ISC OR MIT)";
  const auto choices = alternatives_of(parse_expression(same).value());
  ASSERT_TRUE(choices);
  EXPECT_EQ(choices->size(), 3U) << "MIT, ISC, both";
  const auto one = alternatives_of(parse_expression("(MIT OR ISC) AND MIT AND ISC AND MIT").value());
  ASSERT_TRUE(one);
  ASSERT_EQ(one->size(), 1U);
  EXPECT_EQ(one->at(0).size(), 2U);
}

TEST(LicenceExpression, SlugsAreSafeInALicenceRef) {
  EXPECT_EQ(slug_of("My  Licence (v1.0)!"), "my-licence-v1.0");
  EXPECT_EQ(slug_of("///"), "");
  EXPECT_TRUE(is_licence_ref("LicenseRef-hub-other-" + slug_of("Ünï cödé")));
}
}  // namespace
}  // namespace hm::provenance::licence

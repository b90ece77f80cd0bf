// Where the licence that a repository states changes, and where it does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "provenance/audit/licence_changes.hpp"

namespace hm::provenance::audit {
namespace {
using testing::ElementsAre;
using testing::IsEmpty;

LicenceStatement says(std::vector<std::string> licences, std::string name = "", std::string link = "") {
  LicenceStatement out;
  out.licences = std::move(licences), out.name = std::move(name), out.link = std::move(link);
  return out;
}
LicenceStatement broken() {
  LicenceStatement out;
  out.readable = false;
  return out;
}
/// "0>2 stricter: non-commercial".
std::vector<std::string> changes(const std::vector<LicenceStatement>& statements) {
  static const licence::Catalogue catalogue = licence::Catalogue::built_in().value();
  std::vector<std::string> out;
  for (const LicenceChange& c : licence_changes(catalogue, statements))
    out.push_back(std::to_string(c.before) + ">" + std::to_string(c.after) + " " + std::string(name_of(c.move)) +
                  (c.what.empty() ? "" : ": " + c.what));
  return out;
}

TEST(LicenceChanges, NothingIsInventedWhereNothingChanges) {
  EXPECT_THAT(changes({}), IsEmpty());
  EXPECT_THAT(changes({says({"mit"})}), IsEmpty());
  EXPECT_THAT(changes({says({}), says({})}), IsEmpty());
  EXPECT_THAT(changes({says({"mit", "apache-2.0"}), says({"apache-2.0", "mit", "mit"})}), IsEmpty());
  EXPECT_THAT(changes({says({}, "", "a"), says({}, "", "b")}), IsEmpty()) << "a link to no licence";
  EXPECT_THAT(changes({broken(), broken()}), IsEmpty());
}

TEST(LicenceChanges, TellsWhatTheNewOneForbidsAndAsksFor) {
  EXPECT_THAT(changes({says({"apache-2.0"}), says({"cc-by-nc-4.0"})}),
              ElementsAre(testing::StartsWith("0>1 stricter: non-commercial")));
  EXPECT_THAT(changes({says({"mit"}), says({"gpl-3.0"})}), ElementsAre(testing::StartsWith("0>1 more-duties: ")));
  EXPECT_THAT(changes({says({"cc-by-nc-4.0"}), says({"cc-by-4.0"})}), ElementsAre("0>1 looser"));
}

TEST(LicenceChanges, GoneAndComeAreTwoThings) {
  EXPECT_THAT(changes({says({}), says({"mit"}), says({}), says({"mit"})}),
              ElementsAre("0>1 stated", "1>2 withdrawn", "2>3 stated"));
  EXPECT_THAT(changes({says({"unknown"}), says({"cc-by-4.0"}), says({"unknown"})}),
              ElementsAre("0>1 stated", "1>2 withdrawn"));
}

TEST(LicenceChanges, AnotherSpellingIsNoOtherLicence) {
  EXPECT_THAT(changes({says({"MIT"}), says({"mit"})}), ElementsAre("0>1 respelled"));
  EXPECT_THAT(changes({says({"mit"}, "", "a"), says({"mit"}, "", "b")}), ElementsAre("0>1 respelled"));
}

TEST(LicenceChanges, OfOtherTheNameAndTheLinkCount) {
  EXPECT_THAT(changes({says({"other"}, "my-terms"), says({"other"}, "my-terms-2")}), ElementsAre("0>1 other"));
  EXPECT_THAT(changes({says({"other"}, "my-terms", "a"), says({"other"}, "my-terms", "b")}), ElementsAre("0>1 other"));
  EXPECT_THAT(changes({says({"mit"}), says({"other"}, "my-terms")}), ElementsAre("0>1 other"));
}

TEST(LicenceChanges, ACardThatCannotBeReadIsToldAndComparesNothing) {
  EXPECT_THAT(changes({says({"mit"}), broken(), broken(), says({"mit"})}),
              ElementsAre("0>1 unreadable", "0>3 read-again"));
  EXPECT_THAT(changes({says({"mit"}), broken(), says({})}), ElementsAre("0>1 unreadable", "0>2 withdrawn"));
  EXPECT_THAT(changes({broken(), says({"mit"})}), ElementsAre("0>1 read-again"));
}

TEST(LicenceChanges, SeveritiesAreThoseOfTheDocument) {
  EXPECT_EQ(severity_of(LicenceMove::Withdrawn), report::Severity::Problem);
  EXPECT_EQ(severity_of(LicenceMove::Stricter), report::Severity::Problem);
  EXPECT_EQ(severity_of(LicenceMove::MoreDuties), report::Severity::Warning);
  EXPECT_EQ(severity_of(LicenceMove::Looser), report::Severity::Note);
  EXPECT_EQ(text_of(says({"other"}, "llama3")), "other (llama3)");
  EXPECT_EQ(text_of(says({})), "none");
}
}  // namespace
}  // namespace hm::provenance::audit

// The built-in table of origins against the tables of others that it was made from: it contradicts none of them, and
// where it leaves open what they say it tells why.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <map>

#include "base/csv.hpp"
#include "provenance/origin.hpp"
#include "tests/unit/provenance/corpus.hpp"

namespace hm::provenance {
namespace {
using Counts = std::map<std::string, std::size_t>;

class OriginCorpus : public test::CorpusTest {
 protected:
  const OriginTable table_ = OriginTable::built_in().value();
  static std::vector<CsvRow> rows(std::string_view path) {
    std::ifstream in(test::corpus_path(path), std::ios::binary);
    auto all = parse_csv(std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()});
    EXPECT_TRUE(all) << path;
    auto out = all ? std::move(all).value() : std::vector<CsvRow>{};
    if (!out.empty()) out.erase(out.begin());  // the head
    return out;
  }
};

TEST_F(OriginCorpus, AgreesWithATableOfRegions) {
  const std::map<std::string, std::string> europe{{"FR", ""}, {"DE", ""}, {"GB", ""}, {"CH", ""}};
  Counts count;
  for (const CsvRow& row : rows("organisations/organization_regions.csv")) {
    const std::string &owner = row.fields.at(0), &region = row.fields.at(1);
    const Origin* origin = table_.find(owner);
    if (origin == nullptr) {
      EXPECT_EQ(owner, "vikhyatk") << "a person's account: persons are not attributed";
      ++count["not in our table"];
    } else if (origin->jurisdiction.empty()) {
      EXPECT_TRUE(region == "unknown" || !origin->note.empty()) << owner;
      ++count[region == "unknown" ? "unknown to both" : "left open here, with a note"];
    } else {
      const std::string here = origin->jurisdiction == "US"              ? "us"
                               : origin->jurisdiction == "CN"            ? "china"
                               : europe.count(origin->jurisdiction) != 0 ? "eu"
                                                                         : "other";
      EXPECT_EQ(here, region) << owner;
      ++count["agree"];
    }
  }
  EXPECT_EQ(
      count,
      (Counts{{"agree", 95}, {"unknown to both", 3}, {"left open here, with a note", 19}, {"not in our table", 1}}));
}

TEST_F(OriginCorpus, AgreesWithATableOfCountriesAndSectors) {
  const std::map<std::string, std::string> countries{{"CN", "China"},    {"US", "United States of America"},
                                                     {"FR", "France"},   {"GB", "United Kingdom"},
                                                     {"DE", "Germany"},  {"SG", "Singapore"},
                                                     {"JP", "Japan"},    {"KR", "Korea (Republic of)"},
                                                     {"TH", "Thailand"}, {"AE", "United Arab Emirates"},
                                                     {"RU", "Russia"}};
  const std::map<Sector, std::string> sectors{{Sector::Industry, "Industry"},
                                              {Sector::Academic, "Academia"},
                                              {Sector::Public, "Government"},
                                              {Sector::Independent, "Research collective"}};
  Counts count;
  std::vector<std::string> persons;
  for (const CsvRow& row : rows("organisations/organisation_country_epoch.csv"))
    for (const std::string_view name : split(row.fields.at(2), '|')) {
      const std::string owner(name);
      if (owner.empty()) continue;
      const Origin* origin = table_.find(owner);
      if (origin == nullptr) {
        persons.push_back(owner);
        continue;
      }
      if (origin->jurisdiction.empty()) {
        EXPECT_FALSE(origin->note.empty() && row.fields.at(1) != "Multinational") << owner;
        ++count["country left open here"];
      } else {
        EXPECT_THAT(row.fields.at(1), testing::HasSubstr(countries.at(origin->jurisdiction))) << owner;
        ++count["country agrees"];
      }
      if (origin->sector == Sector::Unknown) {
        EXPECT_FALSE(origin->note.empty()) << owner;
        ++count["sector left open here"];
      } else {
        EXPECT_THAT(row.fields.at(3), testing::HasSubstr(sectors.at(origin->sector))) << owner;
        ++count["sector agrees"];
      }
    }
  EXPECT_EQ(
      count,
      (Counts{
          {"country agrees", 36}, {"country left open here", 1}, {"sector agrees", 35}, {"sector left open here", 2}}));
  EXPECT_THAT(persons, testing::UnorderedElementsAre("Mizukiluke", "yarongef", "NinedayWang", "alpindale", "dreamgen",
                                                     "yu-visionx", "Kamyar-zeinalipour"))
      << "accounts of persons, who are not attributed, and who uploaded what an organisation made";
}
}  // namespace
}  // namespace hm::provenance

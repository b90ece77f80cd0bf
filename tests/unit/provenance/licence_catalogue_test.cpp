#include <gtest/gtest.h>

#include <array>

#include "base/text.hpp"
#include "provenance/embedded.hpp"
#include "provenance/licence/catalogue.hpp"
#include "provenance/licence/spdx.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::provenance::licence {
namespace {
using test::FailsWith;
using test::Succeeds;

constexpr std::string_view kEntry = "[MIT]\nname = \"MIT\"\nclass = \"permissive\"\ndemands = [\"text\"]\n";
auto with(std::string text, std::string name = "own/mine.toml") {
  return Catalogue::with_sources({{std::move(name), std::move(text)}});
}

TEST(LicenceCatalogue, WhatIsCompiledInIsRight) {
  const auto c = Catalogue::built_in();
  ASSERT_THAT(c, Succeeds());
  EXPECT_GT(c.value().licences().size(), 140U);
  for (const Licence& l : c.value().licences()) {
    EXPECT_TRUE(is_licence_ref(l.id) || spdx_id(l.id) == l.id) << l.id;
    const bool copyleft = l.klass == Class::StrongCopyleft || l.klass == Class::WeakCopyleft;
    EXPECT_TRUE(!copyleft || (l.demands & demand::kShareAlike) != 0) << l.id;
    EXPECT_TRUE(l.klass != Class::ResponsibleAi || (l.demands & demand::kUseAnnex) != 0) << l.id;
  }
}

/// Every value that the Hub's `license` field can have, but "unknown" and "other", which name none.
TEST(LicenceCatalogue, EveryIdentifierOfTheHubHasAnEntry) {
  const auto c = Catalogue::built_in();
  ASSERT_THAT(c, Succeeds());
  constexpr std::string_view kIds =
      "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 "
      "bigcode-openrail-m afl-3.0 "
      "artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 "
      "cc-by-3.0 "
      "cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 "
      "cc-by-nc-nd-4.0 "
      "cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl "
      "ecl-2.0 "
      "epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc "
      "h-research "
      "intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0 openmdw-1.1 openrail++ "
      "osl-3.0 "
      "postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license fair-noncommercial-research-license "
      "llama2 llama3 "
      "llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma";
  std::size_t count = 0;
  for (const std::string_view id : split(kIds, ' ')) {
    EXPECT_NE(c.value().by_hub_id(id), nullptr) << id;
    ++count;
  }
  EXPECT_EQ(count, 81U);
  EXPECT_EQ(c.value().by_hub_id("bsl-1.0")->id, "BSL-1.0");
  EXPECT_EQ(c.value().by_hub_id("MS-PL")->id, "MS-PL");
  EXPECT_EQ(c.value().by_hub_id("other"), nullptr);
}

TEST(LicenceCatalogue, EveryCellOfTheTableIsWritten) {
  std::string_view rules;
  for (const EmbeddedFile& file : embedded::licences())
    if (file.name == "rules.toml") rules = file.bytes;
  for (const std::string_view row : kClassNames) {
    const auto begin = rules.find("[" + std::string(row) + "]");
    ASSERT_NE(begin, rules.npos) << row;
    const std::string_view section = rules.substr(begin, rules.find("\n[", begin + 1) - begin);
    for (const std::string_view column : kColumnNames)
      EXPECT_NE(section.find("\n" + std::string(column) + " = "), section.npos) << row << " " << column;
  }
}

TEST(LicenceCatalogue, AnOperatorsEntryReplacesOneAndAddsOthers) {
  const auto c =
      with(std::string(kEntry) +
           "restricts = [\"territory\"]\n[LicenseRef-mine]\nname = \"Mine\"\nclass = \"community\"\ndemands = []\n");
  ASSERT_THAT(c, Succeeds());
  EXPECT_EQ(c.value().find("MIT")->restricts, restriction::kTerritory);
  EXPECT_EQ(c.value().by_hub_id("mit"), nullptr) << "the entry is replaced as a whole";
  EXPECT_NE(c.value().find("LicenseRef-mine"), nullptr);
}

TEST(LicenceCatalogue, AnOperatorsRulesChangeSingleCells) {
  const auto c =
      with("[permissive]\ncommunity-other = \"fine\"\n[evidence]\npossible_up_to = \"inferred\"\n", "own/rules.toml");
  ASSERT_THAT(c, Succeeds());
  EXPECT_EQ(c.value().rules().table[1][9], Cell::Fine);
  EXPECT_EQ(c.value().rules().table[1][0], Cell::Drift);
  EXPECT_EQ(c.value().rules().possible_up_to, Evidence::Inferred);
}

TEST(LicenceCatalogue, ABadFileIsAnErrorWithFileLineWhatAndWhy) {
  const std::string head = "[MIT]\nname = \"MIT\"\n";
  EXPECT_THAT(
      with(head + "class = \"permisive\"\ndemands = []\n"),
      FailsWith(Errc::BadInput, "own/mine.toml:3:9: class does not know \"permisive\"; did you mean \"permissive\"?"));
  EXPECT_THAT(with(head + "class = \"permissive\"\ndemands = [\"txt\"]\n"),
              FailsWith(Errc::BadInput, "own/mine.toml:4:11: demands does not know \"txt\"; did you mean \"text\"?"));
  EXPECT_THAT(with(head + "class = \"permissive\"\n"), FailsWith(Errc::BadInput, "lacks demands"));
  EXPECT_THAT(with(head + "klass = \"permissive\"\nclass = \"unknown\"\ndemands = []\n"),
              FailsWith(Errc::BadInput, "unknown key \"klass\""));
  EXPECT_THAT(with("[mit]\nname = \"x\"\nclass = \"unknown\"\ndemands = []\n"),
              FailsWith(Errc::BadInput, "is written MIT in the SPDX list"));
  EXPECT_THAT(with("[mine]\nname = \"x\"\nclass = \"unknown\"\ndemands = []\n"),
              FailsWith(Errc::BadInput, "neither an SPDX identifier nor a LicenseRef"));
  EXPECT_THAT(with(std::string(kEntry) + "derivatives = [\"GPL-2.0-only\"]\n"),
              FailsWith(Errc::BadInput, "derivatives has no effect"));
  EXPECT_THAT(with(std::string(kEntry) + "not_with = [\"GPL-9\"]\n"),
              FailsWith(Errc::BadInput, "\"GPL-9\" in derivatives or not_with of [MIT] has no section"));
  EXPECT_THAT(with(std::string(kEntry) + "read = \"yesterday\"\n"), FailsWith(Errc::BadInput, "read must be a day"));
  EXPECT_THAT(with(std::string(kEntry) + "hub = [\"isc\"]\n"), FailsWith(Errc::BadInput, "hub id \"isc\" belongs to"));
  EXPECT_THAT(with(std::string(kEntry) + "spellings = [\"isc license\"]\n"), FailsWith(Errc::BadInput, "already"));
  EXPECT_THAT(with("name = 1\n"), FailsWith(Errc::BadInput, "outside of any [section]"));
  EXPECT_THAT(with("[MIT\n"), FailsWith(Errc::BadInput, "own/mine.toml:1"));
  EXPECT_THAT(with("[permissive]\nmit = \"fine\"\n", "own/rules.toml"),
              FailsWith(Errc::BadInput, "[permissive] does not know \"mit\""));
  EXPECT_THAT(with("[permissive]\nunknown = \"ok\"\n", "own/rules.toml"),
              FailsWith(Errc::BadInput, "unknown does not know \"ok\""));
  EXPECT_THAT(with("[relations]\nfinetune = \"all\"\n", "own/rules.toml"),
              FailsWith(Errc::BadInput, "finetune does not know \"all\""));
  EXPECT_THAT(Catalogue::with_folder("/nonexistent/licences"), FailsWith(Errc::NotFound, "/nonexistent/licences"));
}
}  // namespace
}  // namespace hm::provenance::licence

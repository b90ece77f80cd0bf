// Every change of a licence in the git histories of real cards, found here and by somebody else who read the same
// histories with another parser.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>

#include "provenance/audit/licence_changes.hpp"
#include "provenance/card.hpp"
#include "tests/unit/provenance/card_histories.hpp"

namespace hm::provenance::audit {
namespace {
using Strings = std::vector<std::string>;

/// A change as both sides can tell it: "path commit time [before] [after]".
std::string line_of(const std::string& path, const std::string& commit, std::int64_t time_s, Strings before,
                    Strings after) {
  const auto shown = [](Strings list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return testing::PrintToString(list);
  };
  return path + " " + commit.substr(0, 8) + " " + std::to_string(time_s) + " " + shown(std::move(before)) + " " +
         shown(std::move(after));
}

/// Where the two differ, and why: what they say, what is said here ("": nothing), both as line_of() writes it.
struct Disagreement {
  std::string_view there, here, why;
};
constexpr std::array kExplained{
    Disagreement{"datasets/allocine/README.md 7f0cbf66 1606341387 { \"\" } {}", "",
                 "an empty text, then no licence at all: here both state nothing"},
    Disagreement{"datasets/opus100/README.md 4c2b8cd3 1607530674 { \"\" } { \"unknown\" }",
                 "datasets/opus100/README.md 4c2b8cd3 1607530674 {} { \"unknown\" }",
                 "the same change, from an empty text, which here states nothing"},
};

class LicenceHistoryCorpus : public CardHistories {
 protected:
  const licence::Catalogue catalogue_ = licence::Catalogue::built_in().value();

  void compare(const std::string& kind) {
    const auto edits = edits_of(kind);
    std::set<std::string> ids;
    for (const auto& [path, list] : edits)
      for (const CardEdit& edit : list)
        if (!edit.blob.empty()) ids.insert(edit.blob);
    const auto blobs = blobs_of(kind, ids);
    for (const auto& [path, list] : edits) find_changes(path, list, blobs);
    count_["cards"] = edits.size();
    for (ToldChange& told : told_changes(kind))
      expected_.insert(
          line_of(told.path, told.source_commit, told.time_s, std::move(told.before), std::move(told.after)));
    for (const Disagreement& each : kExplained) {
      if (expected_.erase(std::string(each.there)) == 0) continue;
      if (!each.here.empty()) expected_.insert(std::string(each.here));
      ++count_["told otherwise there"];
    }
  }
  void find_changes(const std::string& path, const std::vector<CardEdit>& list,
                    const std::map<std::string, std::string>& blobs) {
    std::vector<LicenceStatement> statements;
    for (const CardEdit& edit : list) {
      const auto card = edit.blob.empty() ? storage::CardFacts() : parse_card(front_matter(blobs.at(edit.blob)));
      statements.push_back(statement_of(card, edit.source_commit, edit.time_s * 1'000));
      ++count_["revisions"];
      count_["cards that cannot be read in full"] += card.problem.empty() ? 0 : 1;
    }
    for (const LicenceChange& change : licence_changes(catalogue_, statements)) {
      ++count_[std::string(name_of(change.move))];
      if (change.move == LicenceMove::Unreadable || change.move == LicenceMove::ReadAgain) continue;
      const LicenceStatement &before = statements[change.before], &after = statements[change.after];
      found_.insert(line_of(path, after.commit, after.time_ms / 1'000, before.licences, after.licences));
    }
  }
  Strings not_found() const { return difference(expected_, found_); }
  Strings invented() const { return difference(found_, expected_); }
  static Strings difference(const std::set<std::string>& a, const std::set<std::string>& b) {
    Strings out;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
    return out;
  }

  std::map<std::string, std::size_t> count_;
  std::set<std::string> found_, expected_;
};

TEST_F(LicenceHistoryCorpus, EveryChangeInTheHistoriesOfModelCardsIsFoundAndNoneIsInvented) {
  compare("model");
  EXPECT_THAT(not_found(), testing::IsEmpty());
  EXPECT_THAT(invented(), testing::IsEmpty());
  EXPECT_EQ(found_.size(), 55U);
  const std::map<std::string, std::size_t> expected{
      {"cards", 494},   {"revisions", 1'052}, {"cards that cannot be read in full", 8},
      {"stated", 39},   {"withdrawn", 4},     {"respelled", 12},
      {"read-again", 1}};
  EXPECT_EQ(count_, expected);
}
TEST_F(LicenceHistoryCorpus, EveryChangeInTheHistoriesOfDatasetCardsIsFoundAndNoneIsInvented) {
  compare("dataset");
  EXPECT_THAT(not_found(), testing::IsEmpty());
  EXPECT_THAT(invented(), testing::IsEmpty());
  EXPECT_EQ(found_.size(), 187U);
  const std::map<std::string, std::size_t> expected{{"cards", 526},
                                                    {"revisions", 4'581},
                                                    {"cards that cannot be read in full", 5},
                                                    {"told otherwise there", 2},
                                                    {"stated", 109},
                                                    {"withdrawn", 7},
                                                    {"stricter", 2},
                                                    {"more-duties", 2},
                                                    {"looser", 12},
                                                    {"other", 48},
                                                    {"respelled", 7},
                                                    {"read-again", 1}};
  EXPECT_EQ(count_, expected);
}
}  // namespace
}  // namespace hm::provenance::audit

// The git histories of real cards, published revision by revision as a mirror would, and what `audit history` finds in
// them: every change of a licence that somebody else read in the same histories, and no other.
#include <gmock/gmock.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "provenance/audit/history.hpp"
#include "provenance/card.hpp"
#include "provenance/record.hpp"
#include "storage/journal.hpp"
#include "tests/support/memory_index.hpp"
#include "tests/unit/provenance/card_histories.hpp"

namespace hm::provenance::audit {
namespace {
using Strings = std::vector<std::string>;

class SetClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return now_ms; }
  std::int64_t monotonic_ms() const override { return now_ms; }
  std::int64_t now_ms = 0;
};

class AuditHistoryCorpus : public CardHistories {
 protected:
  /// "model_cards/org/name/README.md" → "org/name"; older cards are files beside each other: "org/name.md"
  static std::string name_of_card(const std::string& path) {
    constexpr std::string_view kFile = "/README.md";
    const std::string name = path.substr(path.find('/') + 1);
    return name.ends_with(kFile) ? name.substr(0, name.size() - kFile.size()) : name;
  }
  void publish(const std::string& kind) {
    const auto edits = edits_of(kind);
    std::set<std::string> ids;
    for (const auto& [path, list] : edits)
      for (const CardEdit& edit : list)
        if (!edit.blob.empty()) ids.insert(edit.blob);
    const auto blobs = blobs_of(kind, ids);
    for (const auto& [path, list] : edits) {
      const std::string number = std::to_string(asked_.keys.size() + 1);
      const RepoKey key{kind == "model" ? RepoKind::Model : RepoKind::Dataset,
                        *Rid::parse(std::string(24 - number.size(), '0') + number)};
      asked_.keys.push_back(key);
      const RepoId repo{key.kind, name_of_card(path)};
      EXPECT_TRUE(path_of_.emplace(repo.text(), path).second) << path;
      for (const CardEdit& edit : list) publish_one(key, repo, edit, blobs);
    }
    std::sort(asked_.keys.begin(), asked_.keys.end());
  }
  void publish_one(const RepoKey& key, const RepoId& repo, const CardEdit& edit,
                   const std::map<std::string, std::string>& blobs) {
    const Commit commit = *Commit::parse(edit.commit);
    clock_.now_ms = edit.time_s * 1'000;
    Observation seen;
    seen.src = "hub.example";
    seen.repo = repo;
    seen.rid = key.rid;
    seen.head = "refs/heads/main";
    seen.refs = {{seen.head, commit}};
    ASSERT_TRUE(recorder_.record_visit(seen));
    PublishedRevision revision;
    revision.commit = commit;
    revision.tree = commit;
    revision.refs = seen.refs;
    if (!edit.blob.empty()) revision.card_front_matter = front_matter(blobs.at(edit.blob));
    ASSERT_TRUE(recorder_.publish(seen.src, key, {revision}));
    source_of_[edit.commit] = edit.source_commit;
    ++revisions_;
  }
  /// "path source-commit" of each change of a licence.
  std::set<std::string> found() const {
    std::set<std::string> out;
    const auto report = history(*index_, {catalogue_, 0, {}}, asked_);
    EXPECT_TRUE(report) << (report ? "" : report.error().what);
    for (const report::Finding& finding : report.value().findings) {
      if (finding.rule != "licence-changed" || finding.what.find("(read-again)") != std::string::npos ||
          finding.what.find("(unreadable)") != std::string::npos)
        continue;
      const std::string& after = finding.path.at(1);
      const std::string commit = after.substr(after.find(" at ") + 4, 40);
      EXPECT_TRUE(out.insert(path_of_.at(finding.subject) + " " + source_of_.at(commit)).second) << finding.what;
    }
    return out;
  }
  static std::set<std::string> told(const std::string& kind) {
    std::set<std::string> out;
    for (const ToldChange& change : told_changes(kind)) out.insert(change.path + " " + change.source_commit);
    return out;
  }
  static Strings difference(const std::set<std::string>& a, const std::set<std::string>& b) {
    Strings out;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
    return out;
  }

  const licence::Catalogue catalogue_ = licence::Catalogue::built_in().value();
  std::unique_ptr<storage::Index> index_ = test::open_memory_index(test::make_memory_disk());
  storage::Journal journal_{*index_};
  SetClock clock_;
  Recorder recorder_{*index_, journal_, clock_, "node-a"};
  Subjects asked_{{}, false, "all cards", {}};
  std::map<std::string, std::string> path_of_, source_of_;
  std::size_t revisions_ = 0;
};

TEST_F(AuditHistoryCorpus, FindsEveryChangeOfALicenceOfModelsAndInventsNone) {
  publish("model");
  EXPECT_EQ(revisions_, 1'052U);
  const auto here = found(), there = told("model");
  EXPECT_THAT(difference(there, here), testing::IsEmpty()) << "not found";
  EXPECT_THAT(difference(here, there), testing::IsEmpty()) << "invented";
  EXPECT_EQ(here.size(), 55U);
}
TEST_F(AuditHistoryCorpus, FindsEveryChangeOfALicenceOfDatasetsAndInventsNone) {
  publish("dataset");
  EXPECT_EQ(revisions_, 4'581U);
  const auto here = found(), there = told("dataset");
  EXPECT_THAT(difference(there, here),
              testing::ElementsAre("datasets/allocine/README.md 7f0cbf663c969cb69c6d54b9b36d13d878c425e8"))
      << "an empty text, then no licence at all: both state nothing";
  EXPECT_THAT(difference(here, there), testing::IsEmpty()) << "invented";
  EXPECT_EQ(here.size(), 187U);
  ASSERT_TRUE(rebuild_index(*index_, journal_));
  EXPECT_EQ(found(), here) << "after a rebuild";
}
}  // namespace
}  // namespace hm::provenance::audit

// Checksums of files that real datasets download, as surveys of as many repositories: who shares bytes with whom is
// found for every one of them.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "provenance/audit/hashes.hpp"
#include "provenance/listing.hpp"
#include "provenance/record.hpp"
#include "storage/file_holders.hpp"
#include "storage/journal.hpp"
#include "storage/survey_row.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/unit/provenance/corpus.hpp"

namespace hm::provenance {
namespace {
struct Download {
  std::string dataset, url;
  std::uint64_t size_bytes = 0;
  Sha256 digest;
};

class HashCorpus : public test::CorpusTest {
 protected:
  static std::vector<Download> downloads() {
    std::vector<Download> out;
    bool head = true;
    test::each_line(test::unpacked("hashes/dataset-download-checksums.tsv.zst"), [&](std::string_view line) {
      const auto cells = split(line, '\t');  // dataset, config, num_bytes, sha256, url, licence_text
      if (!head)
        out.push_back({std::string(cells.at(0)), std::string(cells.at(4)), parse_u64(cells.at(2)).value(),
                       Sha256::parse(cells.at(3)).value()});
      head = false;
    });
    return out;
  }
  RepoKey key_of(const std::string& dataset) {
    const auto [it, is_new] = keys_.try_emplace(dataset);
    if (is_new) {
      std::string rid = std::to_string(keys_.size());
      it->second = {RepoKind::Dataset, *Rid::parse(std::string(24 - rid.size(), '0') + rid)};
      names_[it->second] = dataset;
    }
    return it->second;
  }
  /// The digests that `audit hashes` finds in several of these repositories, each of another owner.
  std::set<std::string> shared_in_audit(storage::Index& index) {
    storage::Journal journal(index);
    test::ManualClock clock;
    Recorder recorder(index, journal, clock, "node-a");
    std::vector<Listing> items;
    audit::Subjects asked{{}, false, "all datasets", {}};
    for (const auto& [key, name] : names_) {
      items.push_back(read_listing({RepoKind::Dataset, name + "/data"}, key.rid, {}));
      asked.keys.push_back(key);
    }
    EXPECT_TRUE(recorder.record_listing("hub.example", items, std::nullopt, {}));
    const auto report = audit::hashes(index, asked);
    EXPECT_TRUE(report) << (report ? "" : report.error().what);
    std::set<std::string> out;
    for (const report::Finding& finding : report.value().findings) {
      EXPECT_EQ(finding.rule, "same-file");
      out.insert(finding.path.at(0).substr(std::string_view("sha256 ").size()));
    }
    return out;
  }
  std::map<std::string, RepoKey> keys_;
  std::map<RepoKey, std::string> names_;
};

TEST_F(HashCorpus, EveryOwnerOfEverySharedFileIsFound) {
  const auto index = storage::open_index((dir_ / "index").string(), storage::Index::Mode::Write, {}).value();
  std::map<Sha256, std::set<std::string>> owners;
  std::map<Sha256, std::uint64_t> sizes;
  std::map<std::string, std::map<std::string, storage::SurveyedFile>> files;  // dataset → URL → file
  const std::vector<Download> all = downloads();
  for (const Download& each : all) {
    owners[each.digest].insert(each.dataset);
    sizes[each.digest] = each.size_bytes;
    auto& of_dataset = files[each.dataset];
    of_dataset.try_emplace(
        each.url, storage::SurveyedFile{"file " + std::to_string(of_dataset.size()), each.size_bytes, each.digest});
  }
  for (const auto& [dataset, by_url] : files) {
    storage::SurveyRow row{dataset, *Commit::parse(std::string(40, 'c')), 1, {}};
    for (const auto& [url, file] : by_url) row.files.push_back(file);
    storage::Batch batch;
    ASSERT_TRUE(storage::put_survey(*index, batch, key_of(dataset), "", row));
    ASSERT_TRUE(index->commit(batch));
  }
  EXPECT_EQ(all.size(), 30'420U);
  EXPECT_EQ(files.size(), 487U);
  EXPECT_EQ(owners.size(), 27'349U);

  std::size_t shared = 0, most = 0;
  std::set<std::string> sharing, shared_digests;
  for (const auto& [digest, wanted] : owners) {
    std::set<std::string> found;
    ASSERT_TRUE(storage::each_holder(*index, digest, [&](const storage::FileHolder& holder) {
      found.insert(names_.at(holder.repo));
      EXPECT_FALSE(holder.published);
      EXPECT_EQ(holder.size_bytes, sizes.at(digest)) << holder.path;
      return true;
    }));
    EXPECT_EQ(found, wanted) << digest.hex();
    if (found.size() < 2) continue;
    ++shared;
    shared_digests.insert(digest.hex());
    most = std::max(most, found.size());
    sharing.insert(found.begin(), found.end());
  }
  EXPECT_EQ(shared, 37U);
  EXPECT_EQ(shared_in_audit(*index), shared_digests);
  EXPECT_EQ(most, 4U);
  EXPECT_EQ(sharing.size(), 23U);
}
}  // namespace
}  // namespace hm::provenance

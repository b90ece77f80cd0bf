// tests/unit/provenance/lineage_world.hpp: a small Hub in an index of its own: models that are listed, mirrored,
// renamed, gone, or only named by others.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "provenance/audit/subjects.hpp"
#include "provenance/lineage/graph.hpp"
#include "provenance/listing.hpp"
#include "provenance/record.hpp"
#include "storage/key_space.hpp"
#include "tests/support/manual_clock.hpp"

namespace hm::provenance {
class LineageWorld : public testing::Test {
 protected:
  LineageWorld()
      : dir_(std::filesystem::temp_directory_path() / ("hm-world-" + std::to_string(::getpid()) +
                                                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(dir_);
    index_ = storage::open_index(dir_.string(), storage::Index::Mode::Write, {}).value();
    journal_.emplace(*index_);
    recorder_.emplace(*index_, *journal_, clock_, "node-a");
  }
  ~LineageWorld() override {
    index_.reset();
    std::filesystem::remove_all(dir_);
  }

  static Rid rid(int number) {
    std::string hex = std::to_string(number);
    return *Rid::parse(std::string(24 - hex.size(), '0') + hex);
  }
  static RepoKey key(int number, RepoKind kind = RepoKind::Model) { return {kind, rid(number)}; }

  struct Listed {
    std::vector<std::string> bases;  ///< "<number>" by id, anything else by name
    std::string relation = "finetune";
    std::string more;  ///< fields, each with a comma before it
    RepoKind kind = RepoKind::Model;
  };
  void list(int number, const std::string& name, const Listed& as) {
    std::string models;
    for (const std::string& base : as.bases) {
      const bool by_id = base.find_first_not_of("0123456789") == std::string::npos;
      models += (models.empty() ? "{" : ",{") +
                (by_id ? "\"_id\":\"" + rid(std::stoi(base)).text() + "\",\"id\":\"x/" + base + "\"}"
                       : "\"id\":\"" + base + "\"}");
    }
    std::string text = R"({"_id":")" + rid(number).text() + R"(","id":")" + name + "\"";
    if (!as.bases.empty()) text += R"(,"baseModels":{"relation":")" + as.relation + R"(","models":[)" + models + "]}";
    const auto parsed = parse_json(text + as.more + "}");
    const std::vector<Listing> page{read_listing({as.kind, name}, rid(number), parsed.value().as_object())};
    ASSERT_TRUE(recorder_->record_listing(kSrc, page, std::nullopt, {}));
  }
  /// Finetunes of `base`, in one page.
  void list_children(int first, int last, int base) {
    std::vector<Listing> page;
    for (int i = first; i <= last; ++i) {
      const std::string name = "org/m" + std::to_string(i);
      const auto parsed = parse_json(R"({"_id":")" + rid(i).text() + R"(","id":")" + name +
                                     R"(","baseModels":{"relation":"finetune","models":[{"_id":")" + rid(base).text() +
                                     R"(","id":"x"}]}})");
      page.push_back(read_listing({RepoKind::Model, name}, rid(i), parsed.value().as_object()));
    }
    ASSERT_TRUE(recorder_->record_listing(kSrc, page, std::nullopt, {}));
  }
  void list(int number, const std::string& name, const std::vector<std::string>& bases = {},
            const std::string& relation = "finetune") {
    Listed as;
    as.bases = bases;
    as.relation = relation;
    list(number, name, as);
  }

  struct Published {
    std::string card;  ///< front matter
    FileFacts said;
    std::map<std::string, std::string> large;  ///< path → bytes
    char commit = 'a';
    RepoKind kind = RepoKind::Model;
  };
  void publish(int number, const std::string& name, const Published& as) {
    Observation seen;
    seen.src = kSrc, seen.repo = {as.kind, name}, seen.rid = rid(number), seen.head = "refs/heads/main";
    PublishedRevision revision;
    revision.commit = *Commit::parse(std::string(40, as.commit));
    revision.tree = *GitOid::parse(std::string(40, 'b'));
    seen.refs["refs/heads/main"] = revision.commit;
    revision.refs["refs/heads/main"] = revision.commit;
    revision.card_front_matter = as.card;
    revision.said = as.said;
    for (const auto& [path, bytes] : as.large) {
      storage::ManifestFile file;
      file.git_oid = *GitOid::parse(std::string(40, 'c'));
      file.sha256 = sha256(bytes);
      file.size_bytes = bytes.size();
      file.path = path;
      file.is_lfs = true;
      revision.manifest.files.push_back(std::move(file));
    }
    ASSERT_TRUE(recorder_->record_visit(seen));
    const auto done = recorder_->publish(kSrc, {as.kind, rid(number)}, {revision});
    ASSERT_TRUE(done) << done.error().what;
  }
  void mirror(int number, const std::string& name, const std::string& card = "") {
    Published as;
    as.card = card;
    publish(number, name, as);
  }
  static FileFacts said(const std::string& file, const std::vector<formats::Claim>& claims) {
    FileFacts out;
    formats::FileClaims of;
    of.file = file;
    for (const formats::Claim& claim : claims) of.add(claim.kind, claim.field, claim.text);
    out.files.push_back(std::move(of));
    return out;
  }

  lineage::Node node(const std::string& name, RepoKind kind = RepoKind::Model) const {
    return lineage::Graph(*index_).find(RepoId{kind, name}).value();
  }
  /// Everything of which a revision is published.
  audit::Subjects mirrored() const {
    audit::Subjects out;
    out.words = "everything that is mirrored";
    EXPECT_TRUE(audit::each_mirrored(*index_, [&](const RepoKey& repo) -> Result<> {
      out.keys.push_back(repo);
      return ok();
    }));
    return out;
  }
  static audit::Subjects all() {
    audit::Subjects out;
    out.all = true;
    out.words = "all that is known";
    return out;
  }

  static constexpr const char* kSrc = "huggingface.co";
  const std::filesystem::path dir_;
  test::ManualClock clock_;
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::Journal> journal_;
  std::optional<Recorder> recorder_;
};
/// "warning org/child dangling-base": of each finding.
inline std::vector<std::string> shown(const report::Report& report) {
  std::vector<std::string> out;
  for (const report::Finding& f : report.findings)
    out.push_back(std::string(name_of(f.severity)) + " " + f.subject + " " + f.rule);
  return out;
}
}  // namespace hm::provenance

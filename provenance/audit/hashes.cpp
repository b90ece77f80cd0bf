#include "provenance/audit/hashes.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "provenance/audit/ancestry.hpp"
#include "provenance/audit/finding_list.hpp"
#include "provenance/audit/same_files.hpp"
#include "provenance/lineage/standing.hpp"
#include "storage/file_holders.hpp"
#include "storage/journal.hpp"
#include "storage/key_space.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"
#include "storage/survey_row.hpp"

namespace hm::provenance::audit {
namespace key = storage::key;
using report::Finding;
using report::Severity;
using storage::Family;

namespace {
constexpr std::size_t kNamedMax = 5;          // holders that a sentence names
constexpr std::size_t kEntriesMax = 100'000;  // of one repository
constexpr std::size_t kPathsMax = 4;          // files that a sentence names
constexpr std::size_t kJudgedMax = 1'000;     // others of one repository with weights in common, the largest part first
constexpr std::size_t kRowsMax = 100;         // of one repository: a tokenizer may be in ten thousand others
constexpr std::size_t kKept = 20'000;         // others whose names and ancestors are remembered

std::string owner_of(const std::string& name) { return ascii_lower(name.substr(0, name.find('/'))); }
/// "a, b and 3 more".
std::string some_of(const std::set<std::string>& words, std::size_t max) {
  std::string out;
  std::size_t n = 0;
  for (const std::string& word : words) {
    if (n++ == max) break;
    out += (out.empty() ? "" : ", ") + word;
  }
  return words.size() > max ? out + " and " + std::to_string(words.size() - max) + " more" : out;
}

struct KnownFile {
  std::string path;
  std::uint64_t size_bytes = 0;
};
/// What two repositories have in common.
struct Shared {
  std::set<std::string> weights, others;  ///< paths here
  std::uint64_t bytes = 0;
  bool verified = true;  ///< the other's are published here too; else as the Hub told
};
/// What a repository descends from.
struct Above {
  std::set<std::string> all;
  std::set<std::string> bases;  ///< of them, by bases alone: who trained on the same data is no relative
};
bool is_to_base(storage::Relation relation) {
  static const lineage::Walk kWalk = walk_to_bases();
  return std::find(kWalk.relations.begin(), kWalk.relations.end(), relation) != kWalk.relations.end();
}

Result<std::optional<storage::Manifest>> manifest_of(const storage::Index& index, const Sha256& id) {
  HM_TRY(const auto packed, index.get(Family::Manifests, id.view()));
  if (!packed) return std::optional<storage::Manifest>();
  HM_TRY(auto manifest, storage::unpack_manifest(*packed, id));
  return std::optional(std::move(manifest));
}

class HashesAudit {
 public:
  HashesAudit(const storage::Index& index, const Subjects& asked)
      : index_(index), asked_(asked), ancestry_(index, {}) {}

  Result<report::Report> run() {
    HM_TRY(out_.basis, report::basis_of(index_));
    for (const RepoKey& repo : asked_.keys) {
      HM_TRY(const auto node, ancestry_.graph().find(repo));
      HM_TRY(const auto files, files_of(repo));
      if (files.empty()) {
        ++without_files_;
      } else {
        HM_TRY(compare(node, files));
      }
      HM_TRY(find_changes(node));
    }
    write();
    finish_findings(out_);
    return std::move(out_);
  }

 private:
  using Files = std::map<Sha256, KnownFile>;
  /// The large ones of all published revisions; of a repository without any, those the Hub told of.
  Result<Files> files_of(const RepoKey& repo) const {
    Files out;
    std::vector<Sha256> manifests;
    Result<> outcome = ok();
    HM_TRY(index_.scan(Family::Snapshots, key::repo(repo), [&](std::string_view, std::string_view bytes) {
      const auto row = storage::unpack_snapshot(bytes);
      if (row)
        manifests.push_back(row.assume_value().manifest);
      else
        outcome = row.error();
      return outcome.has_value();
    }));
    HM_TRY(std::move(outcome));
    for (const Sha256& id : manifests) {
      HM_TRY(const auto manifest, manifest_of(index_, id));
      if (!manifest) return Error{Errc::Corrupt, "manifest " + id.hex() + " is not stored"};
      for (const auto& file : manifest->files)
        if (file.is_lfs) out.emplace(file.sha256, KnownFile{file.path, file.size_bytes});
    }
    if (!manifests.empty()) return out;
    HM_TRY(const auto survey, storage::find_survey(index_, repo, ""));
    if (survey)
      for (const auto& file : survey->files)
        if (file.large) out.emplace(*file.large, KnownFile{file.path, file.size_bytes});
    return out;
  }

  Result<> compare(const lineage::Node& self, const Files& files) {
    std::map<RepoKey, Shared> by_other;
    for (const auto& [digest, file] : files) {
      ++files_;
      std::set<RepoKey> holders;
      HM_TRY(storage::each_holder(index_, digest, [&](const storage::FileHolder& holder) {
        if (holder.repo == *self.key) return true;
        // What is published and was told of too is published: those come first.
        const bool is_new_holder = holders.insert(holder.repo).second;
        Shared& shared = by_other[holder.repo];
        const bool is_new = (is_weight_file(file.path) ? shared.weights : shared.others).insert(file.path).second;
        if (is_new) shared.bytes += file.size_bytes;
        if (is_new_holder) shared.verified = shared.verified && holder.published;
        if (holders.size() >= kHoldersMax) ++files_in_too_many_;
        return holders.size() < kHoldersMax;
      }));
      if (!holders.empty()) ++files_elsewhere_;
      if (!holders.empty() && !is_weight_file(file.path)) {
        HM_TRY(note_common(self, digest, file, holders));
      }
    }
    return judge_others(self, by_other);
  }
  /// Those with most weights in common come first, for as many as anybody reads.
  Result<> judge_others(const lineage::Node& self, const std::map<RepoKey, Shared>& by_other) {
    std::vector<std::pair<const RepoKey*, const Shared*>> order;
    order.reserve(by_other.size());
    for (const auto& [other, shared] : by_other) order.emplace_back(&other, &shared);
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return std::pair(!a.second->weights.empty(), a.second->bytes) >
             std::pair(!b.second->weights.empty(), b.second->bytes);
    });
    rows_possible_ += order.size();
    for (const auto& [other, shared] : order) pairs_ += is_told_by(*other, self) ? 0 : 1;
    std::map<RepoKey, std::vector<report::Figure>> rows;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto& [other, shared] = order[i];
      const bool has_weights = !shared->weights.empty();
      if (has_weights && i >= kJudgedMax) ++pairs_not_judged_;
      if (i >= (has_weights ? kJudgedMax : kRowsMax)) continue;
      HM_TRY(auto row, judge(self, *other, *shared));
      if (i < kRowsMax) rows.emplace(*other, std::move(row));
    }
    for (auto& [other, row] : rows) rows_.push_back(std::move(row));
    return ok();
  }
  /// Tokenizers and the like are in many models: one finding for each file.
  Result<> note_common(const lineage::Node& self, const Sha256& digest, const KnownFile& file,
                       const std::set<RepoKey>& holders) {
    std::set<std::string> names;
    for (const RepoKey& holder : holders) {
      HM_TRY(const lineage::Node* node, node_of(holder));
      if (owner_of(node->repo.name) != owner_of(self.repo.name)) names.insert(node->repo.text());
    }
    if (names.empty()) return ok();
    out_.findings.push_back({Severity::Note,
                             "same-file",
                             self.repo.text(),
                             printable(file.path) + " is also in " + counted(names.size(), "repository") +
                                 " of other owners: " + some_of(names, kNamedMax),
                             {"sha256 " + digest.hex()}});
    return ok();
  }

  Result<const lineage::Node*> node_of(const RepoKey& repo) {
    if (const auto known = nodes_.find(repo); known != nodes_.end()) return &known->second;
    HM_TRY(auto node, ancestry_.graph().find(repo));
    if (nodes_.size() == kKept) nodes_.clear();
    return &nodes_.emplace(repo, std::move(node)).first->second;
  }
  Result<std::shared_ptr<const Above>> above(const lineage::Node& node) {
    if (const auto known = above_.find(*node.key); known != above_.end()) return known->second;
    HM_TRY(const auto steps, ancestry_.above(node));
    auto out = std::make_shared<Above>();
    std::set<std::string> by_bases{lineage::id_of(node)};
    for (bool grows = true; grows;) {  // a base may be met first where it is no base
      grows = false;
      for (const Step& step : steps) {
        const lineage::Edge& edge = step.edge();
        if (edge.to.key) out->all.insert(lineage::id_of(edge.to));
        if (is_to_base(edge.relation) && by_bases.contains(lineage::id_of(edge.from)))
          grows = by_bases.insert(lineage::id_of(edge.to)).second || grows;
      }
    }
    std::set_intersection(by_bases.begin(), by_bases.end(), out->all.begin(), out->all.end(),
                          std::inserter(out->bases, out->bases.end()));
    if (above_.size() == kKept) above_.clear();
    above_.emplace(*node.key, out);
    return std::shared_ptr<const Above>(std::move(out));
  }
  /// "base", "derivative", "same family", "not declared": what the other one is.
  Result<std::string> relation_of(const lineage::Node& self, const lineage::Node& other) {
    HM_TRY(const auto own, above(self));
    HM_TRY(const auto others, above(other));
    if (own->all.contains(lineage::id_of(other))) return std::string("base");
    if (others->all.contains(lineage::id_of(self))) return std::string("derivative");
    const bool related = std::any_of(own->bases.begin(), own->bases.end(),
                                     [&](const std::string& id) { return others->bases.contains(id); });
    return std::string(related ? "same family" : "not declared");
  }
  /// Of two that were both asked about, the first tells what they have in common.
  bool is_told_by(const RepoKey& other, const lineage::Node& self) const {
    return other < *self.key && std::binary_search(asked_.keys.begin(), asked_.keys.end(), other);
  }
  /// @returns its row.
  Result<std::vector<report::Figure>> judge(const lineage::Node& self, const RepoKey& other, const Shared& shared) {
    HM_TRY(const lineage::Node node, ancestry_.graph().find(other));
    HM_TRY(const std::string relation, relation_of(self, node));
    const bool same_owner = owner_of(node.repo.name) == owner_of(self.repo.name);
    std::vector<report::Figure> row{self.repo.text(),
                                    node.repo.text(),
                                    std::uint64_t{shared.weights.size()},
                                    std::uint64_t{shared.others.size()},
                                    shared.bytes,
                                    relation,
                                    std::string(shared.verified ? "published here" : "told by the Hub")};
    if (shared.weights.empty() || relation == "base" || relation == "derivative" || is_told_by(other, self)) return row;
    const bool odd = relation == "not declared" && !same_owner;
    out_.findings.push_back(
        {odd ? Severity::Warning : Severity::Note,
         odd ? "undeclared-copy" : "same-weights",
         self.repo.text(),
         counted(shared.weights.size(), "weight file") + " " + agreed(shared.weights.size(), "is", "are") +
             " also in " + node.repo.text() +
             (odd          ? ", and neither names the other as a base"
              : same_owner ? ", of the same owner"
                           : ", which descends from the same base"),
         {"files: " + some_of(shared.weights, kPathsMax),
          std::string("there: ") + (shared.verified ? "published here, verified" : "as the Hub told")}});
    return row;
  }

  /// Published revisions of each ref in the order in which they were seen.
  Result<> find_changes(const lineage::Node& self) {
    std::map<std::string, std::vector<std::pair<std::string, Sha256>>> by_ref;  // commit, manifest
    for (const std::string& src : out_.basis.upstreams) {
      HM_TRY(const auto entries, storage::Journal::entries_of(index_, src, *self.key, kEntriesMax));
      for (const auto& entry : entries) {
        const auto manifest = Sha256::parse(text_of(entry.value, "man"));
        const std::string ref = text_of(entry.value, "ref"), commit = text_of(entry.value, "commit");
        if (text_of(entry.value, "t") != "snapshot" || ref.empty() || !manifest) continue;
        auto& revisions = by_ref[ref];
        if (revisions.empty() || revisions.back().first != commit) revisions.emplace_back(commit, *manifest);
      }
    }
    std::set<std::pair<Sha256, Sha256>> told;
    for (const auto& [ref, revisions] : by_ref) {
      for (std::size_t i = 1; i < revisions.size(); ++i) {
        if (!told.insert({revisions[i - 1].second, revisions[i].second}).second) continue;
        HM_TRY(compare_revisions(self, ref, revisions[i - 1], revisions[i]));
      }
    }
    return ok();
  }
  using Revision = std::pair<std::string, Sha256>;
  Result<> compare_revisions(const lineage::Node& self, const std::string& ref, const Revision& from,
                             const Revision& to) {
    HM_TRY(const auto before, manifest_of(index_, from.second));
    HM_TRY(const auto after, manifest_of(index_, to.second));
    if (!before || !after) {
      ++revisions_gone_;
      return ok();
    }
    ++revisions_compared_;
    auto old = before->files.begin();
    for (const auto& file : after->files) {  // both are sorted by path
      while (old != before->files.end() && old->path < file.path) ++old;
      if (old == before->files.end() || old->path != file.path || old->sha256 == file.sha256) continue;
      const bool weights = is_weight_file(file.path);
      ++(weights ? weights_changed_ : others_changed_);
      if (!weights && !file.is_lfs) continue;
      out_.findings.push_back(
          {weights ? Severity::Warning : Severity::Note,
           weights ? "weights-changed" : "file-changed",
           self.repo.text(),
           printable(file.path) + " of " + ref + " has other bytes at " + to.first + " than at " + from.first,
           {"before: sha256 " + old->sha256.hex() + ", " + std::to_string(old->size_bytes) + " bytes",
            "after: sha256 " + file.sha256.hex() + ", " + std::to_string(file.size_bytes) + " bytes"}});
    }
    return ok();
  }

  void write() {
    out_.id = "audit-hashes";
    out_.title = "Same bytes, and other bytes: " + asked_.words;
    report::FigureTable counts;
    counts.id = "files";
    counts.title = "Large files";
    counts.population = asked_.words;
    counts.columns = {
        {"figure", "what is counted"}, {"number", "of it"}, {"share", "of the large files that were looked at"}};
    counts.rows = {
        {std::string("looked at"), files_, report::Share{files_, files_}},
        {std::string("also in another repository"), files_elsewhere_, report::Share{files_elsewhere_, files_}},
        {std::string("weights under the same name with other bytes"), weights_changed_, report::Figure{}},
        {std::string("other files under the same name with other bytes"), others_changed_, report::Figure{}},
        {std::string("pairs of revisions compared"), revisions_compared_, report::Figure{}}};
    counts.judged = {asked_.keys.size() - without_files_, asked_.keys.size()};
    counts.gaps = {
        {"files not known", without_files_,
         "no revision is published here, and the Hub was not asked for their files, or they have no large ones"},
        {"files in too many", files_in_too_many_,
         "of each, only " + std::to_string(kHoldersMax) + " holders were looked at"},
        {"revisions gone", revisions_gone_, "the list of their files is not stored any more"}};
    counts.gaps.insert(counts.gaps.end(), asked_.gaps.begin(), asked_.gaps.end());
    report::FigureTable others;
    others.id = "others";
    others.title = "Who else has them";
    others.population =
        "pairs of a repository that was asked about and another one with at least one of its large files";
    others.keys = 2;
    others.columns = {{"repository", "that was asked about"},
                      {"other", "that has the same bytes"},
                      {"weights", "weight files of the one that are in the other"},
                      {"other_files", "other large files of the one that are in the other"},
                      {"bytes", "of these files"},
                      {"relation", "of the other to the one, as declared or derived at any distance"},
                      {"known_from", "how the other's files are known"}};
    others.rows = std::move(rows_);
    others.judged = {others.rows.size(), rows_possible_};
    others.gaps = {{"pairs not in this table", rows_possible_ - others.rows.size(),
                    "of one repository the " + std::to_string(kRowsMax) + " with most bytes in common are in it"},
                   {"pairs not judged", pairs_not_judged_,
                    "of one repository the " + std::to_string(kJudgedMax) +
                        " that share most bytes of weights were asked for their descent"}};
    out_.answer = {answer(),
                   "Others are known by what is published here and by what the Hub told of their files; of whom it was "
                   "never asked, nothing is known."};
    out_.tables = {std::move(counts), std::move(others)};
  }
  std::string answer() const {
    std::size_t undeclared = 0;
    for (const Finding& f : out_.findings) undeclared += f.rule == "undeclared-copy" ? 1 : 0;
    if (files_ == 0) return "No large file is known of any repository that was asked about (" + asked_.words + ").";
    return std::to_string(files_elsewhere_) + " of " + counted(files_, "large file") + " " +
           agreed(files_elsewhere_, "is", "are") + " also elsewhere, in " + counted(pairs_, "pair") +
           " of repositories; in " + std::to_string(undeclared) +
           " of these weights are shared and no descent is declared. " + counted(weights_changed_, "weight file") +
           " changed bytes under the same name.";
  }

  const storage::Index& index_;
  const Subjects& asked_;
  Ancestry ancestry_;
  report::Report out_;
  std::map<RepoKey, lineage::Node> nodes_;
  std::map<RepoKey, std::shared_ptr<const Above>> above_;
  std::vector<std::vector<report::Figure>> rows_;
  std::uint64_t pairs_ = 0, rows_possible_ = 0, pairs_not_judged_ = 0;
  std::uint64_t files_ = 0, files_elsewhere_ = 0, files_in_too_many_ = 0, without_files_ = 0, weights_changed_ = 0,
                others_changed_ = 0, revisions_gone_ = 0, revisions_compared_ = 0;
};
}  // namespace

Result<report::Report> hashes(const storage::Index& index, const Subjects& asked) {
  return HashesAudit(index, asked).run();
}

Result<std::vector<RepoKey>> with_known_files(const storage::Index& index) {
  std::set<RepoKey> out;
  for (const Family family : {Family::Snapshots, Family::Surveys}) {
    HM_TRY(index.scan(family, {}, [&](std::string_view k, std::string_view) {
      if (const auto repo = key::parse_repo(k)) out.insert(*repo);
      return true;
    }));
  }
  return std::vector<RepoKey>(out.begin(), out.end());
}
}  // namespace hm::provenance::audit

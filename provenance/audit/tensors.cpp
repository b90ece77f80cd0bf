#include "provenance/audit/tensors.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "provenance/digested_file.hpp"
#include "provenance/lineage/standing.hpp"
#include "storage/key_space.hpp"
#include "storage/rows.hpp"
#include "storage/tensor_rows.hpp"

namespace hm::provenance::audit {
namespace key = storage::key;
using formats::Excluded;
using formats::TensorDigest;
using lineage::Graph;
using storage::Family;
using storage::Relation;

namespace {
constexpr std::size_t kRevisionsMax = 16;  ///< of one repository, the newest: older weights are seldom digested

/// A published revision as far as it has digests.
struct Digested {
  storage::SnapshotRow snapshot;
  DigestedFiles files;
};

/// The newest revisions with digests, each set of files once, the newest first.
Result<std::vector<Digested>> digested_revisions(const storage::Index& index, const RepoKey& repo) {
  std::vector<storage::SnapshotRow> rows;
  Result<> outcome = ok();
  HM_TRY(index.scan(Family::Snapshots, key::repo(repo), [&](std::string_view, std::string_view bytes) {
    auto row = storage::unpack_snapshot(bytes);
    if (row)
      rows.push_back(std::move(row).assume_value());
    else
      outcome = std::move(row).as_failure();
    return outcome.has_value();
  }));
  HM_TRY(std::move(outcome));
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::pair(a.observed_ms, a.entry) > std::pair(b.observed_ms, b.entry);
  });
  if (rows.size() > kRevisionsMax) rows.resize(kRevisionsMax);
  std::vector<Digested> out;
  for (storage::SnapshotRow& row : rows) {
    HM_TRY(auto files, digested_files_of(index, row));
    const bool is_new = std::none_of(out.begin(), out.end(),
                                     [&](const Digested& other) { return other.files.digested == files.digested; });
    if (is_new && !files.digested.empty()) out.push_back({std::move(row), std::move(files)});
  }
  return out;
}

/// The one that stands for the repository: the newest that is digested whole, else the newest.
Result<std::optional<Digested>> own_revision(const storage::Index& index, const RepoKey& repo) {
  HM_TRY(auto all, digested_revisions(index, repo));
  if (all.empty()) return std::optional<Digested>();
  auto best = std::find_if(all.begin(), all.end(), [](const Digested& d) { return d.files.undigested == 0; });
  return std::optional(std::move(best == all.end() ? all.front() : *best));
}

/// Shared bytes of each repository that has one of these tensors, roughly: by the beginnings of digests.
class Candidates {
 public:
  explicit Candidates(const storage::Index& index) : index_(index) {}

  Result<> add(const TensorDigest& tensor) {
    if (tensor.excluded != Excluded::No || !seen_.insert(tensor.content).second) return ok();
    std::set<RepoKey> repos;
    for (const auto& digest : {std::optional(tensor.content), tensor.as_bf16, tensor.as_f16}) {
      if (!digest) continue;
      HM_TRY(const auto files, storage::files_with_tensor(index_, *digest, kFilesOfTensorMax));
      for (const Sha256& file : files) {
        HM_TRY(const auto* holders, holders_of(file));
        repos.insert(holders->begin(), holders->end());
      }
    }
    for (const RepoKey& repo : repos) bytes_[repo] += tensor.length_bytes;
    return ok();
  }
  /// Those with most bytes.
  std::vector<RepoKey> take(const RepoKey& but) {
    bytes_.erase(but);
    std::vector<std::pair<RepoKey, std::uint64_t>> all(bytes_.begin(), bytes_.end());
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    if (all.size() > kSharersMax) all.resize(kSharersMax);
    std::vector<RepoKey> out;
    for (const auto& [repo, bytes] : all) out.push_back(repo);
    return out;
  }

 private:
  Result<const std::vector<RepoKey>*> holders_of(const Sha256& file) {
    if (const auto known = holders_.find(file); known != holders_.end()) return &known->second;
    HM_TRY(auto repos, storage::digested_in(index_, file));
    return &holders_.emplace(file, std::move(repos)).first->second;
  }
  const storage::Index& index_;
  std::set<Sha256> seen_;
  std::map<Sha256, std::vector<RepoKey>> holders_;
  std::map<RepoKey, std::uint64_t> bytes_;
};

/// Weights of the target are in what names it.
lineage::Walk along_weights() {
  lineage::Walk walk;
  walk.relations = {Relation::DerivedFrom, Relation::Finetune, Relation::Adapter,
                    Relation::Quantized,   Relation::Merge,    Relation::Converted};
  return walk;
}
std::string identity_of(const lineage::Node& node) {
  return node.key ? "k" + key::repo(*node.key) : "n" + key::name(node.repo);
}
Result<std::set<std::string>> ancestry_of(const Graph& graph, const lineage::Node& node) {
  HM_TRY(const auto ancestors, graph.ancestors(node, along_weights()));
  std::set<std::string> out;
  for (const lineage::Ancestor& ancestor : ancestors) out.insert(identity_of(ancestor.edge.to));
  out.erase(identity_of(node));
  return out;
}
Declared declared_between(const lineage::Node& own, const std::set<std::string>& own_ancestry,
                          const lineage::Node& other, const std::set<std::string>& other_ancestry) {
  if (own_ancestry.contains(identity_of(other))) return Declared::Ancestor;
  if (other_ancestry.contains(identity_of(own))) return Declared::Descendant;
  const bool common = std::any_of(own_ancestry.begin(), own_ancestry.end(),
                                  [&](const std::string& id) { return other_ancestry.contains(id); });
  return common ? Declared::Relatives : Declared::Nothing;
}

Kinship kinship_of(const formats::Share& share) {
  if (share.common_bytes == share.smaller_bytes) return Kinship::Same;
  return share.common_bytes >= share.smaller_bytes - share.common_bytes ? Kinship::Derived : Kinship::Part;
}

/// What is asked about, read once.
struct Own {
  Digested revision;
  std::vector<TensorDigest> tensors;
  lineage::Node node;
  std::set<std::string> ancestry;
  std::int64_t made_ms = 0;
};

Result<std::optional<SharedWith>> compare(const storage::Index& index, const Own& own, const RepoKey& other) {
  HM_TRY(const auto revisions, digested_revisions(index, other));
  formats::Share best;
  const Digested* theirs = nullptr;
  for (const Digested& revision : revisions) {
    HM_TRY(const auto tensors, read_tensors(index, revision.files));
    formats::Share share = formats::share(own.tensors, tensors);
    if (share.common_bytes <= best.common_bytes) continue;
    best = std::move(share);
    theirs = &revision;
  }
  if (theirs == nullptr) return std::optional<SharedWith>();
  const Graph graph(index);
  HM_TRY(const lineage::Node node, graph.find(other));
  HM_TRY(const auto ancestry, ancestry_of(graph, node));
  HM_TRY(const std::int64_t made_ms, lineage::created_ms(index, other));

  SharedWith out{other, own.revision.snapshot.commit, theirs->snapshot.commit, best.common_bytes, best.smaller_bytes};
  out.tensors = best.tensors.size();
  out.by_cast = static_cast<std::uint64_t>(std::count_if(
      best.tensors.begin(), best.tensors.end(), [](const auto& t) { return t.by == formats::SharedTensor::By::Cast; }));
  out.kinship = kinship_of(best);
  out.declared = declared_between(own.node, own.ancestry, node, ancestry);
  if (own.made_ms != 0 && made_ms != 0 && own.made_ms != made_ms)
    out.order = made_ms < own.made_ms ? Order::OtherFirst : Order::OtherLater;

  const bool other_is_child =
      out.declared == Declared::Descendant || (out.declared != Declared::Ancestor && out.order == Order::OtherLater);
  const Digested& child = other_is_child ? *theirs : own.revision;
  out.edge.from = other_is_child ? node : own.node;
  out.edge.to = other_is_child ? own.node : node;
  out.edge.relation = Relation::SharesTensors;
  lineage::Statement statement{storage::EdgeOrigin::Snapshot, storage::Evidence::Identical, "tensors"};
  statement.text = percent_text(best.common_bytes, best.smaller_bytes) + " % of the smaller model's weights, " +
                   human_bytes(best.common_bytes);
  statement.first = statement.last = child.snapshot.commit;
  statement.first_ms = statement.last_ms = child.snapshot.observed_ms;
  out.edge.statements.push_back(std::move(statement));
  return std::optional(std::move(out));
}
}  // namespace

Result<std::vector<SharedWith>> who_shares_tensors(const storage::Index& index, const RepoKey& repo) {
  std::vector<SharedWith> out;
  HM_TRY(auto revision, own_revision(index, repo));
  if (!revision) return out;
  Own own;
  own.revision = std::move(*revision);
  HM_TRY(own.tensors, read_tensors(index, own.revision.files));
  Candidates candidates(index);
  for (const TensorDigest& tensor : own.tensors) {
    HM_TRY(candidates.add(tensor));
  }
  const auto others = candidates.take(repo);
  if (others.empty()) return out;
  const Graph graph(index);
  HM_TRY(own.node, graph.find(repo));
  HM_TRY(own.ancestry, ancestry_of(graph, own.node));
  HM_TRY(own.made_ms, lineage::created_ms(index, repo));
  for (const RepoKey& other : others) {
    HM_TRY(auto shared, compare(index, own, other));
    if (shared) out.push_back(std::move(*shared));
  }
  std::stable_sort(out.begin(), out.end(), [](const SharedWith& a, const SharedWith& b) {
    return std::pair(b.common_bytes, a.other) < std::pair(a.common_bytes, b.other);
  });
  return out;
}

Result<bool> has_tensor_digests(const storage::Index& index, const RepoKey& repo) {
  HM_TRY(const auto revisions, digested_revisions(index, repo));
  return !revisions.empty();
}
}  // namespace hm::provenance::audit

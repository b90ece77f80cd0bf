#include "provenance/lineage/edges.hpp"

#include <map>

namespace hm::provenance::lineage {
using storage::EdgeRow;
using storage::Family;

namespace {
/// Key → value. Of two statements of one kind about one target the better founded stays.
std::map<std::string, std::string> rows_of(const RepoKey& from, storage::EdgeOrigin origin,
                                           const Statements& statements) {
  std::map<std::string, std::string> out;
  for (const Claim& claim : statements.claims) {
    const EdgeRow row{claim.to, from, origin, claim.relation, claim.evidence, statements.name};
    std::string& value = out[storage::key::edge(row)];
    if (std::string packed = storage::pack_edge(row); packed > value) value = std::move(packed);
  }
  return out;
}
}  // namespace

Result<> EdgeEditor::change(const RepoKey& from, storage::EdgeOrigin origin, const Statements& before,
                            const Statements& after, storage::Batch& batch) {
  const auto old_rows = rows_of(from, origin, before);
  auto new_rows = rows_of(from, origin, after);
  for (const auto& [key, value] : old_rows)
    if (!new_rows.contains(key)) batch.remove(Family::Edges, key);
  for (auto& [key, value] : new_rows) {
    const auto old = old_rows.find(key);
    if (old == old_rows.end() || old->second != value) batch.put(Family::Edges, key, std::move(value));
  }
  return mark(after.claims);
}

Result<> EdgeEditor::add_of_snapshot(const RepoKey& from, const std::vector<Claim>& claims, storage::Batch& batch) {
  for (auto& [key, value] : rows_of(from, storage::EdgeOrigin::Snapshot, {"", claims})) {
    auto known = of_snapshots_.find(key);
    if (known == of_snapshots_.end()) {
      HM_TRY(auto stored, index_.get(Family::Edges, key));
      known = of_snapshots_.emplace(key, std::move(stored)).first;
    }
    if (known->second && *known->second >= value) continue;
    known->second = value;
    batch.put(Family::Edges, key, value);
  }
  return mark(claims);
}

Result<> EdgeEditor::drop_of_snapshots(const RepoKey& from, const std::vector<Claim>& gone,
                                       const std::vector<Claim>& left, storage::Batch& batch) {
  for (const auto& [key, value] : rows_of(from, storage::EdgeOrigin::Snapshot, {"", gone})) {
    of_snapshots_[key] = std::nullopt;
    batch.remove(Family::Edges, key);
  }
  return add_of_snapshot(from, left, batch);
}

Result<> EdgeEditor::mark(const std::vector<Claim>& claims) {
  for (const Claim& claim : claims) {
    HM_TRY(filter_.add(storage::key::edges_to(claim.to, storage::class_of(claim.relation))));
  }
  return ok();
}

Result<> EdgeEditor::add_former_name(const RepoKey& repo, std::string_view name, storage::Batch& batch) {
  batch.put(Family::Edges, storage::key::former_name(repo, name), {});
  for (const auto edges : {storage::EdgeClass::Lineage, storage::EdgeClass::Other}) {  // EdgeFilter::answer()
    HM_TRY(filter_.add(storage::key::edges_to(storage::target_of(repo), edges)));
  }
  return filter_.add(storage::key::former_names(repo));
}
}  // namespace hm::provenance::lineage

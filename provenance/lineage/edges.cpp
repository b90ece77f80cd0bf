#include "provenance/lineage/edges.hpp"

#include <map>
#include <utility>

#include "base/log.hpp"

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
    // Who asks has the name, and nobody may ever have been listed under it.
    if (claim.to.rid && is_valid_repo_name(claim.text))
      out[storage::key::named_base({claim.to.kind, claim.text}, {claim.to.kind, *claim.to.rid}, from)];
  }
  return out;
}
}  // namespace

Result<> EdgeEditor::note(const std::string& row_key, storage::Batch& batch) {
  return row_key[0] == storage::kNamedBases ? Result<>(ok()) : changes_.note(row_key, batch);  // no walk passes it
}
Result<> EdgeEditor::put(std::string edge_key, std::string value, storage::Batch& batch) {
  HM_TRY(note(edge_key, batch));
  batch.put(Family::Edges, std::move(edge_key), std::move(value));
  return ok();
}
Result<> EdgeEditor::remove(std::string edge_key, storage::Batch& batch) {
  HM_TRY(note(edge_key, batch));
  batch.remove(Family::Edges, std::move(edge_key));
  return ok();
}

Result<> EdgeEditor::change(const RepoKey& from, storage::EdgeOrigin origin, const Statements& before,
                            const Statements& after, storage::Batch& batch) {
  const auto old_rows = rows_of(from, origin, before);
  auto new_rows = rows_of(from, origin, after);
  for (const auto& [key, value] : old_rows) {
    if (new_rows.contains(key)) continue;
    HM_TRY(remove(key, batch));
  }
  for (auto& [key, value] : new_rows) {
    const auto old = old_rows.find(key);
    if (old != old_rows.end() && old->second == value) continue;
    HM_TRY(put(key, std::move(value), batch));
  }
  return ok();
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
    HM_TRY(put(key, value, batch));
  }
  return ok();
}

Result<> EdgeEditor::drop_of_snapshots(const RepoKey& from, const std::vector<Claim>& gone,
                                       const std::vector<Claim>& left, storage::Batch& batch) {
  for (const auto& [key, value] : rows_of(from, storage::EdgeOrigin::Snapshot, {"", gone})) {
    of_snapshots_[key] = std::nullopt;
    HM_TRY(remove(key, batch));
  }
  return add_of_snapshot(from, left, batch);
}

Result<> EdgeEditor::add_former_name(const RepoKey& repo, std::string_view name, storage::Batch& batch) {
  return put(storage::key::former_name(repo, name), {}, batch);
}

void write_lists(storage::Index& index, std::optional<std::uint32_t> number) {
  if (!number) return;
  const auto written = storage::write_edge_lists(index, *number);
  if (!written)
    log(LogLevel::Warning, "walks down lineage stay slow until the next sweep or rebuild",
        {{"error", written.assume_error().what}});
}
}  // namespace hm::provenance::lineage

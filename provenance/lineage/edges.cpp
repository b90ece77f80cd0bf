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
  for (const Claim& claim : after.claims) {
    HM_TRY(filter_.add(storage::key::edges_to(claim.to, storage::class_of(claim.relation))));
  }
  return ok();
}

Result<> EdgeEditor::add_former_name(const RepoKey& repo, std::string_view name, storage::Batch& batch) {
  batch.put(Family::Edges, storage::key::former_name(repo, name), {});
  for (const auto edges : {storage::EdgeClass::Lineage, storage::EdgeClass::Other}) {  // EdgeFilter::may_have_id()
    HM_TRY(filter_.add(storage::key::edges_to(storage::target_of(repo), edges)));
  }
  return filter_.add(storage::key::former_names(repo));
}
}  // namespace hm::provenance::lineage

#include "provenance/lineage/standing.hpp"

#include <algorithm>
#include <functional>

#include "base/text.hpp"
#include "provenance/listing.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"

namespace hm::provenance::lineage {
namespace key = storage::key;
using storage::Evidence;
using storage::Family;

std::string_view Standing::word() const {
  if (mirrored) return "mirrored";
  if (gone_status != 0) return "gone upstream";
  return known ? "known" : "not known here";
}

namespace {
Result<bool> has_published(const storage::Index& index, std::string_view repo_key, const storage::RepoRow& row) {
  bool published = false;
  if (row.removed) return published;
  HM_TRY(index.scan(Family::Snapshots, repo_key, [&](std::string_view, std::string_view) {
    published = true;
    return false;
  }));
  return published;
}
}  // namespace

Result<bool> is_mirrored(const storage::Index& index, std::string_view repo_key) {
  HM_TRY(const auto bytes, index.get(Family::Repos, repo_key));
  if (!bytes) return false;
  HM_TRY(const auto row, storage::unpack_repo(*bytes));
  return has_published(index, repo_key, row);
}

Result<MirroredAmong> MirroredAmong::read(const storage::Index& index) {
  MirroredAmong out(index);
  HM_TRY(index.scan(Family::Repos, {}, [&](std::string_view k, std::string_view) {
    out.visited_.emplace_back(k);
    return true;
  }));
  return out;
}
Result<bool> MirroredAmong::has(std::string_view repo_key) const {
  if (!std::binary_search(visited_.begin(), visited_.end(), repo_key, std::less<>())) return false;
  return is_mirrored(*index_, repo_key);
}

Result<Standing> standing_of(const storage::Index& index, const Node& node) {
  Standing out;
  if (!node.key) return out;
  const std::string repo_key = key::repo(*node.key);
  HM_TRY(const auto listed, storage::find_listing(index, *node.key));
  if (listed) out.known = true, out.gone_status = listed->gone_status;
  HM_TRY(const auto bytes, index.get(Family::Repos, repo_key));
  if (!bytes) return out;
  HM_TRY(const auto row, storage::unpack_repo(*bytes));
  out.known = true;
  if (row.gone_status != 0) out.gone_status = row.gone_status;
  HM_TRY(out.mirrored, has_published(index, repo_key, row));
  return out;
}

Result<std::optional<storage::SnapshotRow>> current_snapshot(const storage::Index& index, const RepoKey& k) {
  const std::string repo_key = key::repo(k);
  HM_TRY(const auto bytes, index.get(Family::Repos, repo_key));
  if (!bytes) return std::optional<storage::SnapshotRow>();
  HM_TRY(const auto row, storage::unpack_repo(*bytes));
  std::optional<storage::SnapshotRow> out;
  HM_TRY(const auto ref_bytes, index.get(Family::Refs, key::ref(k, row.head)));
  if (ref_bytes) {
    HM_TRY(const auto ref, storage::unpack_ref(*ref_bytes));
    HM_TRY(const auto head, index.get(Family::Snapshots, key::snapshot(k, ref.commit)));
    if (head) {
      HM_TRY(out, storage::unpack_snapshot(*head));
      return out;
    }
  }
  Result<> outcome = ok();
  HM_TRY(index.scan(Family::Snapshots, repo_key, [&](std::string_view, std::string_view value) {
    auto snapshot = storage::unpack_snapshot(value);
    if (!snapshot) {
      outcome = snapshot.error();
      return false;
    }
    if (!out || snapshot.assume_value().entry > out->entry) out = std::move(snapshot).assume_value();
    return true;
  }));
  HM_TRY(std::move(outcome));
  return out;
}

Result<std::int64_t> created_ms(const storage::Index& index, const RepoKey& repo) {
  std::optional<std::string> facts;
  HM_TRY(const auto listed, storage::find_listing(index, repo));
  if (listed) {
    facts = listed->facts;
  } else {
    HM_TRY(const auto bytes, index.get(Family::Repos, key::repo(repo)));
    if (!bytes) return std::int64_t{0};
    HM_TRY(const auto row, storage::unpack_repo(*bytes));
    if (!row.info_document) return std::int64_t{0};
    HM_TRY(facts, index.get(Family::Documents, row.info_document->view()));
  }
  if (!facts) return std::int64_t{0};
  const auto parsed = parse_json(*facts);
  if (!parsed || !parsed.assume_value().is_object()) return std::int64_t{0};
  return read_facts(parsed.assume_value().get_object()).created_ms;
}

std::string id_of(const Node& node) {
  return node.key ? node.key->text() : "name:" + ascii_lower(printable(node.repo.text()));
}
std::string text_of(const Node& node) { return printable(node.repo.text()); }

std::string_view speaker_of(const Statement& statement) {
  if (statement.origin == storage::EdgeOrigin::Listing) return "listing";
  return statement.evidence == Evidence::Declared ? "card" : "files";
}

std::string said_text(const Edge& edge, const Statement& statement) {
  const std::string_view speaker = speaker_of(statement);
  std::string out = speaker == "files" ? "" : std::string(speaker) + " ";  // the field names the file
  out += printable(statement.field);
  if (!ascii_equal_fold(trim(statement.text), edge.to.repo.name)) out += ": \"" + printable(statement.text) + "\"";
  return out;
}

std::string hop_text(const Edge& edge) {
  std::string said;
  for (const Statement& statement : edge.statements) {
    const std::string one = said_text(edge, statement);
    if (said.find(one) == std::string::npos) said += (said.empty() ? "" : "; ") + one;
  }
  return text_of(edge.from) + " <-" + std::string(storage::name_of(edge.relation)) + " " +
         std::string(storage::name_of(edge.evidence())) + "- " + text_of(edge.to) + " (" + said + ")";
}
}  // namespace hm::provenance::lineage

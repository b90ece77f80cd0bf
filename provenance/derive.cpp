#include "provenance/derive.hpp"

#include <algorithm>

#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "provenance/card.hpp"
#include "provenance/digested_file.hpp"
#include "provenance/file_facts.hpp"
#include "storage/key_space.hpp"
#include "storage/manifest.hpp"
#include "storage/tensor_rows.hpp"

namespace hm::provenance {
namespace key = storage::key;
using storage::Family;

namespace {
Error bad_entry(const storage::JournalEntry& entry, std::string_view what) {
  return {Errc::Corrupt, "journal entry " + std::to_string(entry.sequence) + ": " + std::string(what)};
}
Error bad_field(const char* field) {
  return {Errc::Corrupt, std::string("a journal entry has a wrong field \"") + field + "\""};
}
/// The one that had the name last stands last; two that take it from each other stay two.
void note_former(storage::NameRow& name, const RepoKey& who) {
  const std::string rid = who.rid.text();
  std::erase(name.former, rid);
  name.former.push_back(rid);
}
/// A count that was too large when it was written is negative there: the row would be refused for ever.
std::uint64_t count_of(const json::object& entry, const char* field) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(number_of(entry, field), 0));
}
}  // namespace

void Deriver::look_into(const storage::Batch& batch) {
  for (const auto& change : batch.changes())
    if (!change.removal && (change.family == Family::Documents || change.family == Family::Manifests))
      owned_[{change.family, change.key}] = change.value;
}

Result<std::optional<std::string>> Deriver::get(Family family, const std::string& k) const {
  if (const auto it = pending_.find({family, k}); it != pending_.end()) return it->second;
  if (const auto it = owned_.find({family, k}); it != owned_.end()) return std::optional<std::string>(it->second);
  if (family != Family::Names && family != Family::Repos) return index_.get(family, k);
  HM_TRY(auto stored, index_.get(family, k));
  return pending_.emplace(Slot{family, k}, std::move(stored)).first->second;
}

Result<> Deriver::scan(Family family, const std::string& prefix,
                       const std::function<Result<>(const std::string&, const std::string&)>& visit) const {
  std::map<std::string, std::string> rows;
  HM_TRY(index_.scan(family, prefix, [&](std::string_view k, std::string_view v) {
    rows.emplace(k, v);
    return true;
  }));
  for (auto it = pending_.lower_bound({family, prefix});
       it != pending_.end() && it->first.first == family && it->first.second.starts_with(prefix); ++it) {
    if (it->second)
      rows[it->first.second] = *it->second;
    else
      rows.erase(it->first.second);
  }
  for (const auto& [k, v] : rows) {
    HM_TRY(visit(k, v));
  }
  return ok();
}

void Deriver::put(storage::Batch& batch, Family family, std::string k, std::string value) {
  pending_[{family, k}] = value;
  batch.put(family, std::move(k), std::move(value));
}
void Deriver::drop(storage::Batch& batch, Family family, const std::string& k) {
  pending_[{family, k}] = std::nullopt;
  batch.remove(family, k);
}

Result<std::optional<storage::RepoRow>> Deriver::repo(const RepoKey& k) const {
  HM_TRY(const auto bytes, get(Family::Repos, key::repo(k)));
  if (!bytes) return std::optional<storage::RepoRow>{};
  HM_TRY(auto row, storage::unpack_repo(*bytes));
  return std::optional(std::move(row));
}

Result<std::optional<storage::NameRow>> Deriver::name(const RepoId& repo_id) const {
  HM_TRY(const auto bytes, get(Family::Names, key::name(repo_id)));
  if (!bytes) return std::optional<storage::NameRow>{};
  HM_TRY(auto row, storage::unpack_name(*bytes));
  return std::optional(std::move(row));
}

Result<> Deriver::derive(const storage::JournalEntry& entry, storage::Batch& batch) {
  const json::object& e = entry.value;
  if (text_of(e, "t") == "token") return ok();  // its row is a fact of its own, no rebuild touches it
  const auto kind = parse_repo_kind(text_of(e, "kind"));
  const auto rid = Rid::parse(text_of(e, "rid"));
  if (!kind || !rid) return bad_entry(entry, "no kind or rid");
  const RepoKey k{*kind, *rid};
  HM_TRY(auto known, repo(k));
  const std::string type = text_of(e, "t");
  const bool of_listings = type == "listed" || type == "moved" || type == "replaced" || type == "gone";
  if (!known && of_listings) return derive_unvisited(e, type, k, batch);
  storage::RepoRow row = known.value_or(storage::RepoRow{});
  if (!known) {
    row.repo = {*kind, text_of(e, "id")};
    row.rid = *rid;
    row.src = text_of(e, "src");
    row.first_seen_ms = number_of(e, "obs");
  }
  row.last_entry = entry.sequence;
  row.last_change_ms = number_of(e, "obs");

  if (type == "refs") {
    HM_TRY(derive_refs(e, k, row, batch));
  } else if (type == "moved") {
    HM_TRY(derive_moved(e, k, row, batch));
  } else if (type == "snapshot") {
    HM_TRY(derive_snapshot(entry, k, batch));
  } else if (type == "policy") {
    HM_TRY(derive_policy(e, k, row, batch));
  } else if (type == "digests") {
    HM_TRY(derive_digests(entry, k, batch));
  } else if (type == "gone") {
    row.gone_status = static_cast<int>(number_of(e, "status"));
  } else if (type == "listed") {
    row.visibility = text_of(e, "vis");
    row.gone_status = 0;
    HM_TRY(take_name(k, {k.kind, text_of(e, "id")}, batch));
  } else if (type == "replaced") {
    HM_TRY(take_name(k, {k.kind, text_of(e, "id")}, batch));
  } else {
    return bad_entry(entry, "unknown type \"" + printable(type) + "\"; it was written by a newer version");
  }
  put(batch, Family::Repos, key::repo(k), storage::pack(to_json(row)));
  return ok();
}

/// A repository that was listed and never visited has a name and nothing else here.
Result<> Deriver::derive_unvisited(const json::object& e, const std::string& type, const RepoKey& k,
                                   storage::Batch& batch) {
  if (type == "gone") return ok();
  const std::string name = text_of(e, type == "moved" ? "to" : "id");
  if (name.empty()) return bad_field(type == "moved" ? "to" : "id");
  if (type == "moved") {
    HM_TRY(note_former_name(k, text_of(e, "id"), batch));
  }
  return take_name(k, {k.kind, name}, batch);
}

Result<> Deriver::derive_refs(const json::object& e, const RepoKey& k, storage::RepoRow& row, storage::Batch& batch) {
  const auto document = Sha256::parse(text_of(e, "refs"));
  if (!document) return bad_field("refs");
  row.src = text_of(e, "src");
  row.visibility = text_of(e, "vis");
  row.upstream_modified_ms = number_of(e, "up");
  row.head = text_of(e, "head");
  row.refs_document = document;
  if (const auto info = Sha256::parse(text_of(e, "info"))) row.info_document = info;
  row.removed = false;
  row.gone_status = 0;
  HM_TRY(take_name(k, {k.kind, text_of(e, "id")}, batch));

  HM_TRY(const auto bytes, get(Family::Documents, std::string(document->view())));
  if (!bytes) return Error{Errc::Corrupt, "document " + document->hex() + " of the journal is not stored"};
  HM_TRY(const auto refs, parse_canonical_json(*bytes));
  if (!refs.is_object()) return bad_field("refs");
  // A ref that upstream deleted names nothing any more; its commits stay, reachable by id. A ref that moved keeps its
  // old meaning until the new one is published.
  std::vector<std::string> vanished;
  HM_TRY(scan(Family::Refs, key::repo(k), [&](const std::string& row_key, const std::string& value) -> Result<> {
    HM_TRY(const auto ref, storage::unpack_ref(value));
    if (!refs.get_object().contains(ref.ref)) vanished.push_back(row_key);
    return ok();
  }));
  for (const std::string& row_key : vanished) drop(batch, Family::Refs, row_key);
  return ok();
}

Result<> Deriver::take_name(const RepoKey& k, const RepoId& repo_id, storage::Batch& batch) {
  const std::string name_key = key::name(repo_id);
  HM_TRY(const auto bytes, get(Family::Names, name_key));
  storage::NameRow name;
  if (bytes) {
    HM_TRY(name, storage::unpack_name(*bytes));
    if (name.key == k && name.name == repo_id.name) return ok();
    if (name.key != k) note_former(name, name.key);  // the name means somebody else now: a fact worth keeping
  }
  std::erase(name.former, k.rid.text());
  name.key = k;
  name.name = repo_id.name;
  put(batch, Family::Names, name_key, storage::pack(to_json(name)));
  return ok();
}

/// A removed repository leaves its name to the one that had it before and is still here under it.
Result<> Deriver::leave_name(const RepoKey& k, const RepoId& repo_id, storage::Batch& batch) {
  const std::string name_key = key::name(repo_id);
  HM_TRY(const auto bytes, get(Family::Names, name_key));
  if (!bytes) return ok();
  HM_TRY(auto name, storage::unpack_name(*bytes));
  if (name.key != k) return ok();
  for (auto former = name.former.rbegin(); former != name.former.rend(); ++former) {
    const auto rid = Rid::parse(*former);
    if (!rid) continue;
    const RepoKey before{k.kind, *rid};
    HM_TRY(const auto row, repo(before));
    if (!row || row->removed || key::name(row->repo) != name_key) continue;
    name.former.erase(std::next(former).base());
    note_former(name, k);
    name.key = before;
    name.name = row->repo.name;
    put(batch, Family::Names, name_key, storage::pack(to_json(name)));
    return ok();
  }
  return ok();
}

Result<> Deriver::derive_moved(const json::object& e, const RepoKey& k, storage::RepoRow& row, storage::Batch& batch) {
  const std::string to = text_of(e, "to");
  if (to.empty()) return bad_field("to");
  if (std::find(row.former_names.begin(), row.former_names.end(), row.repo.name) == row.former_names.end())
    row.former_names.push_back(row.repo.name);
  HM_TRY(note_former_name(k, row.repo.name, batch));
  row.repo.name = to;
  return take_name(k, {k.kind, to}, batch);
}

Result<> Deriver::note_former_name(const RepoKey& k, const std::string& name, storage::Batch& batch) {
  if (name.empty()) return ok();
  return edges_.add_former_name(k, name, batch);
}

/// What one published revision says of its repository's descent.
Result<std::vector<lineage::Claim>> Deriver::claims_of(const RepoKey& k, const storage::SnapshotRow& row) const {
  auto out = lineage::claims_of_card(k.kind, row.card);
  if (!row.said) return out;
  HM_TRY(const auto document, get(Family::Documents, std::string(row.said->view())));
  if (!document) return Error{Errc::Corrupt, "document " + row.said->hex() + " of the journal is not stored"};
  HM_TRY(const FileFacts facts, parse_file_facts(*document));
  auto of_files = lineage::claims_of_files(k.kind, facts);
  out.insert(out.end(), std::make_move_iterator(of_files.begin()), std::make_move_iterator(of_files.end()));
  return out;
}

/// What all published revisions of a repository say of its descent.
Result<std::vector<lineage::Claim>> Deriver::claims_of_snapshots(const RepoKey& k) const {
  std::vector<lineage::Claim> out;
  HM_TRY(scan(Family::Snapshots, key::repo(k), [&](const std::string&, const std::string& value) -> Result<> {
    HM_TRY(const auto row, storage::unpack_snapshot(value));
    HM_TRY(auto claims, claims_of(k, row));
    out.insert(out.end(), std::make_move_iterator(claims.begin()), std::make_move_iterator(claims.end()));
    return ok();
  }));
  return out;
}

Result<> Deriver::each_blob(const Sha256& manifest,
                            const std::function<void(const storage::ManifestFile&)>& visit) const {
  HM_TRY(const auto stored, get(Family::Manifests, std::string(manifest.view())));
  if (!stored) return Error{Errc::Corrupt, "manifest " + manifest.hex() + " of the journal is not stored"};
  HM_TRY(const auto files, storage::unpack_manifest(*stored, manifest));
  for (const auto& file : files.files)
    if (file.is_lfs) visit(file);
  return ok();
}

Result<> Deriver::derive_snapshot(const storage::JournalEntry& entry, const RepoKey& k, storage::Batch& batch) {
  const json::object& e = entry.value;
  const auto commit = Commit::parse(text_of(e, "commit"));
  const auto tree = GitOid::parse(text_of(e, "tree"));
  const auto manifest = Sha256::parse(text_of(e, "man"));
  if (!commit || !tree || !manifest) return bad_entry(entry, "commit, tree or man is not a digest");
  storage::SnapshotRow row;
  row.commit = *commit;
  row.tree = *tree;
  row.manifest = *manifest;
  row.files = count_of(e, "files");
  row.bytes = count_of(e, "bytes");
  row.left_out_files = count_of(e, "left_files");
  row.left_out_bytes = count_of(e, "left_bytes");
  row.selection = text_of(e, "sel");
  row.observed_ms = number_of(e, "obs");
  row.entry = entry.sequence;
  if (const auto card = Sha256::parse(text_of(e, "card"))) {
    HM_TRY(const auto yaml, get(Family::Documents, std::string(card->view())));
    if (!yaml) return bad_entry(entry, "the card's document is not stored");
    row.card = parse_card(*yaml);
  }
  row.said = Sha256::parse(text_of(e, "said"));
  const std::string snapshot_key = key::snapshot(k, *commit);
  HM_TRY(const auto before, get(Family::Snapshots, snapshot_key));
  bool same_files = false;
  if (before) {
    HM_TRY(auto old_row, storage::unpack_snapshot(*before));
    same_files = old_row.manifest == row.manifest;
    if (same_files) {  // a further ref of a known revision
      row = std::move(old_row);
    } else {
      HM_TRY(drop_snapshot(k, *commit, batch));
    }
  }
  put(batch, Family::Snapshots, snapshot_key, storage::pack(to_json(row)));
  HM_TRY(const auto claims, claims_of(k, row));
  HM_TRY(edges_.add_of_snapshot(k, claims, batch));
  if (!same_files) {
    HM_TRY(each_blob(*manifest, [&](const storage::ManifestFile& f) {
      batch.put(Family::BlobRefs, key::blob_ref(f.sha256, k, *commit), key::u64(f.size_bytes));
    }));
  }
  const std::string ref = text_of(e, "ref");
  if (ref.empty()) return ok();
  const auto target = GitOid::parse(text_of(e, "target"));
  if (!target) return bad_entry(entry, "target is not an object id");
  put(batch, Family::Refs, key::ref(k, ref), storage::pack(to_json(storage::RefRow{ref, *target, *commit})));
  return ok();
}

Result<> Deriver::drop_snapshot(const RepoKey& k, const Commit& commit, storage::Batch& batch) {
  HM_TRY(const auto bytes, get(Family::Snapshots, key::snapshot(k, commit)));
  if (!bytes) return ok();
  HM_TRY(const auto row, storage::unpack_snapshot(*bytes));
  HM_TRY(const auto gone, claims_of(k, row));
  HM_TRY(drop_rows(k, row, batch));
  HM_TRY(const auto left, claims_of_snapshots(k));
  return edges_.drop_of_snapshots(k, gone, left, batch);
}

/// All but the edges.
Result<> Deriver::drop_rows(const RepoKey& k, const storage::SnapshotRow& row, storage::Batch& batch) {
  HM_TRY(each_blob(row.manifest, [&](const storage::ManifestFile& f) {
    batch.remove(Family::BlobRefs, key::blob_ref(f.sha256, k, row.commit));
  }));
  drop(batch, Family::Snapshots, key::snapshot(k, row.commit));
  return ok();
}

Result<> Deriver::derive_digests(const storage::JournalEntry& entry, const RepoKey& k, storage::Batch& batch) {
  const auto file = Sha256::parse(text_of(entry.value, "file")), id = Sha256::parse(text_of(entry.value, "doc"));
  if (!file || !id) return bad_entry(entry, "file or doc is not a digest");
  HM_TRY(const auto document, get(Family::Documents, std::string(id->view())));
  if (!document) return bad_entry(entry, "the document with the digests is not stored");
  HM_TRY(const DigestedFile digests, parse_digests(*document));
  batch.put(Family::Tensors, key::digested_file(*file, k), std::string(id->view()));
  put_tensor_rows(batch, *file, digests);
  return ok();
}

Result<> Deriver::derive_policy(const json::object& e, const RepoKey& k, storage::RepoRow& row, storage::Batch& batch) {
  const std::string act = text_of(e, "act"), revision = text_of(e, "rev");
  auto pinned = std::find(row.pins.begin(), row.pins.end(), revision);
  if (act == "pin") {
    if (pinned == row.pins.end()) row.pins.push_back(revision);
    std::sort(row.pins.begin(), row.pins.end());
    return ok();
  }
  if (act == "unpin") {
    if (pinned != row.pins.end()) row.pins.erase(pinned);
    return ok();
  }
  if (act == "retire") {
    const auto commit = Commit::parse(text_of(e, "commit"));
    if (!commit) return bad_field("commit");
    return drop_snapshot(k, *commit, batch);
  }
  if (act != "remove") return bad_field("act");
  row.removed = true;
  row.pins.clear();
  HM_TRY(leave_name(k, row.repo, batch));
  std::vector<std::string> refs;
  HM_TRY(scan(Family::Refs, key::repo(k), [&](const std::string& row_key, const std::string&) -> Result<> {
    refs.push_back(row_key);
    return ok();
  }));
  for (const std::string& row_key : refs) drop(batch, Family::Refs, row_key);
  return drop_snapshots(k, batch);
}

/// What each said is read once, not again for each that goes.
Result<> Deriver::drop_snapshots(const RepoKey& k, storage::Batch& batch) {
  HM_TRY(const auto gone, claims_of_snapshots(k));
  std::vector<storage::SnapshotRow> rows;
  HM_TRY(scan(Family::Snapshots, key::repo(k), [&](const std::string&, const std::string& value) -> Result<> {
    HM_TRY(auto row, storage::unpack_snapshot(value));
    rows.push_back(std::move(row));
    return ok();
  }));
  for (const storage::SnapshotRow& row : rows) {
    HM_TRY(drop_rows(k, row, batch));
  }
  return edges_.drop_of_snapshots(k, gone, {}, batch);
}
}  // namespace hm::provenance

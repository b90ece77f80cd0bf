#include "provenance/record.hpp"

#include <boost/json/value_from.hpp>

#include "base/log.hpp"
#include "base/text.hpp"
#include "provenance/card.hpp"
#include "provenance/derive.hpp"
#include "provenance/listing.hpp"
#include "storage/key_space.hpp"
#include "storage/survey_row.hpp"
#include "storage/tensor_rows.hpp"

namespace hm::provenance {
namespace key = storage::key;
using storage::Family;

namespace {
constexpr std::uint64_t kLogBytesOfEntry = 4096, kLogBytesMax = 128U << 20;  // what a rebuild writes beside the rows
constexpr std::size_t kRebuildBatchChanges = 20'000;                         // bounds the memory of a rebuild

std::string visit_key(const RepoKey& k) { return "visit:" + key::repo(k); }

/// Another repository may have taken the name since: the one that is visited takes it back.
Result<bool> holds_name(const storage::Index& index, const RepoKey& k, const RepoId& repo) {
  HM_TRY(const auto bytes, index.get(Family::Names, key::name(repo)));
  if (!bytes) return false;
  HM_TRY(const auto name, storage::unpack_name(*bytes));
  return name.key == k;
}

Sha256 store_document(storage::Batch& batch, std::string text) {
  const Sha256 id = sha256(text);
  batch.put(Family::Documents, std::string(id.view()), std::move(text));
  return id;
}
}  // namespace

json::object Recorder::entry(std::string_view type, const std::string& src, const RepoId& repo, const Rid& rid,
                             const json::storage_ptr& memory) const {
  constexpr std::size_t kFieldsUsual = 16;
  json::object out(kFieldsUsual, memory);
  out.emplace("t", json::string_view(type.data(), type.size()));
  out.emplace("src", src);
  out.emplace("kind", std::string(name_of(repo.kind)));
  out.emplace("id", repo.name);
  out.emplace("rid", rid.text());
  out.emplace("obs", clock_.unix_ms());
  out.emplace("node", node_);
  return out;
}

Result<> Recorder::append(std::vector<json::object> entries, storage::Batch batch) {
  Deriver deriver(index_);
  return append(std::move(entries), std::move(batch), deriver);
}

Result<> Recorder::append(std::vector<json::object> entries, storage::Batch batch, Deriver& deriver) {
  deriver.look_into(batch);
  HM_TRY(journal_.append(std::move(entries), std::move(batch),
                         [&](const storage::JournalEntry& e, storage::Batch& b) { return deriver.derive(e, b); }));
  return ok();
}

Result<storage::RepoRow> Recorder::record_visit(const Observation& seen) {
  const std::lock_guard lock(mutex_);
  const RepoKey k{seen.repo.kind, seen.rid};
  HM_TRY(const auto known, Deriver(index_).repo(k));
  json::object refs;
  for (const auto& [ref, oid] : seen.refs) refs[ref] = oid.hex();
  HM_TRY(std::string refs_text, canonical_json(refs));
  const Sha256 refs_id = sha256(refs_text);

  storage::Batch batch;
  batch.put(Family::Meta, visit_key(k), key::u64(static_cast<std::uint64_t>(clock_.unix_ms())));
  std::vector<json::object> entries;
  if (known && known->repo.name != seen.repo.name) {
    entries.push_back(entry("moved", seen.src, known->repo, seen.rid));
    entries.back()["to"] = seen.repo.name;
  }
  HM_TRY(const bool has_name, holds_name(index_, k, seen.repo));
  const bool changed = !known || !has_name || !entries.empty() || known->removed || known->gone_status != 0 ||
                       known->refs_document != refs_id || known->head != seen.head ||
                       known->visibility != seen.visibility;
  if (!changed) {
    HM_TRY(index_.commit(batch));
    return *known;
  }
  json::object e = entry("refs", seen.src, seen.repo, seen.rid);
  e["vis"] = seen.visibility;
  e["up"] = seen.upstream_modified_ms;
  e["head"] = seen.head;
  e["refs"] = store_document(batch, std::move(refs_text)).hex();
  if (!seen.info_json.empty()) e["info"] = store_document(batch, seen.info_json).hex();
  entries.push_back(std::move(e));
  HM_TRY(append(std::move(entries), std::move(batch)));
  HM_TRY(auto row, Deriver(index_).repo(k));
  if (!row) return Error{Errc::Internal, "a repository is not in the index right after it was recorded"};
  return std::move(*row);
}

Result<> Recorder::publish(const std::string& src, const RepoKey& k, const std::vector<PublishedRevision>& revisions) {
  const std::lock_guard lock(mutex_);
  HM_TRY(const auto row, Deriver(index_).repo(k));
  if (!row) return Error{Errc::Internal, "publishing a repository that was never visited"};
  storage::Batch batch;
  std::vector<json::object> entries;
  for (const PublishedRevision& revision : revisions) {
    const std::string rendered = storage::render_manifest(revision.manifest);
    const Sha256 id = storage::manifest_id(rendered);
    HM_TRY(const auto before, index_.get(Family::Snapshots, key::snapshot(k, revision.commit)));
    bool here = false;
    if (before) {
      HM_TRY(const auto snapshot, storage::unpack_snapshot(*before));
      here = snapshot.manifest == id;
    }
    json::object e = entry("snapshot", src, row->repo, k.rid);
    e["commit"] = revision.commit.hex();
    e["tree"] = revision.tree.hex();
    e["man"] = id.hex();
    e["files"] = static_cast<std::int64_t>(revision.manifest.files.size());
    e["bytes"] = static_cast<std::int64_t>(revision.manifest.total_bytes());
    e["vis"] = row->visibility;
    e["up"] = row->upstream_modified_ms;
    if (revision.left_out_files != 0) {
      e["left_files"] = static_cast<std::int64_t>(revision.left_out_files);
      e["left_bytes"] = static_cast<std::int64_t>(revision.left_out_bytes);
      e["sel"] = revision.selection;
    }
    if (!revision.card_front_matter.empty()) e["card"] = store_document(batch, revision.card_front_matter).hex();
    if (!revision.said.empty()) e["said"] = store_document(batch, render_file_facts(revision.said)).hex();
    if (!here) batch.put(Family::Manifests, std::string(id.view()), storage::pack_manifest(revision.manifest));
    std::size_t added = 0;
    for (const auto& [ref, target] : revision.refs) {
      const std::string wanted = storage::pack(to_json(storage::RefRow{ref, target, revision.commit}));
      HM_TRY(const auto have, index_.get(Family::Refs, key::ref(k, ref)));
      if (here && have == wanted) continue;
      json::object with_ref = e;
      with_ref["ref"] = ref;
      with_ref["target"] = target.hex();
      entries.push_back(std::move(with_ref));
      ++added;
    }
    if (!here && added == 0) entries.push_back(std::move(e));
  }
  if (entries.empty()) return ok();
  return append(std::move(entries), std::move(batch));
}

Result<> Recorder::record_gone(const storage::RepoRow& row, int http_status) {
  if (row.gone_status == http_status) return ok();
  const std::lock_guard lock(mutex_);
  std::vector<json::object> entries{entry("gone", row.src, row.repo, row.rid)};
  entries.back()["status"] = http_status;
  return append(std::move(entries), {});
}

Result<> Recorder::decide(const storage::RepoRow& row, std::string_view act, const char* field,
                          const std::string& value, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  std::vector<json::object> entries{entry("policy", row.src, row.repo, row.rid)};
  entries.back()["act"] = std::string(act);
  if (!value.empty()) entries.back()[field] = value;
  if (!reason.empty()) entries.back()["reason"] = printable(reason);
  return append(std::move(entries), {});
}
Result<> Recorder::pin(const storage::RepoRow& row, const std::string& revision, const std::string& reason) {
  return decide(row, "pin", "rev", revision, reason);
}
Result<> Recorder::unpin(const storage::RepoRow& row, const std::string& revision) {
  return decide(row, "unpin", "rev", revision, "");
}
Result<> Recorder::remove(const storage::RepoRow& row, const std::string& reason) {
  return decide(row, "remove", "rev", "", reason);
}
Result<> Recorder::retire(const storage::RepoRow& row, const Commit& commit, const std::string& reason) {
  return decide(row, "retire", "commit", commit.hex(), reason);
}

Result<> Recorder::record_digests(const storage::RepoRow& row, const Commit& commit, const Sha256& file,
                                  std::string document) {
  const std::lock_guard lock(mutex_);
  storage::Batch batch;
  const Sha256 id = store_document(batch, std::move(document));
  HM_TRY(const auto known, storage::digests_document(index_, file, RepoKey{row.repo.kind, row.rid}));
  if (known == id) return ok();
  std::vector<json::object> entries{entry("digests", row.src, row.repo, row.rid)};
  entries.back()["commit"] = commit.hex();
  entries.back()["file"] = file.hex();
  entries.back()["doc"] = id.hex();
  return append(std::move(entries), std::move(batch));
}

Result<> Recorder::record_token(const storage::TokenRow& row, std::string_view act, const std::string& by) {
  json::object e{{"t", "token"},        {"src", node_},           {"kind", json::string_view(storage::kMirrorItself)},
                 {"node", node_},       {"id", row.id()},         {"name", row.name},
                 {"by", printable(by)}, {"obs", clock_.unix_ms()}};
  e["act"] = json::string_view(act.data(), act.size());
  if (row.expires_ms != 0) e["expires"] = row.expires_ms;
  for (const auto& [field, globs] :
       {std::pair{"repos", &row.repos}, {"gated", &row.gated}, {"private", &row.private_repos}})
    if (!globs->empty()) e[field] = json::value_from(*globs);
  storage::Batch batch;
  storage::put_token(batch, row);
  std::vector<json::object> entries{std::move(e)};
  return append(std::move(entries), std::move(batch));
}
Result<storage::TokenRow> Recorder::grant(storage::TokenRow row, const std::string& by) {
  const std::lock_guard lock(mutex_);
  row.created_ms = clock_.unix_ms();
  HM_TRY(record_token(row, "grant", by));
  return row;
}
Result<storage::TokenRow> Recorder::revoke(storage::TokenRow row, const std::string& by) {
  const std::lock_guard lock(mutex_);
  row.revoked_ms = clock_.unix_ms();
  HM_TRY(record_token(row, "revoke", by));
  return row;
}

namespace {
/// What is derived is worth more than nothing: it goes only when all that it is derived from can be read.
Result<> check_facts_readable(const storage::Index& index, const storage::Journal& journal) {
  HM_TRY(journal.each(0, [](const storage::JournalEntry&) -> Result<bool> { return true; }));
  for (const Family family : {Family::Documents, Family::Manifests, Family::Listings, Family::Surveys}) {
    HM_TRY(index.scan(family, {}, [](std::string_view, std::string_view) { return true; }));
  }
  return ok();
}
/// Deriving anew must not begin where it may not come to its end: till then nothing can be read. It writes what is
/// there now once more before that is gone, and a log that holds each chunk of a column many times.
Result<> check_space_to_derive(const storage::Index& index, const storage::Journal& journal) {
  HM_TRY(const std::uint64_t entries, journal.size());
  std::uint64_t bytes = std::min<std::uint64_t>(entries * kLogBytesOfEntry, kLogBytesMax);
  for (int f = 0; f < storage::kFamilyCount; ++f)
    if (storage::is_derived(static_cast<Family>(f))) bytes += index.bytes_of(static_cast<Family>(f));
  return index.require_space(bytes);
}
}  // namespace

Result<std::uint64_t> rebuild_index(storage::Index& index, const storage::Journal& journal) {
  HM_TRY(within(check_facts_readable(index, journal),
                [] { return "looking whether the index can be derived anew; it was left as it is"; }));
  HM_TRY(within(check_space_to_derive(index, journal),
                [] { return "deriving the index anew; it was left as it is, free space first"; }));
  const auto last = storage::last_edge_lists(index);
  const std::uint32_t last_lists = last ? last.assume_value() : 0;  // the family may be damaged
  storage::Batch mark;
  mark.put(Family::Meta, storage::kRebuildMark, "running");
  HM_TRY(index.commit(mark));
  for (int f = 0; f < storage::kFamilyCount; ++f) {
    const auto family = static_cast<Family>(f);
    if (storage::is_derived(family)) {
      HM_TRY(index.clear(family));
    }
  }
  std::uint64_t count = 0;
  storage::Batch batch;
  std::optional<Deriver> deriver(std::in_place, index);
  auto flush = [&]() -> Result<> {
    HM_TRY(index.commit(batch));
    batch = storage::Batch{};
    deriver.emplace(index);
    return ok();
  };
  HM_TRY(journal.each(0, [&](const storage::JournalEntry& e) -> Result<bool> {
    HM_TRY(deriver->derive(e, batch));
    ++count;
    if (batch.changes().size() >= kRebuildBatchChanges) {
      HM_TRY(flush());
    }
    return true;
  }));
  HM_TRY(flush());
  HM_TRY(derive_from_listings(index));
  HM_TRY(storage::derive_survey_files(index));
  storage::Batch done;
  done.remove(Family::Meta, storage::kRebuildMark);
  HM_TRY(const auto lists, storage::begin_edge_lists(index, done, last_lists));
  HM_TRY(index.commit(done));
  lineage::write_lists(index, lists);
  return count;
}

Result<> check_index_whole(const storage::Index& index) {
  HM_TRY(const auto mark, index.get(Family::Meta, storage::kRebuildMark));
  if (mark)
    return Error{Errc::Busy,
                 "the index is being derived anew, or an index rebuild was interrupted; wait for it, or run: hubmirror "
                 "index rebuild (the next command that writes finishes it too)"};
  return ok();
}

Result<> finish_rebuild(storage::Index& index) {
  HM_TRY(const auto mark, index.get(Family::Meta, storage::kRebuildMark));
  if (!mark) return ok();
  log(LogLevel::Warning,
      "the index is derived anew first: a rebuild was interrupted, or an older version wrote what was derived");
  HM_TRY(within(rebuild_index(index, storage::Journal(index)), [] { return "deriving the index anew"; }));
  return ok();
}

Result<std::optional<std::int64_t>> last_visit_ms(const storage::Index& index, const RepoKey& k) {
  HM_TRY(const auto bytes, index.get(Family::Meta, visit_key(k)));
  if (!bytes) return std::optional<std::int64_t>{};
  const auto ms = key::parse_u64(*bytes);
  if (!ms) return Error{Errc::Corrupt, "the time of a visit is not a number"};
  return std::optional<std::int64_t>(static_cast<std::int64_t>(*ms));
}
}  // namespace hm::provenance

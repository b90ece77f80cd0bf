#include "provenance/licence/declared.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/canonical_json.hpp"
#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "provenance/file_facts.hpp"
#include "provenance/licence/spdx.hpp"
#include "provenance/lineage/claims.hpp"
#include "provenance/lineage/standing.hpp"
#include "provenance/listing.hpp"
#include "storage/journal.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::licence {
namespace {
namespace key = storage::key;
using storage::Family;

std::string expression_of(const Catalogue& catalogue, std::vector<std::string> ids) {
  Declared declared;
  declared.ids = std::move(ids);
  return normalise(catalogue, declared).expression;
}
bool is_use_policy(std::string_view path) {
  const std::string name = ascii_lower(path.substr(path.rfind('/') + 1));
  return name.starts_with("use_policy") || name.starts_with("use-policy");
}
bool is_text(const LicenceText& text) { return !text.recognised.id.empty() || !is_use_policy(text.file); }

/// What one model file names in its metadata: a licence with its name and link, or each of several for itself.
std::vector<FileClaim> claims_in(const formats::FileClaims& file) {
  std::vector<std::string> ids, names;
  std::string link;
  for (const formats::Claim& claim : file.claims) {
    if (claim.kind == formats::ClaimKind::Licence) ids.push_back(claim.text);
    if (claim.kind == formats::ClaimKind::LicenceName) names.push_back(claim.text);
    if (claim.kind == formats::ClaimKind::LicenceLink) link = claim.text;
  }
  std::vector<FileClaim> out;
  if (ids.size() == 1 && names.size() == 1) return {{file.file, ids[0], names[0], link}};
  for (const std::string& id : ids) out.push_back({file.file, id, {}, link});
  for (const std::string& name : names) out.push_back({file.file, {}, name, link});
  return out;
}
/// Of all files; the same of several files once.
std::vector<FileClaim> claims_in(const FileFacts& facts) {
  std::vector<FileClaim> out;
  for (const formats::FileClaims& file : facts.files)
    for (FileClaim& one : claims_in(file)) {
      const auto same = [&](const FileClaim& c) { return c.id == one.id && c.name == one.name && c.link == one.link; };
      if (std::none_of(out.begin(), out.end(), same)) out.push_back(std::move(one));
    }
  return out;
}
bool says_adapter(const FileFacts& facts) {
  for (const formats::FileClaims& file : facts.files)
    for (const formats::Claim& claim : file.claims)
      if (claim.kind == formats::ClaimKind::AdapterBase || claim.kind == formats::ClaimKind::AdapterType) return true;
  return false;
}
bool says_adapter(const std::vector<lineage::Claim>& claims) {
  return std::any_of(claims.begin(), claims.end(),
                     [](const lineage::Claim& c) { return c.relation == storage::Relation::Adapter; });
}

void add(std::vector<Said>& history, Said one) {
  if (history.empty() || history.back().expression != one.expression) history.push_back(std::move(one));
}

/// Reads one repository.
class Reading {
 public:
  Reading(const storage::Index& index, const Catalogue& catalogue, const RepoKey& k)
      : index_(index), catalogue_(catalogue), key_(k) {}

  Result<std::optional<Declaration>> run(History history) {
    HM_TRY(const bool listed, read_listing());
    HM_TRY(const bool visited, read_published());
    if (!listed && !visited) return std::optional<Declaration>();
    if (!out_.published) {
      Declared declared;
      declared.ids = listed_ids_;
      out_.said = normalise(catalogue_, declared);
    }
    if (key_.kind == RepoKind::Dataset) out_.material = Material::Dataset;
    if (key_.kind == RepoKind::Space) out_.material = Material::Code;
    if (history == History::Read) {
      HM_TRY(read_listings());
      HM_TRY(read_commits());
    }
    return std::optional(std::move(out_));
  }

 private:
  Result<bool> read_listing() {
    HM_TRY(const auto row, storage::find_listing(index_, key_));
    if (!row) return false;
    HM_TRY(const json::value parsed, parse_json(row->facts));
    if (!parsed.is_object()) return Error{Errc::Corrupt, "the facts of listing row " + key_.text() + " are no object"};
    const json::object& facts = parsed.get_object();
    const ListingFacts read = read_facts(facts);
    out_.name = row->name;
    listed_ids_ = read.licences;
    listed_head_ = read.head;
    listed_changed_ms_ = row->changed_ms;
    out_.listed = expression_of(catalogue_, listed_ids_);
    sources_.push_back(row->src);
    if (says_adapter(lineage::claims_of_listing(key_.kind, facts))) out_.material = Material::Adapter;
    return true;
  }

  Result<bool> read_published() {
    HM_TRY(const auto bytes, index_.get(Family::Repos, key::repo(key_)));
    if (!bytes) return false;
    HM_TRY(const storage::RepoRow row, storage::unpack_repo(*bytes));
    if (out_.name.empty()) out_.name = row.repo.name;
    if (std::find(sources_.begin(), sources_.end(), row.src) == sources_.end()) sources_.push_back(row.src);
    HM_TRY(snapshot_, lineage::current_snapshot(index_, key_));
    if (!snapshot_) return true;
    out_.published = true;
    out_.commit = snapshot_->commit.hex();
    // A visit may have seen a commit that no listing has told of yet.
    out_.listing_is_newer =
        listed_head_ && *listed_head_ != snapshot_->commit && listed_changed_ms_ >= snapshot_->observed_ms;
    HM_TRY(const FileFacts facts, file_facts_of(index_, *snapshot_));
    out_.said = normalise(catalogue_, declared_in(*snapshot_, facts));
    out_.card = expression_of(catalogue_, snapshot_->card.licences);
    out_.unread = facts.unread;
    if (says_adapter(facts) || says_adapter(lineage::claims_of_card(key_.kind, snapshot_->card)))
      out_.material = Material::Adapter;
    HM_TRY(read_presence(facts));
    return true;
  }

  template <class Visit>
  Result<> each_snapshot(const Visit& visit) const {
    Result<> outcome = ok();
    HM_TRY(index_.scan(Family::Snapshots, key::repo(key_), [&](std::string_view, std::string_view bytes) {
      auto row = storage::unpack_snapshot(bytes);
      if (row)
        visit(std::move(row).value());
      else
        outcome = row.error();
      return outcome.has_value();
    }));
    return outcome;
  }

  Declared declared_in(const storage::SnapshotRow& snapshot, const FileFacts& facts) const {
    Declared declared;
    declared.ids = snapshot.card.licences;
    declared.name = snapshot.card.licence_name;
    declared.link = snapshot.card.licence_link;
    // A card that could not be read says nothing; what the Hub read there, it does say.
    const bool same_commit = listed_head_ && *listed_head_ == snapshot.commit;
    if (declared.ids.empty() && declared.name.empty() && same_commit) declared.ids = listed_ids_;
    for (const LicenceText& text : facts.licences)
      if (is_text(text)) declared.texts.push_back({text.file, text.recognised});
    declared.claims = claims_in(facts);
    return declared;
  }

  /// Whether there is a licence text and a notice. What was left out may be one, and what was not read a text.
  Result<> read_presence(const FileFacts& facts) {
    const bool partial = snapshot_->partial();
    bool text = std::any_of(facts.licences.begin(), facts.licences.end(), is_text), notice = !facts.notices.empty();
    out_.has_text = text ? Known::Yes : partial || facts.unread != 0 ? Known::Unknown : Known::No;
    if (!snapshot_->said) {  // nobody read its files, but their names are here
      HM_TRY(const auto bytes, index_.get(Family::Manifests, snapshot_->manifest.view()));
      if (!bytes) return ok();
      HM_TRY(const storage::Manifest manifest, storage::unpack_manifest(*bytes, snapshot_->manifest));
      for (const storage::ManifestFile& file : manifest.files) {
        if (is_licence_file(file.path)) ++out_.unread;
        text = text || (is_licence_file(file.path) && !is_use_policy(file.path));
        notice = notice || is_notice_file(file.path);
      }
      out_.has_text = text ? Known::Yes : partial ? Known::Unknown : Known::No;
    }
    out_.has_notice = notice ? Known::Yes : partial ? Known::Unknown : Known::No;
    return ok();
  }

  /// Entries that listings made, oldest first.
  Result<> read_listings() {
    std::vector<Said> said;
    for (const std::string& src : sources_) {
      HM_TRY(const auto entries, storage::Journal::entries_of(index_, src, key_, kHistoryMax));
      for (const storage::JournalEntry& entry : entries)
        if (text_of(entry.value, "t") == "listed") said.push_back(said_in(entry.value));
    }
    std::stable_sort(said.begin(), said.end(), [](const Said& a, const Said& b) { return a.seen_ms < b.seen_ms; });
    for (Said& one : said) add(out_.listings, std::move(one));
    return ok();
  }
  Said said_in(const json::object& entry) const {
    std::vector<std::string> ids;
    if (const json::value* list = entry.if_contains("lic"); list != nullptr && list->is_array())
      for (const json::value& id : list->get_array())
        if (id.is_string()) ids.emplace_back(std::string_view(id.get_string()));
    return {expression_of(catalogue_, std::move(ids)), number_of(entry, "obs"), text_of(entry, "commit")};
  }

  /// Revisions that were published before the present one, and it. What is published later is of another branch.
  Result<> read_commits() {
    if (!snapshot_) return ok();
    std::map<std::uint64_t, storage::SnapshotRow> by_entry;
    HM_TRY(each_snapshot([&](storage::SnapshotRow row) {
      if (row.entry > snapshot_->entry) return;
      by_entry.insert_or_assign(row.entry * 2 + (row.commit == snapshot_->commit ? 1 : 0), std::move(row));
      if (by_entry.size() > kHistoryMax) by_entry.erase(by_entry.begin());
    }));
    for (const auto& [entry, row] : by_entry) {
      HM_TRY(const FileFacts facts, file_facts_of(index_, row));
      add(out_.commits, {normalise(catalogue_, declared_in(row, facts)).expression, row.observed_ms, row.commit.hex()});
    }
    return ok();
  }

  const storage::Index& index_;
  const Catalogue& catalogue_;
  const RepoKey key_;
  Declaration out_;
  std::vector<std::string> listed_ids_, sources_;
  std::optional<Commit> listed_head_;
  std::int64_t listed_changed_ms_ = 0;
  std::optional<storage::SnapshotRow> snapshot_;
};
}  // namespace

std::string Declaration::earlier() const {
  if (said.expression != kNoAssertion) return {};
  const Said* newest = nullptr;
  for (const auto* history : {&listings, &commits})
    for (const Said& one : *history)
      if (one.expression != kNoAssertion && (newest == nullptr || one.seen_ms >= newest->seen_ms)) newest = &one;
  return newest == nullptr ? std::string() : newest->expression;
}

Claim claim_of(const Declaration& declaration) {
  Claim claim;
  claim.name = declaration.name;
  claim.expression = declaration.said.expression;
  claim.offered = declaration.said.offered;
  claim.earlier = declaration.earlier();
  claim.material = declaration.material;
  claim.has_text = declaration.has_text;
  claim.has_notice = declaration.has_notice;
  return claim;
}

Result<std::optional<Declaration>> DeclarationReader::read(const RepoKey& key, History history) const {
  return Reading(index_, catalogue_, key).run(history);
}
}  // namespace hm::provenance::licence

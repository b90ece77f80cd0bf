// provenance/record.hpp: observations and decisions → journal entries + the index rows that follow from them. Layer 4.
// docs/formats/journal.md derive() is the one place where an entry becomes rows: recording and rebuilding run the same
// code. Threads: safe; calls block on the index.
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/file_facts.hpp"
#include "storage/access_rows.hpp"
#include "storage/index.hpp"
#include "storage/journal.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"

namespace hm::provenance {
/// What one visit saw.
struct Observation {
  std::string src;  ///< host of the upstream
  RepoId repo;      ///< name as upstream spells it
  Rid rid;
  std::string visibility = "public";
  std::int64_t upstream_modified_ms = 0;
  std::string head;                    ///< full ref
  std::map<std::string, GitOid> refs;  ///< full ref → oid, upstream's own names only
  std::string info_json;               ///< the Hub's answer as received; "" when it gave none
};
/// One revision whose blobs, objects and manifest are durable.
struct PublishedRevision {
  Commit commit;
  GitOid tree;
  storage::Manifest manifest;
  std::map<std::string, GitOid> refs;  ///< refs that name it → their target (tag object or commit)
  std::string selection;               ///< config::Selection::text()
  std::uint64_t left_out_files = 0, left_out_bytes = 0;
  std::string card_front_matter;  ///< of README.md at this commit, cut at 256 KiB; "" when none
  FileFacts said;                 ///< what its files say
};

struct Listing;
class Deriver;
/// What one page of a listing brought.
struct ListingOutcome {
  std::uint64_t listed = 0;  ///< all of them
  std::uint64_t added = 0, changed = 0, moved = 0, replaced = 0;
};

class Recorder {
 public:
  Recorder(storage::Index& index, storage::Journal& journal, const Clock& clock, std::string node)
      : index_(index), journal_(journal), clock_(clock), node_(std::move(node)) {}

  /// Journals a changed ref list, a new name, a changed visibility; an unchanged visit writes no entry, only last_seen.
  /// Same rid with another name is `moved`; the old name keeps pointing here until somebody else takes it.
  Result<storage::RepoRow> record_visit(const Observation& seen);
  /// Journals one `snapshot` entry per ref (or one without ref) and makes the revision visible, all in one durable
  /// batch. Publishing the same (commit, manifest, ref) again writes nothing.
  Result<> publish(const std::string& src, const RepoKey& key, const std::vector<PublishedRevision>& revisions);
  Result<> record_gone(const storage::RepoRow& row, int http_status);
  Result<> pin(const storage::RepoRow& row, const std::string& revision, const std::string& reason);
  Result<> unpin(const storage::RepoRow& row, const std::string& revision);
  Result<> remove(const storage::RepoRow& row, const std::string& reason);
  Result<> retire(const storage::RepoRow& row, const Commit& commit,
                  const std::string& reason);  ///< retention dropped one revision
  /// The tensors of one file of a published revision have these digests (`document`: render_digests()). Journals
  /// `digests` unless the same is known of this file in this repository.
  Result<> record_digests(const storage::RepoRow& row, const Commit& commit, const Sha256& file, std::string document);
  /// A token of this mirror was handed out, or taken back: the row and the entry that tells who may read what since
  /// when, in ONE batch. The entry has the id of the token, not its hash. @param by who ran the command
  /// @returns the row as stored, with the time set.
  Result<storage::TokenRow> grant(storage::TokenRow row, const std::string& by);
  Result<storage::TokenRow> revoke(storage::TokenRow row, const std::string& by);

  /// One page of a listing, with `state` (where the lister is) in ONE durable batch. A repository whose facts are as
  /// stored costs one read and no row. Journals `listed` for what is new, comes back, or has another head, visibility
  /// or licence; `moved` for a new name of a known rid; `replaced` for a name that another rid had.
  /// @param sweep its number when the page belongs to one
  Result<ListingOutcome> record_listing(const std::string& src, const std::vector<Listing>& items,
                                        std::optional<std::uint32_t> sweep, storage::Batch state);
  /// The end of a sweep, committed with `state`: what it should have listed and did not is noted as missing; what has
  /// been missing for `patience_ms` is returned, for a direct look. Nothing is journalled here. A sweep that misses
  /// thousands, and half of what is known, is taken for the upstream's fault. Writes the lists of edges anew, which
  /// takes some seconds where millions are known.
  Result<std::vector<RepoKey>> finish_sweep(const std::string& src, RepoKind kind, std::uint32_t sweep,
                                            std::int64_t began_ms, std::int64_t patience_ms, storage::Batch state);
  /// Upstream said so when it was asked for this one; what is here stays.
  Result<> record_listing_gone(const RepoKey& key, int http_status);

 private:
  Result<> append(std::vector<json::object> entries, storage::Batch batch);
  Result<> append(std::vector<json::object> entries, storage::Batch batch, Deriver& deriver);
  Result<> decide(const storage::RepoRow& row, std::string_view act, const char* field, const std::string& value,
                  const std::string& reason);
  Result<> record_token(const storage::TokenRow& row, std::string_view act, const std::string& by);
  json::object entry(std::string_view type, const std::string& src, const RepoId& repo, const Rid& rid,
                     const json::storage_ptr& memory = {}) const;
  storage::Index& index_;
  storage::Journal& journal_;
  const Clock& clock_;
  std::string node_;
  std::mutex mutex_;
};

/// Empties the derived families and derives them anew from the journal, documents and manifests, after a look whether
/// those can be read. Returns the number of entries replayed. Killed in the middle it leaves a mark, and
/// check_index_whole() refuses the index until a rebuild ran to its end, here or in finish_rebuild().
Result<std::uint64_t> rebuild_index(storage::Index& index, const storage::Journal& journal);
Result<> check_index_whole(const storage::Index& index);
/// For a writer that has just opened the index: runs the rebuild that was interrupted, if one was.
Result<> finish_rebuild(storage::Index& index);

/// When a repository was last visited, changed or not: kept beside the journal, because a visit that saw nothing new is
/// no entry.
Result<std::optional<std::int64_t>> last_visit_ms(const storage::Index& index, const RepoKey& key);
}  // namespace hm::provenance

// app/facts.hpp: what is shown of a mirrored repository, gathered once for text and JSON. Layer 6; values.
// Everything in it follows from the journal and the blob store, so that it is the same after an index rebuild.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/services.hpp"
#include "base/canonical_json.hpp"
#include "crawler/pipeline.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"

namespace hm::app {
struct RevisionFacts {
  mirror::RevisionView view;
  std::vector<storage::ManifestFile> missing;  ///< recorded, but not in the blob store with that size
};
struct UnpublishedRef {
  std::string ref;
  std::string target;     ///< hex
  std::string published;  ///< hex of what the ref meant when it was published last; "" when it never was
};
struct RepoFacts {
  storage::RepoRow row;
  std::vector<RevisionFacts> revisions;  ///< newest observation first
  std::vector<storage::RefRow> refs;
  std::optional<storage::SnapshotRow> files_of;  ///< the revision whose files were asked for
  storage::Manifest files;
  std::vector<UnpublishedRef> unpublished;  ///< upstream's refs at the last change that lead to no published revision
};

/// @param spec its revision limits `revisions` to one; without one all are taken. Files are those of that revision, or
/// of the default branch. @returns NotFound with what to run.
Result<RepoFacts> gather_facts(const mirror::Catalog& catalog, const storage::BlobStore& blobs, const RepoSpec& spec,
                               bool with_files);
/// Upstream's refs at the last change that lead to no published revision.
Result<std::vector<UnpublishedRef>> unpublished_refs(const mirror::Catalog& catalog, const storage::RepoRow& row);
/// The rule that keeps the ref back, and what to run.
std::string why_unpublished(const storage::RepoRow& row, const UnpublishedRef& ref);
json::object to_json(const RepoFacts& facts);
/// The row as shown: with "repo" as people write it, without the digests of its documents.
json::object shown_json(const storage::RepoRow& row);
json::object to_json(const storage::ManifestFile& file);
/// What one visit did.
json::object to_json(const crawler::MirrorReport& report);
/// Texts made into JSON strings (app/output.hpp json_text).
json::array texts_json(const std::vector<std::string>& texts);
}  // namespace hm::app

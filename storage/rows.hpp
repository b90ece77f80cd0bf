// storage/rows.hpp: the values of the derived families as structs. Layer 3; values. Written by provenance/record, read
// by everybody. docs/formats/index_keys.md
#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/canonical_json.hpp"
#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace hm::storage {
/// Names: which repository a name means now, and what it meant before.
struct NameRow {
  RepoKey key;
  std::string name;                 ///< as spelled upstream
  std::vector<std::string> former;  ///< rids that had this name earlier
};
/// What a card declares; empty vectors mean "declares none", which is not "has none".
struct CardFacts {
  std::vector<std::string> licences;  ///< as written
  std::string licence_name, licence_link;
  std::vector<std::string> base_models, datasets, languages;
  std::string base_model_relation, pipeline_tag, library_name;
  std::string new_version;                   ///< of a model: what takes its place
  std::vector<std::string> source_datasets;  ///< of a dataset, as written: "original", "extended|squad"
  std::vector<std::string> evaluated_on;     ///< datasets of the results in model-index, each once
  std::vector<std::string> models;           ///< of a space: what it uses
  std::string problem;                       ///< what of the card could not be read, and why; empty when all could
  bool operator==(const CardFacts&) const = default;
};
/// Repos: the present state of one repository.
struct RepoRow {
  RepoId repo;
  Rid rid;
  std::string src;                    ///< host of the upstream
  std::string visibility = "public";  ///< public, gated-auto, gated-manual, private
  std::int64_t first_seen_ms = 0, last_change_ms = 0,
               upstream_modified_ms = 0;  ///< last_change: of the newest journal entry
  std::string head;                       ///< full ref that upstream's HEAD names
  std::optional<Sha256> info_document;    ///< Documents: the Hub's JSON as received
  std::optional<Sha256> refs_document;    ///< Documents: canonical JSON of upstream's refs at the last change
  std::vector<std::string> former_names;
  std::vector<std::string> pins;  ///< revisions (or "*") that retention may not drop
  bool removed = false;           ///< dropped locally by decision; facts stay
  int gone_status = 0;            ///< HTTP status when upstream no longer has it, else 0
  std::uint64_t last_entry = 0;   ///< journal sequence
};
/// Snapshots: one published revision.
struct SnapshotRow {
  Commit commit;
  GitOid tree;
  Sha256 manifest;
  std::uint64_t files = 0, bytes = 0;  ///< in the manifest
  std::uint64_t left_out_files = 0, left_out_bytes = 0;
  std::string selection;  ///< "" when whole
  std::int64_t observed_ms = 0;
  CardFacts card;
  std::optional<Sha256> said;  ///< Documents: what its files say, provenance/file_facts.hpp; none: nothing, or not read
  std::uint64_t entry = 0;     ///< journal sequence
  bool partial() const { return left_out_files != 0; }
};
/// Refs: a published ref.
struct RefRow {
  std::string ref;
  GitOid target;  ///< what upstream's ref names (a tag object for annotated tags)
  Commit commit;
};

json::object to_json(const NameRow&);
json::object to_json(const CardFacts&);
json::object to_json(const RepoRow&);
json::object to_json(const SnapshotRow&);
json::object to_json(const RefRow&);
std::string pack(const json::object& row);  ///< canonical bytes
Result<NameRow> unpack_name(std::string_view bytes);
Result<RepoRow> unpack_repo(std::string_view bytes);
Result<SnapshotRow> unpack_snapshot(std::string_view bytes);
Result<RefRow> unpack_ref(std::string_view bytes);
}  // namespace hm::storage

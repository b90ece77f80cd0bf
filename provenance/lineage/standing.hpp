// provenance/lineage/standing.hpp: what is here of a repository that lineage names: published, only known, gone
// upstream, or nothing at all. Layer 4. Threads: safe; calls block on the index.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/lineage/graph.hpp"
#include "storage/index.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::lineage {
struct Standing {
  bool known = false;     ///< a listing or a visit told of it
  bool mirrored = false;  ///< a revision of it is published here
  int gone_status = 0;    ///< HTTP status when upstream no longer has it, else 0
  /// "mirrored", "gone upstream", "not known here", or "known": known and not mirrored.
  std::string_view word() const;
};
Result<Standing> standing_of(const storage::Index& index, const Node& node);
/// @param repo_key key::repo()
Result<bool> is_mirrored(const storage::Index& index, std::string_view repo_key);
/// is_mirrored() for very many, of which few are: what was never visited costs no look into the index.
class MirroredAmong {
 public:
  static Result<MirroredAmong> read(const storage::Index& index);
  Result<bool> has(std::string_view repo_key) const;

 private:
  explicit MirroredAmong(const storage::Index& index) : index_(&index) {}
  const storage::Index* index_;
  std::vector<std::string> visited_;  ///< key::repo(), ascending
};
/// What upstream's default branch names here, else what was published last. nullopt: nothing is published.
Result<std::optional<storage::SnapshotRow>> current_snapshot(const storage::Index& index, const RepoKey& key);

/// When the repository was made upstream, POSIX milliseconds, as its listing or else the last visit says; 0: nobody
/// said.
Result<std::int64_t> created_ms(const storage::Index& index, const RepoKey& repo);

/// What tells nodes apart: "model:621ffdc036468d709f17434d", or "name:org/base" of one that nobody knows.
std::string id_of(const Node& node);
/// "datasets/org/name"; of what is no name of a repository the text as written. Printable.
std::string text_of(const Node& node);
/// One hop as findings show it: "org/child <-finetune declared- org/base (card base_model: "Org/Base")".
std::string hop_text(const Edge& edge);
/// Who says it, where, and in which words where these are not the name itself: "listing baseModels", "card base_model",
/// "adapter_config.json /base_model_name_or_path".
std::string said_text(const Edge& edge, const Statement& statement);
/// "listing", "card", "files": who made a statement.
std::string_view speaker_of(const Statement& statement);
}  // namespace hm::provenance::lineage

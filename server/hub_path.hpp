// server/hub_path.hpp: what a path of the Hub's HTTP surface asks for. Layer 5; pure functions. The raw path is split
// on
// '/' first, and each part is decoded once afterwards, so that an encoded slash stays within its part
// (docs/hub_protocol.md).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace hm::server {
enum class Route : std::uint8_t {
  Unknown,        ///< nothing of the Hub's
  UnknownApi,     ///< below /api/
  Own,            ///< below /-/: `rest` is behind it
  Listing,        ///< /api/models
  Info,           ///< /api/models/ID
  Revision,       ///< …/revision/REV
  Tree,           ///< …/tree/REV[/PATH]
  TreeSize,       ///< …/treesize/REV/PATH
  PathsInfo,      ///< …/paths-info/REV
  Refs,           ///< …/refs
  Commits,        ///< …/commits/REV
  Compare,        ///< …/compare/…
  AuthCheck,      ///< …/auth-check
  Scan,           ///< …/scan
  Discussions,    ///< …/discussions[/…]
  OtherOfRepo,    ///< what the Hub has below a repository and a mirror does not
  Resolve,        ///< /ID/resolve/REV/PATH and /api/resolve-cache/models/ID/REV/PATH
  Raw,            ///< /ID/raw/REV/PATH
  Page,           ///< /ID, /ID/blob/…, /ID/tree/…: for people
  GitInfoRefs,    ///< /ID[.git]/info/refs
  GitUploadPack,  ///< /ID[.git]/git-upload-pack
  GitReceivePack,
  LfsBatch,   ///< /ID[.git]/info/lfs/objects/batch
  LfsObject,  ///< /ID[.git]/info/lfs/objects/OID
  LfsLocks,   ///< /ID[.git]/info/lfs/locks…
  Whoami,
  Telemetry,
  AgentHarnesses,
  TagsByType,  ///< /api/models-tags-by-type
};

struct HubPath {
  Route route = Route::Unknown;
  RepoKind kind = RepoKind::Model;
  std::string name;       ///< "ns/name" or one segment, decoded; of the right form where there is one
  std::string above;      ///< raw path before the name: "/api/models/", "/", "/datasets/"
  std::string_view rest;  ///< raw path behind the marker, without its slash: "main/deep/file"
  std::string_view tail;  ///< raw path behind the name, with its slash or "": "/resolve/main/deep/file"
  bool git_suffix = false;
  bool kernel = false;  ///< a kernel: a kind that is not mirrored
};
/// @param raw_path begins with '/'; what is given back points into it
HubPath parse_hub_path(std::string_view raw_path);

/// Parts of a raw path, each decoded once.
std::vector<std::string> decoded_parts(std::string_view raw_path);
/// A path within a repository: parts decoded, joined; a fully encoded sub-path (sub%2Fdir) too. Nullopt when it could
/// not be a path of any repository.
std::optional<std::string> repo_path(const std::vector<std::string>& parts, std::size_t from);
}  // namespace hm::server

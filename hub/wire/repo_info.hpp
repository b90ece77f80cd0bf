// hub/wire/repo_info.hpp: what a Hub says about one repository, alone or as a row of a listing. Layer 3; values.
#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/canonical_json.hpp"
#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace hm::hub {
enum class Gated : std::uint8_t { None, Auto, Manual };  ///< who lets a reader in: nobody needs to, a form, a person
std::string_view name_of(Gated gated);                   ///< "none", "auto", "manual"

/// The LFS side of a file in `siblings` or in a tree.
struct LfsInfo {
  Sha256 oid;                            ///< of the content
  std::uint64_t size_bytes = 0;          ///< of the content
  std::uint64_t pointer_size_bytes = 0;  ///< of the pointer file in git; 0 when not said
  bool operator==(const LfsInfo&) const = default;
};

/// One file of the revision. Everything but the name comes only when it was asked for (`blobs=true`).
struct Sibling {
  std::string rfilename;  ///< path from the root, as sent: is_safe_repo_path() is the caller's to ask
  std::optional<std::uint64_t> size_bytes;
  std::optional<GitOid> blob_id;
  std::optional<LfsInfo> lfs;
};

struct RepoInfo {
  std::string id;  ///< the current name, "ns/name" or one segment; differs from the name asked for after a rename
  std::optional<Rid> rid;     ///< `_id`; absent on upstreams that have none
  std::optional<Commit> sha;  ///< head of the revision asked for; absent in short listings and for empty repositories
  std::string author;         ///< or empty
  bool is_private = false;
  Gated gated = Gated::None;
  bool disabled = false;
  std::optional<std::int64_t> created_ms;        ///< POSIX milliseconds
  std::optional<std::int64_t> last_modified_ms;  ///< of the last commit on main; may lie before created_ms
  bool siblings_given = false;  ///< false: the answer names no files, which is not the same as having none
  std::vector<Sibling> siblings;
  std::optional<json::object> card_data;  ///< the README's front matter as the Hub parsed it
  std::vector<std::string> tags;
  std::optional<std::uint64_t> used_storage_bytes;  ///< of all revisions
  std::string raw;                                  ///< the JSON text exactly as received, unknown fields included
};

/// A row of a listing. A crawl reads millions: only what it goes by is taken out.
struct ListItem {
  std::string id;
  std::optional<Rid> rid;
  std::optional<std::int64_t> created_ms, last_modified_ms;
  json::object fields;  ///< all of them; those of one page lie in one piece of memory
};

/// @returns BadInput with the JSON path of what is missing or has the wrong type.
Result<RepoInfo> parse_repo_info(std::string body);
class JsonReader;
/// All but the fields. An item that does not say clearly who may read it is refused, like a whole answer.
Result<> read_list_item(const JsonReader& from, ListItem& into);
/// `{oid|sha256, size, pointerSize}`: trees call the digest `oid`, siblings `sha256`.
Result<LfsInfo> read_lfs_info(const JsonReader& from);
}  // namespace hm::hub

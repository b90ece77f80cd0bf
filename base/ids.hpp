// base/ids.hpp: how repositories, revisions and files are named. Layer 0; values.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace hm {
enum class RepoKind : std::uint8_t { Model = 1, Dataset = 2, Space = 3 };  ///< values are on disk
std::string_view name_of(RepoKind kind);                                   ///< "model"
std::string_view api_segment(RepoKind kind);                               ///< "models", as in /api/models/…
std::string_view url_prefix(RepoKind kind);                      ///< "", "datasets/", "spaces/": resolve and git URLs
std::optional<RepoKind> parse_repo_kind(std::string_view name);  ///< "model" or "models", …

/// A repository by name: kind and `ns/name`, or the one segment of a canonical id. Names are aliases, see Rid.
struct RepoId {
  RepoKind kind = RepoKind::Model;
  std::string name;
  auto operator<=>(const RepoId&) const = default;
  /// As people write it: "ns/name", "datasets/ns/name".
  std::string text() const { return std::string(url_prefix(kind)) + name; }
};
/// Checks the Hub's rules for names: at most one '/', segments of [A-Za-z0-9._-], no "--" or "..", not ".git" at the
/// end, ≤ 96 bytes each, first and last byte of a segment not '.' or '-'.
bool is_valid_repo_name(std::string_view name);

/// The Hub's stable internal id, `_id`: 24 lowercase hex. The key everywhere. An upstream without one gets a derived
/// rid (see derived_rid).
class Rid {
 public:
  Rid() = default;
  static std::optional<Rid> parse(std::string_view hex);
  const std::string& text() const { return hex_; }
  auto operator<=>(const Rid&) const = default;

 private:
  std::string hex_ = std::string(24, '0');
};
/// For upstreams that give no `_id`: the first 12 bytes of sha256("<upstream host>\n<kind>\n<name>").
Rid derived_rid(std::string_view upstream_host, const RepoId& repo);

/// kind and rid: the key of a repository in every store.
struct RepoKey {
  RepoKind kind = RepoKind::Model;
  Rid rid;
  auto operator<=>(const RepoKey&) const = default;
  /// As people write it: "model:621ffdc036468d709f17434d".
  std::string text() const { return std::string(name_of(kind)) + ":" + rid.text(); }
};

/// What a person asks for: a repository and maybe a revision.
struct RepoSpec {
  RepoId repo;
  std::optional<Rid> rid;               ///< when it was asked for by its id; then `repo.name` is empty
  std::optional<std::string> revision;  ///< branch, tag, refs/… or commit, as typed
};
/// Reads "ns/name", "name", "datasets/ns/name", "models/ns/name", "spaces/ns/name", "model:<24 hex>" (and dataset:,
/// space:), "…@revision", "https://host/datasets/ns/name[/tree/rev|.git]", "hf://…". @returns BadInput with what is
/// wrong and an example.
Result<RepoSpec> parse_repo_spec(std::string_view text);

using Commit = GitOid;
bool is_commit_hex(std::string_view text);  ///< 40 lowercase hex digits

/// True when `path` may be a file of a repository: relative, no empty, "." or ".." segment, no NUL, no ".git" segment
/// in any case, ≤ 4096 bytes.
bool is_safe_repo_path(std::string_view path);
}  // namespace hm

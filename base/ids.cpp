#include "base/ids.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hm {
namespace {
constexpr std::size_t kSegmentBytesMax = 96;  // the Hub's client refuses longer names
constexpr std::size_t kPathBytesMax = 4096;   // PATH_MAX of Linux

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}
bool is_valid_segment(std::string_view s) {
  if (s.empty() || s.size() > kSegmentBytesMax || !std::all_of(s.begin(), s.end(), is_name_byte)) return false;
  if (s.find("--") != s.npos || s.find("..") != s.npos) return false;
  auto edge = [](char c) { return c == '.' || c == '-'; };
  return !edge(s.front()) && !edge(s.back());
}

/// What git forbids in ref names, as far as it could mislead: upstream decides whether the rest exists.
bool is_plausible_revision(std::string_view s) {
  constexpr std::size_t kRevisionBytesMax = 255;
  if (s.empty() || s.size() > kRevisionBytesMax || s.starts_with('-') || s.find("..") != s.npos) return false;
  return std::none_of(s.begin(), s.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x21 || c == 0x7f ||
           std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
  });
}

/// Drops scheme and host of a Hub URL, and the page part behind the repository: /tree/REV, /blob/REV/…, /resolve/REV/…
void split_url(std::string_view& text, std::optional<std::string>& revision) {
  const auto host = text.find("://");
  if (text.starts_with("hf://")) {
    text.remove_prefix(5);
  } else if (host != text.npos) {
    const auto slash = text.find('/', host + 3);
    text = slash == text.npos ? std::string_view{} : text.substr(slash + 1);
    text = text.substr(0, text.find_first_of("?#"));
  } else {
    return;
  }
  while (text.ends_with('/')) text.remove_suffix(1);
  for (std::string_view marker : {"/tree/", "/blob/", "/resolve/", "/raw/", "/commit/"}) {
    const auto at = text.find(marker);
    if (at == text.npos) continue;
    std::string_view rest = text.substr(at + marker.size());
    const bool whole =
        rest.starts_with("refs/") ||
        marker == "/tree/";  // a slash in a tree URL is part of the branch or a folder; a person wants the branch
    revision = percent_decode(whole && rest.starts_with("refs/") ? rest : rest.substr(0, rest.find('/')));
    text = text.substr(0, at);
    break;
  }
}
}  // namespace

std::string_view name_of(RepoKind kind) {
  switch (kind) {
    case RepoKind::Model:
      return "model";
    case RepoKind::Dataset:
      return "dataset";
    case RepoKind::Space:
      return "space";
  }
  return "unknown";
}
std::string_view api_segment(RepoKind kind) {
  switch (kind) {
    case RepoKind::Model:
      return "models";
    case RepoKind::Dataset:
      return "datasets";
    case RepoKind::Space:
      return "spaces";
  }
  return "unknown";
}
std::string_view url_prefix(RepoKind kind) {
  switch (kind) {
    case RepoKind::Model:
      return "";
    case RepoKind::Dataset:
      return "datasets/";
    case RepoKind::Space:
      return "spaces/";
  }
  return "";
}
std::optional<RepoKind> parse_repo_kind(std::string_view name) {
  for (RepoKind k : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space})
    if (name == name_of(k) || name == api_segment(k)) return k;
  return std::nullopt;
}

bool is_valid_repo_name(std::string_view name) {
  const auto slash = name.find('/');
  if (name.ends_with(".git")) return false;
  if (slash == name.npos) return is_valid_segment(name);
  return is_valid_segment(name.substr(0, slash)) && is_valid_segment(name.substr(slash + 1));
}

namespace {
std::optional<RepoKey> parse_repo_key(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == text.npos) return std::nullopt;
  const auto kind = parse_repo_kind(text.substr(0, colon));
  const auto rid = Rid::parse(ascii_lower(text.substr(colon + 1)));
  if (!kind || !rid) return std::nullopt;
  return RepoKey{*kind, *rid};
}
}  // namespace

Result<RepoSpec> parse_repo_spec(std::string_view text) {
  RepoSpec spec;
  std::string_view rest = text;
  split_url(rest, spec.revision);
  if (const auto at = rest.find('@'); at != rest.npos) {
    spec.revision = std::string(rest.substr(at + 1));
    rest = rest.substr(0, at);
    if (spec.revision->empty())
      return Error{Errc::BadInput, "no revision behind '@' in \"" + printable(text) + "\"; write e.g. org/name@main"};
  }
  if (rest.ends_with(".git")) rest.remove_suffix(4);
  for (RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
    const std::string prefix = std::string(api_segment(kind)) + "/";
    if (!rest.starts_with(prefix)) continue;
    spec.repo.kind = kind;
    rest.remove_prefix(prefix.size());
    break;
  }
  if (spec.revision && !is_plausible_revision(*spec.revision))
    return Error{Errc::BadInput,
                 "\"" + printable(*spec.revision) + "\" is not a revision; write a branch, a tag, refs/… or a commit"};
  if (const auto key = parse_repo_key(rest)) {
    spec.repo.kind = key->kind;
    spec.rid = key->rid;
    return spec;
  }
  if (!is_valid_repo_name(rest))
    return Error{Errc::BadInput, "\"" + printable(text) +
                                     "\" is not a repository; write org/name, datasets/org/name, spaces/org/name or a "
                                     "Hub URL, with @revision if wanted"};
  spec.repo.name = std::string(rest);
  return spec;
}

std::optional<Rid> Rid::parse(std::string_view hex) {
  std::array<std::uint8_t, 12> bytes;
  if (!from_hex(hex, bytes)) return std::nullopt;
  Rid rid;
  rid.hex_ = std::string(hex);
  return rid;
}

Rid derived_rid(std::string_view upstream_host, const RepoId& repo) {
  const std::string seed = std::string(upstream_host) + "\n" + std::string(name_of(repo.kind)) + "\n" + repo.name;
  return *Rid::parse(sha256(seed).hex().substr(0, 24));
}

bool is_commit_hex(std::string_view text) { return GitOid::parse(text).has_value(); }

bool is_safe_repo_path(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax || path.find('\0') != path.npos) return false;
  for (std::size_t start = 0; start <= path.size();) {
    const auto end = std::min(path.find('/', start), path.size());
    const std::string_view segment = path.substr(start, end - start);
    if (segment.empty() || segment == "." || segment == ".." || ascii_equal_fold(segment, ".git")) return false;
    start = end + 1;
  }
  return true;
}
}  // namespace hm

#include "server/hub_path.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace hm::server {
namespace {
struct Marker {
  std::string_view word;
  Route route;
  bool needs_more;  ///< something has to follow, else the word is a name
};
constexpr std::array kApiMarkers{
    Marker{"revision", Route::Revision, true},
    Marker{"tree", Route::Tree, true},
    Marker{"treesize", Route::TreeSize, true},
    Marker{"paths-info", Route::PathsInfo, true},
    Marker{"refs", Route::Refs, false},
    Marker{"commits", Route::Commits, true},
    Marker{"compare", Route::Compare, true},
    Marker{"auth-check", Route::AuthCheck, false},
    Marker{"scan", Route::Scan, false},
    Marker{"discussions", Route::Discussions, false},
    Marker{"xet-read-token", Route::OtherOfRepo, true},
    Marker{"xet-write-token", Route::OtherOfRepo, true},
    Marker{"preupload", Route::OtherOfRepo, true},
    Marker{"commit", Route::OtherOfRepo, true},
    Marker{"branch", Route::OtherOfRepo, true},
    Marker{"tag", Route::OtherOfRepo, true},
    Marker{"settings", Route::OtherOfRepo, false},
    Marker{"lfs-files", Route::OtherOfRepo, false},
    Marker{"notebook", Route::OtherOfRepo, true},
    Marker{"jwt", Route::OtherOfRepo, false},
    Marker{"leaderboard", Route::OtherOfRepo, false},
    Marker{"super-squash", Route::OtherOfRepo, true},
    Marker{"user-access-request", Route::OtherOfRepo, true},
};
constexpr std::array kWebMarkers{
    Marker{"resolve", Route::Resolve, true},
    Marker{"raw", Route::Raw, true},
    Marker{"blob", Route::Page, true},
    Marker{"tree", Route::Page, true},
    Marker{"info", Route::GitInfoRefs, true},
    Marker{"git-upload-pack", Route::GitUploadPack, false},
    Marker{"git-receive-pack", Route::GitReceivePack, false},
};

/// Takes the first segment off; "" at the end.
std::string_view take_segment(std::string_view& path) {
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return segment;
}

template <std::size_t N>
const Marker* marker_of(const std::array<Marker, N>& markers, std::string_view segment, bool more) {
  const auto at = std::find_if(markers.begin(), markers.end(),
                               [&](const Marker& m) { return m.word == segment && (more || !m.needs_more); });
  return at == markers.end() ? nullptr : &*at;
}

void set_name(HubPath& out, std::string_view raw_name, std::string_view behind) {
  out.name = percent_decode(raw_name);
  out.tail = behind;
}

/// `path` is the part from the name on. The marker behind two segments wins over the one behind one, because names have
/// two as a rule.
template <std::size_t N>
bool split_name(const std::array<Marker, N>& markers, std::string_view path, HubPath& out) {
  const std::size_t first_end = std::min(path.find('/'), path.size());
  const std::size_t second_begin = std::min(first_end + 1, path.size());
  const std::size_t second_end = std::min(path.find('/', second_begin), path.size());
  auto try_at = [&](std::size_t name_end) {
    if (name_end >= path.size()) return false;
    std::string_view rest = path.substr(name_end + 1);
    const std::string_view segment = take_segment(rest);
    const Marker* marker = marker_of(markers, segment, !rest.empty());
    if (marker == nullptr) return false;
    out.route = marker->route;
    out.rest = rest;
    set_name(out, path.substr(0, name_end), path.substr(name_end));
    return true;
  };
  return try_at(second_end) || try_at(first_end);
}

/// "info/…" behind a name is git's or LFS's.
void refine_git(HubPath& out) {
  if (out.name.ends_with(".git")) {
    out.git_suffix = true;
    out.name.resize(out.name.size() - 4);
  }
  if (out.route != Route::GitInfoRefs) return;
  constexpr std::string_view kObjects = "lfs/objects/", kLocks = "lfs/locks";
  if (out.rest == "refs") return;
  if (out.rest == "lfs/objects/batch") {
    out.route = Route::LfsBatch;
  } else if (out.rest.starts_with(kObjects)) {
    out.route = Route::LfsObject;
    out.rest.remove_prefix(kObjects.size());
  } else if (out.rest.starts_with(kLocks)) {
    out.route = Route::LfsLocks;
  } else {
    out.route = Route::Unknown;
  }
}

/// How many segments a path has, a '/' at its end not counted.
std::size_t segments_of(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path.empty() ? 0 : static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) + 1;
}

bool set_kind(std::string_view segment, HubPath& out) {
  if (segment == "kernels") {
    out.kernel = true;
    return true;
  }
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space})
    if (segment == api_segment(kind)) {
      out.kind = kind;
      return true;
    }
  return false;
}

void parse_api(std::string_view whole, std::string_view path, HubPath& out) {
  out.route = Route::UnknownApi;
  const std::string_view first = take_segment(path);
  if (first == "whoami-v2" && path.empty()) out.route = Route::Whoami;
  if (first == "telemetry") out.route = Route::Telemetry;
  if (first == "agent-harnesses" && path.empty()) out.route = Route::AgentHarnesses;
  if ((first == "models-tags-by-type" || first == "datasets-tags-by-type") && path.empty()) {
    out.route = Route::TagsByType;
    out.kind = first.starts_with("models") ? RepoKind::Model : RepoKind::Dataset;
  }
  if (first == "resolve-cache") {
    if (!set_kind(take_segment(path), out)) return;
    out.above = std::string(whole.substr(0, whole.size() - path.size()));
    // models/ns/name/SHA/file: the commit is what tells where the name ends.
    std::string_view one = path, two = path;
    take_segment(one), take_segment(two), take_segment(two);
    for (std::string_view rest : {two, one}) {
      std::string_view behind = rest;
      if (!is_commit_hex(take_segment(behind))) continue;
      out.route = Route::Resolve;
      out.rest = rest;
      set_name(out, path.substr(0, path.size() - rest.size() - 1), path.substr(path.size() - rest.size() - 1));
      return;
    }
    return;
  }
  if (!set_kind(first, out)) return;
  if (path.empty()) {
    out.route = Route::Listing;
    return;
  }
  out.above = std::string(whole.substr(0, whole.size() - path.size()));
  if (split_name(kApiMarkers, path, out)) return;
  if (segments_of(path) > 2) return;
  out.route = Route::Info;
  if (path.ends_with('/')) path.remove_suffix(1);
  set_name(out, path, {});
}
}  // namespace

HubPath parse_hub_path(std::string_view raw_path) {
  HubPath out;
  std::string_view path = raw_path;
  path.remove_prefix(std::min<std::size_t>(1, path.size()));
  if (path == "-" || path.starts_with("-/")) {
    take_segment(path);
    out.route = Route::Own;
    out.rest = path;
    return out;
  }
  if (path == "api" || path.starts_with("api/")) {
    take_segment(path);
    parse_api(raw_path, path, out);
    return out;
  }
  std::string_view behind = path;
  const std::string_view prefix = take_segment(behind);
  if (prefix != "models" && !behind.empty() && set_kind(prefix, out)) path = behind;
  out.above = std::string(raw_path.substr(0, raw_path.size() - path.size()));
  if (split_name(kWebMarkers, path, out)) {
    refine_git(out);
    return out;
  }
  const std::size_t segments = segments_of(path);
  if (segments == 1 || segments == 2) {
    out.route = Route::Page;
    if (path.ends_with('/')) path.remove_suffix(1);
    set_name(out, path, {});
    refine_git(out);
  }
  return out;
}

std::vector<std::string> decoded_parts(std::string_view raw_path) {
  std::vector<std::string> out;
  for (const std::string_view part : split(raw_path, '/')) out.push_back(percent_decode(part));
  return out;
}

std::optional<std::string> repo_path(const std::vector<std::string>& parts, std::size_t from) {
  std::string out;
  for (std::size_t i = from; i < parts.size(); ++i) out += (i == from ? "" : "/") + parts[i];
  if (!is_safe_repo_path(out)) return std::nullopt;
  return out;
}
}  // namespace hm::server

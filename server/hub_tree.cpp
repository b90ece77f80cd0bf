// Trees: /tree, /paths-info, /treesize. docs/hub_protocol.md
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iterator>
#include <map>

#include "base/canonical_json.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "mirror/git/history.hpp"
#include "mirror/git/repository.hpp"
#include "server/hub_call.hpp"

namespace hm::server {
namespace {
constexpr std::size_t kPageMax = 1000, kExpandedPageMax = 100;  // what the Hub gives
constexpr std::size_t kPathsMax = 2000;
constexpr std::uint32_t kDirectory = 0040000;

struct Entry {
  std::string path;
  GitOid oid;
  const storage::ManifestFile* file = nullptr;  ///< null: a directory
};
/// Everything of a revision that is served, directories too, in git's order. Holds its manifest.
struct Tree {
  FilesView files;
  std::vector<Entry> entries;
};

/// Directories are in git alone; which files there are is the manifest's word (a revision may be here in part).
Result<Tree> read_tree(const PublishedRepo& repo, FilesView files) {
  Tree out;
  out.files = files;
  HM_TRY(const auto repository, mirror::Repository::open(repo.git_path));
  std::vector<Entry> above;  // directories around the present entry that hold no file so far
  HM_TRY(repository.walk_entries(files->snapshot.commit, [&](const mirror::TreeFile& entry) -> Result<> {
    while (!above.empty() && !entry.path.starts_with(above.back().path + "/")) above.pop_back();
    if (entry.mode == kDirectory) {
      above.push_back({entry.path, entry.oid, nullptr});
    } else if (const storage::ManifestFile* file = files->find(entry.path)) {
      std::move(above.begin(), above.end(), std::back_inserter(out.entries));
      above.clear();
      out.entries.push_back({entry.path, entry.oid, file});
    }
    return ok();
  }));
  return out;
}

json::object to_json(const Entry& entry) {
  const bool directory = entry.file == nullptr;
  json::object out{{"type", directory ? "directory" : "file"},
                   {"oid", entry.oid.hex()},
                   {"size", directory ? 0 : entry.file->size_bytes},
                   {"path", valid_utf8(entry.path)}};
  if (!directory && entry.file->is_lfs)
    out["lfs"] = json::object{{"oid", entry.file->sha256.hex()},
                              {"size", entry.file->size_bytes},
                              {"pointerSize", pointer_size(entry.file->size_bytes)}};
  return out;
}

/// What `expand` adds, for some entries of one commit.
Result<> expand(const PublishedRepo& repo, const Commit& commit, const std::vector<Entry>& entries, json::array& into) {
  std::vector<std::string> paths;
  for (const Entry& entry : entries) paths.push_back(entry.path);
  HM_TRY(const auto repository, mirror::Repository::open(repo.git_path));
  HM_TRY(const auto changes, mirror::last_changes(repository, commit, paths));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    json::object& out = into[i].as_object();
    if (changes[i])
      out["lastCommit"] = json::object{{"id", changes[i]->id.hex()},
                                       {"title", valid_utf8(changes[i]->title)},
                                       {"date", iso8601(changes[i]->time_ms)}};
    if (entries[i].file != nullptr)
      out["securityFileStatus"] = json::object{
          {"status", "unscanned"}, {"avScan", nullptr}, {"pickleImportScan", nullptr}, {"virusTotalScan", nullptr}};
  }
  return ok();
}

bool is_below(std::string_view path, std::string_view directory, bool recursive) {
  if (!directory.empty()) {
    if (path.size() <= directory.size() || !path.starts_with(directory) || path[directory.size()] != '/') return false;
    path.remove_prefix(directory.size() + 1);
  }
  return recursive || path.find('/') == std::string_view::npos;
}

struct TreeQuestion {
  std::string path;
  bool recursive = false, expanded = false;
  std::size_t at = 0, limit = kPageMax;
};

/// @returns NotFound for a path that is no directory of the revision.
Result<CachedAnswer> render_tree(const PublishedRepo& repo, FilesView files, const TreeQuestion& question) {
  HM_TRY(Tree tree, read_tree(repo, std::move(files)));
  const auto is_it = [&](const Entry& e) { return e.file == nullptr && e.path == question.path; };
  if (!question.path.empty() && std::none_of(tree.entries.begin(), tree.entries.end(), is_it))
    return Error{Errc::NotFound, question.path};
  std::vector<Entry> page;
  std::size_t place = 0;
  CachedAnswer out;
  for (Entry& entry : tree.entries) {
    if (!is_below(entry.path, question.path, question.recursive)) continue;
    if (place++ < question.at) continue;
    if (page.size() == question.limit) {
      out.next = std::to_string(question.at + question.limit) + "-" + tree.files->snapshot.commit.hex();
      break;
    }
    page.push_back(std::move(entry));
  }
  json::array rows;
  for (const Entry& entry : page) rows.push_back(to_json(entry));
  if (question.expanded) {
    HM_TRY(expand(repo, tree.files->snapshot.commit, page, rows));
  }
  out.body = json::serialize(rows);
  return out;
}

/// "1000-<commit>": the place in the tree of that commit, so that a branch may move between two pages.
struct Cursor {
  std::size_t at = 0;
  std::optional<Commit> commit;
};
std::optional<Cursor> parse_cursor(const std::string& text) {
  const std::size_t dash = text.find('-');
  const auto at = parse_u64(text.substr(0, dash));
  if (dash == std::string::npos || !at) return std::nullopt;
  auto commit = Commit::parse(text.substr(dash + 1));
  if (!commit) return std::nullopt;
  return Cursor{*at, commit};
}

Response page_of(const HubParts& parts, const RepoCall& call, const FoundRevision& at,
                 const std::shared_ptr<const CachedAnswer>& answer) {
  Response out = json_response(std::shared_ptr<const std::string>(answer, &answer->body));
  out.add("X-Repo-Commit", at.commit.hex());
  add_next_link(out, call, answer->next);
  add_mirror_fields(out, parts, *call.repo, at.files.get());
  out.repo = call.repo->row.repo.text(), out.revision = at.commit.hex();
  return out;
}
Response no_such_path(const std::string& path, const std::string& revision, const Commit& commit) {
  Response out =
      hub_error(404, "EntryNotFound", printable(path) + " does not exist on \"" + printable(revision) + "\"");
  out.add("X-Repo-Commit", commit.hex());
  return out;
}
}  // namespace

awaitable<Response> answer_tree(const HubParts& parts, const RepoCall& call) {
  const auto query = parse_form(call.request.query());
  RevisionAndPath asked = split_revision(*call.repo, call.path.rest);
  TreeQuestion question;
  question.recursive = is_true(query, "recursive");
  question.expanded = is_true(query, "expand");
  question.limit = question.expanded ? kExpandedPageMax : kPageMax;
  if (const auto limit = value_of(query, "limit")) {
    const auto number = parse_u64(*limit);
    if (!number || *number == 0) co_return hub_error(400, "", "limit must be a whole number from 1 on");
    question.limit = std::min<std::size_t>(question.limit, *number);
  }
  std::string revision = asked.revision;
  if (const auto text = value_of(query, "cursor")) {
    const auto cursor = parse_cursor(*text);
    if (!cursor) co_return hub_error(400, "", "this cursor is none of ours");
    question.at = cursor->at;
    revision = cursor->commit->hex();
  }
  FoundRevision at = co_await find_revision(parts, call, revision);
  if (at.refusal) co_return std::move(*at.refusal);
  if (!asked.path.empty()) {
    const auto path = repo_path(asked.path, 0);
    if (!path) co_return no_such_path(std::string(call.path.rest), asked.revision, at.commit);
    question.path = *path;
  }
  const std::string key = "tree\n" + at.files->snapshot.manifest.hex() + "\n" + at.commit.hex() + "\n" +
                          std::to_string(question.at) + " " + std::to_string(question.limit) +
                          (question.recursive ? " r" : " ") + (question.expanded ? "e\n" : "\n") + question.path;
  auto answer = parts.answers.find(key);
  if (!answer) {
    auto render = [&call, &at, &question] { return render_tree(*call.repo, at.files, question); };
    auto rendered = co_await run_on(parts.published.pool(), std::move(render));
    if (!rendered && rendered.error().code == Errc::NotFound && rendered.error().what == question.path)
      co_return no_such_path(question.path, asked.revision, at.commit);
    if (!rendered) co_return failed(rendered.error(), "reading a tree");
    answer = std::make_shared<const CachedAnswer>(std::move(rendered).assume_value());
    parts.answers.put(key, answer, answer->body.size());
  }
  co_return page_of(parts, call, at, answer);
}

namespace {
struct PathsQuestion {
  std::vector<std::string> paths;
  bool expanded = false;
};
/// Of a form or of JSON. @returns BadInput.
Result<PathsQuestion> read_paths(const Request& request) {
  PathsQuestion out;
  const std::string_view type = request.header("Content-Type");
  if (ascii_lower(type).find("json") == std::string::npos) {
    const auto form = parse_form(request.body, kPathsMax + 16);
    out.paths = values_of(form, "paths");
    out.expanded = is_true(form, "expand");
  } else {
    HM_TRY(const json::value value, parse_json(request.body));
    const json::object* object = value.if_object();
    const json::value* paths = object ? object->if_contains("paths") : nullptr;
    if (paths != nullptr && paths->is_string()) out.paths.emplace_back(paths->get_string());
    if (paths != nullptr && paths->is_array())
      for (const json::value& path : paths->get_array()) {
        if (!path.is_string()) return Error{Errc::BadInput, "paths must be strings"};
        out.paths.emplace_back(path.get_string());
      }
    if (object == nullptr || (paths != nullptr && !paths->is_string() && !paths->is_array()))
      return Error{Errc::BadInput, "paths must be a list of strings"};
    const json::value* expand = object->if_contains("expand");
    out.expanded = expand != nullptr && expand->is_bool() && expand->get_bool();
  }
  if (out.paths.size() > kPathsMax)
    return Error{Errc::BadInput, "at most " + std::to_string(kPathsMax) + " paths at once"};
  return out;
}

Result<std::string> render_paths(const PublishedRepo& repo, FilesView files, const PathsQuestion& question) {
  std::vector<Entry> found;
  bool needs_tree = false;
  for (const std::string& path : question.paths) needs_tree = needs_tree || files->find(path) == nullptr;
  Tree tree;
  std::map<std::string_view, const Entry*> directories;
  if (needs_tree) {  // something that is no file: it may be a directory
    HM_TRY(tree, read_tree(repo, files));
    for (const Entry& entry : tree.entries)
      if (entry.file == nullptr) directories.emplace(entry.path, &entry);
  }
  for (std::string path : question.paths) {
    while (path.ends_with('/')) path.pop_back();
    if (const auto* file = files->find(path)) found.push_back({path, file->git_oid, file});
    const auto directory = directories.find(path);
    if (directory != directories.end()) found.push_back(*directory->second);
  }
  json::array rows;
  for (const Entry& entry : found) rows.push_back(to_json(entry));
  if (question.expanded) {
    HM_TRY(expand(repo, files->snapshot.commit, found, rows));
  }
  return json::serialize(rows);
}
}  // namespace

awaitable<Response> answer_paths_info(const HubParts& parts, const RepoCall& call) {
  auto question = read_paths(call.request);
  if (!question) co_return hub_error(400, "", question.error().what);
  const RevisionAndPath asked = split_revision(*call.repo, call.path.rest);
  FoundRevision at = co_await find_revision(parts, call, asked.revision);
  if (at.refusal) co_return std::move(*at.refusal);
  auto render = [&] { return render_paths(*call.repo, at.files, question.assume_value()); };
  auto body = co_await run_on(parts.published.pool(), std::move(render));
  if (!body) co_return failed(body.error(), "reading paths");
  Response out = json_response(std::move(body).assume_value());
  out.add("X-Repo-Commit", at.commit.hex());
  add_mirror_fields(out, parts, *call.repo, at.files.get());
  out.repo = call.repo->row.repo.text(), out.revision = at.commit.hex();
  co_return out;
}

awaitable<Response> answer_tree_size(const HubParts& parts, const RepoCall& call) {
  const RevisionAndPath asked = split_revision(*call.repo, call.path.rest);
  FoundRevision at = co_await find_revision(parts, call, asked.revision);
  if (at.refusal) co_return std::move(*at.refusal);
  const auto path = asked.path.empty() ? std::optional<std::string>("") : repo_path(asked.path, 0);
  std::uint64_t bytes = 0, files = 0;
  if (path)
    for (const storage::ManifestFile& file : at.files->manifest->files) {
      if (file.path != *path && !is_below(file.path, *path, /*recursive=*/true)) continue;
      bytes += file.size_bytes;
      ++files;
    }
  if (!path || (files == 0 && !path->empty())) co_return no_such_path(path.value_or(""), asked.revision, at.commit);
  Response out = json_response(json::serialize(json::object{{"path", "/" + valid_utf8(*path)}, {"size", bytes}}));
  out.add("X-Repo-Commit", at.commit.hex());
  out.repo = call.repo->row.repo.text(), out.revision = at.commit.hex();
  co_return out;
}
}  // namespace hm::server

#include "hub/api.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <iterator>
#include <limits>
#include <span>

#include "base/text.hpp"
#include "net/redirect.hpp"

namespace hm::hub {
namespace {
// Bodies, after decompression. The largest known repositories name some 100,000 files (10 MB of `siblings`) and 5,000
// refs; a list page has 1,000 rows.
constexpr std::uint64_t kInfoBytesMax = 64U << 20;
constexpr std::uint64_t kTreePageBytesMax = 32U << 20;
constexpr std::uint64_t kListPageBytesMax = 64U << 20;
constexpr std::uint64_t kRefsBytesMax = 64U << 20;
constexpr std::uint64_t kCommitsPageBytesMax = 16U << 20;
constexpr std::uint64_t kLfsBatchBytesMax = 16U << 20;
constexpr std::uint64_t kWhoAmIBytesMax = 1U << 20;
constexpr std::uint64_t kHeadBytesMax =
    std::numeric_limits<std::int64_t>::max();  // a HEAD announces a length and sends nothing
constexpr std::size_t kTreePagesMax = 10'000;  // of 1,000 entries: ten million files
constexpr std::size_t kCommitsPagesMax = 10'000;
constexpr std::size_t kCommitsPerPage = 100;
constexpr std::size_t kPathsPerCall = 1'000;  // the Hub takes 2,000
constexpr std::size_t kNameBytesMax = 4'096;  // of a repository, a revision: what fits in a request line everywhere

bool has_dot_segment(std::string_view path) {
  const auto segments = split(path, '/');
  return std::any_of(segments.begin(), segments.end(),
                     [](std::string_view s) { return s.empty() || s == "." || s == ".."; });
}

/// Names end up in a URL path: one that would be read as another path is refused. Everything else is the Hub's to
/// judge.
Result<> check_names(const RepoId& repo, std::string_view revision) {
  if (repo.name.size() > kNameBytesMax || has_dot_segment(repo.name))
    return Error{Errc::BadInput, "\"" + printable(repo.name.substr(0, 100)) +
                                     "\" is not the name of a repository, which looks like org/name"};
  if (revision.size() > kNameBytesMax || has_dot_segment(revision))
    return Error{Errc::BadInput,
                 "\"" + printable(revision.substr(0, 100)) + "\" is not a revision: give a branch, a tag or a commit"};
  return ok();
}

template <class T>
Result<T> parsed(Result<T> result, const Answer& answer) {
  return within(std::move(result), [&] {
    const std::string& path = answer.url.path_query;
    return "reading the answer to " + printable(path.substr(0, path.find('?')));
  });
}

/// `http://h/a/` → `http://h/a`
std::string without_trailing_slash(const net::Url& url) {
  std::string text = url.text();
  text.erase(std::min(text.find('?'), text.size()));
  while (text.ends_with('/')) text.pop_back();
  return text;
}

std::string json_of_paths(std::span<const std::string> paths) {
  json::array list;
  for (const std::string& path : paths) list.emplace_back(path);
  return json::serialize(json::object{{"paths", std::move(list)}, {"expand", false}});
}

/// True for a Location that names a host: "https://…" or "//host/…".
bool is_absolute(std::string_view location) {
  return location.starts_with("//") ||
         location.substr(0, location.find_first_of("/?#")).find(':') != std::string_view::npos;
}

/// Takes what one hop says; what an earlier hop said stays, for the later ones speak of caches.
void learn_file(ResolvedFile& file, const net::Headers& headers) {
  if (!file.commit) file.commit = repo_commit(headers);
  if (!file.size_bytes) file.size_bytes = linked_size(headers);
  if (const auto linked = headers.get("X-Linked-Etag"); linked && file.etag.empty())
    file.etag = normalized_etag(*linked);
  const auto xet = headers.get("X-Xet-Hash");
  if (xet && file.xet_hash.empty() && Sha256::parse(*xet)) file.xet_hash = *xet;
}

/// The etag of an LFS file is its sha256, that of another file its git id: the Hub's promise, checked when the bytes
/// arrive.
void name_content(ResolvedFile& file) {
  file.sha256 = Sha256::parse(file.etag);
  file.git_oid = GitOid::parse(file.etag);
}
}  // namespace

Api::Api(net::HttpClient& client, net::Url upstream, RateBudget& budget, RetryPolicy retry)
    : exchange_(client, std::move(upstream), budget, std::move(retry)),
      base_(without_trailing_slash(exchange_.upstream())) {}

std::string Api::api_url(const RepoId& repo, std::string_view rest) const {
  std::string url = base_ + "/api/";
  return url.append(api_segment(repo.kind)).append("/").append(percent_encode(repo.name, true)).append(rest);
}

std::string Api::git_url(const RepoId& repo) const {
  std::string url = base_ + "/";
  return url.append(url_prefix(repo.kind)).append(percent_encode(repo.name, true)).append(".git");
}

awaitable<Result<RepoInfo>> Api::repo_info(RepoId repo, std::optional<std::string> revision, bool with_sizes) {
  HM_CO_TRY(check_names(repo, revision ? *revision : "main"));
  std::string rest = revision ? "/revision/" + percent_encode(*revision) : "";
  if (with_sizes) rest += "?blobs=true";
  Call call("GET", api_url(repo, rest), Bucket::Api, kInfoBytesMax);
  HM_CO_TRY(auto answer, co_await exchange_.run(std::move(call)));
  co_return parsed(parse_repo_info(std::move(answer.body)), answer);
}

awaitable<Result<>> Api::tree(RepoId repo, std::string revision, bool recursive,
                              std::function<Result<>(const TreeEntry&)> visit) {
  HM_CO_TRY(check_names(repo, revision));
  Pager pager(upstream(), kTreePagesMax);
  std::string url = api_url(repo, "/tree/" + percent_encode(revision) +
                                      (recursive ? "?recursive=true&expand=false" : "?recursive=false&expand=false"));
  while (!url.empty()) {
    Call call("GET", std::move(url), Bucket::Api, kTreePageBytesMax);
    HM_CO_TRY(auto answer, co_await exchange_.run(std::move(call)));
    HM_CO_TRY(const auto entries, parsed(parse_tree(answer.body), answer));
    for (const TreeEntry& entry : entries) {
      HM_CO_TRY(visit(entry));
    }
    HM_CO_TRY(url, parsed(pager.after(answer), answer));
  }
  co_return ok();
}

awaitable<Result<std::vector<TreeEntry>>> Api::paths_info(RepoId repo, std::string revision,
                                                          std::vector<std::string> paths) {
  HM_CO_TRY(check_names(repo, revision));
  std::vector<TreeEntry> found;
  for (std::size_t at = 0; at < paths.size(); at += kPathsPerCall) {
    Call call("POST", api_url(repo, "/paths-info/" + percent_encode(revision)), Bucket::Api, kTreePageBytesMax);
    call.body = json_of_paths(std::span(paths).subspan(at, std::min(kPathsPerCall, paths.size() - at)));
    call.content_type = "application/json";
    HM_CO_TRY(auto answer, co_await exchange_.run(std::move(call)));
    HM_CO_TRY(auto entries, parsed(parse_tree(answer.body), answer));
    std::move(entries.begin(), entries.end(), std::back_inserter(found));
  }
  co_return std::move(found);
}

awaitable<Result<RefList>> Api::refs(RepoId repo, bool with_pull_requests) {
  HM_CO_TRY(check_names(repo, "main"));
  Call call("GET", api_url(repo, with_pull_requests ? "/refs?include_prs=1" : "/refs"), Bucket::Api, kRefsBytesMax);
  HM_CO_TRY(auto answer, co_await exchange_.run(std::move(call)));
  co_return parsed(parse_refs(answer.body), answer);
}

awaitable<Result<std::vector<CommitInfo>>> Api::commits(RepoId repo, std::string revision, std::size_t count_max) {
  HM_CO_TRY(check_names(repo, revision));
  std::vector<CommitInfo> commits;
  if (count_max == 0) co_return std::move(commits);
  Pager pager(upstream(), kCommitsPagesMax);
  std::string url = api_url(repo, "/commits/" + percent_encode(revision) +
                                      "?p=0&limit=" + std::to_string(std::min(count_max, kCommitsPerPage)));
  while (!url.empty() && commits.size() < count_max) {
    Call call("GET", std::move(url), Bucket::Api, kCommitsPageBytesMax);
    HM_CO_TRY(auto answer, co_await exchange_.run(std::move(call)));
    HM_CO_TRY(auto page, parsed(parse_commits(answer.body), answer));
    page.resize(std::min(page.size(), count_max - commits.size()));
    std::move(page.begin(), page.end(), std::back_inserter(commits));
    HM_CO_TRY(url, parsed(pager.after(answer), answer));
  }
  co_return std::move(commits);
}

awaitable<Result<ListPage>> Api::list(RepoKind kind, std::string query, std::string next_url) {
  if (next_url.empty()) {
    next_url = base_ + "/api/" + std::string(api_segment(kind)) + (query.empty() ? "" : "?" + query);
  } else {
    HM_CO_TRY(const auto next, net::parse_url(next_url));
    if (!next.same_origin(upstream()))
      co_return Error(Errc::Refused, "the page " + printable(next.origin()) + " is not on " + upstream().origin());
  }
  Call call("GET", std::move(next_url), Bucket::Api, kListPageBytesMax);
  call.about_a_repo = false;
  HM_CO_TRY(auto answer, co_await exchange_.run(std::move(call)));
  HM_CO_TRY(auto page, parsed(parse_list(answer.body), answer));
  HM_CO_TRY(page.next, parsed(next_page(answer.headers, answer.url, upstream()), answer));
  co_return std::move(page);
}

awaitable<Result<bool>> Api::may_read(RepoId repo, Rid rid, std::string token) {
  HM_CO_TRY(check_names(repo, "main"));
  Call check("GET", api_url(repo, "/auth-check"), Bucket::Api, kWhoAmIBytesMax);
  check.token = token;
  const auto allowed = co_await exchange_.run(std::move(check));
  if (!allowed) {
    const Error& error = allowed.error();
    const bool said_no = error.http_status != 0 && (error.code == Errc::Gated || error.code == Errc::NotFound);
    if (said_no) co_return false;
    co_return error;
  }
  Call look("GET", api_url(repo, "?expand=gated"), Bucket::Api, kInfoBytesMax);
  look.token = std::move(token);
  HM_CO_TRY(auto answer, co_await exchange_.run(std::move(look)));
  HM_CO_TRY(const RepoInfo info, parsed(parse_repo_info(std::move(answer.body)), answer));
  const RepoId named{repo.kind, info.id};
  co_return (info.rid ? *info.rid : derived_rid(upstream().host_port(), named)) == rid;
}

awaitable<Result<WhoAmI>> Api::whoami() {
  Call call("GET", base_ + "/api/whoami-v2", Bucket::Api, kWhoAmIBytesMax);
  call.about_a_repo = false;
  HM_CO_TRY(auto answer, co_await exchange_.run(std::move(call)));
  co_return parsed(parse_whoami(answer.body), answer);
}

awaitable<Result<>> Api::fetch_lfs_batch(std::string url, std::vector<LfsPointer> objects,
                                         std::vector<LfsObject>& into) {
  Call call("POST", std::move(url), Bucket::Pages, kLfsBatchBytesMax);
  call.body = render_lfs_batch_request(objects);
  call.content_type = "application/vnd.git-lfs+json";
  HM_CO_TRY(auto answer, co_await exchange_.run(std::move(call)));
  HM_CO_TRY(auto parsed_objects, parsed(parse_lfs_batch(answer.body, exchange_.retry().clock->unix_ms()), answer));
  auto matched = match_lfs_answer(objects, std::move(parsed_objects));
  std::move(matched.begin(), matched.end(), std::back_inserter(into));
  co_return ok();
}

awaitable<Result<std::vector<LfsObject>>> Api::lfs_batch(RepoId repo, std::vector<LfsPointer> objects) {
  HM_CO_TRY(check_names(repo, "main"));
  std::vector<LfsObject> all;
  all.reserve(objects.size());
  for (std::size_t at = 0; at < objects.size(); at += kLfsBatchMax) {
    const auto begin = objects.begin() + static_cast<std::ptrdiff_t>(at);
    std::vector<LfsPointer> chunk(begin,
                                  begin + static_cast<std::ptrdiff_t>(std::min(kLfsBatchMax, objects.size() - at)));
    HM_CO_TRY(co_await fetch_lfs_batch(git_url(repo) + "/info/lfs/objects/batch", std::move(chunk), all));
  }
  co_return std::move(all);
}

awaitable<Result<ResolvedFile>> Api::resolve(RepoId repo, std::string revision, std::string path) {
  HM_CO_TRY(check_names(repo, revision));
  if (!is_safe_repo_path(path))
    co_return Error(Errc::BadInput, "\"" + printable(path.substr(0, 200)) + "\" cannot be the path of a file");
  std::string url = base_ + "/";
  url.append(url_prefix(repo.kind)).append(percent_encode(repo.name, true)).append("/resolve/");
  url.append(percent_encode(revision)).append("/").append(percent_encode(path, true));
  ResolvedFile file;
  for (int redirects = 0; redirects <= net::kRedirectsMax; ++redirects) {
    Call call("HEAD", url, Bucket::Resolvers, kHeadBytesMax);
    HM_CO_TRY(const auto response, co_await exchange_.head(std::move(call)));
    learn_file(file, response.headers);
    file.url = std::move(url);
    if (!net::is_redirect(response.status)) {
      if (const auto etag = response.headers.get("ETag"); etag && file.etag.empty()) file.etag = normalized_etag(*etag);
      if (!file.size_bytes && !response.headers.get("Content-Encoding")) file.size_bytes = response.content_length;
      name_content(file);
      co_return std::move(file);
    }
    HM_CO_TRY(const auto target, net::redirect_target(response));
    url = target.text();
    const bool on_upstream = target.same_origin(upstream());
    if (!on_upstream || (is_absolute(response.headers.get("Location").value_or("")) && !file.etag.empty())) {
      file.url = std::move(url);
      file.elsewhere = !on_upstream;
      name_content(file);
      co_return std::move(file);
    }
  }
  co_return Error(Errc::Refused,
                  "more than " + std::to_string(net::kRedirectsMax) + " redirects; while resolving " + printable(path));
}
}  // namespace hm::hub

#include "server/router.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/text.hpp"
#include "server/freshness.hpp"
#include "server/hub_fields.hpp"
#include "server/refusal.hpp"

namespace hm::server {
namespace {
constexpr std::uint64_t kApiBodyMax = 2U << 20;  // two thousand paths of a thousand bytes
constexpr std::uint64_t kSwallowedBodyMax = 64U << 10;

/// Which fields of a request an answer depends on, for caches in front.
constexpr std::string_view kVary = "Vary: Origin, Authorization\r\n";
/// Pages of other origins may read what anybody may read. Told to those alone: it is a third of the fields of a file.
constexpr std::string_view kCrossOrigin =
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,"
    "Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Hubmirror-Age,X-Hubmirror-Partial\r\n";

Want want_of(Route route) {
  switch (route) {
    case Route::Resolve:
    case Route::Raw:
    case Route::AuthCheck:
    case Route::GitInfoRefs:
    case Route::GitUploadPack:
    case Route::LfsBatch:
    case Route::LfsObject:
      return Want::Bytes;
    default:
      return Want::Facts;
  }
}

bool names_a_repo(Route route) {
  switch (route) {
    case Route::Unknown:
    case Route::UnknownApi:
    case Route::Own:
    case Route::Listing:
    case Route::Whoami:
    case Route::Telemetry:
    case Route::AgentHarnesses:
    case Route::TagsByType:
      return false;
    default:
      return true;
  }
}

/// Which routes take something else than GET and HEAD.
bool takes_post(Route route) {
  return route == Route::PathsInfo || route == Route::GitUploadPack || route == Route::GitReceivePack ||
         route == Route::LfsBatch || route == Route::LfsLocks || route == Route::Telemetry;
}
bool takes_only_post(Route route) {
  return route == Route::PathsInfo || route == Route::GitUploadPack || route == Route::LfsBatch;
}

Response read_only() {
  Response out = hub_error(403, "", "read-only mirror");
  out.add("Allow", "GET, HEAD, OPTIONS");
  return out;
}
Response wrong_method(std::string_view allowed) {
  Response out = hub_error(405, "", "Method not allowed");
  out.add("Allow", allowed);
  return out;
}
Response preflight() {
  Response out;
  out.status = 204;
  out.add("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS");
  out.add("Access-Control-Allow-Headers", "Authorization, Content-Type, Range, If-None-Match, If-Range");
  out.add("Access-Control-Max-Age", "86400");
  return out;
}
Response no_pages() {
  return text_response(404, "This mirror answers the Hub's clients, git and git-lfs; it has no pages.\n");
}
}  // namespace

std::uint64_t Router::body_bytes_max(const Request& head) {
  switch (parse_hub_path(head.path()).route) {
    case Route::GitUploadPack:
      return GitRoutes::body_bytes_max(head);
    case Route::LfsBatch:
      return LfsRoutes::kRequestBytesMax;
    case Route::PathsInfo:
      return kApiBodyMax;
    default:
      return kSwallowedBodyMax;
  }
}

awaitable<Response> Router::answer(const Request& request) {
  const HubPath path = parse_hub_path(request.path());
  std::shared_ptr<const Caller> caller;
  Response response = co_await route(request, path, caller);
  constexpr int kUnauthorized = 401;
  response.caller = caller ? caller->name() : response.status == kUnauthorized ? "refused" : "-";
  if (path.route != Route::Own) {
    response.fields.append(kVary);
    if (request.has_header("Origin")) response.fields.append(kCrossOrigin);
  }
  co_return response;
}

void Router::done(const Request& request, const Response& response, const Sent& sent) {
  if (p_.log) p_.log(request, response, sent);
}

awaitable<Response> Router::route(const Request& request, const HubPath& path, std::shared_ptr<const Caller>& caller) {
  if (path.route == Route::Own && !request.is_read()) co_return wrong_method("GET, HEAD");
  // Whoever probes whether to send clients here has no token.
  if (path.route == Route::Own && (path.rest == "health" || path.rest == "ready"))
    co_return co_await p_.own.answer(std::string(path.rest));
  if (request.method == Method::Options) co_return preflight();
  Response refused;
  caller = p_.access.caller_of(request, refused);
  if (!caller) co_return refused;
  if (path.route == Route::Own) co_return co_await p_.own.answer(std::string(path.rest));
  if (!names_a_repo(path.route)) co_return co_await without_repo(request, path, caller);
  if (path.route == Route::GitReceivePack) co_return GitRoutes::refuse_push();
  if (path.route == Route::LfsLocks) co_return LfsRoutes::locks();
  const bool posts = request.method == Method::Post && takes_post(path.route);
  if (!request.is_read() && !posts) co_return read_only();
  if (request.is_read() && takes_only_post(path.route)) co_return wrong_method("POST");
  co_return co_await of_repo(request, path, caller);
}

awaitable<Response> Router::without_repo(const Request& request, const HubPath& path,
                                         std::shared_ptr<const Caller> caller) {
  if (path.route == Route::Telemetry) co_return json_response(std::string("{}"));
  if (!request.is_read()) co_return path.route == Route::Unknown ? wrong_method("GET, HEAD") : read_only();
  switch (path.route) {
    case Route::Whoami:
      co_return whoami(*caller);
    case Route::AgentHarnesses:
      co_return json_response(std::string("{\"harnesses\":{}}"));
    case Route::Listing: {
      const auto base = p_.peers.base_url(request);
      co_return co_await answer_listing(p_.hub, request, path, std::move(caller), base.value_or(""));
    }
    case Route::TagsByType:
      co_return json_response(std::string("{}"));
    case Route::UnknownApi:
      co_return hub_error(404, "", "Not Found");
    default:
      co_return no_pages();
  }
}

awaitable<Response> Router::of_absent(const Request& request, const HubPath& path,
                                      std::shared_ptr<const Caller> caller) {
  const RepoId repo{path.kind, path.name};
  if (!path.kernel) {
    if (path.route == Route::Info) {
      auto listed = co_await answer_listed_info(p_.hub, request, path, caller);
      if (listed) co_return std::move(*listed);
    }
    co_await p_.access.miss(caller, repo);
  }
  co_return absent(*caller, face_of(request));
}

/// Before anything is said of a repository, upstream is asked where what is here may be too old. @returns an answer
/// when it could not be, and nothing that is here will do.
awaitable<std::optional<Response>> Router::make_fresh(const Request& request, const HubPath& path,
                                                      std::shared_ptr<const Caller> caller, RepoView& repo) {
  const RepoId asked{path.kind, path.name};
  if (!repo) {  // nothing is fetched for a caller who would not be told of it, as public as it may be
    storage::RepoRow supposed;
    supposed.repo = asked;
    if (co_await p_.access.may(caller, supposed, Want::Facts) != Verdict::Granted) co_return std::nullopt;
  }
  auto fresh = co_await refresh(p_.hub, path, repo);
  if (!fresh) co_return failed(fresh.error(), "looking for a repository");
  repo = fresh.assume_value().repo;
  const auto& missing = fresh.assume_value().missing;
  if (!missing || (!repo && missing->code == Errc::NotFound)) co_return std::nullopt;
  if (repo) {
    const Verdict verdict = co_await p_.access.may(caller, repo->row, want_of(path.route));
    if (verdict != Verdict::Granted) co_return std::nullopt;  // the usual refusal comes first
  }
  Response out = not_fetched(*missing, face_of(request));
  out.fetched = true;
  co_return out;
}

awaitable<Response> Router::of_repo(const Request& request, const HubPath& path, std::shared_ptr<const Caller> caller) {
  const RepoId asked{path.kind, path.name};
  if (path.kernel || !is_valid_repo_name(path.name)) co_return co_await of_absent(request, path, caller);
  auto found = p_.hub.published.find_now(asked);
  if (!found.known) {
    auto read = co_await p_.hub.published.find(asked);
    if (!read) co_return failed(read.error(), "looking for a repository");
    found.repo = std::move(read).assume_value();
  }
  if (p_.hub.fetching.on_demand != nullptr) {
    auto refused = co_await make_fresh(request, path, caller, found.repo);
    if (refused) co_return std::move(*refused);
  }
  if (!found.repo) co_return co_await of_absent(request, path, caller);
  const RepoView repo = std::move(found.repo);
  const Verdict verdict = co_await p_.access.may(caller, repo->row, want_of(path.route));
  if (verdict == Verdict::Absent) co_return absent(*caller, face_of(request));
  if (verdict != Verdict::Granted) {
    Response no = refusal(verdict, repo->row, *caller, face_of(request));
    no.repo = repo->row.repo.text();
    co_return no;
  }
  if (repo->row.repo.name != path.name) {  // renamed, or written otherwise
    Response moved = text_response(307, "");
    std::string to = path.above + repo->row.repo.name + (path.git_suffix ? ".git" : "") + std::string(path.tail);
    if (!request.query().empty()) to += "?" + std::string(request.query());
    moved.body = "Temporary Redirect. Redirecting to " + to;
    moved.add("Location", to);
    moved.repo = repo->row.repo.text();
    co_return moved;
  }
  co_return co_await of_published(request, path, repo);
}

awaitable<Response> Router::of_published(const Request& request, const HubPath& path, RepoView repo) {
  const RepoCall call(request, path, repo, p_.peers);
  switch (path.route) {
    case Route::Info:
    case Route::Revision:
      co_return co_await answer_info(p_.hub, call);
    case Route::Tree:
      co_return co_await answer_tree(p_.hub, call);
    case Route::TreeSize:
      co_return co_await answer_tree_size(p_.hub, call);
    case Route::PathsInfo:
      co_return co_await answer_paths_info(p_.hub, call);
    case Route::Refs:
      co_return co_await answer_refs(p_.hub, call);
    case Route::Commits:
      co_return co_await answer_commits(p_.hub, call);
    case Route::AuthCheck:
      co_return json_response(std::string("{}"));
    case Route::Scan:
      co_return json_response(std::string("{\"scansDone\":false,\"filesWithIssues\":[]}"));
    case Route::Discussions:
      co_return json_response(std::string("{\"discussions\":[],\"count\":0,\"start\":0,\"numClosedDiscussions\":0}"));
    case Route::Resolve:
      co_return co_await answer_resolve(p_.hub, call);
    case Route::Raw:
      co_return co_await answer_raw(p_.hub, call);
    case Route::GitInfoRefs:
      co_return co_await p_.git.info_refs(request, std::move(repo));
    case Route::GitUploadPack:
      co_return co_await p_.git.upload_pack(request, std::move(repo));
    case Route::LfsBatch:
      co_return co_await p_.lfs.batch(request, std::move(repo), call.base_url());
    case Route::LfsObject:
      co_return co_await p_.lfs.object(request, std::move(repo), std::string(path.rest));
    case Route::Compare:
    case Route::OtherOfRepo:
      co_return hub_error(501, "", "This mirror does not have this part of the Hub");
    default:
      co_return no_pages();
  }
}
}  // namespace hm::server

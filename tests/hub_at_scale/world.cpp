#include "tests/hub_at_scale/world.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hm::test::scale {
namespace {
std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }  // names need no escapes

Answer failure(int status, std::string_view message, std::string_view code = {}) {
  Answer answer;
  answer.status = status;
  if (!code.empty()) answer.headers.emplace_back("X-Error-Code", code);
  std::string plain(message);
  answer.headers.emplace_back("X-Error-Message", plain);
  answer.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  std::string escaped;
  for (const char c : plain) {
    if (c == '"' || c == '\\') escaped += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) escaped += c;
  }
  answer.body = "{\"error\":" + quoted(escaped) + "}";
  return answer;
}

Answer json_answer(std::string body) {
  Answer answer;
  answer.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  answer.body = std::move(body);
  return answer;
}

RateBucket bucket_of(std::string_view path) {
  if (path.find("/resolve/") != std::string_view::npos) return RateBucket::Resolvers;
  return path.starts_with("/api/") ? RateBucket::Api : RateBucket::Pages;
}

std::string next_target(const Query& query, std::string_view cursor) {
  std::string out = query.path;
  char separator = '?';
  for (const auto& [key, value] : query.params) {
    if (key == "cursor") continue;
    out += separator + percent_encode(key) + "=" + percent_encode(value);
    separator = '&';
  }
  return out + separator + "cursor=" + percent_encode(cursor);
}
}  // namespace

std::string_view Answer::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (ascii_equal_fold(key, name)) return value;
  return {};
}

std::string_view name_of(Route route) {
  static constexpr std::array<std::string_view, kRoutes> kNames{"list",    "info", "moved", "missing",
                                                                "resolve", "page", "other"};
  return kNames[static_cast<std::size_t>(route)];
}

World::World(const Scale& scale, const Clock& clock, HubTraits traits)
    : clock_(clock), traits_(std::move(traits)), store_(scale) {}

void World::set_quota(RateBucket bucket, std::uint64_t requests) {
  const std::lock_guard lock(mutex_);
  rates_.quotas[static_cast<std::size_t>(bucket)] = requests;
}

Stats World::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  for (std::size_t i = 0; i < kRateBuckets; ++i) stats.max_used[i] = rates_.max_used(static_cast<RateBucket>(i));
  return stats;
}

Answer World::handle(const Request& request) {
  const Query query = parse_query(request.target);
  const RateBucket bucket = bucket_of(query.path);
  const std::lock_guard lock(mutex_);
  const std::int64_t now_ms = clock_.unix_ms();
  Answer out;
  if (rates_.take(bucket, now_ms)) {
    out = answer(request, query);
  } else {
    ++stats_.rate_limited;
    out = failure(429, "We had to rate limit you");
  }
  if (const std::string state = rates_.state(bucket, now_ms); !state.empty()) {
    out.headers.emplace_back("RateLimit", state);
    out.headers.emplace_back("RateLimit-Policy", rates_.policy(bucket));
  }
  if (request.method == "HEAD") out.body.clear();
  return out;
}

Answer World::counted(Route route, Answer answer) {
  ++stats_.calls[static_cast<std::size_t>(route)];
  return answer;
}

Answer World::answer(const Request& request, const Query& query) {
  if (request.method != "GET" && request.method != "HEAD")
    return counted(Route::Other, failure(405, "Method not allowed"));
  const std::string_view path = query.path;
  const RateBucket bucket = bucket_of(path);
  if (bucket == RateBucket::Resolvers) return counted(Route::Resolve, failure(404, "Entry not found", "EntryNotFound"));
  if (bucket == RateBucket::Pages) return counted(Route::Page, failure(404, "Page not found"));
  for (std::size_t k = 0; k < kKinds; ++k) {
    const std::string prefix = "/api/" + std::string(api_segment(kind_at(k)));
    if (path == prefix) return list(request, query, kind_at(k));
    if (path.starts_with(prefix + "/")) return info(request, query, kind_at(k), path.substr(prefix.size() + 1));
  }
  return counted(Route::Other, failure(404, "Not Found"));
}

Answer World::list(const Request& request, const Query& query, RepoKind kind) {
  ++stats_.lists[index_of(kind)];
  Result<Page> page = list_page(store_, kind, query, traits_);
  if (!page) return counted(Route::List, failure(400, page.assume_error().what));
  Answer out = json_answer(std::move(page.assume_value().rows));
  if (const auto& cursor = page.assume_value().cursor)
    out.headers.emplace_back("Link", "<" + request.origin + next_target(query, *cursor) + ">; rel=\"next\"");
  return counted(Route::List, std::move(out));
}

Answer World::missing(const Request& request) {
  if (!request.authorization.empty())
    return counted(Route::Missing, failure(404, "Repository not found", "RepoNotFound"));
  Answer out = failure(401, "Invalid username or password.");
  out.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"Authentication required\", charset=\"UTF-8\"");
  return counted(Route::Missing, std::move(out));
}

Answer World::info(const Request& request, const Query& query, RepoKind kind, std::string_view rest) {
  // name, ns/name, name/revision/rev, ns/name/revision/rev; a revision may hold slashes.
  std::string_view name = rest;
  std::optional<std::string> revision;
  if (const std::size_t mark = rest.find("/revision/"); mark != std::string_view::npos) {
    name = rest.substr(0, mark);
    revision = percent_decode(rest.substr(mark + 10));
  }
  const std::string id = percent_decode(name);
  if (!is_valid_repo_name(id)) return missing(request);
  if (const auto slot = store_.find(kind, id)) {
    if (!store_.at(*slot).listed()) return missing(request);
    return describe(query, *slot, revision);
  }
  const auto moved = store_.renamed_from(kind, id);
  if (!moved || !store_.at(*moved).listed()) return missing(request);
  Answer out;
  out.status = 307;
  const std::string path = "/api/" + std::string(api_segment(kind)) + "/" + store_.name(*moved);
  out.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  out.headers.emplace_back("Location",
                           path + std::string(request.target.substr(query.path.size() - rest.size() + name.size())));
  out.body = "Temporary Redirect. Redirecting to " + path;
  return counted(Route::Moved, std::move(out));
}

Answer World::describe(const Query& query, std::uint32_t slot, const std::optional<std::string>& revision) {
  const Repo& repo = store_.at(slot);
  if (repo.disabled) return counted(Route::Info, failure(403, "Access to this resource is disabled."));
  const auto expanded = parse_expands(query, repo.kind, traits_);
  if (!expanded) return counted(Route::Info, failure(400, expanded.assume_error().what));
  RowStyle style;
  style.with_rid = !traits_.no_rid;
  style.sizes = query.get("blobs") == "true";
  std::string sha;
  if (revision && *revision != "main" && *revision != "HEAD") {
    for (std::uint32_t commit = repo.commits; commit > 0; --commit) {
      sha.clear();
      store_.append_sha(sha, slot, commit);
      if (sha == *revision) break;
    }
    if (sha != *revision)
      return counted(Route::Info, failure(404, "Invalid rev id: " + printable(*revision), "RevisionNotFound"));
    style.head = sha;
  }
  std::string body;
  append_row(body, store_, slot, expanded.assume_value().value_or(info_fields(repo.kind)), style);
  return counted(Route::Info, json_answer(std::move(body)));
}

std::uint64_t World::count(RepoKind kind) const {
  const std::lock_guard lock(mutex_);
  return store_.count(kind);
}

Rid World::rid_of(std::uint32_t slot) const {
  std::string hex;
  store_.append_id(hex, slot);
  return Rid::parse(hex).value();
}

Truth World::truth(std::uint32_t slot) const {
  const Repo& repo = store_.at(slot);
  Truth out;
  out.rid = rid_of(slot);
  out.kind = repo.kind;
  out.name = store_.name(slot);
  out.visible = repo.listed();
  out.removed = repo.removed;
  out.disabled = repo.disabled;
  store_.append_sha(out.sha, slot, repo.commits);
  out.gate = repo.gate;
  out.licence = kLicences[repo.licence].id;
  out.created_ms = std::int64_t{repo.created_s} * 1000;
  out.last_modified_ms = std::int64_t{repo.modified_s} * 1000;
  out.downloads = repo.downloads;
  return out;
}

std::optional<Truth> World::find(const Rid& rid) const {
  const std::lock_guard lock(mutex_);
  const auto slot = store_.slot_of(rid.text());
  return slot ? std::optional(truth(*slot)) : std::nullopt;
}

std::optional<Truth> World::find(RepoKind kind, std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto slot = store_.find(kind, name);
  return slot ? std::optional(truth(*slot)) : std::nullopt;
}

std::optional<std::uint32_t> World::visit(RepoKind kind, std::uint32_t from, std::uint32_t max,
                                          const std::function<void(const Truth&)>& visit) const {
  const std::lock_guard lock(mutex_);
  const std::uint32_t end = from + std::min(max, store_.size() - std::min(from, store_.size()));
  for (std::uint32_t slot = from; slot < end; ++slot)
    if (store_.at(slot).kind == kind) visit(truth(slot));
  return end < store_.size() ? std::optional(end) : std::nullopt;
}

void World::for_each(RepoKind kind, const std::function<void(const Truth&)>& visit) const {
  this->visit(kind, 0, kNobody, visit);
}

std::string render_json(const Truth& t) {
  const std::string gated = t.gate == Gate::Open ? "false" : quoted(name_of(t.gate));
  return "{\"rid\":" + quoted(t.rid.text()) + ",\"kind\":" + quoted(hm::name_of(t.kind)) +
         ",\"name\":" + quoted(t.name) + ",\"visible\":" + (t.visible ? "true" : "false") +
         ",\"removed\":" + (t.removed ? "true" : "false") + ",\"disabled\":" + (t.disabled ? "true" : "false") +
         ",\"sha\":" + quoted(t.sha) + ",\"gated\":" + gated +
         ",\"licence\":" + (t.licence.empty() ? "null" : quoted(t.licence)) +
         ",\"downloads\":" + std::to_string(t.downloads) + ",\"lastModified\":" + quoted(iso8601(t.last_modified_ms)) +
         ",\"createdAt\":" + quoted(iso8601(t.created_ms)) + "}";
}

std::string render_json(const Mutation& m) {
  const auto or_null = [](const std::string& text) { return text.empty() ? "null" : quoted(text); };
  return "{\"what\":" + quoted(m.what) + ",\"kind\":" + quoted(hm::name_of(m.kind)) +
         ",\"rid\":" + quoted(m.rid.text()) + ",\"old_name\":" + or_null(m.old_name) +
         ",\"new_name\":" + or_null(m.new_name) +
         ",\"new_rid\":" + (m.what == "replace" ? quoted(m.new_rid.text()) : "null") +
         ",\"at_ms\":" + std::to_string(m.at_ms) + "}";
}
}  // namespace hm::test::scale

// Repository info, of what is mirrored and of what listings know. docs/hub_protocol.md
// A Hub's own answer is kept as received; it is given again with what this mirror has: commit, files, visibility, name.
#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/canonical_json.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "provenance/selection.hpp"
#include "server/hub_call.hpp"
#include "server/hub_fields.hpp"

namespace hm::server {
namespace {
/// What only the Hub itself can serve: clients would go there for it.
constexpr std::array kNotHere{"xetEnabled", "inferenceProviderMapping", "resourceGroup", "gitalyUid"};
constexpr std::int64_t kPopularityEveryMs = 10 * 60'000;

json::value gated_value(std::string_view visibility) {
  if (visibility == "gated-auto") return "auto";
  if (visibility == "gated-manual") return "manual";
  return false;
}

/// The first four bytes of a rid of the Hub are the time of its making.
std::int64_t created_ms_of(const Rid& rid) {
  std::int64_t seconds = 0;
  for (const char c : rid.text().substr(0, 8)) seconds = seconds * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
  constexpr std::int64_t kFirst = 1'646'263'744;  // 2022-03-02T23:29:04Z: the Hub says no earlier time
  return std::max(seconds, kFirst) * 1000;
}

void add_siblings(json::object& info, const storage::Manifest& manifest, bool blobs) {
  json::array out;
  out.reserve(manifest.files.size());
  for (const storage::ManifestFile& file : manifest.files) {
    json::object one{{"rfilename", valid_utf8(file.path)}};
    if (blobs) {
      one["size"] = file.size_bytes;
      one["blobId"] = file.git_oid.hex();
      if (file.is_lfs)
        one["lfs"] = json::object{
            {"sha256", file.sha256.hex()}, {"size", file.size_bytes}, {"pointerSize", pointer_size(file.size_bytes)}};
    }
    out.push_back(std::move(one));
  }
  info["siblings"] = std::move(out);
}

void add_if_absent(json::object& info, const char* name, json::value value) {
  if (!info.contains(name)) info[name] = std::move(value);
}

struct InfoQuestion {
  std::vector<std::string> fields;  ///< of expand; empty: the usual ones
  bool blobs = false, security = false;
  std::string key() const {
    std::string out = blobs ? "b" : "-";
    out += security ? "s" : "-";
    for (const std::string& field : fields) out += "\n" + field;
    return out;
  }
};
/// @returns the refusal of a field that there is not
std::optional<Response> read_question(const Request& request, RepoKind kind, InfoQuestion& out) {
  const auto query = parse_form(request.query());
  out.blobs = is_true(query, "blobs");
  out.security = is_true(query, "securityStatus");
  out.fields = values_of(query, "expand");
  for (const std::string& field : out.fields)
    if (!is_expandable(kind, field)) return unknown_field(kind, field);
  return std::nullopt;
}

/// Only what was asked for, in that order.
json::object projected(json::object info, const std::vector<std::string>& fields) {
  if (fields.empty()) return info;
  json::object out{{"_id", info["_id"]}, {"id", info["id"]}};
  for (const std::string& field : fields)
    if (const json::value* value = info.if_contains(field)) out[field] = *value;
  return out;
}

/// @param files null for a repository without commits
Result<json::object> info_of(const storage::Index& index, const mirror::Catalog& catalog, const PublishedRepo& repo,
                             const RevisionFiles* files, const InfoQuestion& question) {
  json::object info;
  if (repo.row.info_document) {
    HM_TRY(const auto text, catalog.document(*repo.row.info_document));
    if (text) {
      HM_TRY(json::value kept, parse_json(*text));
      if (kept.is_object()) info = std::move(kept.get_object());
    }
  }
  for (const char* field : kNotHere) info.erase(field);
  const std::string& name = repo.row.repo.name;
  info["_id"] = repo.row.rid.text();
  info["id"] = name;
  if (repo.row.repo.kind == RepoKind::Model) info["modelId"] = name;
  if (name.find('/') != std::string::npos) info["author"] = name.substr(0, name.find('/'));
  info["private"] = repo.is_private();
  info["gated"] = gated_value(repo.row.visibility);
  add_if_absent(info, "disabled", false);
  add_if_absent(info, "tags", json::array());
  add_if_absent(info, "downloads", 0);
  add_if_absent(info, "likes", 0);
  add_if_absent(info, "createdAt", json::value(iso8601(created_ms_of(repo.row.rid))));
  if (repo.row.upstream_modified_ms != 0) info["lastModified"] = iso8601(repo.row.upstream_modified_ms);
  add_if_absent(info, "lastModified", json::value(info["createdAt"]));
  HM_TRY(const auto listed, provenance::find_listed(index, repo.key));
  if (listed) {
    info["downloads"] = listed->popularity.downloads;
    info["likes"] = listed->popularity.likes;
    if (info.contains("trendingScore")) info["trendingScore"] = listed->popularity.trending / 1000;
  }
  if (files != nullptr) info["sha"] = files->snapshot.commit.hex();
  if (files == nullptr) info.erase("sha");
  static const storage::Manifest kNone;
  add_siblings(info, files ? *files->manifest : kNone, question.blobs);
  if (question.security)
    info["securityRepoStatus"] = json::object{{"scansDone", false}, {"filesWithIssues", json::array()}};
  return projected(std::move(info), question.fields);
}
}  // namespace

awaitable<Response> answer_info(const HubParts& parts, const RepoCall& call) {
  InfoQuestion question;
  if (auto refusal = read_question(call.request, call.path.kind, question)) co_return std::move(*refusal);
  std::string revision;
  if (call.path.route == Route::Revision) revision = split_revision(*call.repo, call.path.rest).revision;
  // A repository without a commit is answered too; a revision of it is not there.
  const bool empty = call.repo->refs.empty() && (revision.empty() || revision == "main" || revision == "HEAD");
  FoundRevision at;
  if (!empty) {
    at = co_await find_revision(parts, call, revision);
    if (at.refusal) co_return std::move(*at.refusal);
  }
  const std::string key = "info\n" + call.repo->key.text() + call.repo->stamp +
                          (empty ? std::string("-") : at.commit.hex()) +
                          std::to_string(parts.clock.unix_ms() / kPopularityEveryMs) + question.key();
  auto answer = parts.answers.find(key);
  if (!answer) {
    auto render = [&]() -> Result<CachedAnswer> {
      HM_TRY(const json::object info,
             info_of(parts.published.index(), parts.published.catalog(), *call.repo, at.files.get(), question));
      CachedAnswer out;
      out.body = json::serialize(info);
      return out;
    };
    auto rendered = co_await run_on(parts.published.pool(), std::move(render));
    if (!rendered) co_return failed(rendered.error(), "reading what a repository is");
    answer = std::make_shared<const CachedAnswer>(std::move(rendered).assume_value());
    parts.answers.put(key, answer, answer->body.size());
  }
  Response out = json_response(std::shared_ptr<const std::string>(answer, &answer->body));
  add_mirror_fields(out, parts, *call.repo, at.files.get());
  out.repo = call.repo->row.repo.text();
  if (!empty) out.revision = at.commit.hex();
  co_return out;
}

awaitable<std::optional<Response>> answer_listed_info(const HubParts& parts, const Request& request,
                                                      const HubPath& path, std::shared_ptr<const Caller> caller) {
  InfoQuestion question;
  if (auto refusal = read_question(request, path.kind, question)) co_return refusal;
  const RepoId repo{path.kind, path.name};
  auto look = [&]() -> Result<std::optional<json::object>> {
    HM_TRY(const auto listed, provenance::find_listed(parts.published.index(), repo));
    if (!listed || listed->row.gone_status != 0 || !caller->may_list(repo, listed->facts.visibility))
      return std::optional<json::object>();
    json::object info = listed_json(*listed);
    add_if_absent(info, "disabled", false);
    add_if_absent(info, "siblings", json::array());
    return std::optional(projected(std::move(info), question.fields));
  };
  auto found = co_await run_on(parts.published.pool(), std::move(look));
  if (!found) co_return failed(found.error(), "reading a listing");
  if (!found.assume_value()) co_return std::nullopt;
  Response out = json_response(json::serialize(*found.assume_value()));
  out.add("X-Hubmirror-Partial", "known from listings, not mirrored");
  co_return out;
}
}  // namespace hm::server

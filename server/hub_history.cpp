// Refs and commits. docs/hub_protocol.md
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/run_on.hpp"
#include "base/text.hpp"
#include "mirror/git/history.hpp"
#include "mirror/git/repository.hpp"
#include "server/hub_call.hpp"

namespace hm::server {
namespace json = boost::json;
namespace {
constexpr std::uint64_t kCommitsUsual = 50, kCommitsMax = 1000;

void add_group(json::object& into, const char* group, std::string_view prefix, const PublishedRepo& repo) {
  json::array rows;
  for (const storage::RefRow& ref : repo.refs) {
    if (!ref.ref.starts_with(prefix)) continue;
    rows.push_back(json::object{{"name", valid_utf8(ref.ref.substr(prefix.size()))},
                                {"ref", valid_utf8(ref.ref)},
                                {"targetCommit", ref.commit.hex()}});
  }
  into[group] = std::move(rows);
}

/// The Hub has a page of people behind `user`; here it is the author's name, as git has it.
json::object to_json(const mirror::CommitFacts& commit, bool formatted) {
  const std::string title = valid_utf8(commit.title), message = valid_utf8(commit.message);
  json::object out{{"id", commit.id.hex()},
                   {"title", title},
                   {"message", message},
                   {"authors", json::array{json::object{{"user", valid_utf8(commit.author)}, {"avatar", ""}}}},
                   {"date", iso8601(commit.time_ms)}};
  if (formatted) out["formatted"] = json::object{{"title", title}, {"message", message}};
  return out;
}
}  // namespace

awaitable<Response> answer_refs(const HubParts& parts, const RepoCall& call) {
  const auto query = parse_form(call.request.query());
  json::object out;
  add_group(out, "branches", "refs/heads/", *call.repo);
  add_group(out, "converts", "refs/convert/", *call.repo);
  add_group(out, "tags", "refs/tags/", *call.repo);
  if (is_true(query, "include_prs") || is_true(query, "include_pull_requests"))
    add_group(out, "pullRequests", "refs/pr/", *call.repo);
  Response response = json_response(json::serialize(out));
  add_mirror_fields(response, parts, *call.repo, nullptr);
  response.repo = call.repo->row.repo.text();
  co_return response;
}

awaitable<Response> answer_commits(const HubParts& parts, const RepoCall& call) {
  const auto query = parse_form(call.request.query());
  const auto page = parse_u64(value_of(query, "p").value_or("0"));
  const auto limit = parse_u64(value_of(query, "limit").value_or(std::to_string(kCommitsUsual)));
  constexpr std::uint64_t kPagesMax = 1U << 30;
  if (!page || !limit || *limit == 0 || *page > kPagesMax)
    co_return hub_error(400, "", "p and limit must be whole numbers, limit from 1 on");
  const std::uint64_t most = std::min(*limit, kCommitsMax);
  bool formatted = false;
  for (const std::string& field : values_of(query, "expand")) formatted = formatted || field == "formatted";
  const RevisionAndPath asked = split_revision(*call.repo, call.path.rest);
  FoundRevision at = co_await find_revision(parts, call, asked.revision);
  if (at.refusal) co_return std::move(*at.refusal);

  const std::string key = "commits\n" + call.repo->key.text() + "\n" + at.commit.hex() + "\n" + std::to_string(*page) +
                          " " + std::to_string(most) + (formatted ? " f" : "");
  auto answer = parts.answers.find(key);
  if (!answer) {
    auto render = [&]() -> Result<CachedAnswer> {
      HM_TRY(const auto repository, mirror::Repository::open(call.repo->git_path));
      HM_TRY(const auto found, mirror::commits_from(repository, at.commit, *page * most, most));
      json::array rows;
      for (const mirror::CommitFacts& commit : found.commits) rows.push_back(to_json(commit, formatted));
      CachedAnswer out;
      out.body = json::serialize(rows);
      out.total = found.total;
      return out;
    };
    auto rendered = co_await run_on(parts.published.pool(), std::move(render));
    if (!rendered) co_return failed(rendered.error(), "reading commits");
    answer = std::make_shared<const CachedAnswer>(std::move(rendered).assume_value());
    parts.answers.put(key, answer, answer->body.size());
  }
  Response out = json_response(std::shared_ptr<const std::string>(answer, &answer->body));
  out.add("X-Total-Count", std::to_string(answer->total)).add("X-Repo-Commit", at.commit.hex());
  if ((*page + 1) * most < answer->total) {
    std::string rest;
    for (const std::string_view pair : split(call.request.query(), '&'))
      if (!pair.empty() && !pair.starts_with("p=") && !pair.starts_with("limit=")) rest.append("&").append(pair);
    out.add("Link", "<" + call.base_url() + std::string(call.request.path()) + "?p=" + std::to_string(*page + 1) +
                        "&limit=" + std::to_string(most) + rest + ">; rel=\"next\"");
  }
  add_mirror_fields(out, parts, *call.repo, at.files.get());
  out.repo = call.repo->row.repo.text(), out.revision = at.commit.hex();
  co_return out;
}
}  // namespace hm::server

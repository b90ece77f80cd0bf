#include "hub/wire/misc.hpp"

#include <boost/json/monotonic_resource.hpp>

#include "hub/wire/json_reader.hpp"

namespace hm::hub {
namespace {
Result<> read_refs(const JsonReader& from, std::vector<Ref>& into) {
  HM_TRY(from.expect_array());
  into.reserve(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    const JsonReader item = from.item(i);
    Ref ref;
    HM_TRY(item.need("name", ref.name));
    HM_TRY(item.need("ref", ref.ref));
    HM_TRY(item.need("targetCommit", ref.target));
    into.push_back(std::move(ref));
  }
  return ok();
}

Result<> maybe_refs(const JsonReader& from, std::string_view key, std::vector<Ref>& into) {
  const auto field = from.find(key);
  return field ? read_refs(*field, into) : Result<>(ok());
}

Result<CommitInfo> read_commit(const JsonReader& from) {
  CommitInfo commit;
  HM_TRY(from.need("id", commit.id));
  HM_TRY(from.maybe("title", commit.title));
  HM_TRY(from.maybe("message", commit.message));
  HM_TRY(const JsonReader date, from.needed("date"));
  HM_TRY(date.read_time_ms(commit.date_ms));
  const auto authors = from.find("authors");
  if (!authors) return commit;
  HM_TRY(authors->expect_array());
  for (std::size_t i = 0; i < authors->size(); ++i) {
    const JsonReader author = authors->item(i);
    HM_TRY(author.need("user", commit.authors.emplace_back()));
  }
  return commit;
}
}  // namespace

Result<RefList> parse_refs(std::string_view body) {
  HM_TRY(const json::value document, parse_json(body));
  const JsonReader root(document);
  RefList refs;
  HM_TRY(const JsonReader branches, root.needed("branches"));
  HM_TRY(read_refs(branches, refs.branches));
  HM_TRY(maybe_refs(root, "converts", refs.converts));
  HM_TRY(maybe_refs(root, "tags", refs.tags));
  HM_TRY(maybe_refs(root, "pullRequests", refs.pull_requests));
  return refs;
}

Result<std::vector<CommitInfo>> parse_commits(std::string_view body) {
  HM_TRY(const json::value document, parse_json(body));
  const JsonReader root(document);
  HM_TRY(root.expect_array());
  std::vector<CommitInfo> commits;
  commits.reserve(root.size());
  for (std::size_t i = 0; i < root.size(); ++i) {
    HM_TRY(auto commit, read_commit(root.item(i)));
    commits.push_back(std::move(commit));
  }
  return commits;
}

Result<ListPage> parse_list(std::string_view body) {
  // A page is read and dropped as a whole: its values are never freed one by one.
  HM_TRY(json::value document, parse_json(body, json::make_shared_resource<json::monotonic_resource>()));
  const JsonReader root(document);
  HM_TRY(root.expect_array());
  ListPage page;
  page.items.reserve(root.size());
  for (std::size_t i = 0; i < root.size(); ++i) {
    ListItem item{{}, {}, {}, {}, json::object(document.storage())};
    if (const auto read = read_list_item(root.item(i), item); !read) {
      page.bad_items.push_back(read.error());
      continue;
    }
    item.fields = std::move(document.get_array()[i].get_object());  // of the same memory: nothing is copied
    page.items.push_back(std::move(item));
  }
  return page;
}

Result<WhoAmI> parse_whoami(std::string_view body) {
  HM_TRY(const json::value document, parse_json(body));
  const JsonReader root(document);
  WhoAmI who;
  HM_TRY(root.need("name", who.name));
  HM_TRY(root.need("type", who.type));
  HM_TRY(root.maybe("fullname", who.full_name));
  const auto orgs = root.find("orgs");
  if (!orgs) return who;
  HM_TRY(orgs->expect_array());
  for (std::size_t i = 0; i < orgs->size(); ++i) {
    const JsonReader org = orgs->item(i);
    HM_TRY(org.need("name", who.orgs.emplace_back()));
  }
  return who;
}
}  // namespace hm::hub

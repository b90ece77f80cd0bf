// server/hub_call.hpp: one call of the Hub's surface about one repository, and what its answers are made from. Layer 5.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "config/config.hpp"
#include "mirror/on_demand.hpp"
#include "server/access.hpp"
#include "server/http/request.hpp"
#include "server/http/response.hpp"
#include "server/hub_path.hpp"
#include "server/memory_cache.hpp"
#include "server/peer.hpp"
#include "server/published.hpp"
#include "storage/blob_store.hpp"

namespace hm::server {
/// A rendered answer. Its key names everything that it depends on, so it is never wrong, only unused.
struct CachedAnswer {
  std::string body;
  std::string next;  ///< cursor of the next page, "" at the end
  std::uint64_t total = 0;
};
using AnswerCache = MemoryCache<CachedAnswer>;

/// What is done about what is not here.
struct Fetching {
  mirror::OnDemand* on_demand = nullptr;  ///< null: nothing
  bool files = false;                     ///< large files too, not only what git has
  std::int64_t max_age_ms = 0;            ///< for so long a name is believed
};

/// All outlive the routes.
struct HubParts {
  Published& published;
  const storage::BlobStore& blobs;
  const Clock& clock;
  AnswerCache& answers;
  Fetching fetching;
};

struct RepoCall {
  RepoCall(const Request& r, const HubPath& p, RepoView v, const PeerRules& rules)
      : request(r), path(p), repo(std::move(v)), peers(rules) {}
  const Request& request;
  const HubPath& path;
  RepoView repo;
  const PeerRules& peers;
  /// As clients reach us, without a '/' at the end; "" when the client named no host.
  std::string base_url() const { return peers.base_url(request).value_or(""); }
};

/// Values of a query parameter, in order; "name" and "name[]" are the same.
std::vector<std::string> values_of(const std::vector<Parameter>& parameters, std::string_view name);
std::optional<std::string> value_of(const std::vector<Parameter>& parameters, std::string_view name);  ///< the last one
/// "true", "True", "1".
bool is_true(const std::vector<Parameter>& parameters, std::string_view name);

/// The revision that `rest` begins with, and the parts behind it. An unencoded one with slashes is found by the longest
/// match against the repository's refs.
struct RevisionAndPath {
  std::string revision;
  std::vector<std::string> path;  ///< decoded parts
};
RevisionAndPath split_revision(const PublishedRepo& repo, std::string_view rest);

/// A revision of a call, found: commit and files. Or the answer that says it is not there.
struct FoundRevision {
  std::optional<Response> refusal;
  Commit commit;
  FilesView files;
};
awaitable<FoundRevision> find_revision(const HubParts& parts, const RepoCall& call, std::string revision,
                                       bool as_text = false);

/// Bytes that are no UTF-8 become U+FFFD: what git has need not be text, and JSON has to be.
std::string valid_utf8(std::string_view text);
/// Of the LFS pointer of a file of so many bytes, as git-lfs and the Hub write it.
std::uint64_t pointer_size(std::uint64_t size_bytes);
/// X-Hubmirror-Age and X-Hubmirror-Partial, where they apply.
void add_mirror_fields(Response& response, const HubParts& parts, const PublishedRepo& repo,
                       const RevisionFiles* files);
/// Link: <…>; rel="next" with every parameter of the request and the cursor.
void add_next_link(Response& response, const RepoCall& call, std::string_view cursor);
std::string next_url(const Request& request, const std::string& base_url, std::string_view cursor);
/// An answer of our own data that failed: 500 in words, and a line in the log.
Response failed(const Error& error, std::string_view what);

// server/hub_info.cpp
awaitable<Response> answer_info(const HubParts& parts, const RepoCall& call);
/// Of a repository that listings know and that is not mirrored; nothing when none knows it, or the caller may not.
awaitable<std::optional<Response>> answer_listed_info(const HubParts& parts, const Request& request,
                                                      const HubPath& path, std::shared_ptr<const Caller> caller);
// server/hub_tree.cpp
awaitable<Response> answer_tree(const HubParts& parts, const RepoCall& call);
awaitable<Response> answer_paths_info(const HubParts& parts, const RepoCall& call);
awaitable<Response> answer_tree_size(const HubParts& parts, const RepoCall& call);
// server/hub_history.cpp
awaitable<Response> answer_refs(const HubParts& parts, const RepoCall& call);
awaitable<Response> answer_commits(const HubParts& parts, const RepoCall& call);
// server/hub_files.cpp
awaitable<Response> answer_resolve(const HubParts& parts, const RepoCall& call);
awaitable<Response> answer_raw(const HubParts& parts, const RepoCall& call);
// server/hub_listing.cpp
/// A page of a listing, or of a search.
awaitable<Response> answer_listing(const HubParts& parts, const Request& request, const HubPath& path,
                                   std::shared_ptr<const Caller> caller, std::string base_url);
}  // namespace hm::server

// hub/api.hpp: what the mirror asks a Hub, as coroutines. Layer 3. Wire structs: hub/wire/. Protocol facts:
// docs/hub_protocol.md. Threads: the network thread, like the HttpClient below it. Retries with back-off happen in here
// (hub/retry.hpp), under the rate budget (hub/rate_budget.hpp).
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "hub/exchange.hpp"
#include "hub/lfs_batch.hpp"
#include "hub/rate_budget.hpp"
#include "hub/retry.hpp"
#include "hub/wire/misc.hpp"
#include "hub/wire/repo_info.hpp"
#include "hub/wire/tree.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace hm::hub {
using net::awaitable;

/// Every call may fail with: NotFound, Gated, RateLimited, Unreachable (after all attempts), Refused (a limit, a
/// foreign origin), BadInput (an answer of the wrong form, with its JSON path), Cancelled. Messages carry the request
/// path and what the Hub said.
class Api {
 public:
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;
  /// @param upstream e.g. https://huggingface.co; a path prefix is kept. The client and the budget outlive the Api.
  Api(net::HttpClient& client, net::Url upstream, RateBudget& budget, RetryPolicy retry);

  const net::Url& upstream() const { return exchange_.upstream(); }
  /// GET /api/{kind}s/{id}[/revision/{rev}]. Follows a rename (307): the answer's `id` tells the new name.
  /// @returns NotFound (also 401 for a repository that an anonymous caller may not see: the message says both), Gated,
  /// …
  /// @param with_sizes `siblings` say size and digest of each file too (where the Hub can: Sibling::size_bytes)
  awaitable<Result<RepoInfo>> repo_info(RepoId repo, std::optional<std::string> revision, bool with_sizes = false);
  /// GET …/tree/{rev}: calls `visit` for each entry, page by page, so that memory holds one page.
  awaitable<Result<>> tree(RepoId repo, std::string revision, bool recursive,
                           std::function<Result<>(const TreeEntry&)> visit);
  awaitable<Result<std::vector<TreeEntry>>> paths_info(RepoId repo, std::string revision,
                                                       std::vector<std::string> paths);
  awaitable<Result<RefList>> refs(RepoId repo, bool with_pull_requests);
  awaitable<Result<std::vector<CommitInfo>>> commits(RepoId repo, std::string revision, std::size_t count_max);
  /// One page of GET /api/{kind}s; `next` in the answer is the opaque URL of the following page. First page: next_url
  /// empty, query e.g. "limit=1000&full=true".
  awaitable<Result<ListPage>> list(RepoKind kind, std::string query, std::string next_url);
  awaitable<Result<WhoAmI>> whoami();
  /// GET …/auth-check: whether the holder of `token` may read files of the repository. False too when the name belongs
  /// to another repository than `rid` by now, which anybody could have made; a second call looks at that. The quotas
  /// are those of the token's holder, so this wants an Api with a budget of its own.
  awaitable<Result<bool>> may_read(RepoId repo, Rid rid, std::string token);

  /// LFS batch, download, transfer "basic"; at most kLfsBatchMax objects per call (chunked inside).
  awaitable<Result<std::vector<LfsObject>>> lfs_batch(RepoId repo, std::vector<LfsPointer> objects);
  /// HEAD resolve of one file, not following to the content: where its bytes are and what they should be.
  awaitable<Result<ResolvedFile>> resolve(RepoId repo, std::string revision, std::string path);

  std::string git_url(const RepoId& repo) const;       ///< {upstream}/{prefix}{id}.git, for smart HTTP and LFS
  RateBudget& budget() { return exchange_.budget(); }  ///< for requests to the upstream that do not go through here
  const RetryPolicy& retry() const { return exchange_.retry(); }

 private:
  awaitable<Result<>> fetch_lfs_batch(std::string url, std::vector<LfsPointer> objects, std::vector<LfsObject>& into);
  std::string api_url(const RepoId& repo, std::string_view rest) const;

  Exchange exchange_;
  std::string base_;  ///< the upstream without a trailing slash
};
}  // namespace hm::hub

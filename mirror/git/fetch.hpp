// mirror/git/fetch.hpp: brings upstream's git objects into a bare repository, quarantined and checked before any ref
// moves. Layer 4. Protocol v2 straight into git_indexer where the server offers it, libgit2's smart transport
// elsewhere; all bytes come through net::HttpClient. Threads: coroutines on the network executor; libgit2 runs on the
// `git` pool.
#pragma once
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::mirror {
using net::awaitable;

/// Full ref name → object it points to (for an annotated tag the tag object).
using RefMap = std::map<std::string, GitOid>;

struct Advertisement {
  RefMap refs;       ///< only the namespaces asked for
  std::string head;  ///< full ref that HEAD points to, empty when the repository is empty or HEAD is detached
  bool protocol_v2 = false;
  std::string service_url;   ///< after redirects of the discovery request
  std::string capabilities;  ///< of a server without protocol v2, as it said them
};

inline constexpr std::uint32_t kTreeDepthCeiling = 4096;  ///< what walks that recurse can take

struct GitLimits {
  std::uint64_t pack_bytes_max = 16ULL << 30;
  std::uint64_t objects_max = 50'000'000;
  std::uint64_t object_bytes_max = 1ULL << 30;  ///< of one inflated object; larger files belong into LFS
  std::uint64_t refs_max = 1'000'000;
  std::uint32_t tree_depth_max = 256;  ///< at most kTreeDepthCeiling
};

struct FetchProgress {
  std::uint64_t received_objects = 0, total_objects = 0, received_bytes = 0;
};

/// Strange but servable things found in trees, reported and kept: paths that fold to the same name, submodules.
struct TreeRemark {
  std::string kind;  ///< "case-twin", "unicode-twin", "submodule", "symlink-outside"
  std::string path;
  GitOid tree;
};

inline constexpr std::size_t kRemarksMax = 1000;  ///< of one fetch; a repository with more has one problem, not many

struct FetchOutcome {
  std::uint64_t new_objects = 0, pack_bytes = 0;
  std::vector<TreeRemark> remarks;  ///< at most kRemarksMax
};

class GitRemote {
 public:
  /// @param url {upstream}/{prefix}{id} without trailing slash; the client attaches the token.
  GitRemote(net::HttpClient& client, boost::asio::thread_pool& git_pool, std::string url, GitLimits limits);
  ~GitRemote();
  GitRemote(const GitRemote&) = delete;
  GitRemote& operator=(const GitRemote&) = delete;

  /// Refs under `prefixes` (e.g. refs/heads/, refs/tags/, refs/convert/). One or two requests.
  awaitable<Result<Advertisement>> list_refs(std::vector<std::string> prefixes);

  /// Fetches what `wanted` needs and the repository lacks, into a quarantine directory inside it; verifies object ids,
  /// connectivity of every new object, hostile tree entries and limits; then moves the pack into the object store. No
  /// ref is touched. Nothing to fetch makes no request.
  /// @param repository_path bare repository, created by create_bare_repository().
  /// @returns Refused (limit, hostile name; says commit/tree and entry), Corrupt (digest, connectivity), Unreachable,
  /// NoSpace, Cancelled. The object store is unchanged then.
  awaitable<Result<FetchOutcome>> fetch(std::string repository_path, const Advertisement& advertisement,
                                        std::function<void(const FetchProgress&)> progress);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
}  // namespace hm::mirror

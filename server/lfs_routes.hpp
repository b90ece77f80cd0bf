// server/lfs_routes.hpp: Git LFS, downloads only, with the transfer adapter "basic". Layer 5. The router has found the
// repository and checked that the caller may have its bytes; here a blob is given only to those who ask for it through
// a repository with a published revision that names it. Threads: called from all loops at once.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "server/http/request.hpp"
#include "server/http/response.hpp"
#include "server/hub_call.hpp"
#include "server/published.hpp"
#include "storage/blob_store.hpp"

namespace hm::server {
/// What a batch request asks for; texts are the client's.
struct LfsBatch {
  struct Object {
    std::string oid;
    std::uint64_t size = 0;
    std::optional<Sha256> id;  ///< nullopt: malformed
  };
  std::string operation;
  bool basic = true;  ///< the client can do with it
  std::string hash_algo = "sha256";
  std::vector<Object> objects;
};
inline constexpr std::size_t kLfsObjectsMax = 1'000;
/// @returns BadInput: not of the form; Refused: more than kLfsObjectsMax objects.
Result<LfsBatch> parse_lfs_batch(std::string_view json);

class LfsRoutes {
 public:
  static constexpr std::uint64_t kRequestBytesMax = 1U << 20;  ///< of kLfsObjectsMax objects, six times over

  LfsRoutes(Published& published, const storage::BlobStore& blobs, Fetching fetching)
      : published_(published), blobs_(blobs), fetching_(fetching) {}

  /// POST …/info/lfs/objects/batch. @param base_url how the client reaches this mirror: "http://mirror:8080"
  awaitable<Response> batch(const Request& request, RepoView repo, std::string base_url);
  /// GET and HEAD …/info/lfs/objects/{oid}
  awaitable<Response> object(const Request& request, RepoView repo, std::string oid);
  /// …/info/lfs/locks and below: git-lfs does without when there are none.
  static Response locks();

 private:
  /// A large file as a published revision's pointer tells of it, here or not.
  struct Pointer {
    Commit commit;
    storage::ManifestFile file;
  };
  awaitable<Result<std::map<Sha256, Pointer>>> pointers(RepoView repo, std::set<Sha256> wanted);
  awaitable<Result<>> add_fetchable(RepoView repo, const LfsBatch& batch,
                                    std::vector<std::optional<std::uint64_t>>& sizes);
  awaitable<Response> fetched_object(const Request& request, RepoView repo, Sha256 id);
  Result<bool> is_of(const RepoKey& repo, const Sha256& blob) const;
  Result<std::vector<std::optional<std::uint64_t>>> sizes(const RepoKey& repo, const LfsBatch& batch) const;
  Result<FileBytes> open(const RepoKey& repo, const Sha256& blob) const;
  Published& published_;
  const storage::BlobStore& blobs_;
  const Fetching fetching_;
};
}  // namespace hm::server

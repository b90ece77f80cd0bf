// server/git_routes.hpp: git's smart HTTP, reading only: protocol 0, 1 and 2, shallow and partial clones. Layer 5.
// The router has found the repository and checked that the caller may have its bytes.
// docs/decisions/0012-git-program.md Threads: called from all loops at once.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "server/git_process.hpp"
#include "server/http/request.hpp"
#include "server/http/response.hpp"
#include "server/published.hpp"

namespace hm::server {
/// GIT_PROTOCOL for a Git-Protocol field: "" or "version=N", the highest of the versions named that git has. Nothing
/// else of the field reaches a program.
std::string git_protocol_of(std::string_view field);
/// Whether a request of upload-pack only lists refs (protocol 2).
bool lists_refs(std::string_view request_body);

class GitRoutes {
 public:
  /// A clone that names each of 100,000 refs sends 5 MB, and compresses them.
  static constexpr std::uint64_t kRequestBytesMax = 16U << 20, kInflatedBytesMax = 32U << 20;

  /// @param pool inflates requests
  GitRoutes(GitProcesses& processes, boost::asio::thread_pool& pool) : processes_(processes), pool_(pool) {}

  /// How long a body git-upload-pack may have: what its head says, as far as that is allowed.
  static std::uint64_t body_bytes_max(const Request& head);
  /// GET …/info/refs?service=git-upload-pack
  awaitable<Response> info_refs(const Request& request, RepoView repo);
  /// POST …/git-upload-pack
  awaitable<Response> upload_pack(const Request& request, RepoView repo);
  /// …/git-receive-pack, and info/refs for it
  static Response refuse_push();

 private:
  awaitable<Result<std::shared_ptr<const std::string>>> capabilities(UploadPackCall call);
  GitProcesses& processes_;
  boost::asio::thread_pool& pool_;
  std::mutex mutex_;
  std::shared_ptr<const std::string> capabilities_;  ///< what git says first in protocol 2, of any repository
};
}  // namespace hm::server

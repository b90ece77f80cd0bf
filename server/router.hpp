// server/router.hpp: from a request to its answer: what the path means, who asks, whether that caller may, and which
// room answers. Layer 5. Threads: called from all loops at once.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/access.hpp"
#include "server/git_routes.hpp"
#include "server/http/handler.hpp"
#include "server/hub_call.hpp"
#include "server/lfs_routes.hpp"
#include "server/peer.hpp"

namespace hm::server {
/// What operators see under /-/.
class OwnPages {
 public:
  virtual ~OwnPages() = default;
  virtual awaitable<Response> answer(std::string path) = 0;  ///< behind "/-/"; 404 for what there is not
};

/// Told of every answer; must not block.
using AnswerLog = std::function<void(const Request&, const Response&, const Sent&)>;

class Router final : public Handler {
 public:
  struct Parts {  ///< all outlive the router
    HubParts hub;
    Access& access;
    GitRoutes& git;
    LfsRoutes& lfs;
    const PeerRules& peers;
    OwnPages& own;
    AnswerLog log;
  };
  explicit Router(Parts parts) : p_(std::move(parts)) {}

  std::uint64_t body_bytes_max(const Request& head) override;
  awaitable<Response> answer(const Request& request) override;
  void done(const Request& request, const Response& response, const Sent& sent) override;

 private:
  /// @param caller set once it is known
  awaitable<Response> route(const Request& request, const HubPath& path, std::shared_ptr<const Caller>& caller);
  awaitable<Response> without_repo(const Request& request, const HubPath& path, std::shared_ptr<const Caller> caller);
  awaitable<Response> of_repo(const Request& request, const HubPath& path, std::shared_ptr<const Caller> caller);
  awaitable<std::optional<Response>> make_fresh(const Request& request, const HubPath& path,
                                                std::shared_ptr<const Caller> caller, RepoView& repo);
  awaitable<Response> of_published(const Request& request, const HubPath& path, RepoView repo);
  awaitable<Response> of_absent(const Request& request, const HubPath& path, std::shared_ptr<const Caller> caller);
  Parts p_;
};
}  // namespace hm::server

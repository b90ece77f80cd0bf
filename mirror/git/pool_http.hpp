// mirror/git/pool_http.hpp: one HTTP exchange for a thread that may block, carried out by the network thread. Layer 4;
// private to this folder.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "mirror/git/pool_work.hpp"
#include "net/http_client.hpp"

namespace hm::mirror {
/// Errors by status for a git endpoint; nothing for 200.
Result<> check_git_status(const net::HttpResponse& response);

/// Threads: constructed, used and destroyed on one pool thread. Stop::request() on the network thread ends a call that
/// waits, with Cancelled.
class PoolHttp {
 public:
  PoolHttp(net::HttpClient& client, boost::asio::any_io_executor network, std::shared_ptr<Stop> stop);
  ~PoolHttp();
  PoolHttp(const PoolHttp&) = delete;
  PoolHttp& operator=(const PoolHttp&) = delete;
  /// Sends the request, follows redirects, checks the status.
  Result<> open(net::HttpRequest request);
  /// Fills part of `into`; 0 at the end of the body.
  Result<std::size_t> read(std::span<char> into);

 private:
  struct State;
  std::shared_ptr<State> state_;
};
}  // namespace hm::mirror

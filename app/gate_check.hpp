// app/gate_check.hpp: asks the upstream whether a caller of the mirror may read a gated or private repository there, by
// the caller's own token. Layer 6. Threads: the network thread.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "net/curl_http_client.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"
#include "server/access.hpp"

namespace hm::app {
/// One attempt, seconds at most: somebody waits, and refusing is safe. The callers' quotas are theirs, so the mirror's
/// budget has no part in it.
class UpstreamGateCheck final : public server::GateCheck {
 public:
  static constexpr std::int64_t kAnswerWithinMs = 8'000;  ///< clients give up on a HEAD after ten seconds

  /// @param client adds no token of its own @param deadline_ms for a whole question
  UpstreamGateCheck(std::unique_ptr<net::HttpClient> client, net::Url upstream,
                    std::int64_t deadline_ms = kAnswerWithinMs)
      : client_(std::move(client)), upstream_(std::move(upstream)), deadline_ms_(deadline_ms) {}
  /// @param options those of the mirror's client; its token is left out. @returns BadInput.
  static Result<std::unique_ptr<UpstreamGateCheck>> open(boost::asio::any_io_executor network, net::Url upstream,
                                                         net::CurlOptions options);

  server::awaitable<Result<bool>> allowed(RepoId repo, Rid rid, std::string token) override;

 private:
  const std::unique_ptr<net::HttpClient> client_;
  const net::Url upstream_;
  const std::int64_t deadline_ms_;
};
}  // namespace hm::app

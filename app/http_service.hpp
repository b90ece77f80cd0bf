// app/http_service.hpp: the server with everything that it answers from: built by hand, in reading order. Layer 6.
// `serve` and the daemon each have one. Threads: the server's own loops and a pool; the public functions are for the
// thread that made it.
#pragma once
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "mirror/catalog.hpp"
#include "server/access.hpp"
#include "server/access_log.hpp"
#include "server/git_process.hpp"
#include "server/git_routes.hpp"
#include "server/http/server.hpp"
#include "server/hub_call.hpp"
#include "server/lfs_routes.hpp"
#include "server/mirror_access.hpp"
#include "server/own_pages.hpp"
#include "server/peer.hpp"
#include "server/published.hpp"
#include "server/router.hpp"
#include "storage/blob_store.hpp"
#include "storage/index.hpp"

namespace hm::app {
class HttpService {
 public:
  struct Parts {  ///< all outlive the service
    const storage::Index& index;
    const storage::BlobStore& blobs;
    const mirror::Catalog& catalog;
    server::GateCheck* gate = nullptr;     ///< none: nobody is let through a gate by the upstream's word
    boost::asio::any_io_executor asks_on;  ///< of the gate
    server::OwnPageTexts texts;            ///< what /-/ says beside the server's own figures
  };
  /// Binds, and reads what it needs; answers nobody yet.
  /// @returns BadInput for an address, a proxy or a certificate that cannot be used; Io.
  static Result<std::unique_ptr<HttpService>> open(const config::Serve& settings, Parts parts);
  ~HttpService();

  std::vector<std::string> addresses() const { return server_->addresses(); }
  void start() { server_->start(); }
  /// The tokens as the index has them now, and whether a private repository is among what is served.
  Result<> reload_tokens();
  /// Certificate and access log again. @returns what could not be taken; the old one stays.
  Result<> reload();
  /// @returns how many connections were cut off
  std::size_t stop(std::int64_t deadline_ms) { return server_->stop(deadline_ms); }

 private:
  HttpService(const config::Serve& settings, Parts parts, server::PeerRules peers);
  void note(const server::Request& request, const server::Response& response, const server::Sent& sent,
            const std::string& caller, const std::string& address);

  Result<> look_for_private();
  const config::Serve settings_;
  const Parts parts_;
  boost::asio::thread_pool pool_;
  const server::PeerRules peers_;
  server::Published published_;
  server::AnswerCache answers_;
  std::atomic<bool> holds_private_ = false;
  std::int64_t looked_for_private_ms_ = 0;
  server::MirrorAccess access_;
  server::GitProcesses git_processes_;
  server::GitRoutes git_;
  server::LfsRoutes lfs_;
  std::unique_ptr<server::AccessLog> access_log_;
  server::ServerCounters counters_;
  server::MirrorPages pages_;
  server::Router router_;
  std::unique_ptr<server::HttpServer> server_;
};
}  // namespace hm::app

// app/http_service.hpp: the server with everything that it answers from: built by hand, in reading order. Layer 6.
// `serve` and the daemon each have one. Threads: the server's own loops and a pool; the public functions are for the
// thread that made it.
#pragma once
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "mirror/catalog.hpp"
#include "mirror/on_demand.hpp"
#include "server/access.hpp"
#include "server/access_log.hpp"
#include "server/http/server.hpp"
#include "server/own_pages.hpp"
#include "storage/blob_store.hpp"
#include "storage/index.hpp"

namespace hm::app {
class HttpService {
 public:
  struct Parts {            ///< all outlive the service
    storage::Index& index;  ///< read again as its writer goes on, where that is another process
    const storage::BlobStore& blobs;
    const mirror::Catalog& catalog;
    server::GateCheck* gate = nullptr;      ///< none: nobody is let through a gate by the upstream's word
    boost::asio::any_io_executor asks_on;   ///< of the gate
    mirror::OnDemand* on_demand = nullptr;  ///< none: nothing is fetched, whatever the settings say
    server::OwnPageTexts texts;             ///< what /-/ says beside the server's own figures
  };
  /// Binds, and reads what it needs; answers nobody yet.
  /// @returns BadInput for an address, a proxy or a certificate that cannot be used; Io.
  static Result<std::unique_ptr<HttpService>> open(const config::Serve& settings, Parts parts);
  ~HttpService();

  std::vector<std::string> addresses() const { return server_->addresses(); }
  void start();
  /// Rules, certificate and access log as they are now; requests under way end by the old ones. What the sockets and
  /// their limits were made of stays. @returns what is wrong; then nothing has changed.
  Result<> reload(const config::Serve& settings);
  /// @returns how many connections were cut off
  std::size_t stop(std::int64_t deadline_ms);

 private:
  struct Rules;
  class Switch;
  explicit HttpService(Parts parts);
  Result<std::shared_ptr<Rules>> make_rules(const config::Serve& settings);
  std::shared_ptr<Rules> rules() const;
  void follow(const std::stop_token& stop);
  Result<> look_for_private();
  void look_for_certificate();
  void note(const server::Request& request, const server::Response& response, const server::Sent& sent);

  const Parts parts_;
  boost::asio::thread_pool pool_;
  server::ServerCounters counters_;
  std::atomic<bool> holds_private_{false};
  std::atomic<std::int64_t> looked_for_private_ms_{0};
  std::string certificate_seen_, certificate_taken_;  ///< state of its files at the last look; the follower's
  mutable std::mutex mutex_;
  config::Serve settings_;                         ///< guarded by mutex_; in force
  std::shared_ptr<Rules> rules_;                   ///< guarded by mutex_
  std::shared_ptr<server::AccessLog> access_log_;  ///< guarded by mutex_
  std::atomic<bool> logs_{false};                  ///< there is one
  std::unique_ptr<Switch> switch_;
  std::unique_ptr<server::HttpServer> server_;
  std::jthread follower_;
};
}  // namespace hm::app

// app/gate_service.hpp: a network thread for programs that talk to the upstream only to ask who may read. Layer 6.
// Threads: its own; the public functions are for the thread that made it.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>

#include "app/gate_check.hpp"
#include "base/result.hpp"
#include "config/config.hpp"

namespace hm::app {
/// Outlives the server that asks. Questions that are open at its end get no answer.
class GateService {
 public:
  /// @returns BadInput for an upstream, proxy or CA file that cannot be used.
  static Result<std::unique_ptr<GateService>> open(const config::Config& config);
  ~GateService();
  GateService(const GateService&) = delete;
  GateService& operator=(const GateService&) = delete;

  server::GateCheck& check() { return *check_; }
  boost::asio::any_io_executor executor() { return context_.get_executor(); }

 private:
  GateService() : work_(context_.get_executor()) {}
  boost::asio::io_context context_{1};  ///< outlives the client in `check_`, as that wants
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<UpstreamGateCheck> check_;
  std::thread thread_;
};
}  // namespace hm::app

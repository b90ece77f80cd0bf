// app/serving.hpp: what the daemon needs of whoever answers clients. Layer 6. The daemon begins it when the store is
// open, and ends it before the store is closed. Threads: start(), reload() and drain() on the daemon's main thread.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "app/metrics.hpp"
#include "app/services.hpp"
#include "base/result.hpp"
#include "config/config.hpp"

namespace hm::app {
/// What is served from, and what the paths under /-/ tell. Everything outlives the Serving.
struct ServingParts {
  const config::Config& config;  ///< at the start
  WriteServices& store;
  NetworkServices& network;
  Metrics& metrics;
  // Any thread. They wait for the network thread for a second at most, so a loop of the server is not the place.
  std::function<std::string()> metrics_text;  ///< text/plain; version=0.0.4
  std::function<std::string()> status_text;   ///< JSON
  std::function<bool()> healthy;              ///< the network thread answers
  std::function<bool()> ready;                ///< started, and not ending
  /// A turn at the daemon's gate for what is fetched on demand; blocks.
  std::function<Result<std::shared_ptr<void>>(const std::stop_token& give_up)> enter;
};

class Serving {
 public:
  virtual ~Serving() = default;
  /// @returns BadInput for an address or certificate that cannot be read; Io when it cannot be bound.
  virtual Result<> start() = 0;
  /// Takes all of it, or says why not and goes on as before.
  virtual Result<> reload(const config::Config& config) = 0;
  /// No more connections; ends when those that are open have ended, or were cut off after `deadline_ms`.
  virtual void drain(std::int64_t deadline_ms) = 0;
};
Result<std::unique_ptr<Serving>> make_serving(const ServingParts& parts);
}  // namespace hm::app

// server/own_pages.hpp: what operators see under /-/: health, readiness, status, metrics. Layer 5. Threads: safe; a
// text that takes a while is made elsewhere and handed in.
#pragma once
#include <array>
#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "server/http/handler.hpp"
#include "server/http/server.hpp"
#include "server/router.hpp"

namespace hm::server {
/// What was answered, by its status and where it came from. docs/operations.md "Metrics"
struct ServerCounters {
  std::array<std::atomic<std::uint64_t>, 6> by_class{};  ///< 1xx … 5xx
  std::atomic<std::uint64_t> body_bytes{0}, fetched{0}, cut_short{0};
  void count(const Response& response, const Sent& sent);
};

/// What the program around the server adds. Each may be empty.
struct OwnPageTexts {
  std::function<std::string()> metrics;  ///< more lines in Prometheus' form
  std::function<std::string()> status;   ///< JSON; none: the server's figures alone
  std::function<bool()> ready;           ///< none: it is
};

class MirrorPages final : public OwnPages {
 public:
  /// @param pool makes the texts, which may wait for others
  MirrorPages(OwnPageTexts texts, const ServerCounters& counters, boost::asio::thread_pool& pool)
      : texts_(std::move(texts)), counters_(counters), pool_(pool) {}
  /// Where the figures of connections and memory come from; before the server runs.
  void watch(std::function<HttpCounts()> http, std::function<std::uint64_t()> memory) {
    http_ = std::move(http);
    memory_ = std::move(memory);
  }
  awaitable<Response> answer(std::string path) override;

 private:
  Response make(std::string_view path) const;
  std::string metrics() const;
  const OwnPageTexts texts_;
  const ServerCounters& counters_;
  boost::asio::thread_pool& pool_;
  std::function<HttpCounts()> http_;
  std::function<std::uint64_t()> memory_;
};
}  // namespace hm::server

// server/own_pages.hpp: what operators see under /-/: health, readiness, status, metrics. Layer 5. Threads: safe; a
// text that takes a while is made elsewhere and handed in.
#pragma once
#include <array>
#include <atomic>
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
  MirrorPages(OwnPageTexts texts, const ServerCounters& counters) : texts_(std::move(texts)), counters_(counters) {}
  /// Where the figures of connections and memory come from; before the server runs.
  void watch(std::function<HttpCounts()> http, std::function<std::uint64_t()> memory) {
    http_ = std::move(http);
    memory_ = std::move(memory);
  }
  Response answer(std::string_view path) override;

 private:
  std::string metrics() const;
  OwnPageTexts texts_;
  const ServerCounters& counters_;
  std::function<HttpCounts()> http_;
  std::function<std::uint64_t()> memory_;
};
}  // namespace hm::server

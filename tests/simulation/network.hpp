// tests/simulation/network.hpp: the way between a process and the Hub: answers take their time, and some are spoilt.
// Threads: none; on the simulation's io_context.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "net/http_client.hpp"
#include "tests/hub_at_scale/world.hpp"
#include "tests/simulation/plan.hpp"
#include "tests/simulation/trace.hpp"
#include "tests/simulation/virtual_time.hpp"

namespace hm::test::sim {
class Network final : public net::HttpClient {
 public:
  Network(scale::World& world, VirtualTime& time, Trace& trace, const Plan& plan)
      : world_(world),
        time_(time),
        trace_(trace),
        quota_(plan.quota),
        latency_ms_max_(plan.latency_ms_max),
        draws_(plan.seed + 17) {}

  net::awaitable<Result<net::HttpResponse>> send(net::HttpRequest request) override;
  void set_faults(const Faults& faults) { faults_ = faults; }
  /// Called when a request reaches the Hub, with its path and query.
  void on_request(std::function<void(const std::string& target)> told) { told_ = std::move(told); }
  /// A new process knows of no limit until the Hub has told it one: what it asks for before is not held against it.
  void process_starts() { told_a_limit_ = false; }

  /// Answers 429 of the Hub itself, in windows in which nobody asked blindly.
  std::uint64_t refused() const { return refused_; }
  std::uint64_t requests() const { return requests_; }  ///< that were sent
  /// Windows in which the Hub saw more than nine tenths of the quota: begin (POSIX milliseconds) and how many.
  const std::map<std::int64_t, std::uint64_t>& overdrawn() const { return overdrawn_; }

 private:
  enum class Fault : std::uint8_t {
    None,
    Lost,
    Unanswered,
    BrokenBody,
    ServerError,
    Throttled,
    Truncated,
    Garbage,
    Empty,
    Expired
  };
  Fault draw_fault(const std::string& target);
  net::HttpResponse reach_the_hub(const net::HttpRequest& request, const std::string& target, const std::string& origin,
                                  bool aware, std::string& body);
  void count(bool aware);

  scale::World& world_;
  VirtualTime& time_;
  Trace& trace_;
  const std::uint64_t quota_;
  const std::int64_t latency_ms_max_;
  scale::Stream draws_;
  Faults faults_;
  std::function<void(const std::string&)> told_;
  bool told_a_limit_ = false;
  std::uint64_t requests_ = 0, refused_ = 0;
  std::int64_t window_ = -1;
  std::uint64_t used_ = 0, unaware_ = 0;  ///< in the window; of them sent before the process was told of a limit
  std::map<std::int64_t, std::uint64_t> overdrawn_;
};
}  // namespace hm::test::sim

// hub/rate_budget.hpp: keeps requests within what the upstream allows, as its RateLimit headers tell it, and within our
// own ceilings. Layer 3. Threads: the network thread. One budget per upstream and identity, shared by everything that
// talks to it.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/limiter.hpp"
#include "base/result.hpp"
#include "config/ceilings.hpp"
#include "hub/rate_window.hpp"
#include "hub/retry.hpp"
#include "hub/wire/headers.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace hm::hub {
class RateBudget;

/// Requests of one class on one host are counted in one bucket; which one the first answer tells.
enum class RequestClass : std::uint8_t { Api, Resolve, Git, LfsBatch, Page };
RequestClass class_of_path(std::string_view path_query);
/// The bucket that a request path most likely is counted in: /resolve/ and /api/resolve-cache/ are resolvers, /api/
/// api, the rest pages.
Bucket bucket_of_path(std::string_view path_query);

/// One request that may be made now; the budget outlives it. Ends in RateBudget::answered(), or by its destructor when
/// no answer came: then it stays counted, for the upstream may have counted it.
class Admission {
 public:
  Admission() = default;
  Admission(Admission&& other) noexcept;
  Admission& operator=(Admission&& other) noexcept;
  ~Admission() { end(); }

 private:
  friend class RateBudget;
  struct Route;
  void end();
  RateBudget* budget_ = nullptr;  ///< null: over
  Route* route_ = nullptr;
  std::optional<Bucket> bucket_;  ///< nullopt: unlimited
  RateWindow::Charge charge_;
  bool sent_ = false;
};

/// For displays.
struct BucketStatus {
  bool limited = false;                                  ///< the numbers below are known
  std::uint64_t remaining = 0, quota = 0;                ///< of this window; quota 0: not known
  std::int64_t reset_in_ms = 0;                          ///< until the window ends
  std::int64_t closed_ms = 0;                            ///< until the upstream wants to hear from us again
  std::uint64_t admitted = 0, in_flight = 0, waits = 0;  ///< since the start; now; admissions that waited
};
struct BudgetStatus {
  std::array<BucketStatus, kBuckets> buckets;
  std::uint64_t admitted_unlimited = 0;  ///< to hosts that count nothing
  std::uint64_t received_bytes = 0;      ///< of bodies, since the start
  std::uint64_t answers_429 = 0;         ///< since the start; in a steady state there are none
  config::Ceilings ceilings;             ///< in force
};

class RateBudget {
 public:
  /// @param max_wait_ms the longest pause that admit() takes upon itself for the upstream's sake. @param plan our own
  /// ceilings, by `clock`'s wall time; waiting for them has no limit.
  explicit RateBudget(std::int64_t max_wait_ms = 600'000, Sleep sleep = sleep_on_timer,
                      const Clock& clock = system_clock(), config::CeilingPlan plan = config::CeilingPlan());
  RateBudget(const RateBudget&) = delete;
  RateBudget& operator=(const RateBudget&) = delete;

  /// Waits until the request may be made: while its bucket has no more than a tenth of the quota left, while the
  /// upstream asked everybody to wait, and for our own ceiling. Until the first answer has told about a class of
  /// requests, one is made at a time, or one each second if it does not answer.
  /// @param guess the bucket of requests to the upstream; nullopt: another host, which counts as api until its first
  /// answer, and as unlimited if that names no bucket.
  /// @returns RateLimited when the upstream wants a longer wait than max_wait_ms; Cancelled.
  awaitable<Result<Admission>> admit(net::Url url, std::optional<Bucket> guess);
  /// Reads RateLimit, RateLimit-Policy and Retry-After of the answer. The bucket that it names is charged, whatever was
  /// charged before.
  void answered(Admission admission, int status, const net::Headers& headers);

  /// Bytes of a body have come: waits as long as our ceiling wants. @returns Cancelled.
  awaitable<Result<>> receive(std::uint64_t bytes);
  const config::CeilingPlan& ceilings() const { return plan_; }
  /// Other ceilings from now on; those that wait see it within ten seconds.
  void set_ceilings(config::CeilingPlan plan);

  struct State {
    std::uint64_t remaining = 0;           ///< by the answers, less what was admitted since
    std::uint64_t quota = 0;               ///< 0: not known, then only an empty bucket waits
    std::uint64_t window_ms = 0;           ///< 0: not known
    std::optional<std::int64_t> reset_ms;  ///< on the monotonic clock, not before the window's end
  };
  /// nullopt: nothing is known, or nothing is limited.
  std::optional<State> state(Bucket bucket) const;
  BudgetStatus status() const;
  /// Requests that were counted in this bucket, since the start; moves to another bucket when an answer says so.
  std::uint64_t admitted(Bucket bucket) const { return counts_[index(bucket)].admitted; }
  /// Admissions that had to wait for the upstream, since the start.
  std::uint64_t waits() const;

 private:
  friend class Admission;
  using Route = Admission::Route;
  struct Counts {
    std::uint64_t admitted = 0, waits = 0;
  };
  static std::size_t index(Bucket bucket) { return static_cast<std::size_t>(bucket); }
  Route& route_of(const net::Url& url, std::optional<Bucket> guess);
  RateWindow& window_of(Route& route, std::optional<Bucket> bucket);
  Counts& counts_of(std::optional<Bucket> bucket);
  bool somebody_asks_first(const Route& route) const;
  Result<std::int64_t> upstream_wait_ms(Route& route);
  Admission take(Route& route);
  awaitable<Result<>> begin(Route& route, Admission& admission);
  void charge(Admission& admission, const std::vector<RateLimit>& limits);
  void recharge(Admission& admission, std::optional<Bucket> bucket);
  void end(Admission& admission);
  awaitable<Result<>> pace(TokenBucket& pacer, std::uint64_t config::Ceilings::* ceiling, std::uint64_t units,
                           std::uint64_t ahead);

  std::int64_t max_wait_ms_;
  Sleep sleep_;
  const Clock* clock_;
  config::CeilingPlan plan_;
  bool open_;
  TokenBucket requests_{0}, bytes_{0};
  std::array<RateWindow, kBuckets> windows_;
  std::array<Counts, kBuckets> counts_;
  Counts unlimited_counts_;
  std::uint64_t received_bytes_ = 0, answers_429_ = 0;
  std::unordered_map<std::string, Route> routes_;
};

/// A class of requests on one host.
struct Admission::Route {
  bool is_upstream = false;
  bool told = false;             ///< an answer said where it counts
  std::optional<Bucket> bucket;  ///< nullopt: nowhere
  RateWindow unlimited;          ///< then; knows only a Retry-After
  std::uint64_t asking = 0;      ///< requests under way before `told`
  std::int64_t asked_ms = 0;     ///< when the last of them began
};
}  // namespace hm::hub

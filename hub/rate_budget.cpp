#include "hub/rate_budget.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace hm::hub {
namespace {
constexpr std::int64_t kFirstAnswerLookMs = 20;     // how soon others see that the first answer of a class is there
constexpr std::int64_t kFirstAnswerWaitMs = 1'000;  // without one, another is made
constexpr std::int64_t kCeilingLookMs = 10'000;     // a new time of day, or a clock that was set, is seen after this
constexpr std::int64_t kClosedMsMax = static_cast<std::int64_t>(kRateWindowMaxS) * 1000;
constexpr std::size_t kRoutesMax = 1'000;  // hosts are named by answers; further ones share what is known of them

std::string waited_for(std::int64_t ms) {
  return human_seconds(static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0)) / 1000);
}
std::string_view path_of(std::string_view path_query) { return path_query.substr(0, path_query.find('?')); }
bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }
}  // namespace

RequestClass class_of_path(std::string_view path_query) {
  const std::string_view path = path_of(path_query);
  if (has(path, "/resolve/") || has(path, "/api/resolve-cache/")) return RequestClass::Resolve;
  if (has(path, "/info/lfs/")) return RequestClass::LfsBatch;
  if (path.ends_with("/info/refs") || path.ends_with("/git-upload-pack")) return RequestClass::Git;
  return has(path, "/api/") ? RequestClass::Api : RequestClass::Page;
}

Bucket bucket_of_path(std::string_view path_query) {
  switch (class_of_path(path_query)) {
    case RequestClass::Resolve:
      return Bucket::Resolvers;
    case RequestClass::Api:
      return Bucket::Api;
    case RequestClass::Git:
    case RequestClass::LfsBatch:
    case RequestClass::Page:
      break;
  }
  return Bucket::Pages;
}

Admission::Admission(Admission&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)),
      route_(other.route_),
      bucket_(other.bucket_),
      charge_(other.charge_),
      sent_(other.sent_) {}

Admission& Admission::operator=(Admission&& other) noexcept {
  if (this == &other) return *this;
  end();
  budget_ = std::exchange(other.budget_, nullptr);
  route_ = other.route_;
  bucket_ = other.bucket_;
  charge_ = other.charge_;
  sent_ = other.sent_;
  return *this;
}

void Admission::end() {
  if (budget_) std::exchange(budget_, nullptr)->end(*this);
}

RateBudget::RateBudget(std::int64_t max_wait_ms, Sleep sleep, const Clock& clock, config::CeilingPlan plan)
    : max_wait_ms_(max_wait_ms),
      sleep_(std::move(sleep)),
      clock_(&clock),
      plan_(std::move(plan)),
      open_(plan_.open()) {}

RateBudget::Route& RateBudget::route_of(const net::Url& url, std::optional<Bucket> guess) {
  std::string key = url.origin() + "#" + std::to_string(static_cast<int>(class_of_path(url.path_query)));
  if (routes_.size() >= kRoutesMax && !routes_.contains(key)) key = guess ? "upstream" : "";
  const auto [found, is_new] = routes_.try_emplace(std::move(key));
  Route& route = found->second;
  if (is_new) {
    route.is_upstream = guess.has_value();
    route.bucket = guess.value_or(Bucket::Api);
  }
  return route;
}

RateWindow& RateBudget::window_of(Route& route, std::optional<Bucket> bucket) {
  return bucket ? windows_[index(*bucket)] : route.unlimited;
}
RateBudget::Counts& RateBudget::counts_of(std::optional<Bucket> bucket) {
  return bucket ? counts_[index(*bucket)] : unlimited_counts_;
}

/// Many at once, before anybody knows what they count as, could be more than is left.
bool RateBudget::somebody_asks_first(const Route& route) const {
  return route.is_upstream && !route.told && route.asking > 0 &&
         clock_->monotonic_ms() - route.asked_ms < kFirstAnswerWaitMs;
}

Result<std::int64_t> RateBudget::upstream_wait_ms(Route& route) {
  const std::int64_t now_ms = clock_->monotonic_ms();
  RateWindow& window = window_of(route, route.bucket);
  const std::int64_t wait_ms = window.wait_ms(now_ms);
  if (wait_ms <= max_wait_ms_) return wait_ms;
  const std::string bucket = route.bucket ? "\"" + std::string(name_of(*route.bucket)) + "\" requests" : "requests";
  const std::string what = window.closed_ms(now_ms) == wait_ms
                               ? "the upstream wants no " + bucket + " for another "
                               : "the upstream's budget for " + bucket + " is used up for another ";
  return Error{Errc::RateLimited, what + waited_for(wait_ms) + ", longer than " + waited_for(max_wait_ms_) +
                                      "; run again later, or with a token"};
}

Admission RateBudget::take(Route& route) {
  const std::int64_t now_ms = clock_->monotonic_ms();
  Admission admission;
  admission.budget_ = this;
  admission.route_ = &route;
  admission.bucket_ = route.bucket;
  admission.charge_ = window_of(route, route.bucket).take(now_ms);
  ++counts_of(route.bucket).admitted;
  ++route.asking;
  route.asked_ms = now_ms;
  return admission;
}

/// From a place in the window to the moment of sending: our ceiling, and no request after the upstream closed.
awaitable<Result<>> RateBudget::begin(Route& route, Admission& admission) {
  for (;;) {
    HM_CO_TRY(co_await pace(requests_, &config::Ceilings::requests_per_second, 1, 1));
    const std::int64_t now_ms = clock_->monotonic_ms();
    const std::int64_t closed_ms = window_of(route, admission.bucket_).closed_ms(now_ms);
    if (closed_ms == 0) {
      admission.charge_.sent_ms = now_ms;
      admission.sent_ = true;
      co_return ok();
    }
    HM_CO_TRY(upstream_wait_ms(route));
    HM_CO_TRY(co_await sleep_(closed_ms));
  }
}

awaitable<Result<Admission>> RateBudget::admit(net::Url url, std::optional<Bucket> guess) {
  Route& route = route_of(url, guess);
  for (bool waited = false;;) {
    std::int64_t wait_ms = kFirstAnswerLookMs;
    if (!somebody_asks_first(route)) {
      HM_CO_TRY(wait_ms, upstream_wait_ms(route));
      if (wait_ms == 0) break;
      if (!std::exchange(waited, true)) ++counts_of(route.bucket).waits;
    }
    HM_CO_TRY(co_await sleep_(wait_ms));
  }
  Admission admission = take(route);
  HM_CO_TRY(co_await begin(route, admission));
  co_return std::move(admission);
}

/// Without an answer. What was never sent nobody has counted.
void RateBudget::end(Admission& admission) {
  --admission.route_->asking;
  RateWindow& window = window_of(*admission.route_, admission.bucket_);
  if (admission.sent_) return window.lost();
  --counts_of(admission.bucket_).admitted;
  window.give_back();
}

void RateBudget::recharge(Admission& admission, std::optional<Bucket> bucket) {
  --counts_of(admission.bucket_).admitted;
  ++counts_of(bucket).admitted;
  window_of(*admission.route_, admission.bucket_).give_back();
}

/// The request counts in the bucket that was charged when the answer names it; else in the first that it names.
void RateBudget::charge(Admission& admission, const std::vector<RateLimit>& limits) {
  const std::int64_t now_ms = clock_->monotonic_ms(), sent_ms = admission.charge_.sent_ms;
  Route& route = *admission.route_;
  auto own = std::find_if(limits.begin(), limits.end(),
                          [&](const RateLimit& limit) { return admission.bucket_ == limit.bucket; });
  if (own != limits.end()) {
    windows_[index(own->bucket)].answered(admission.charge_, *own, now_ms);
  } else {
    own = limits.begin();
    recharge(admission, own->bucket);
    windows_[index(own->bucket)].answered_elsewhere(*own, sent_ms, now_ms);
  }
  route.bucket = own->bucket;
  for (auto limit = limits.begin(); limit != limits.end(); ++limit)
    if (limit != own) windows_[index(limit->bucket)].observed(*limit, sent_ms, now_ms);
}

void RateBudget::answered(Admission admission, int status, const net::Headers& headers) {
  if (!std::exchange(admission.budget_, nullptr)) return;
  Route& route = *admission.route_;
  --route.asking;
  const auto limits = parse_rate_limits(headers);
  if (!limits.empty()) {
    charge(admission, limits);
    route.told = true;
  } else if (!route.is_upstream && admission.bucket_ && (!route.told || !route.bucket)) {
    route.told = true;
    route.bucket.reset();
    recharge(admission, std::nullopt);
  } else {
    window_of(route, admission.bucket_).lost();
    route.told = route.told || status < 500;  // what is broken in front of the upstream knows nothing of buckets
  }
  if (status == 429) ++answers_429_;
  if (status != 429 && status != 503) return;
  const auto retry_after = headers.get("Retry-After");
  const auto wait_ms = retry_after ? parse_retry_after(*retry_after, clock_->unix_ms()) : std::nullopt;
  if (wait_ms) window_of(route, route.bucket).close_until(clock_->monotonic_ms() + std::min(*wait_ms, kClosedMsMax));
}

/// @param ahead of the units booked, how many may go before they are paid: 1 of 1 begins when those before it are.
awaitable<Result<>> RateBudget::pace(TokenBucket& pacer, std::uint64_t config::Ceilings::* ceiling, std::uint64_t units,
                                     std::uint64_t ahead) {
  if (open_) co_return ok();
  pacer.set_rate(plan_.at(clock_->unix_ms()).*ceiling, clock_->monotonic_ms());
  const std::uint64_t place = pacer.book(units, clock_->monotonic_ms()) - ahead;
  for (;;) {
    const std::int64_t wait_ms = pacer.wait_ms(place, clock_->monotonic_ms());
    if (wait_ms == 0) co_return ok();
    if (auto slept = co_await sleep_(std::min(wait_ms, kCeilingLookMs)); !slept) {
      pacer.give_back(units, clock_->monotonic_ms());
      co_return std::move(slept).as_failure();
    }
    pacer.set_rate(plan_.at(clock_->unix_ms()).*ceiling, clock_->monotonic_ms());
  }
}

awaitable<Result<>> RateBudget::receive(std::uint64_t bytes) {
  received_bytes_ += bytes;
  co_return co_await pace(bytes_, &config::Ceilings::bytes_per_second, bytes, 0);
}

void RateBudget::set_ceilings(config::CeilingPlan plan) {
  plan_ = std::move(plan);
  open_ = plan_.open();
}

std::optional<RateBudget::State> RateBudget::state(Bucket bucket) const {
  const RateWindow& window = windows_[index(bucket)];
  if (!window.limited()) return std::nullopt;
  State state;
  state.remaining = window.remaining();
  state.quota = window.quota();
  state.window_ms = window.window_ms();
  state.reset_ms = window.reset_ms();
  return state;
}

BudgetStatus RateBudget::status() const {
  const std::int64_t now_ms = clock_->monotonic_ms();
  BudgetStatus status;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const RateWindow& window = windows_[i];
    BucketStatus& bucket = status.buckets[i];
    bucket.limited = window.limited();
    bucket.remaining = window.remaining();
    bucket.quota = window.quota();
    bucket.reset_in_ms = window.limited() ? std::max<std::int64_t>(window.reset_ms() - now_ms, 0) : 0;
    bucket.closed_ms = window.closed_ms(now_ms);
    bucket.admitted = counts_[i].admitted;
    bucket.in_flight = window.in_flight();
    bucket.waits = counts_[i].waits;
  }
  status.admitted_unlimited = unlimited_counts_.admitted;
  status.received_bytes = received_bytes_;
  status.answers_429 = answers_429_;
  status.ceilings = plan_.at(clock_->unix_ms());
  return status;
}

std::uint64_t RateBudget::waits() const {
  std::uint64_t sum = unlimited_counts_.waits;
  for (const Counts& counts : counts_) sum += counts.waits;
  return sum;
}
}  // namespace hm::hub

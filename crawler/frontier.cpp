#include "crawler/frontier.hpp"

#include <algorithm>
#include <bit>

namespace hm::crawler {
namespace {
// Of a thousand turns while every lane has work. Idle lanes leave their turns to the others.
constexpr std::array<int, kFrontierLanes> kWeights{900, 49, 49, 2};

/// Bits of the number: 0 for 0, 20 for a million.
int magnitude(std::uint64_t n) { return static_cast<int>(std::bit_width(n)); }
}  // namespace

std::uint8_t priority_of(const Importance& of, std::int64_t attention_ms) {
  if (of.pinned) return 255;
  // Downloads of the Hub reach 2^30 and families 2^17, so each half of the scale is used.
  const int wanted = std::min(4 * magnitude(of.downloads), 120) + std::min(4 * magnitude(of.derivatives), 68);
  const bool news = of.changed_ago_ms < attention_ms;
  const std::int64_t left = news ? attention_ms - std::max<std::int64_t>(of.changed_ago_ms, 0) : 0;
  const int fresh = attention_ms > 0 ? static_cast<int>(64 * left / attention_ms) : 0;
  return static_cast<std::uint8_t>(std::min(wanted + fresh, 254));
}

std::string_view name_of(FailureClass kind) {
  switch (kind) {
    case FailureClass::Transient:
      return "transient";
    case FailureClass::UpstreamDown:
      return "upstream-down";
    case FailureClass::Gated:
      return "gated";
    case FailureClass::Gone:
      return "gone";
    case FailureClass::Refused:
      return "refused";
    case FailureClass::Corrupt:
      return "corrupt";
    case FailureClass::Crashed:
      return "crashed";
    case FailureClass::Local:
      break;
  }
  return "local";
}

FailureClass class_of(const Error& error) {
  switch (error.code) {
    case Errc::Unreachable:
      return FailureClass::Transient;
    case Errc::RateLimited:
      return FailureClass::UpstreamDown;
    case Errc::Gated:
      return FailureClass::Gated;
    case Errc::NotFound:
      return FailureClass::Gone;
    case Errc::Refused:
    case Errc::BadInput:
      return FailureClass::Refused;
    case Errc::Corrupt:
      return FailureClass::Corrupt;
    case Errc::Internal:
      return FailureClass::Crashed;
    case Errc::NoSpace:
    case Errc::Cancelled:
    case Errc::Busy:
    case Errc::Io:
      break;
  }
  return FailureClass::Local;
}

/// Smooth weighted round robin over the lanes that have something due.
Result<std::optional<Lane>> Frontier::next_lane() {
  std::optional<std::size_t> best;
  int sum = 0;
  std::array<int, kFrontierLanes> credit = credit_;
  for (std::size_t lane = o_.first_lane; lane < o_.lanes; ++lane) {
    HM_TRY(const bool due, queue_.is_due(static_cast<std::uint8_t>(lane)));
    if (!due) {
      credit[lane] = 0;  // no claims are saved up while there is nothing to do
      continue;
    }
    credit[lane] += kWeights[lane];
    sum += kWeights[lane];
    if (!best || credit[lane] > credit[*best]) best = lane;
  }
  credit_ = credit;
  if (!best) return std::optional<Lane>();
  credit_[*best] -= sum;
  return std::optional(static_cast<Lane>(*best));
}

Result<std::optional<storage::Task>> Frontier::next(std::string_view owner) {
  const std::lock_guard lock(mutex_);
  std::optional<storage::Task> task;
  if (breaker_open_until_ms_) {
    if (probing_ || clock_.monotonic_ms() < *breaker_open_until_ms_) return task;
  }
  HM_TRY(const auto lane, next_lane());
  // Without one the call still finds leases that ran out.
  const auto from = lane ? static_cast<std::uint8_t>(*lane) : static_cast<std::uint8_t>(o_.first_lane);
  HM_TRY(auto leased, queue_.lease(1, owner, o_.lease_ms, from, lanes()));
  if (leased.empty()) return task;
  probing_ = breaker_open_until_ms_.has_value();
  task = std::move(leased.front());
  return task;
}

void Frontier::upstream_answered() {
  failures_in_a_row_ = 0;
  last_failed_.reset();
  breaker_pause_ms_ = 0;
  breaker_open_until_ms_.reset();
  probing_ = false;
}

/// True when the breaker is open now.
bool Frontier::upstream_failed(const storage::TaskKey& key) {
  if (last_failed_ != key) ++failures_in_a_row_;
  last_failed_ = key;
  if (failures_in_a_row_ < o_.breaker_failures) return false;
  const bool waits_already = breaker_open_until_ms_ && !probing_;  // others were under way when it opened
  if (!waits_already) {
    breaker_pause_ms_ = std::clamp(breaker_pause_ms_ * 2, o_.breaker_base_ms, o_.breaker_cap_ms);
    breaker_open_until_ms_ = clock_.monotonic_ms() + breaker_pause_ms_;
  }
  probing_ = false;
  return true;
}

std::int64_t Frontier::backoff_ms(std::uint32_t attempts) const {
  std::int64_t wait = o_.backoff_base_ms;
  for (std::uint32_t n = 1; n < attempts && wait < o_.backoff_cap_ms; ++n) wait *= 4;
  wait = std::min(wait, o_.backoff_cap_ms);
  return static_cast<std::int64_t>(static_cast<double>(wait) * (1 + o_.backoff_jitter * (2 * random_() - 1)));
}

Result<> Frontier::done(const storage::Task& task, storage::Batch batch) {
  const std::lock_guard lock(mutex_);
  upstream_answered();
  return queue_.complete(task.key, task.lease->fence, std::move(batch));
}

Result<FailureClass> Frontier::failed(const storage::Task& task, const Error& error, storage::Batch batch) {
  const std::lock_guard lock(mutex_);
  using Then = storage::TaskFailure::Then;
  FailureClass kind = class_of(error);
  if (kind == FailureClass::Transient) {
    if (upstream_failed(task.key)) kind = FailureClass::UpstreamDown;
  } else if (kind != FailureClass::Local && kind != FailureClass::Crashed) {
    upstream_answered();
  } else {
    probing_ = false;
  }
  const std::int64_t now_ms = clock_.unix_ms();
  storage::TaskFailure failure{std::string(name_of(kind)), error.what};
  failure.then = Then::Retry;
  failure.retry_at_ms = now_ms;
  switch (kind) {
    case FailureClass::Transient:
      failure.retry_at_ms = now_ms + backoff_ms(task.attempts);
      break;
    case FailureClass::UpstreamDown:
      failure.counts = false;
      failure.retry_at_ms = now_ms + std::max(breaker_pause_ms_, o_.breaker_base_ms);
      break;
    case FailureClass::Local:
      failure.counts = false;
      break;
    case FailureClass::Gated:
      failure.then = Then::Park;
      break;
    case FailureClass::Corrupt:
      failure.retry_at_ms = now_ms + o_.backoff_base_ms;
      if (task.failure == name_of(FailureClass::Corrupt)) failure.then = Then::GiveUp;
      break;
    case FailureClass::Crashed:
      failure.crashed = true;
      failure.retry_at_ms = now_ms + o_.backoff_base_ms;
      break;
    case FailureClass::Gone:
    case FailureClass::Refused:
      failure.then = Then::GiveUp;
      break;
  }
  HM_TRY(queue_.fail(task.key, task.lease->fence, failure, std::move(batch)));
  return kind;
}

Result<> Frontier::heartbeat(const storage::Task& task) {
  return queue_.heartbeat(task.key, task.lease->fence, o_.lease_ms);
}

Result<std::optional<std::int64_t>> Frontier::wait_ms() const {
  const std::lock_guard lock(mutex_);
  HM_TRY(const auto due, queue_.next_due_ms(lanes()));
  if (!due) return due;
  std::int64_t wait = std::max<std::int64_t>(*due - clock_.unix_ms(), 0);
  if (breaker_open_until_ms_) wait = std::max(wait, *breaker_open_until_ms_ - clock_.monotonic_ms());
  return std::optional(wait);
}
}  // namespace hm::crawler

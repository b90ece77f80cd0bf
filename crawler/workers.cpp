#include "crawler/workers.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

#include "base/log.hpp"
#include "base/run_on.hpp"

namespace hm::crawler {
namespace asio = boost::asio;

awaitable<Result<>> Workers::run(Work work, std::function<bool()> may_end, Told told) {
  co_await asio::this_coro::throw_if_cancelled(false);
  work_ = std::move(work);
  may_end_ = std::move(may_end);
  told_ = std::move(told);
  stop_.reset();
  ended_ = false;
  mirror::TaskScope scope(co_await asio::this_coro::executor);
  scope_ = &scope;
  for (int number = 1; number <= o_.count; ++number) scope.spawn(worker(number));
  scope.spawn(heart());
  co_await scope.join();
  scope_ = nullptr;
  if (stop_) co_return *stop_;
  if (scope.failed()) co_return Error(Errc::Internal, "a worker ended by an exception");
  if (!ended_) co_return Error(Errc::Cancelled, "stopped");
  co_return ok();
}

void Workers::stop(Error error) {
  if (!stop_ && !ended_ && !scope_->cancelled()) stop_ = std::move(error);
  scope_->cancel();
}

awaitable<void> Workers::worker(int number) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::string owner = o_.owner + ":" + std::to_string(number);
  while (!ended_ && !scope_->cancelled()) {
    auto next = co_await run_on(disk_, [&] { return frontier_.next(owner); });
    if (!next) co_return stop(next.error());
    if (auto task = std::move(next).assume_value()) {
      const auto reported = co_await one(std::move(*task));
      if (!reported) co_return stop(reported.error());
      continue;
    }
    if (held_.empty() && may_end_()) {
      ended_ = true;
      scope_->cancel();  // wakes those that rest
      co_return;
    }
    const auto rested = co_await rest();
    if (!rested && !ended_) co_return stop(rested.error());
  }
}

/// Does one task and reports. @returns what stops everything.
awaitable<Result<>> Workers::one(storage::Task task) {
  const std::uint64_t fence = task.lease->fence;
  held_.emplace(fence, task);
  WorkOutcome outcome;
  try {
    outcome = co_await work_(task);
  } catch (const std::exception& e) {  // a bug of ours, or of a library, in this one's input
    outcome.error = Error(scope_->cancelled() ? Errc::Cancelled : Errc::Internal, e.what());
  }
  held_.erase(fence);
  std::optional<FailureClass> failure;
  Result<> reported = ok();
  if (outcome.error) {
    auto booked =
        co_await run_on(disk_, [&] { return frontier_.failed(task, *outcome.error, std::move(outcome.batch)); });
    if (booked)
      failure = booked.assume_value();
    else
      reported = booked.error();
  } else {
    reported = co_await run_on(disk_, [&] { return frontier_.done(task, std::move(outcome.batch)); });
  }
  if (!reported) {
    if (reported.assume_error().code != Errc::Busy) co_return reported;
    log(LogLevel::Warning, "a lease was lost while its task was at work; what it found is not kept",
        {{"task", task.key.repo.text() + " " + task.key.what}, {"why", reported.assume_error().what}});
    co_return ok();
  }
  if (told_) told_(task, failure, outcome.error);
  if (failure == FailureClass::Local) co_return *outcome.error;
  co_return ok();
}

awaitable<Result<>> Workers::rest() {
  HM_CO_TRY(const auto wait, co_await run_on(disk_, [&] { return frontier_.wait_ms(); }));
  const std::int64_t ms = std::clamp<std::int64_t>(wait.value_or(o_.idle_ms_max), 1, o_.idle_ms_max);
  co_return co_await sleep_(ms);
}

/// Prolongs what is held, until all workers have ended.
awaitable<void> Workers::heart() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!ended_ && !scope_->cancelled()) {
    const auto slept = co_await sleep_(o_.heartbeat_every_ms);
    if (!slept) co_return;
    const auto held = held_;  // it changes meanwhile
    for (const auto& [fence, task] : held) {
      if (!held_.contains(fence)) continue;
      const auto beat = co_await run_on(disk_, [&] { return frontier_.heartbeat(task); });
      if (!beat && beat.assume_error().code != Errc::Busy) co_return stop(beat.error());
    }
  }
}
}  // namespace hm::crawler

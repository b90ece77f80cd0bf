#include "server/gate_memory.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log.hpp"

namespace hm::server {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr std::int64_t kMinuteMs = 60'000;
/// Someone who waits; holds one answer, so that the sender never does.
using Waiter = asio::experimental::concurrent_channel<void(error_code, GateAnswer)>;

/// Answers by subject; the one that was not asked for the longest goes first.
class Remembered {
 public:
  explicit Remembered(std::size_t max) : max_(max) {}

  std::optional<GateAnswer> find(const Sha256& subject, std::int64_t now_ms) {
    const auto found = places_.find(subject);
    if (found == places_.end()) return std::nullopt;
    if (now_ms >= found->second->until_ms) {
      order_.erase(found->second);
      places_.erase(found);
      return std::nullopt;
    }
    order_.splice(order_.begin(), order_, found->second);
    return found->second->answer;
  }
  void put(const Sha256& subject, GateAnswer answer, std::int64_t until_ms) {
    drop(subject);
    order_.push_front({subject, answer, until_ms});
    places_[subject] = order_.begin();
    if (order_.size() > max_) drop(order_.back().subject);
  }

 private:
  struct Entry {
    Sha256 subject;
    GateAnswer answer;
    std::int64_t until_ms;
  };
  void drop(const Sha256 subject) {  // by value: it may stand in the entry that goes
    const auto found = places_.find(subject);
    if (found == places_.end()) return;
    order_.erase(found->second);
    places_.erase(found);
  }
  const std::size_t max_;
  std::list<Entry> order_;
  std::unordered_map<Sha256, std::list<Entry>::iterator> places_;
};
}  // namespace

struct GateMemory::State {
  State(asio::any_io_executor where, const Clock& c, GateLimits l)
      : asks_on(std::move(where)), clock(c), limits(l), grants(l.remembered_max), rest(l.remembered_max) {}

  /// The answer that is known or that limits give; nullopt: `waiter` gets it. @returns in `begin` whether the question
  /// is the caller's to begin.
  std::optional<GateAnswer> known(const Sha256& subject, const std::shared_ptr<Waiter>& waiter, bool& begin) {
    const std::lock_guard lock(mutex);
    const std::int64_t now_ms = clock.monotonic_ms();
    if (const auto answer = grants.find(subject, now_ms)) return answer;
    if (const auto answer = rest.find(subject, now_ms)) return answer;
    if (const auto found = open.find(subject); found != open.end()) {
      found->second.push_back(waiter);
      return std::nullopt;
    }
    if (now_ms - minute_began_ms >= kMinuteMs) minute_began_ms = now_ms, asked_in_minute = 0;
    if (open.size() >= limits.open_max || asked_in_minute >= limits.per_minute_max) return GateAnswer::Unknown;
    ++asked_in_minute;
    open[subject].push_back(waiter);
    begin = true;
    return std::nullopt;
  }

  void settle(const Sha256& subject, GateAnswer answer) {
    std::vector<std::shared_ptr<Waiter>> waiting;
    {
      const std::lock_guard lock(mutex);
      const std::int64_t now_ms = clock.monotonic_ms();
      if (answer == GateAnswer::Yes)
        grants.put(subject, answer, now_ms + limits.yes_ms);
      else
        rest.put(subject, answer, now_ms + (answer == GateAnswer::No ? limits.no_ms : limits.unknown_ms));
      waiting = std::move(open[subject]);
      open.erase(subject);
    }
    for (const auto& waiter : waiting) waiter->try_send(error_code(), answer);
  }

  const asio::any_io_executor asks_on;
  const Clock& clock;
  const GateLimits limits;
  std::mutex mutex;
  Remembered grants, rest;  ///< apart, so that made-up tokens push no grant out
  std::unordered_map<Sha256, std::vector<std::shared_ptr<Waiter>>> open;
  std::int64_t minute_began_ms = 0;
  std::size_t asked_in_minute = 0;
};

namespace {
/// Keeps the question alive for as long as its coroutine refers to it.
awaitable<Result<bool>> run(GateMemory::Question question) { co_return co_await question(); }
}  // namespace

GateMemory::GateMemory(asio::any_io_executor asks_on, const Clock& clock, GateLimits limits)
    : state_(std::make_shared<State>(std::move(asks_on), clock, limits)) {}
GateMemory::~GateMemory() = default;

awaitable<GateAnswer> GateMemory::ask(Sha256 subject, Question question) {
  const auto state = state_;
  const auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor, 1);
  bool begin = false;
  if (const auto answer = state->known(subject, waiter, begin)) co_return *answer;
  if (begin) {
    asio::co_spawn(state->asks_on, run(std::move(question)),
                   [state, subject](const std::exception_ptr& broken, const Result<bool>& allowed) {
                     if (broken || !allowed) {
                       log(LogLevel::Info, "gate not checked",
                           {{"why", broken ? "the question was broken off" : allowed.error().what}});
                       state->settle(subject, GateAnswer::Unknown);
                     } else {
                       state->settle(subject, allowed.assume_value() ? GateAnswer::Yes : GateAnswer::No);
                     }
                   });
  }
  const auto [failed, answer] = co_await waiter->async_receive(asio::as_tuple(asio::use_awaitable));
  co_return failed ? GateAnswer::Unknown : answer;
}
}  // namespace hm::server

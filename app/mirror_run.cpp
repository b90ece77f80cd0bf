#include "app/mirror_run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <set>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "crawler/visit.hpp"

namespace hm::app {
namespace {
namespace asio = boost::asio;

/// Everything but `finished_` belongs to the network thread.
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(NetworkServices& network, const std::vector<crawler::MirrorRequest>& requests, MirrorRunOptions options,
      ProgressDisplay& display)
      : network_(network),
        requests_(requests),
        options_(std::move(options)),
        display_(display),
        outcomes_(requests.size()) {
    for (std::size_t slot = 0; slot < requests_.size(); ++slot) waiting_.push_back(slot);
  }

  void begin() {
    asio::post(*network_.context, [self = shared_from_this()] { self->begin_more(); });
  }
  void cancel() {
    asio::post(*network_.context, [self = shared_from_this()] { self->cancel_all(); });
  }
  /// Main thread: true when all ended, waiting at most so long.
  bool wait_ms(std::int64_t ms) {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return finished_; });
  }
  std::vector<MirrorOutcome> take() { return std::move(outcomes_); }

 private:
  void begin_more() {
    while (!stopping_ && active_.size() < static_cast<std::size_t>(options_.parallel)) {
      const auto next = next_waiting();
      if (next == waiting_.end()) break;
      const std::size_t slot = *next;
      waiting_.erase(next);
      begin_one(slot);
    }
    if (!active_.empty() || noting_ != 0) return;
    const std::lock_guard lock(mutex_);
    finished_ = true;
    ended_.notify_all();
  }
  /// The first request whose repository is not at work already: the pipeline would let it wait, in a place that another
  /// one can use.
  std::deque<std::size_t>::iterator next_waiting() {
    return std::find_if(waiting_.begin(), waiting_.end(),
                        [this](std::size_t slot) { return !busy_.contains(name_of_slot(slot)); });
  }
  std::string name_of_slot(std::size_t slot) const { return ascii_lower(requests_[slot].spec.repo.text()); }

  void begin_one(std::size_t slot) {
    busy_.insert(name_of_slot(slot));
    outcomes_[slot].begun = true;
    auto signal = std::make_shared<asio::cancellation_signal>();
    active_[slot] = signal;
    auto progress = [this, slot](const crawler::ProgressEvent& event) {
      display_.apply(slot, event, system_clock().monotonic_ms());
    };
    auto ended = [self = shared_from_this(), slot](std::exception_ptr thrown, crawler::MirrorReport report) {
      self->end_one(slot, thrown, std::move(report));
    };
    crawler::MirrorRequest request = requests_[slot];
    asio::co_spawn(*network_.context, network_.pipeline.mirror(std::move(request), std::move(progress)),
                   asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
  }

  void end_one(std::size_t slot, const std::exception_ptr& thrown, crawler::MirrorReport report) {
    MirrorOutcome& outcome = outcomes_[slot];
    outcome.report = std::move(report);
    if (thrown) {
      outcome.report.repo = requests_[slot].spec.repo;
      outcome.report.error = stopping_ ? Error{Errc::Cancelled, "stopped"} : Error{Errc::Internal, reason_of(thrown)};
    }
    if (outcome.report.error && crawler::stops_everything(*outcome.report.error)) stopping_ = true;
    active_.erase(slot);
    busy_.erase(name_of_slot(slot));
    if (options_.on_end) note(slot);
    display_.finished(slot, options_.summary ? options_.summary(outcome) : std::string());
    begin_more();
  }
  void note(std::size_t slot) {
    ++noting_;
    asio::post(network_.git_pool, [self = shared_from_this(), slot] {
      self->options_.on_end(slot, self->outcomes_[slot]);
      asio::post(*self->network_.context, [self] {
        --self->noting_;
        self->begin_more();
      });
    });
  }
  static std::string reason_of(const std::exception_ptr& thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      return e.what();
    } catch (...) {
      return "unknown exception";
    }
  }

  void cancel_all() {
    stopping_ = true;
    const auto running = active_;  // emit() may end one at once, which takes it out of the map
    for (const auto& [slot, signal] : running) signal->emit(asio::cancellation_type::terminal);
  }

  NetworkServices& network_;
  const std::vector<crawler::MirrorRequest>& requests_;
  const MirrorRunOptions options_;
  ProgressDisplay& display_;
  std::vector<MirrorOutcome> outcomes_;
  std::deque<std::size_t> waiting_;
  std::map<std::size_t, std::shared_ptr<asio::cancellation_signal>> active_;
  std::set<std::string> busy_;
  std::size_t noting_ = 0;  ///< calls of on_end under way
  bool stopping_ = false;

  std::mutex mutex_;
  std::condition_variable ended_;
  bool finished_ = false;  ///< guarded by mutex_
};
}  // namespace

std::vector<MirrorOutcome> run_mirror(NetworkServices& network, const std::vector<crawler::MirrorRequest>& requests,
                                      MirrorRunOptions options, ProgressDisplay& display, std::stop_token stop) {
  const auto run = std::make_shared<Run>(network, requests, std::move(options), display);
  run->begin();
  {
    const std::stop_callback on_stop(stop, [run] { run->cancel(); });
    while (!run->wait_ms(1000 / kDrawsPerSecond)) display.draw(system_clock().monotonic_ms());
  }
  display.draw(system_clock().monotonic_ms());
  display.close();
  return run->take();
}
}  // namespace hm::app

#include "crawler/crawl.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "base/run_on.hpp"

namespace hm::crawler {
namespace {
constexpr std::uint64_t kSweepShare = 80;  // per cent of a window that sweeps may use; 90 is what anybody may

/// Later it may be better: the peer is away, or says what nobody understands. A full disk and a broken index stay.
bool may_pass(const Error& error) {
  switch (error.code) {
    case Errc::NotFound:
    case Errc::Gated:
    case Errc::RateLimited:
    case Errc::Unreachable:
    case Errc::Refused:
    case Errc::BadInput:
      return true;
    default:
      return false;
  }
}
}  // namespace

std::string_view name_of(ListerTask task) {
  switch (task) {
    case ListerTask::Sweep:
      return "sweep";
    case ListerTask::Tail:
      return "tail";
    case ListerTask::Missing:
      return "missing";
    case ListerTask::Hot:
      break;
  }
  return "hot";
}

Crawl::Crawl(ListerParts parts, CrawlOptions options, hub::Sleep sleep)
    : p_(std::move(parts)), o_(std::move(options)), sleep_(std::move(sleep)) {
  for (const RepoKind kind : o_.kinds) listers_.emplace_back(p_, kind, o_.lister);
  timetable_.resize(listers_.size());
}

std::int64_t Crawl::sweep_may_ms(std::int64_t now_ms) const {
  const auto state = p_.api.budget().state(hub::Bucket::Api);
  if (!state || state->quota == 0 || !state->reset_ms || *state->reset_ms <= now_ms) return now_ms;
  const std::uint64_t kept = state->quota * (100 - kSweepShare) / 100;
  return state->remaining > kept ? now_ms : *state->reset_ms;
}

/// The step that is due first: tails before all, since changes are what is waited for; then what is hot, then a page of
/// a sweep.
std::optional<Crawl::Step> Crawl::next_step(std::int64_t now_ms) const {
  std::optional<Step> best;
  auto consider = [&](Step step) {
    step.due_ms = std::max(step.due_ms, now_ms);
    if (!best || step.due_ms < best->due_ms) best = step;
  };
  for (std::size_t i = 0; i < listers_.size(); ++i)
    if (!timetable_[i].tail_done) consider({i, ListerTask::Tail, timetable_[i].tail_due_ms});
  for (std::size_t i = 0; i < listers_.size(); ++i)
    if (!timetable_[i].hot_done) consider({i, ListerTask::Hot, timetable_[i].hot_due_ms});
  for (std::size_t i = 0; i < listers_.size(); ++i)
    if (listers_[i].missing() != 0)
      consider({i, ListerTask::Missing, std::max(timetable_[i].missing_due_ms, sweep_may_ms(now_ms))});
  for (std::size_t i = 0; i < listers_.size(); ++i)
    if (!timetable_[i].sweep_done)
      consider({i, ListerTask::Sweep, std::max(timetable_[i].sweep_due_ms, sweep_may_ms(now_ms))});
  return best;
}

awaitable<Result<ListingReport>> Crawl::take(const Step& step) {
  switch (step.task) {
    case ListerTask::Tail:
      return listers_[step.lister].tail();
    case ListerTask::Hot:
      return listers_[step.lister].hot();
    case ListerTask::Missing:
      return listers_[step.lister].ask_for_missing();
    case ListerTask::Sweep:
      break;
  }
  return listers_[step.lister].sweep_page();
}

void Crawl::book(const Step& step, std::int64_t now_ms) {
  Timetable& t = timetable_[step.lister];
  const SweepState& sweep = listers_[step.lister].sweep();
  switch (step.task) {
    case ListerTask::Tail:
      t.tail_due_ms = now_ms + o_.tail_every_ms;
      t.tail_done = o_.once;
      return;
    case ListerTask::Hot:
      t.hot_due_ms = now_ms + o_.hot_every_ms;
      t.hot_done = o_.once;
      return;
    case ListerTask::Missing:
      return;  // the next one at once
    case ListerTask::Sweep:
      break;
  }
  t.sweep_done = o_.once && !sweep.running;
  // As long as the one before, spread evenly. What goes beyond that follows at once: the one before may have been cut
  // short, and its few pages would make days of each of these.
  const auto pages = static_cast<std::int64_t>(std::max<std::uint64_t>(sweep.pages_before, 1));
  const bool is_longer = sweep.running && sweep.pages >= sweep.pages_before;
  t.sweep_due_ms = is_longer || o_.once ? now_ms : now_ms + o_.sweep_every_ms / pages;
}

void Crawl::put_off(const Step& step, std::int64_t until_ms) {
  Timetable& t = timetable_[step.lister];
  switch (step.task) {
    case ListerTask::Tail:
      t.tail_due_ms = until_ms;
      return;
    case ListerTask::Hot:
      t.hot_due_ms = until_ms;
      return;
    case ListerTask::Missing:
      t.missing_due_ms = until_ms;
      return;
    case ListerTask::Sweep:
      t.sweep_due_ms = until_ms;
  }
}

bool Crawl::knows_all() const {
  return std::all_of(listers_.begin(), listers_.end(), [](const Lister& lister) {
    const SweepState& sweep = lister.sweep();
    return sweep.number > 1 || (sweep.number == 1 && !sweep.running);
  });
}

/// A sweep that ended before this process began is followed by the next no sooner than in that process.
void Crawl::go_on_from_before(std::int64_t now_ms) {
  if (o_.once) return;
  for (std::size_t i = 0; i < listers_.size(); ++i) {
    const SweepState& sweep = listers_[i].sweep();
    if (sweep.running || sweep.number == 0) continue;
    const std::int64_t pause_ms =
        o_.sweep_every_ms / static_cast<std::int64_t>(std::max<std::uint64_t>(sweep.pages_before, 1));
    const std::int64_t ago_ms = std::max<std::int64_t>(p_.clock.unix_ms() - sweep.ended_ms, 0);
    timetable_[i].sweep_due_ms = now_ms + std::max<std::int64_t>(pause_ms - ago_ms, 0);
  }
}

awaitable<Result<ListingReport>> Crawl::run(std::function<void(const CrawlEvent&)> progress) {
  for (Lister& lister : listers_) {
    HM_CO_TRY(co_await run_on(p_.disk, [&] { return lister.load(); }));
  }
  go_on_from_before(p_.clock.monotonic_ms());
  ListingReport all;
  for (;;) {
    const std::int64_t now_ms = p_.clock.monotonic_ms();
    const auto step = next_step(now_ms);
    if (!step) co_return all;
    if (step->due_ms > now_ms) {
      HM_CO_TRY(co_await sleep_(step->due_ms - now_ms));
      continue;  // what is due may have changed
    }
    auto page = co_await take(*step);
    if (!page) {
      Error error = page.assume_error();
      if (error.code == Errc::BadInput)
        error.code = Errc::Refused;  // what nobody understands is not the caller's fault
      if (!may_pass(error) || o_.once) co_return error;
      log(LogLevel::Warning, "the upstream cannot be read just now",
          {{"kind", std::string(name_of(listers_[step->lister].kind()))},
           {"task", std::string(name_of(step->task))},
           {"why", error.what}});
      put_off(*step, p_.clock.monotonic_ms() + o_.error_pause_ms);
      continue;
    }
    book(*step, p_.clock.monotonic_ms());
    all += page.assume_value();
    if (progress)
      progress({listers_[step->lister].kind(), step->task, page.assume_value(), listers_[step->lister].sweep(),
                listers_[step->lister].missing()});
  }
}
}  // namespace hm::crawler

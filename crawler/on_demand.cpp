#include "crawler/on_demand.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <future>

#include "base/log.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "storage/key_space.hpp"

namespace hm::crawler {
namespace asio = boost::asio;

namespace {
constexpr std::size_t kReadThreads = 4;           // they read what was written a moment ago: from memory
constexpr int kVisitsMax = 8, kDownloadsMax = 8;  // at once; the others wait
constexpr std::size_t kOpenMax = 256;             // visits, and downloads, that run or wait; more are refused
constexpr std::size_t kAgesMax = 65'536;          // names whose age is remembered; some 300 bytes each
constexpr std::int64_t kWaitAtHandMs = 8'000;     // below the ten seconds that clients wait for a head
constexpr std::int64_t kWaitMs = 60'000;          // nothing can be answered without it: as long as proxies wait
constexpr std::int64_t kLeftAloneMs = 15'000;     // an upstream that is down, so that not every request waits for it
constexpr auto kIncludeAfter = std::chrono::seconds(2);  // files come in swarms; a revision is published once for them

bool is_down(const Error& error) { return error.code == Errc::Unreachable || error.code == Errc::RateLimited; }
Error stopped_error() { return {Errc::Cancelled, "this mirror is about to end"}; }
}  // namespace

OnDemand::OnDemand(Parts parts)
    : p_(std::move(parts)), reads_(kReadThreads), gate_(1), scope_(std::in_place, p_.network), changed_(p_.network) {}

OnDemand::~OnDemand() { stop(); }

void OnDemand::stop() {
  if (std::exchange(stopped_, true)) return;
  give_up_.request_stop();
  std::promise<void> ended;
  auto wait = [](OnDemand& self) -> awaitable<void> {
    self.stopping_ = true;
    self.scope_->cancel();
    self.changed_.notify_all();
    co_await self.scope_->join();
    self.scope_.reset();
  };
  asio::co_spawn(p_.network, wait(*this), [&ended](const std::exception_ptr&) { ended.set_value(); });
  ended.get_future().wait();
  gate_.join();
  reads_.join();
}

/// Any thread. What cannot be begun any more is told so by its own end.
void OnDemand::begin(std::function<awaitable<void>()> task) {
  asio::post(p_.network, [this, task = std::move(task)] {
    if (!stopping_) scope_->spawn(task());
  });
}

awaitable<Result<std::shared_ptr<void>>> OnDemand::enter() {
  if (!p_.enter) co_return std::shared_ptr<void>();
  co_return co_await run_on(gate_, [this] { return p_.enter(give_up_.get_token()); });
}

/// Nobody is woken on a loop that has ended: an asker is in no list any more when its coroutine is gone, however.
class OnDemand::Leaving {
 public:
  Leaving(OnDemand& of, const std::string& name, const std::shared_ptr<Asker>& asker)
      : of_(of), name_(name), asker_(asker) {}
  ~Leaving() {
    const std::lock_guard lock(of_.mutex_);
    if (const auto age = of_.ages_.find(name_); age != of_.ages_.end()) std::erase(age->second.askers, asker_);
  }
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;

 private:
  OnDemand& of_;
  const std::string& name_;
  const std::shared_ptr<Asker>& asker_;
};

awaitable<Result<>> OnDemand::refresh(RepoId repo, std::string revision, std::int64_t max_age_ms, bool at_hand) {
  const std::string name = storage::key::name(repo) + "\n" + revision;
  const auto loop = co_await asio::this_coro::executor;
  std::shared_ptr<Asker> asker;
  bool begins = false;
  {
    const std::lock_guard lock(mutex_);
    const std::int64_t now_ms = p_.clock.monotonic_ms();
    Age& age = ages_[name];
    if (!age.asking) {
      if (age.compared_ms && now_ms - *age.compared_ms < max_age_ms) co_return ok();
      if (age.down && now_ms < age.down_until_ms) co_return *age.down;
      if (visits_open_ >= kOpenMax) co_return Error{Errc::Busy, "too many repositories are being asked for upstream"};
      ++visits_open_;
      age.asking = begins = true;
      age.began_ms = now_ms;
    }
    const std::int64_t left_ms = age.began_ms + (at_hand ? kWaitAtHandMs : kWaitMs) - now_ms;
    if (left_ms <= 0) co_return Error{Errc::Unreachable, "upstream is still being asked"};
    asker = std::make_shared<Asker>(std::make_shared<mirror::Waiter>(loop, left_ms));
    age.askers.push_back(asker);
  }
  if (begins) begin([this, repo, revision, name] { return visit(repo, revision, name); });
  const Leaving leaving(*this, name, asker);
  co_await asker->waiter->wait();
  const std::lock_guard lock(mutex_);
  if (asker->outcome) co_return *asker->outcome;
  co_return Error{Errc::Unreachable, "upstream is still being asked"};
}

awaitable<void> OnDemand::visit(RepoId repo, std::string revision, std::string name) {
  Result<> outcome = stopped_error();
  try {
    outcome = co_await visit_now(std::move(repo), std::move(revision));
  } catch (const boost::system::system_error&) {  // how a cancelled coroutine ends inside Asio
  }
  settle(name, std::move(outcome));
}

awaitable<Result<>> OnDemand::visit_now(RepoId repo, std::string revision) {
  while (visits_ >= kVisitsMax && !stopping_) co_await changed_.wait();
  if (stopping_) co_return stopped_error();
  const std::shared_ptr<void> counted(&++visits_, [this](void*) {
    --visits_;
    changed_.notify_all();
  });
  HM_CO_TRY(const auto ticket, co_await enter());
  MirrorRequest request;
  request.spec.repo = std::move(repo);
  if (!revision.empty()) request.spec.revision = std::move(revision);
  request.large_files = LargeFiles::Present;
  request.pull_requests = request.spec.revision && request.spec.revision->starts_with("refs/pr/");
  const MirrorReport report = co_await p_.pipeline.mirror(std::move(request), {});
  if (report.error) co_return *report.error;
  co_return ok();
}

void OnDemand::settle(const std::string& name, Result<> outcome) {
  const std::lock_guard lock(mutex_);
  --visits_open_;
  Age& age = ages_[name];
  age.asking = false;
  age.down.reset();
  if (outcome) {
    age.compared_ms = age.began_ms;
  } else if (is_down(outcome.error())) {
    age.down = outcome.error();
    age.down_until_ms = p_.clock.monotonic_ms() + kLeftAloneMs;
  }
  for (auto& asker : std::exchange(age.askers, {})) {
    asker->outcome = outcome;
    mirror::Waiter::wake(asker->waiter);
  }
  if (!age.compared_ms && !age.down) ages_.erase(name);  // a denial is not remembered
  if (ages_.size() > kAgesMax) forget_old();
}

/// Half of what is not being asked for: the next request for one of them asks upstream.
void OnDemand::forget_old() {
  bool every_other = false;
  std::erase_if(ages_, [&](const auto& entry) {
    every_other = !every_other;
    return every_other && !entry.second.asking;
  });
}

awaitable<Result<std::unique_ptr<mirror::BlobReader>>> OnDemand::blob(RepoId repo, RepoKey key,
                                                                      mirror::WantedBlob wanted, std::uint64_t first,
                                                                      std::uint64_t length) {
  std::shared_ptr<mirror::ArrivingBlob> arriving;
  bool begins = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = arriving_.find(wanted.id);
    if (found != arriving_.end()) {
      arriving = found->second;
    } else {
      if (arriving_.size() >= kOpenMax) co_return Error{Errc::Busy, "too many files are being fetched from upstream"};
      arriving = std::make_shared<mirror::ArrivingBlob>(wanted.size_bytes, reads_);
      arriving_.emplace(wanted.id, arriving);
      begins = true;
    }
  }
  if (begins) begin([=, this] { return download(repo, key, wanted, arriving); });
  co_return co_await arriving->read(first, length, kWaitMs);
}

awaitable<void> OnDemand::download(RepoId repo, RepoKey key, mirror::WantedBlob wanted,
                                   std::shared_ptr<mirror::ArrivingBlob> arriving) {
  Result<std::shared_ptr<const File>> outcome = stopped_error();
  try {
    outcome = co_await download_now(repo, wanted, arriving);
  } catch (const boost::system::system_error&) {  // as in visit()
  }
  const auto commit = Commit::parse(wanted.revision);
  if (outcome && commit) include_soon(key, *commit);
  {
    const std::lock_guard lock(mutex_);
    arriving_.erase(wanted.id);
  }
  arriving->ended(outcome);
  // Last: whoever has read this line and asks anew begins a new download.
  log(outcome ? LogLevel::Info : LogLevel::Warning, outcome ? "fetched on demand" : "not fetched on demand",
      {{"repo", repo.text()},
       {"path", printable(wanted.path)},
       {"sha256", wanted.id.hex()},
       {"error", outcome ? std::string("-") : outcome.error().what}});
}

awaitable<Result<std::shared_ptr<const File>>> OnDemand::download_now(RepoId repo, mirror::WantedBlob wanted,
                                                                      std::shared_ptr<mirror::ArrivingBlob> arriving) {
  while (downloads_ >= kDownloadsMax && !stopping_) co_await changed_.wait();
  if (stopping_) co_return stopped_error();
  const std::shared_ptr<void> counted(&++downloads_, [this](void*) {
    --downloads_;
    changed_.notify_all();
  });
  HM_CO_TRY(const auto ticket, co_await enter());
  mirror::DownloadEvents events;
  events.watcher = std::move(arriving);
  std::vector<mirror::WantedBlob> all{wanted};
  HM_CO_TRY(const auto outcomes, co_await p_.downloader.fetch(std::move(repo), std::move(all), std::move(events)));
  HM_CO_TRY(outcomes.front().result);
  auto open = [this, &wanted]() -> Result<std::unique_ptr<File>> {
    HM_TRY(const std::string path, p_.blobs.path(wanted.id));
    return real_file_system().open_read(path);
  };
  HM_CO_TRY(std::shared_ptr<const File> file, co_await run_on(reads_, std::move(open)));
  co_return file;
}

/// Until it is in a revision, `ls` does not show a file, and garbage collection may take it.
void OnDemand::include_soon(const RepoKey& key, const Commit& commit) {
  const bool waits = arrived_.contains(key);
  arrived_[key].insert(commit);
  if (!waits && !stopping_) scope_->spawn(include(key));
}

awaitable<void> OnDemand::include(RepoKey key) {
  co_await asio::this_coro::throw_if_cancelled(false);  // at the end of the process too: it takes milliseconds
  asio::steady_timer timer(p_.network, kIncludeAfter);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  const std::set<Commit> commits = std::exchange(arrived_[key], {});
  arrived_.erase(key);
  const auto ticket = co_await enter();
  if (!ticket) co_return;
  for (const Commit& commit : commits) {
    const auto included = co_await p_.pipeline.include_present(key, commit);
    if (!included)
      log(LogLevel::Warning, "a file that was fetched on demand is in no revision yet",
          {{"repo", key.text()}, {"commit", commit.hex()}, {"why", included.error().what}});
  }
}
}  // namespace hm::crawler

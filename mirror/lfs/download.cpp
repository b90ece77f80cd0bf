#include "mirror/lfs/download.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "base/check.hpp"
#include "base/crash_point.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "mirror/lfs/blob_transfer.hpp"
#include "mirror/lfs/locations.hpp"

namespace hm::mirror {
namespace asio = boost::asio;

namespace {
/// Blobs published together share their directory syncs.
constexpr std::size_t kPublishGroupMax = 64;
/// A finished blob waits this long for company: little for whoever waits for it, enough to gather all that end at about
/// the same time.
constexpr auto kPublishLinger = std::chrono::milliseconds(50);
/// Finished and not yet published, each with its file open: while one group is being synced another two may gather,
/// then downloads wait.
constexpr std::size_t kUnpublishedMax = 3 * kPublishGroupMax;

using SteadyTime = std::chrono::steady_clock::time_point;
}  // namespace

namespace {
/// What the fetch()es of one Downloader share. Network executor.
struct Shared {
  Shared(hub::Api& a, net::HttpClient& c, storage::BlobStore& b, asio::thread_pool& d, DownloadOptions o)
      : api(a), client(c), blobs(b), disk(d), options(o) {}

  void start(const asio::any_io_executor& network) {
    if (context) return;
    changed.emplace(network);
    context.emplace(client, api, disk, network, std::make_shared<BufferPool>(network, options.bytes_in_flight_max),
                    options);
  }

  hub::Api& api;
  net::HttpClient& client;
  storage::BlobStore& blobs;
  asio::thread_pool& disk;
  DownloadOptions options;
  std::optional<TransferContext> context;       // made by the first fetch(), which knows the network executor
  std::optional<Signal> changed;                // some blob began or ended
  std::unordered_set<storage::BlobId> claimed;  // being fetched by some fetch()
  int files = 0;                                // blobs being transferred
};

/// One blob of a fetch().
struct Item {
  Route route = Route::Batch;
  std::optional<Error> corrupt;  // what the first route brought
  bool claimed = false;
  bool settled = false;
};

struct Finished {
  std::size_t index = 0;
  std::unique_ptr<storage::PartialBlob> partial;
};

/// One fetch(). Phases: claim what nobody else fetches, look what is stored, fetch the rest; then the same for what
/// others had claimed.
class FetchRun {
 public:
  FetchRun(Shared& d, RepoId repo, std::vector<WantedBlob> wanted, DownloadEvents events,
           const asio::any_io_executor& network)
      : d_(d),
        repo_(std::move(repo)),
        wanted_(std::move(wanted)),
        events_(std::move(events)),
        items_(wanted_.size()),
        outcomes_(wanted_.size()),
        scope_(network),
        locations_(d.api, repo_, wanted_, scope_, network),
        poke_(network) {}
  ~FetchRun() { release_claims(); }

  awaitable<Result<std::vector<BlobOutcome>>> run();

 private:
  awaitable<Result<>> phase(std::vector<std::size_t>& open);
  awaitable<Result<>> skip_stored(std::vector<std::size_t>& mine);
  awaitable<Result<>> fetch(const std::vector<std::size_t>& mine);
  awaitable<void> work();
  awaitable<void> fetch_one(std::size_t index);
  awaitable<void> publish();
  awaitable<void> linger(SteadyTime since);
  awaitable<void> publish_group();
  awaitable<void> drop_finished();
  Result<std::unique_ptr<storage::PartialBlob>> open(const WantedBlob& blob) const;
  void failed(std::size_t index, Error error);
  void settle(std::size_t index, Result<> result);
  void release_claims();
  void notify() {
    d_.changed->notify_all();
    poke_.cancel();
  }
  bool stopped() const { return scope_.cancelled(); }
  bool idle() const { return queue_.empty() && active_ == 0; }  // only publishing can bring new work

  Shared& d_;
  const RepoId repo_;
  const std::vector<WantedBlob> wanted_;
  const DownloadEvents events_;
  std::vector<Item> items_;
  std::vector<BlobOutcome> outcomes_;
  TaskScope scope_;
  Locations locations_;
  std::deque<std::size_t> queue_;
  std::vector<Finished> finished_;  // complete, to be published
  int active_ = 0;
  std::size_t unpublished_ = 0;  // finished_ and the group under way
  std::optional<Error> no_space_;
  asio::steady_timer poke_;  // the publisher waits on it
};

awaitable<Result<std::vector<BlobOutcome>>> FetchRun::run() {
  std::unordered_map<storage::BlobId, std::size_t> first_of;
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    outcomes_[i].id = wanted_[i].id;
    if (first_of.try_emplace(wanted_[i].id, i).second) open.push_back(i);
  }
  while (!open.empty()) {
    HM_CO_TRY(co_await phase(open));
  }
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    if (!items_[i].settled) outcomes_[i].result = outcomes_[first_of.at(wanted_[i].id)].result;
  }
  co_return std::move(outcomes_);
}

/// Settles the blobs of `open` that no other fetch() has claimed; the others stay in it.
awaitable<Result<>> FetchRun::phase(std::vector<std::size_t>& open) {
  std::vector<std::size_t> mine, theirs;
  for (const std::size_t i : open) {
    items_[i].claimed = d_.claimed.insert(wanted_[i].id).second;
    (items_[i].claimed ? mine : theirs).push_back(i);
  }
  open = std::move(theirs);
  if (mine.empty()) {
    // Whatever becomes of it there: afterwards it is stored, or ours to fetch from where this repository has it.
    if (co_await is_cancelled()) co_return Error(Errc::Cancelled, "download stopped");
    co_await d_.changed->wait();
    co_return ok();
  }
  HM_CO_TRY(co_await skip_stored(mine));
  if (co_await is_cancelled()) co_return Error(Errc::Cancelled, "download stopped");
  if (mine.empty()) co_return ok();
  co_return co_await fetch(mine);
}

awaitable<Result<>> FetchRun::skip_stored(std::vector<std::size_t>& mine) {
  auto look = [this, &mine]() -> Result<std::vector<bool>> {
    std::vector<bool> stored;
    for (const std::size_t i : mine) {
      HM_TRY(const auto size, d_.blobs.find(wanted_[i].id));
      stored.push_back(size == wanted_[i].size_bytes);
    }
    return stored;
  };
  HM_CO_TRY(const auto stored, co_await run_on(d_.disk, look));
  std::vector<std::size_t> missing;
  for (std::size_t k = 0; k < mine.size(); ++k) {
    if (stored[k]) {
      settle(mine[k], ok());
    } else {
      missing.push_back(mine[k]);
    }
  }
  mine = std::move(missing);
  co_return ok();
}

awaitable<Result<>> FetchRun::fetch(const std::vector<std::size_t>& mine) {
  queue_.assign(mine.begin(), mine.end());
  locations_.plan(mine);
  const std::size_t workers =
      std::min<std::size_t>(mine.size(), static_cast<std::size_t>(std::max(1, d_.options.files_parallel)));
  for (std::size_t i = 0; i < workers; ++i) scope_.spawn(work());
  scope_.spawn(publish());
  co_await scope_.join();
  if (!stopped() && !scope_.failed()) co_return ok();
  if (no_space_) {
    while (!finished_.empty()) co_await publish_group();  // complete blobs need no more room
    co_return std::move(*no_space_);
  }
  co_await drop_finished();
  if (stopped()) co_return Error(Errc::Cancelled, "download stopped");
  co_return Error(Errc::Internal, "a download coroutine ended by an exception");
}

/// One of the files_parallel.
awaitable<void> FetchRun::work() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!stopped()) {
    if (idle() && unpublished_ == 0) break;
    // A slot may be taken by another fetch(); a corrupt blob may come back from the publisher.
    const bool no_slot = !events_.watcher && d_.files >= std::max(1, d_.options.files_parallel);
    if (queue_.empty() || unpublished_ >= kUnpublishedMax || no_slot) {
      co_await d_.changed->wait();
      continue;
    }
    const std::size_t index = queue_.front();
    queue_.pop_front();
    const int slot = events_.watcher ? 0 : 1;
    ++active_;
    d_.files += slot;
    co_await fetch_one(index);
    --active_;
    d_.files -= slot;
    notify();
  }
  notify();
}

Result<std::unique_ptr<storage::PartialBlob>> FetchRun::open(const WantedBlob& blob) const {
  auto partial = d_.blobs.partial(blob.id, blob.size_bytes);
  if (partial || partial.assume_error().code != Errc::BadInput) return partial;
  // An earlier attempt believed in another size. One of the two was lied to; the digest will tell.
  HM_TRY(d_.blobs.remove_unfinished(blob.id));
  return d_.blobs.partial(blob.id, blob.size_bytes);
}

awaitable<void> FetchRun::fetch_one(std::size_t index) {
  const WantedBlob& blob = wanted_[index];
  auto opened = co_await run_on(d_.disk, [this, &blob] { return open(blob); });
  if (!opened) {
    failed(index, std::move(opened).assume_error());
    co_return;
  }
  Finished file;
  file.index = index;
  file.partial = std::move(opened).assume_value();
  const Route route = items_[index].route;
  BlobTransfer transfer(
      *d_.context, blob, *file.partial, [this, index, route] { return locations_.locate(index, route); }, events_);
  auto result = co_await transfer.run();
  outcomes_[index].fetched_bytes += transfer.fetched_bytes();
  if (result) {
    finished_.push_back(std::move(file));
    ++unpublished_;
    co_return;
  }
  co_await run_on(d_.disk, [&file] {
    file.partial.reset();  // closes files
    return true;
  });
  failed(index, std::move(result).assume_error());
}

void FetchRun::failed(std::size_t index, Error error) {
  Item& item = items_[index];
  if (error.code == Errc::NoSpace) {
    if (!no_space_) no_space_ = std::move(error);
    scope_.cancel();
    return;
  }
  if (stopped()) return;
  if (error.code == Errc::Corrupt && !item.corrupt) {
    item.corrupt = std::move(error);
    item.route = other(item.route);
    queue_.push_front(index);
    return;
  }
  if (item.corrupt) {
    error = Error(Errc::Corrupt, item.corrupt->what + "; fetched again over the other route: " + error.what);
  }
  settle(index, Result<>(std::move(error)));
}

/// The group commit: collects finished blobs and publishes them together.
awaitable<void> FetchRun::publish() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!stopped() && !(idle() && finished_.empty())) {
    if (finished_.empty()) {
      poke_.expires_at(SteadyTime::max());
      co_await poke_.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    co_await linger(std::chrono::steady_clock::now());
    if (!stopped()) co_await publish_group();
  }
  notify();
}

awaitable<void> FetchRun::linger(SteadyTime since) {
  while (!stopped() && !idle() && finished_.size() < kPublishGroupMax &&
         std::chrono::steady_clock::now() < since + kPublishLinger) {
    poke_.expires_at(since + kPublishLinger);
    co_await poke_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

awaitable<void> FetchRun::publish_group() {
  const auto count = static_cast<std::ptrdiff_t>(std::min(finished_.size(), kPublishGroupMax));
  std::vector<std::size_t> indices;
  std::vector<std::unique_ptr<storage::PartialBlob>> partials;
  for (auto it = finished_.begin(); it != finished_.begin() + count; ++it) {
    indices.push_back(it->index);
    partials.push_back(std::move(it->partial));
  }
  finished_.erase(finished_.begin(), finished_.begin() + count);
  HM_CRASH_POINT("lfs_before_publish");
  auto results = co_await run_on(d_.disk, [this, &partials] { return d_.blobs.publish(std::move(partials)); });
  HM_CRASH_POINT("lfs_after_publish");
  HM_CHECK(results.size() == indices.size());
  for (std::size_t k = 0; k < results.size(); ++k) {
    if (results[k]) {
      settle(indices[k], ok());
    } else {
      failed(indices[k], std::move(results[k]).assume_error());
    }
  }
  unpublished_ -= indices.size();
  notify();
}

awaitable<void> FetchRun::drop_finished() {
  auto dropped = std::move(finished_);
  finished_.clear();
  co_await run_on(d_.disk, [&dropped] {
    dropped.clear();  // closes files; what was fetched stays for the next run
    return true;
  });
}

void FetchRun::settle(std::size_t index, Result<> result) {
  Item& item = items_[index];
  BlobOutcome& outcome = outcomes_[index];
  outcome.result =
      within(std::move(result), [&] { return "fetching " + repo_.text() + ":" + printable(wanted_[index].path); });
  item.settled = true;
  item.claimed = false;
  d_.claimed.erase(wanted_[index].id);
  notify();
  if (events_.on_done) events_.on_done(wanted_[index], outcome);
}

void FetchRun::release_claims() {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (items_[i].claimed) d_.claimed.erase(wanted_[i].id);
  }
  d_.changed->notify_all();
}

}  // namespace

struct Downloader::Impl {
  Impl(hub::Api& a, net::HttpClient& c, storage::BlobStore& b, asio::thread_pool& d, DownloadOptions o)
      : shared(a, c, b, d, o) {}
  Shared shared;
};

Downloader::Downloader(hub::Api& api, net::HttpClient& client, storage::BlobStore& blobs, asio::thread_pool& disk_pool,
                       DownloadOptions options)
    : impl_(std::make_unique<Impl>(api, client, blobs, disk_pool, options)) {}

void Downloader::set_parallel(int files, int ranges_per_file) {
  impl_->shared.options.files_parallel = files;
  impl_->shared.options.ranges_per_file = ranges_per_file;
}

Downloader::~Downloader() = default;

awaitable<Result<std::vector<BlobOutcome>>> Downloader::fetch(RepoId repo, std::vector<WantedBlob> wanted,
                                                              DownloadEvents events) {
  // Children refer to this run: it has to see them end before it leaves, also when it is cancelled itself.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto network = co_await asio::this_coro::executor;
  impl_->shared.start(network);
  auto run = std::make_unique<FetchRun>(impl_->shared, std::move(repo), std::move(wanted), std::move(events), network);
  auto result = co_await run->run();
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return result;
}
}  // namespace hm::mirror

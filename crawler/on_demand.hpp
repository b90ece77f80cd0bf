// crawler/on_demand.hpp: fetches for clients that wait. Layer 5. docs/operations.md "On demand", docs/threads.md.
// Threads: refresh() and blob() on any loop; the work runs on the network executor and its pools; stop() on a thread
// that is none of these. Members below `mutex_` are guarded by it, those below `scope_` are the network thread's.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "crawler/pipeline.hpp"
#include "mirror/lfs/arriving_blob.hpp"
#include "mirror/lfs/tasks.hpp"
#include "mirror/on_demand.hpp"

namespace hm::crawler {
class OnDemand final : public mirror::OnDemand {
 public:
  struct Parts {  ///< all outlive the object
    Pipeline& pipeline;
    mirror::Downloader& downloader;
    storage::BlobStore& blobs;
    boost::asio::any_io_executor network;
    const Clock& clock;
    /// Blocks until such work may be done beside what else goes on; it is over when the ticket goes.
    std::function<Result<std::shared_ptr<void>>(const std::stop_token& give_up)> enter;
  };
  explicit OnDemand(Parts parts);
  ~OnDemand() override;

  awaitable<Result<>> refresh(RepoId repo, std::string revision, std::int64_t max_age_ms, bool at_hand) override;
  awaitable<Result<std::unique_ptr<mirror::BlobReader>>> blob(RepoId repo, RepoKey key, mirror::WantedBlob wanted,
                                                              std::uint64_t first, std::uint64_t length) override;
  /// Begins nothing more, cancels what runs and waits for its end. @pre nobody calls the two above any more
  void stop();

 private:
  struct Asker {
    explicit Asker(std::shared_ptr<mirror::Waiter> w) : waiter(std::move(w)) {}
    std::shared_ptr<mirror::Waiter> waiter;
    std::optional<Result<>> outcome;
  };
  /// What is known of the age of one name and revision.
  struct Age {
    bool asking = false;
    std::int64_t began_ms = 0;                ///< of the visit under way
    std::optional<std::int64_t> compared_ms;  ///< when the last good one began
    std::optional<Error> down;                ///< upstream did not answer …
    std::int64_t down_until_ms = 0;           ///< … and is left alone for so long
    std::vector<std::shared_ptr<Asker>> askers;
  };

  class Leaving;
  void begin(std::function<awaitable<void>()> task);
  awaitable<Result<std::shared_ptr<void>>> enter();
  awaitable<void> visit(RepoId repo, std::string revision, std::string name);
  awaitable<Result<>> visit_now(RepoId repo, std::string revision);
  void settle(const std::string& name, Result<> outcome);
  void forget_old();  // mutex_ held
  awaitable<void> download(RepoId repo, RepoKey key, mirror::WantedBlob wanted,
                           std::shared_ptr<mirror::ArrivingBlob> arriving);
  awaitable<Result<std::shared_ptr<const File>>> download_now(RepoId repo, mirror::WantedBlob wanted,
                                                              std::shared_ptr<mirror::ArrivingBlob> arriving);
  void include_soon(const RepoKey& key, const Commit& commit);
  awaitable<void> include(RepoKey key);

  const Parts p_;
  boost::asio::thread_pool reads_;  ///< of files that arrive
  boost::asio::thread_pool gate_;   ///< one thread, which waits
  std::stop_source give_up_;

  std::mutex mutex_;
  std::map<std::string, Age> ages_;
  std::size_t visits_open_ = 0;
  std::map<storage::BlobId, std::shared_ptr<mirror::ArrivingBlob>> arriving_;

  std::optional<mirror::TaskScope> scope_;
  bool stopping_ = false, stopped_ = false;
  int visits_ = 0, downloads_ = 0;
  mirror::Signal changed_;
  std::map<RepoKey, std::set<Commit>> arrived_;  ///< files of these came and are not in their revisions yet
};
}  // namespace hm::crawler

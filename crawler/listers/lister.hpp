// crawler/listers/lister.hpp: reads the listings of one kind of repositories: all of them (sweep), those that changed
// (tail), those that many want (hot). Layer 5. docs/architecture.md "Knowing the whole Hub". Where a lister is, is
// stored in the same batch as the rows of the page that brought it there, so a kill repeats at most one page.
// Threads: coroutines on the network executor, one at a time; rows are written on `disk`.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "crawler/listers/traits.hpp"
#include "hub/api.hpp"
#include "provenance/record.hpp"
#include "storage/index.hpp"

namespace hm::crawler {
using net::awaitable;

struct ListerParts {  ///< everything outlives the listers
  hub::Api& api;
  storage::Index& index;
  provenance::Recorder& recorder;
  boost::asio::any_io_executor disk;  ///< where blocking calls are made: a pool
  const Clock& clock;
};
struct ListerOptions {
  std::int64_t missing_patience_ms = 24LL * 3'600'000;  ///< between two sweeps that both miss a repository
  std::int64_t tail_overlap_ms =
      10LL * 60'000;                ///< read again below the watermark: commits get their time before they are listed
  std::size_t tail_pages_max = 50;  ///< a tail longer than this is the sweep's work
};

/// Sums over pages.
struct ListingReport {
  std::uint64_t pages = 0, listed = 0, added = 0, changed = 0, moved = 0, replaced = 0, gone = 0, bad_items = 0;
  ListingReport& operator+=(const ListingReport& more);
};

/// Where a sweep is.
struct SweepState {
  std::uint32_t number = 0;  ///< of the sweep under way, or of the newest that ended; 0 = none yet
  bool running = false;
  bool listed_all = false;  ///< the last page is stored; what was not listed has not been looked at yet
  std::string cursor;       ///< URL of the next page; "" = the first
  std::int64_t began_ms = 0, ended_ms = 0;
  std::uint64_t pages = 0, listed = 0;  ///< of the sweep under way
  std::uint64_t pages_before = 0;       ///< of the newest that ended: how long the next one will be
  bool operator==(const SweepState&) const = default;
};

class Lister {
 public:
  Lister(ListerParts parts, RepoKind kind, ListerOptions options);
  RepoKind kind() const { return kind_; }
  const SweepState& sweep() const { return sweep_; }
  Result<> load();  ///< blocks on the index; first of all

  /// The next page of the sweep under way, or the first of a new one. After the last page it is known which
  /// repositories two sweeps did not list.
  awaitable<Result<ListingReport>> sweep_page();
  /// Asks for one of those by its name, and journals it as gone when upstream says so. One at a time: there may be
  /// thousands, and tails must not wait for them. What a kill leaves of them is found again by the next sweep.
  awaitable<Result<ListingReport>> ask_for_missing();
  std::size_t missing() const { return missing_.size(); }  ///< still to be asked for
  /// What changed since the last tail, newest first down to the watermark. The new watermark is the time of the first
  /// row of the first page, written after the last page: a run that was cut short is repeated whole.
  awaitable<Result<ListingReport>> tail();
  /// The first page by downloads and by trend: fresh popularity of what most people want.
  awaitable<Result<ListingReport>> hot();

 private:
  awaitable<Result<hub::ListPage>> first_page(Order order);
  awaitable<Result<>> probe();
  awaitable<Result<bool>> answers(std::string query);
  awaitable<Result<bool>> finds_out_no_cursors(std::size_t rows);
  awaitable<Result<hub::ListPage>> next_of_sweep();
  awaitable<Result<ListingReport>> store(hub::ListPage page, std::optional<std::uint32_t> sweep, storage::Batch state);
  std::int64_t time_of(const hub::ListItem& item) const;
  awaitable<Result<ListingReport>> end_sweep();
  awaitable<Result<bool>> confirm_gone(RepoKey key);
  void put_sweep(storage::Batch& batch) const;
  std::string key(std::string_view what) const { return crawl_key(src_, kind_, what); }

  ListerParts p_;
  const RepoKind kind_;
  const ListerOptions o_;
  const std::string src_;
  ListingTraits traits_;
  int restarts_ = 0;  ///< of the sweep under way, since a cursor was answered
  SweepState sweep_;
  std::vector<RepoKey> missing_;
  std::int64_t watermark_ms_ = 0;
};
}  // namespace hm::crawler

// app/services.hpp: the object graph of a command, built by hand in reading order. Layer 6.
// ReadServices work beside a running writer and take no lock. WriteServices hold the lock. NetworkServices stand on
// WriteServices. Threads: docs/threads.md. Members are destroyed in reverse order, which is the order of shutdown
// written at each struct.
#pragma once
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/file.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "crawler/pipeline.hpp"
#include "hub/api.hpp"
#include "hub/rate_budget.hpp"
#include "mirror/catalog.hpp"
#include "mirror/git/repository.hpp"
#include "mirror/lfs/download.hpp"
#include "net/curl_http_client.hpp"
#include "provenance/record.hpp"
#include "storage/blob_store.hpp"
#include "storage/data_dir.hpp"
#include "storage/index.hpp"
#include "storage/journal.hpp"
#include "storage/journal_mark.hpp"
#include "storage/task_queue.hpp"

namespace hm::app {
/// For commands that only look: ls, show, path, verify.
struct ReadServices {
  /// @returns NotFound (no data directory: what to run), Refused (unknown version), Corrupt (index).
  static Result<std::unique_ptr<ReadServices>> open(const config::Config& config, const std::string& data_dir);

  storage::DataDir dir;
  mirror::GitRuntime git;
  std::unique_ptr<storage::Index> index;  ///< follows a running writer
  std::unique_ptr<storage::BlobStore> blobs;
  mirror::Catalog catalog;

  ReadServices(storage::DataDir d, std::unique_ptr<storage::Index> i, std::unique_ptr<storage::BlobStore> b);
};

enum class Create : std::uint8_t { No, IfAbsent };
/// A rebuild opens an index whose derived part is known to be incomplete.
enum class Completeness : std::uint8_t { Required, NotNeeded };

/// For commands that change: the lock is the first thing taken and the last thing given back, after the index was
/// closed.
struct WriteServices {
  /// @param command named by the lock for whoever finds it taken. @returns Busy naming the holder; else as
  /// ReadServices.
  static Result<std::unique_ptr<WriteServices>> open(const config::Config& config, const std::string& data_dir,
                                                     std::string_view command, Create create = Create::No,
                                                     Completeness completeness = Completeness::Required);

  storage::DataDir dir;
  storage::WriterLock lock;
  mirror::GitRuntime git;
  std::unique_ptr<storage::Index> index;
  std::unique_ptr<storage::BlobStore> blobs;
  storage::JournalMark mark;
  storage::Journal journal;  ///< its mark stays where it is when the index is older than the store
  provenance::Recorder recorder;
  mirror::Catalog catalog;
  storage::TaskQueue tasks;  ///< the only one over this index

  WriteServices(storage::DataDir d, storage::WriterLock l, std::unique_ptr<storage::Index> i,
                std::unique_ptr<storage::BlobStore> b, bool mark_fits);

  /// Gives back every lease, the first time it is called: we hold the writer lock, so nobody else is at work. What a
  /// process that crashed was at is suspect; from here on ours would be.
  Result<> take_back_leases();

 private:
  std::mutex leases_mutex_;
  bool leases_taken_back_ = false;
};

/// For commands that talk to a Hub. One network thread runs `*context` and with it every coroutine, the HTTP client and
/// all their state. Shutdown: the caller begins nothing new, cancels what runs and waits for its ends; then stop()
/// joins the network thread (nothing is left on it) and drains the pools; then the parts go in reverse order;
/// WriteServices close the index and give the lock back.
struct NetworkServices {
  /// What can be wrong before anything is touched: upstream, hosts, token, proxy, CA file.
  struct Plan {
    net::Url upstream;
    net::CurlOptions curl;
    config::CeilingPlan ceilings;
  };
  /// @returns BadInput.
  static Result<Plan> plan(const config::Config& config);
  /// @returns BadInput for a proxy or CA file that cannot be used.
  static Result<std::unique_ptr<NetworkServices>> open(const config::Config& config, WriteServices& store, Plan plan);
  ~NetworkServices() { stop(); }
  void stop();

  hub::RateBudget budget;  ///< goes after the context, whose coroutines may hold admissions
  std::unique_ptr<boost::asio::io_context> context;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
  boost::asio::thread_pool git_pool;        ///< libgit2: blocks, and keeps its errors per thread
  boost::asio::thread_pool disk_pool;       ///< writing and hashing
  std::unique_ptr<net::HttpClient> client;  ///< within the budget's ceiling of bytes
  hub::Api api;
  mirror::Downloader downloader;
  crawler::Pipeline pipeline;
  std::thread network_thread;

  NetworkServices(const config::Config& config, WriteServices& store, net::Url upstream, config::CeilingPlan ceilings,
                  std::unique_ptr<boost::asio::io_context> c, std::unique_ptr<net::HttpClient> http);
  NetworkServices(const NetworkServices&) = delete;
  NetworkServices& operator=(const NetworkServices&) = delete;
};

/// The section [mirror] as git fetches want it.
mirror::GitLimits git_limits_of(const config::Config& config);
/// "hubmirror/0.1.0".
std::string product_version();
}  // namespace hm::app

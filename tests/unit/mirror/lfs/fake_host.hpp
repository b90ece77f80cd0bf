// tests/unit/mirror/lfs/fake_host.hpp: a Hub and its download host behind the HttpClient interface, in the test's own
// thread; and what the download tests share.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hub/api.hpp"
#include "mirror/lfs/download.hpp"
#include "storage/blob_store_local.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/manual_clock.hpp"

namespace hm::test {
/// One request to the download host and how it is going to be answered; a test bends it.
struct Download {
  Download() = default;
  // asked
  std::size_t number = 0;                                        ///< of downloads so far, from 1
  std::string oid, signature;                                    ///< of the URL
  bool by_resolve = false;                                       ///< the URL came from resolve
  std::optional<std::pair<std::uint64_t, std::uint64_t>> range;  ///< first and last as asked
  net::Headers sent;
  // answered
  int status = 200;
  net::Headers headers;
  std::string body;
  std::optional<std::uint64_t> content_length;
  std::optional<Error> fails;                                          ///< no answer
  std::optional<Error> breaks;                                         ///< after the body
  bool endless = false;                                                ///< the body goes on with zeros
  bool hangs = false;                                                  ///< after the body nothing comes
  void set_header(const std::string& name, const std::string& value);  ///< replaces it
};

class FakeHost final : public net::HttpClient {
 public:
  explicit FakeHost(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  mirror::WantedBlob add(const std::string& path, std::string bytes);  ///< a file of the repository
  net::awaitable<Result<net::HttpResponse>> send(net::HttpRequest request) override;

  std::function<void(Download&)> bend;  ///< called for every download
  std::function<void(std::uint64_t)>
      on_chunk;                              ///< called before each piece of a body, with the bytes sent so far by all
  int batch_status = 200;                    ///< of the batch endpoint
  std::map<std::string, int> object_errors;  ///< oid → code inside the batch answer
  std::string extra_action;                  ///< JSON fields of each download action, e.g. ,"expires_in":60
  bool resolve_works = true;
  std::function<bool()> gate;  ///< bodies wait until this is true
  std::size_t chunk_bytes = 16 << 10;
  boost::asio::thread_pool* slower_than =
      nullptr;  ///< a pool of one thread that has nothing left to do when a piece of a body arrives

  std::vector<Download> downloads;   ///< as asked; bodies left out
  std::vector<std::size_t> batches;  ///< objects of each batch call
  int resolves = 0;
  int open_now = 0, open_most = 0;  ///< bodies
  std::uint64_t bytes_sent = 0;

 private:
  friend class FakeBody;
  net::HttpResponse batch(const net::HttpRequest& request);
  net::HttpResponse resolve(const net::HttpRequest& request);
  net::HttpResponse text_answer(const net::HttpRequest& request, int status, std::string body);
  boost::asio::any_io_executor executor_;
  std::map<std::string, std::string> bytes_of_oid_;
  std::map<std::string, std::string> oid_of_path_;
  std::size_t signatures_ = 0;
};

/// A store in a directory of its own, a Hub, and a downloader between them.
class DownloadFixture {
 public:
  explicit DownloadFixture(std::uint32_t segment_bytes = 64 << 10);
  ~DownloadFixture();
  /// As after a restart of the program: a new store object, Api and Downloader over the same directory.
  void restart();
  Result<std::vector<mirror::BlobOutcome>> fetch(std::vector<mirror::WantedBlob> wanted);
  /// Runs until `stop(host)` is true at the beginning of a piece of a body, then cancels and runs to the end.
  Result<std::vector<mirror::BlobOutcome>> fetch_until(std::vector<mirror::WantedBlob> wanted,
                                                       std::function<bool()> stop);
  std::string stored(const mirror::WantedBlob& blob);  ///< its bytes, or "(none)"
  std::uint64_t missing_segments(const mirror::WantedBlob& blob);

  boost::asio::io_context context{1};
  std::string directory;
  FaultFileSystem fs{real_file_system()};
  ManualClock clock;
  storage::LocalBlobStoreOptions store_options;
  mirror::DownloadOptions options;
  mirror::DownloadEvents events;
  FakeHost host{context.get_executor()};
  hub::RateBudget budget{600'000, clock.sleeper(), clock};
  std::optional<boost::asio::thread_pool> disk;
  std::unique_ptr<storage::BlobStore> store;
  std::unique_ptr<hub::Api> api;
  std::unique_ptr<mirror::Downloader> downloader;
};

std::string random_text(std::size_t size, std::uint64_t seed);
inline const RepoId kRepo{RepoKind::Model, "org/name"};
}  // namespace hm::test

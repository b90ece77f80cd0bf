// crawler/pipeline.hpp: the whole life of one repository's visit, in reading order. Layer 5. docs/architecture.md draws
// it. Threads: coroutines on the network executor; blocking steps on the git and disk pools.
#pragma once
#include <array>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "config/policy.hpp"
#include "crawler/at_work.hpp"
#include "hub/api.hpp"
#include "mirror/catalog.hpp"
#include "mirror/git/fetch.hpp"
#include "mirror/lfs/download.hpp"
#include "provenance/record.hpp"
#include "storage/data_dir.hpp"

namespace hm::crawler {
using net::awaitable;

/// Which large files of a revision are mirrored.
enum class LargeFiles : std::uint8_t {
  Selected,  ///< those that the selection wants
  Present,   ///< those that are here already: the others come when somebody asks for them. What is published is taken
             ///< as it is.
};
/// What stands in a revision's row in place of a selection when it was published with LargeFiles::Present.
inline constexpr char kOnDemandSelection[] = "large-files=on-demand";

struct MirrorRequest {
  MirrorRequest() = default;
  RepoSpec spec;                ///< a revision limits blobs and publishing to it; git still brings all refs
  std::optional<Rid> expected;  ///< another repository that bears the name now is not mirrored
  config::Selection selection;
  LargeFiles large_files = LargeFiles::Selected;
  bool filters_named = false;  ///< on this command line: then one that matches nothing is worth a note
  bool all_history = false;    ///< blobs of every commit that heads and tags reach, not of the heads alone
  bool pull_requests = false;  ///< refs/pr/* too
};

enum class Stage : std::uint8_t { Visit, Git, Plan, Blobs, Publish, Done };
inline constexpr std::size_t kStages = 6;
std::string_view name_of(Stage stage);

/// What a progress display needs; called on the network thread.
struct ProgressEvent {
  RepoId repo;
  Stage stage = Stage::Visit;
  std::uint64_t files_total = 0, files_done = 0;
  std::uint64_t bytes_total = 0, bytes_done = 0;  ///< blob bytes of this run: total to fetch, and fetched so far
  std::string file;                               ///< path the event is about, or empty
  std::uint64_t file_bytes_total = 0, file_bytes_more = 0;
  bool file_done = false, file_failed = false;  ///< failed: it is through too, and its bytes are not here
};

struct FileProblem {
  std::string path;
  Error error;
};
/// What one visit did.
struct MirrorReport {
  RepoId repo;
  std::optional<Error> error;     ///< set when the repository is not complete
  storage::RepoRow row;           ///< valid when the visit got as far as knowing the rid
  std::vector<Commit> published;  ///< revisions published by this run
  bool unchanged = false;         ///< everything was here already
  std::uint64_t blobs_total = 0, blobs_fetched = 0, blobs_present = 0;
  std::uint64_t bytes_fetched = 0, git_bytes = 0, git_objects = 0;
  std::uint64_t files_left_out = 0, bytes_left_out = 0;
  std::uint64_t bytes_verified = 0;  ///< hashed by this run
  std::vector<FileProblem> problems;
  std::vector<mirror::TreeRemark> remarks;
  std::vector<std::string> notes;  ///< what became of the filters, where that may not be what was meant
  std::int64_t elapsed_ms = 0;
  std::array<std::int64_t, kStages> stage_ms{};  ///< how much of it each stage took, by Stage
};

class Pipeline {
 public:
  struct Parts {  ///< everything outlives the Pipeline
    hub::Api& api;
    net::HttpClient& client;
    storage::DataDir dir;
    FileSystem& fs;
    storage::Index& index;
    storage::BlobStore& blobs;
    provenance::Recorder& recorder;
    mirror::Downloader& downloader;
    boost::asio::thread_pool& git_pool;
    const Clock& clock;
    mirror::GitLimits git_limits;
  };
  explicit Pipeline(Parts parts) : p_(std::move(parts)) {}
  /// Never throws and never fails as a call: what went wrong is in the report. Running it again goes on where it
  /// stopped. Of several visits of one repository, the later wait.
  awaitable<MirrorReport> mirror(MirrorRequest request, std::function<void(const ProgressEvent&)> progress);

  /// Takes large files that came since into a revision that was published without them. Asks nobody.
  awaitable<Result<>> include_present(RepoKey key, Commit commit);

  /// Of fetches that are begun from now on. Network thread.
  void set_git_limits(mirror::GitLimits limits) { p_.git_limits = limits; }

 private:
  Result<> include_present_in(const RepoKey& key, const Commit& commit);
  Parts p_;
  AtWork at_work_;
};
}  // namespace hm::crawler

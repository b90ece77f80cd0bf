#include "app/services.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/log.hpp"
#include "hub/paced_client.hpp"
#include "storage/blob_store_local.hpp"

#ifndef HM_VERSION
#define HM_VERSION "unknown"
#endif

namespace hm::app {
namespace {
constexpr unsigned kPoolThreadsMin = 2,
                   kPoolThreadsMax = 8;  // hashing keeps a core busy; more threads than that only cost stacks

std::size_t disk_threads() { return std::clamp(std::thread::hardware_concurrency(), kPoolThreadsMin, kPoolThreadsMax); }
std::size_t git_threads(const config::Config& config) {
  return std::clamp(static_cast<unsigned>(config.mirror.repos_parallel), kPoolThreadsMin, kPoolThreadsMax);
}

std::string node_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data() : "unknown";
}

Result<std::unique_ptr<storage::Index>> open_index_of(const config::Config& config, const storage::DataDir& dir,
                                                      storage::Index::Mode mode) {
  storage::Index::Options options;
  options.cache_bytes = config.storage.index_cache_bytes;
  return storage::open_index(dir.index(), mode, options);
}

/// False, and said in the log, when the index is older than the store.
Result<bool> tell_mismatch(const storage::DataDir& dir, storage::Index& index) {
  HM_TRY(const auto mismatch, storage::JournalMark(real_file_system(), dir).mismatch(index));
  if (mismatch) log(LogLevel::Warning, "index older than the store", {{"why", *mismatch}});
  return !mismatch;
}

std::unique_ptr<storage::BlobStore> blob_store_of(const config::Config& config, const storage::DataDir& dir) {
  storage::LocalBlobStoreOptions options;
  options.reserve_bytes = config.storage.reserve_bytes;
  if (options.reserve_bytes == 0) options.reserve_percent = 0;  // said so: use the disk up
  return storage::make_local_blob_store(real_file_system(), dir, options);
}

/// Puts network.stall_timeout_ms into every request that does not ask for a time of its own.
class ConfiguredClient : public net::HttpClient {
 public:
  ConfiguredClient(std::unique_ptr<net::HttpClient> inner, std::int64_t stall_timeout_ms)
      : inner_(std::move(inner)), stall_timeout_ms_(stall_timeout_ms) {}
  net::awaitable<Result<net::HttpResponse>> send(net::HttpRequest request) override {
    static const std::int64_t usual_ms = net::HttpRequest().stall_timeout_ms;
    if (request.stall_timeout_ms == usual_ms) request.stall_timeout_ms = stall_timeout_ms_;
    return inner_->send(std::move(request));
  }

 private:
  std::unique_ptr<net::HttpClient> inner_;
  const std::int64_t stall_timeout_ms_;
};

Result<net::CurlOptions> curl_options_of(const config::Config& config) {
  net::CurlOptions options;
  options.upstream_url = config.upstream.url;
  HM_TRY(options.token, config::load_token(config));
  for (const std::string& text : config.upstream.allow_private) {
    HM_TRY(net::HostPort host, net::parse_host_port(text));
    options.allowed_private.push_back(std::move(host));
  }
  options.user_agent = product_version();
  if (!config.upstream.user_agent_contact.empty())
    options.user_agent += " (+" + config.upstream.user_agent_contact + ")";
  options.ca_file = config.upstream.ca_file;
  options.proxy = config.upstream.proxy;
  options.connections_per_host_max = config.network.connections_per_host_max;
  options.connections_max = config.network.connections_max;
  options.connect_timeout_ms = config.network.connect_timeout_ms;
  return options;
}

hub::RetryPolicy retry_policy_of(const config::Config& config) {
  hub::RetryPolicy policy;
  policy.attempts_max = config.network.retries_max + 1;
  policy.max_wait_ms = config.network.retry_wait_ms_max;
  policy.cap_ms = std::min(policy.cap_ms, config.network.retry_wait_ms_max);
  policy.base_ms = std::min(policy.base_ms, policy.cap_ms);
  return policy;
}

mirror::DownloadOptions download_options_of(const config::Config& config) {
  mirror::DownloadOptions options;
  options.files_parallel = config.mirror.files_parallel;
  options.ranges_per_file = config.mirror.ranges_per_file;
  options.bytes_in_flight_max = config.mirror.bytes_in_flight_max;
  return options;
}

}  // namespace

mirror::GitLimits git_limits_of(const config::Config& config) {
  mirror::GitLimits limits;
  limits.pack_bytes_max = config.mirror.git_pack_bytes_max;
  limits.objects_max = config.mirror.git_objects_max;
  limits.object_bytes_max = config.mirror.git_object_bytes_max;
  limits.refs_max = config.mirror.git_refs_max;
  limits.tree_depth_max = static_cast<std::uint32_t>(config.mirror.git_tree_depth_max);
  return limits;
}

std::string product_version() { return "hubmirror/" HM_VERSION; }

ReadServices::ReadServices(storage::DataDir d, std::unique_ptr<storage::Index> i, std::unique_ptr<storage::BlobStore> b)
    : dir(std::move(d)), index(std::move(i)), blobs(std::move(b)), catalog(*index, *blobs, dir) {}

Result<std::unique_ptr<ReadServices>> ReadServices::open(const config::Config& config, const std::string& data_dir) {
  storage::DataDir dir(data_dir);
  HM_TRY(storage::check_data_dir(real_file_system(), dir));
  HM_TRY(auto index, open_index_of(config, dir, storage::Index::Mode::Read));
  HM_TRY(provenance::check_index_whole(*index));
  HM_TRY(tell_mismatch(dir, *index));
  auto blobs = blob_store_of(config, dir);
  return std::make_unique<ReadServices>(std::move(dir), std::move(index), std::move(blobs));
}

Result<> WriteServices::take_back_leases() {
  const std::lock_guard guard(leases_mutex_);
  if (leases_taken_back_) return ok();
  const bool crashed = lock.predecessor_crashed();
  HM_TRY(tasks.recover([](const std::string&) { return false; }, [&](const std::string&) { return crashed; }));
  lock.note_crashes();
  leases_taken_back_ = true;
  return ok();
}

WriteServices::WriteServices(storage::DataDir d, storage::WriterLock l, std::unique_ptr<storage::Index> i,
                             std::unique_ptr<storage::BlobStore> b, bool mark_fits)
    : dir(std::move(d)),
      lock(std::move(l)),
      index(std::move(i)),
      blobs(std::move(b)),
      mark(real_file_system(), dir),
      journal(*index, mark_fits ? &mark : nullptr),
      recorder(*index, journal, system_clock(), node_name()),
      catalog(*index, *blobs, dir),
      tasks(*index, system_clock()) {}

Result<std::unique_ptr<WriteServices>> WriteServices::open(const config::Config& config, const std::string& data_dir,
                                                           std::string_view command, Create create,
                                                           Completeness completeness) {
  storage::DataDir dir(data_dir);
  if (create == Create::IfAbsent) {
    HM_TRY(storage::create_data_dir(real_file_system(), dir));
  } else {
    HM_TRY(storage::check_data_dir(real_file_system(), dir));
    HM_TRY(storage::restore_layout(real_file_system(), dir));
  }
  HM_TRY(auto lock, storage::WriterLock::acquire(dir, command));
  HM_TRY(auto index, open_index_of(config, dir, storage::Index::Mode::Write));
  if (completeness == Completeness::Required) {
    HM_TRY(provenance::finish_rebuild(*index));
  }
  HM_TRY(const bool fits, tell_mismatch(dir, *index));
  auto blobs = blob_store_of(config, dir);
  return std::make_unique<WriteServices>(std::move(dir), std::move(lock), std::move(index), std::move(blobs), fits);
}

NetworkServices::NetworkServices(const config::Config& config, WriteServices& store, net::Url upstream,
                                 config::CeilingPlan ceilings, std::unique_ptr<boost::asio::io_context> c,
                                 std::unique_ptr<net::HttpClient> http)
    : budget(config.network.retry_wait_ms_max, hub::sleep_on_timer, system_clock(), std::move(ceilings)),
      context(std::move(c)),
      work(context->get_executor()),
      git_pool(git_threads(config)),
      disk_pool(disk_threads()),
      client(std::make_unique<hub::PacedClient>(std::move(http), budget)),
      api(*client, std::move(upstream), budget, retry_policy_of(config)),
      downloader(api, *client, *store.blobs, disk_pool, download_options_of(config)),
      pipeline(crawler::Pipeline::Parts{api, *client, store.dir, real_file_system(), *store.index, *store.blobs,
                                        store.recorder, downloader, git_pool, system_clock(), git_limits_of(config)}),
      network_thread([this] { context->run(); }) {}

Result<NetworkServices::Plan> NetworkServices::plan(const config::Config& config) {
  Plan plan;
  HM_TRY(plan.upstream, net::parse_url(config.upstream.url));
  HM_TRY(plan.curl, curl_options_of(config));
  HM_TRY(net::check_curl_options(plan.curl));
  HM_TRY(plan.ceilings, config::ceilings_of(config));
  return plan;
}

Result<std::unique_ptr<NetworkServices>> NetworkServices::open(const config::Config& config, WriteServices& store,
                                                               Plan plan) {
  auto context = std::make_unique<boost::asio::io_context>(1);
  HM_TRY(auto curl, net::make_curl_http_client(context->get_executor(), std::move(plan.curl)));
  auto client = std::make_unique<ConfiguredClient>(std::move(curl), config.network.stall_timeout_ms);
  return std::make_unique<NetworkServices>(config, store, std::move(plan.upstream), std::move(plan.ceilings),
                                           std::move(context), std::move(client));
}

void NetworkServices::stop() {
  if (!network_thread.joinable()) return;
  work.reset();
  context->stop();  // what is left are timers of idle connections: every coroutine has ended
  network_thread.join();
  git_pool.join();
  disk_pool.join();
}
}  // namespace hm::app

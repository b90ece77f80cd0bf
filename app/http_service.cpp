#include "app/http_service.hpp"

#include <algorithm>
#include <thread>

#include "base/log.hpp"
#include "storage/access_rows.hpp"
#include "storage/rows.hpp"

namespace hm::app {
namespace {
constexpr unsigned kPoolThreadsMin = 4, kPoolThreadsMax = 16;  // they wait for disks as much as they work
constexpr std::int64_t kPrivateLookMs = 60'000;                // reads the row of every repository that is here
constexpr std::uint64_t kAnswersShare = 4;                     // of the memory: rendered answers

std::size_t pool_threads() {
  return std::clamp(2 * std::thread::hardware_concurrency(), kPoolThreadsMin, kPoolThreadsMax);
}

server::HttpOptions http_options_of(const config::Serve& settings, const server::PeerRules& peers) {
  server::HttpOptions out;
  out.listen = settings.listen;
  out.tls_certificate = settings.tls_certificate;
  out.tls_key = settings.tls_key;
  out.threads = settings.threads;
  out.connections_max = settings.connections_max;
  out.connections_per_address_max = settings.connections_per_address_max;
  out.header_timeout_ms = settings.header_timeout_ms;
  out.idle_timeout_ms = settings.idle_timeout_ms;
  out.pace.stall_ms = settings.stall_timeout_ms;
  out.exempt = [&peers](const std::string& peer) { return peers.trusts(peer); };
  return out;
}

server::MirrorAccess::Options access_options_of(const config::Serve& settings, const HttpService::Parts& parts,
                                                const std::atomic<bool>& holds_private) {
  server::MirrorAccess::Options out;
  out.tokens_only = settings.access == "tokens";
  if (settings.gated == "check") out.gate = parts.gate;
  out.holds_private = [&holds_private] { return holds_private.load(); };
  return out;
}

server::GitProcesses::Limits git_limits_of(const config::Serve& settings) {
  server::GitProcesses::Limits out;
  out.at_once = settings.git_processes_max;
  out.seconds_max = settings.git_seconds_max;
  return out;
}
}  // namespace

HttpService::HttpService(const config::Serve& settings, Parts parts, server::PeerRules peers)
    : settings_(settings),
      parts_(std::move(parts)),
      pool_(pool_threads()),
      peers_(std::move(peers)),
      published_(parts_.index, parts_.catalog, pool_, settings.cache_bytes - settings.cache_bytes / kAnswersShare),
      answers_(settings.cache_bytes / kAnswersShare),
      access_(access_options_of(settings, parts_, holds_private_),
              parts_.asks_on ? parts_.asks_on : boost::asio::any_io_executor(pool_.get_executor()), system_clock()),
      git_processes_(git_limits_of(settings)),
      git_(git_processes_, pool_),
      lfs_(parts_.index, parts_.blobs, pool_),
      pages_(parts_.texts, counters_),
      router_({{published_, parts_.blobs, system_clock(), answers_},
               access_,
               git_,
               lfs_,
               peers_,
               pages_,
               [this](const server::Request& request, const server::Response& response, const server::Sent& sent,
                      const std::string& caller,
                      const std::string& address) { note(request, response, sent, caller, address); }}) {}

Result<std::unique_ptr<HttpService>> HttpService::open(const config::Serve& settings, Parts parts) {
  HM_TRY(auto peers, server::PeerRules::make(settings));
  std::unique_ptr<HttpService> service(new HttpService(settings, std::move(parts), std::move(peers)));
  if (!settings.access_log.empty()) {
    HM_TRY(service->access_log_, server::AccessLog::open(settings.access_log));
  }
  HM_TRY(service->reload_tokens());
  HM_TRY(service->server_, server::HttpServer::open(http_options_of(settings, service->peers_), service->router_));
  service->pages_.watch([http = service->server_.get()] { return http->counts(); },
                        [s = service.get()] { return s->published_.memory_bytes() + s->answers_.bytes(); });
  return service;
}

HttpService::~HttpService() {
  if (server_) server_->stop(0);
  pool_.join();
}

Result<> HttpService::reload_tokens() {
  HM_TRY(auto rows, storage::list_tokens(parts_.index));
  access_.set_tokens(std::move(rows));
  return look_for_private();
}

/// What was private once is taken to be so for good: then a miss takes as long as a private repository, for nothing.
Result<> HttpService::look_for_private() {
  const std::int64_t now_ms = system_clock().monotonic_ms();
  if (holds_private_ || (looked_for_private_ms_ != 0 && now_ms - looked_for_private_ms_ < kPrivateLookMs)) return ok();
  looked_for_private_ms_ = now_ms;
  return parts_.index.scan(storage::Family::Repos, {}, [&](std::string_view, std::string_view bytes) {
    const auto row = storage::unpack_repo(bytes);
    if (row && row.assume_value().visibility == "private") holds_private_ = true;
    return !holds_private_;
  });
}

Result<> HttpService::reload() {
  if (access_log_) access_log_->reopen();
  HM_TRY(reload_tokens());
  return server_->reload_certificate();
}

void HttpService::note(const server::Request& request, const server::Response& response, const server::Sent& sent,
                       const std::string& caller, const std::string& address) {
  counters_.count(response, sent);
  if (!access_log_) return;
  server::AccessEntry entry;
  entry.unix_ms = system_clock().unix_ms();
  entry.caller = caller;
  entry.peer = address;
  entry.method = server::name_of(request.method);
  entry.path = request.path();
  entry.status = response.status;
  entry.repo = response.repo;
  entry.revision = response.revision;
  entry.file = response.file;
  entry.bytes = sent.body_bytes;
  entry.elapsed_ms = sent.elapsed_us / 1000;
  entry.whole = sent.whole;
  entry.fetched = response.fetched;
  entry.user_agent = request.header("User-Agent");
  access_log_->note(std::move(entry));
}
}  // namespace hm::app

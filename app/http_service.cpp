#include "app/http_service.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <utility>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "server/git_process.hpp"
#include "server/git_routes.hpp"
#include "server/hub_call.hpp"
#include "server/lfs_routes.hpp"
#include "server/mirror_access.hpp"
#include "server/peer.hpp"
#include "server/published.hpp"
#include "server/router.hpp"
#include "storage/access_rows.hpp"
#include "storage/rows.hpp"

namespace hm::app {
namespace {
constexpr unsigned kPoolThreadsMin = 4, kPoolThreadsMax = 16;  // they wait for disks as much as they work
constexpr std::int64_t kPrivateLookMs = 60'000;                // reads the row of every repository that is here
constexpr std::uint64_t kAnswersShare = 4;                     // of the memory: rendered answers
constexpr std::int64_t kLookEveryMs = 1'000;                   // how late a new revision of another process may be seen
constexpr std::int64_t kLooksShare = 20;                       // but looking takes no more than such a part of a core

/// Another text when one of them became another file or was written to.
std::string state_of_files(const std::vector<std::string>& paths) {
  std::string out;
  for (const std::string& path : paths) {
    struct stat s{};
    if (path.empty() || ::stat(path.c_str(), &s) != 0) continue;
    out += path + " " + std::to_string(s.st_ino) + " " + std::to_string(s.st_size) + " " +
           std::to_string(s.st_mtim.tv_sec) + "." + std::to_string(s.st_mtim.tv_nsec) + "\n";
  }
  return out;
}

std::size_t pool_threads() {
  return std::clamp(2 * std::thread::hardware_concurrency(), kPoolThreadsMin, kPoolThreadsMax);
}

server::HttpOptions http_options_of(const config::Serve& settings) {
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

server::Fetching fetching_of(const config::Serve& settings, mirror::OnDemand* on_demand) {
  server::Fetching out;
  if (settings.on_demand == "off") return out;
  out.on_demand = on_demand;
  out.files = settings.on_demand == "files";
  out.max_age_ms = settings.max_age_seconds * 1000;
  return out;
}

server::GitProcesses::Limits git_limits_of(const config::Serve& settings) {
  server::GitProcesses::Limits out;
  out.at_once = settings.git_processes_max;
  out.seconds_max = settings.git_seconds_max;
  return out;
}
}  // namespace

/// Everything that answers by one set of settings.
struct HttpService::Rules {
  Rules(HttpService& service, const config::Serve& settings, server::PeerRules p)
      : peers(std::move(p)),
        fetching(fetching_of(settings, service.parts_.on_demand)),
        published(service.parts_.index, service.parts_.catalog, service.pool_,
                  settings.cache_bytes - settings.cache_bytes / kAnswersShare, fetching.on_demand != nullptr),
        answers(settings.cache_bytes / kAnswersShare),
        access(access_options_of(settings, service.parts_, service.holds_private_),
               service.parts_.asks_on ? service.parts_.asks_on
                                      : boost::asio::any_io_executor(service.pool_.get_executor()),
               system_clock()),
        git_processes(git_limits_of(settings)),
        git(git_processes, service.pool_),
        lfs(published, service.parts_.blobs, fetching),
        pages(service.parts_.texts, service.counters_, service.pool_),
        router({{published, service.parts_.blobs, system_clock(), answers, fetching},
                access,
                git,
                lfs,
                peers,
                pages,
                [&service](const server::Request& request, const server::Response& response, const server::Sent& sent) {
                  service.note(request, response, sent);
                }}) {}

  const server::PeerRules peers;
  const server::Fetching fetching;
  server::Published published;
  server::AnswerCache answers;
  server::MirrorAccess access;
  server::GitProcesses git_processes;
  server::GitRoutes git;
  server::LfsRoutes lfs;
  server::MirrorPages pages;
  server::Router router;
};

/// Gives each request to the rules in force when it came.
class HttpService::Switch final : public server::Handler {
 public:
  explicit Switch(HttpService& service) : service_(service) {}
  std::uint64_t body_bytes_max(const server::Request& head) override {
    return service_.rules()->router.body_bytes_max(head);
  }
  boost::asio::awaitable<server::Response> answer(const server::Request& request) override {
    const std::shared_ptr<Rules> rules = service_.rules();
    co_return co_await rules->router.answer(request);
  }
  void done(const server::Request& request, const server::Response& response, const server::Sent& sent) override {
    service_.note(request, response, sent);
  }

 private:
  HttpService& service_;
};

HttpService::HttpService(Parts parts)
    : parts_(std::move(parts)), pool_(pool_threads()), switch_(std::make_unique<Switch>(*this)) {}

std::shared_ptr<HttpService::Rules> HttpService::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

Result<std::shared_ptr<HttpService::Rules>> HttpService::make_rules(const config::Serve& settings) {
  HM_TRY(look_for_private());
  HM_TRY(auto peers, server::PeerRules::make(settings));
  auto rules = std::make_shared<Rules>(*this, settings, std::move(peers));
  HM_TRY(auto tokens, storage::list_tokens(parts_.index));
  rules->access.set_tokens(std::move(tokens));
  rules->pages.watch([this] { return server_->counts(); },
                     [this] {
                       const auto now = this->rules();
                       return now->published.memory_bytes() + now->answers.bytes();
                     });
  return rules;
}

Result<std::unique_ptr<HttpService>> HttpService::open(const config::Serve& settings, Parts parts) {
  std::unique_ptr<HttpService> service(new HttpService(std::move(parts)));
  HM_TRY(service->rules_, service->make_rules(settings));
  if (!settings.access_log.empty()) {
    HM_TRY(auto opened, server::AccessLog::open(settings.access_log));
    service->access_log_ = std::move(opened);
    service->logs_ = true;
  }
  auto options = http_options_of(settings);
  options.exempt = [s = service.get()](const std::string& peer) { return s->rules()->peers.trusts(peer); };
  service->settings_ = settings;
  service->certificate_taken_ = state_of_files({settings.tls_certificate, settings.tls_key});
  HM_TRY(service->server_, server::HttpServer::open(std::move(options), *service->switch_));
  return service;
}

HttpService::~HttpService() {
  follower_ = {};
  if (server_) server_->stop(0);
  pool_.join();
}

void HttpService::start() {
  server_->start();
  follower_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
}

std::size_t HttpService::stop(std::int64_t deadline_ms) {
  const std::size_t cut_off = server_->stop(deadline_ms);
  follower_ = {};
  return cut_off;
}

Result<> HttpService::reload(const config::Serve& settings) {
  HM_TRY(auto rules, make_rules(settings));
  std::shared_ptr<server::AccessLog> log;
  if (!settings.access_log.empty()) {
    HM_TRY(auto opened, server::AccessLog::open(settings.access_log));
    log = std::move(opened);
  }
  HM_TRY(server_->reload_certificate(settings.tls_certificate, settings.tls_key));
  const std::lock_guard lock(mutex_);
  settings_ = settings;
  rules_ = std::move(rules);
  logs_ = log != nullptr;
  access_log_ = std::move(log);
  return ok();
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

/// A certificate is renewed by programs that know nothing of us. Its two files are not replaced at once: they are read
/// when they stood still from one look to the next.
void HttpService::look_for_certificate() {
  std::string certificate, key;
  {
    const std::lock_guard lock(mutex_);
    certificate = settings_.tls_certificate;
    key = settings_.tls_key;
  }
  const std::string now = state_of_files({certificate, key});
  const bool stands_still = now == std::exchange(certificate_seen_, now);
  if (certificate.empty() || !stands_still || now == certificate_taken_) return;
  certificate_taken_ = now;  // one that is not right is complained of once
  const auto taken = server_->reload_certificate(certificate, key);
  if (taken)
    log(LogLevel::Info, "the certificate was read again", {{"file", printable(certificate)}});
  else
    log(LogLevel::Error, "a new certificate is not right; the one before stays in use", {{"why", taken.error().what}});
}

/// Sees what other processes, and commands inside this one, have changed.
void HttpService::follow(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::int64_t pause_ms = kLookEveryMs;
  for (;;) {
    {
      std::unique_lock lock(mutex);
      wake.wait_for(lock, stop, std::chrono::milliseconds(pause_ms), [] { return false; });
    }
    if (stop.stop_requested()) return;
    const std::int64_t began_ms = system_clock().monotonic_ms();
    auto seen = parts_.index.refresh();
    if (seen) seen = look_for_private();
    look_for_certificate();
    if (seen) {
      auto tokens = storage::list_tokens(parts_.index);
      if (tokens)
        rules()->access.set_tokens(std::move(tokens).assume_value());
      else
        seen = tokens.error();
    }
    if (!seen) log(LogLevel::Warning, "the index could not be read again", {{"why", seen.error().what}});
    pause_ms = std::max(kLookEveryMs, (system_clock().monotonic_ms() - began_ms) * kLooksShare);
  }
}

void HttpService::note(const server::Request& request, const server::Response& response, const server::Sent& sent) {
  counters_.count(response, sent);
  if (!logs_) return;
  std::shared_ptr<server::AccessLog> access_log;
  {
    const std::lock_guard lock(mutex_);
    access_log = access_log_;
  }
  if (!access_log) return;
  server::AccessEntry entry;
  entry.unix_ms = system_clock().unix_ms();
  entry.caller = response.caller;
  entry.peer = rules()->peers.origin_of(request).address;
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
  access_log->note(std::move(entry));
}
}  // namespace hm::app

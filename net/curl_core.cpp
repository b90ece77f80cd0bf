#include "net/curl_core.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/check.hpp"
#include "base/clock.hpp"

namespace hm::net {
namespace {
// Handles and blocks that wait for their next use; more than this is given back to the system.
constexpr std::size_t kIdleEasiesMax = 64;
constexpr std::size_t kIdleBlocksMax = 32;
// Smaller blocks would pause a transfer after every few of libcurl's 16 KiB writes.
constexpr std::size_t kBlockBytesMin = 64U << 10;

/// Where users of OpenSSL, curl and requests say which authorities they trust. First the one that our error message
/// names.
std::string ca_path_of_environment() {
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return {};
}
}  // namespace

CurlCore::CurlCore(boost::asio::any_io_executor executor, CurlOptions options, Url upstream, ProxySettings proxies)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      upstream_(std::move(upstream)),
      proxies_(std::move(proxies)),
      ca_path_(options_.ca_file.empty() ? ca_path_of_environment() : options_.ca_file),
      block_bytes_(std::max(options_.buffer_bytes, kBlockBytesMin)),
      share_(curl_share_init()),
      multi_(std::make_shared<CurlMulti>(executor_, options_.connections_per_host_max, options_.connections_max)),
      stall_timer_(executor_) {
  HM_CHECK(share_ != nullptr);
  curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);  // one thread, so no lock functions
}

void CurlCore::close() {
  closed_ = true;
  const std::vector<CoreMember*> members(members_.begin(), members_.end());
  for (CoreMember* member : members) member->abandon(Error(Errc::Cancelled, "the HTTP client was closed"));
}

EasyHandle CurlCore::take_easy() {
  if (easies_.empty()) return EasyHandle(curl_easy_init());
  EasyHandle easy = std::move(easies_.back());
  easies_.pop_back();
  return easy;
}

void CurlCore::give_back(EasyHandle easy) {
  if (closed_ || easies_.size() >= kIdleEasiesMax) return;
  curl_easy_reset(easy.get());
  easies_.push_back(std::move(easy));
}

Block CurlCore::take_block() {
  if (blocks_.empty()) return std::make_unique_for_overwrite<std::byte[]>(block_bytes_);
  Block block = std::move(blocks_.back());
  blocks_.pop_back();
  return block;
}

void CurlCore::give_back(Block block) {
  if (block && !closed_ && blocks_.size() < kIdleBlocksMax) blocks_.push_back(std::move(block));
}

void CurlCore::leave(CoreMember& member) {
  members_.erase(&member);
  if (!members_.empty()) return;
  stall_deadline_ms_.reset();
  stall_timer_.cancel();  // an idle client must not keep its executor busy
}

void CurlCore::watch(std::optional<std::int64_t> deadline_ms) {
  if (!deadline_ms || (stall_deadline_ms_ && *stall_deadline_ms_ <= *deadline_ms)) return;
  stall_deadline_ms_ = deadline_ms;
  const std::int64_t wait_ms = std::max<std::int64_t>(*deadline_ms - system_clock().monotonic_ms(), 0) + 1;
  stall_timer_.expires_after(std::chrono::milliseconds(wait_ms));
  stall_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->check_stalls();
  });
}

void CurlCore::check_stalls() {
  stall_deadline_ms_.reset();
  const std::int64_t now_ms = system_clock().monotonic_ms();
  const std::vector<CoreMember*> members(members_.begin(), members_.end());  // check_stall() may remove its own member
  std::optional<std::int64_t> next_ms;
  for (CoreMember* member : members) {
    const auto again_ms = member->check_stall(now_ms);
    if (again_ms && (!next_ms || *again_ms < *next_ms)) next_ms = again_ms;
  }
  if (!members_.empty()) watch(next_ms);
}

bool CurlCore::is_allowed_private(const Url& url) const {
  if (url.host == upstream_.host && url.port == upstream_.port) return true;
  return std::any_of(options_.allowed_private.begin(), options_.allowed_private.end(), [&](const HostPort& allowed) {
    return allowed.host == url.host && (allowed.port == 0 || allowed.port == url.port);
  });
}
}  // namespace hm::net
